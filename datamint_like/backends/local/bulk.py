"""Rows of many new resources of one project at once: some statements for thousands of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from datamint_like.backends.bulk_rows import Row
from datamint_like.backends.local import annotation_rows, projects, resources, uploads
from datamint_like.backends.local.database import Read, Write, batches
from datamint_like.backends.local.schema import parts as part_table
from datamint_like.backends.local.schema import project_resources
from datamint_like.backends.local.schema import resources as resource_table
from datamint_like.entities import Part

#: The digests of a resource's parts, sorted: equal for equal bytes.
_Bytes = tuple[str, ...]


@dataclass(frozen=True)
class Taken:
    """A row whose files and masks are staged: its resource, the parts of that, and the rows of its annotations."""

    row: Row
    upload: uploads.Upload
    parts: Sequence[Part]
    said: Sequence[dict[str, Any]]


def insert(write: Write, project_id: str, taken: Sequence[Taken]) -> list[str | None]:
    """Add resources with parts, tags, membership and annotations; the ids, None for what is there already.

    Args:
        write: The write.
        project_id: The project, which is there.
        taken: The resources.

    Raises:
        ItemNotFoundError: An annotation is in a worklist that is unknown; the message names the row.
    """
    bytes_of = [_bytes_of(each.parts) for each in taken]
    known, store_id = _held(write, project_id, bytes_of), write.store_id()
    ids: list[str | None] = []
    fresh: list[tuple[dict[str, Any], Sequence[str], Sequence[Part]]] = []
    annotations: dict[str, Sequence[dict[str, Any]]] = {}
    worklists: dict[str, Row] = {}
    for each, own in zip(taken, bytes_of, strict=True):
        if own in known:
            ids.append(None)
            continue
        known.add(own)
        row = uploads.row(write, each.upload, each.parts, store_id)
        fresh.append((row, each.upload.new.tags, each.parts))
        ids.append(row["id"])
        if each.said:
            annotations[row["id"]] = each.said
        for annotation in each.said:
            if annotation["annotation_worklist_id"] is not None:
                worklists.setdefault(annotation["annotation_worklist_id"], each.row)
    for worklist_id, first in worklists.items():
        with first.named():
            annotation_rows.need_worklists(write, [worklist_id])
    resources.insert(write, fresh)
    projects.admit(write, project_id, [row["id"] for row, _, _ in fresh])
    annotation_rows.insert(write, annotations)
    if fresh:
        write.touch_projects([project_id])
    return ids


def _bytes_of(parts: Sequence[Part]) -> _Bytes:
    return tuple(sorted(part.sha256 for part in parts))


def are_held(read: Read, project_id: str, digests: Sequence[Sequence[str]]) -> list[bool]:
    """Of each set of digests of files, whether the project holds a resource, not deleted, of just these."""
    wanted = [tuple(sorted(each)) for each in digests]
    held = _held(read, project_id, [each for each in wanted if each])
    return [each in held for each in wanted]


def _held(read: Read, project_id: str, wanted: Sequence[_Bytes]) -> set[_Bytes]:
    """The bytes of those resources of the project, not deleted, that have the first digest of one that is wanted."""
    first, member, part = sorted({each[0] for each in wanted}), project_resources.c, part_table.c
    holders = (
        sa.select(part.resource_id)
        .join(project_resources, member.resource_id == part.resource_id)
        .join(resource_table, resource_table.c.id == part.resource_id)
        .where(member.project_id == project_id, resource_table.c.deleted.is_(False))
        .distinct()
    )
    found = [row["resource_id"] for batch in batches(first) for row in read.rows(holders.where(part.sha256.in_(batch)))]
    return {_bytes_of(parts) for parts in resources.parts_of(read, found).values()}
