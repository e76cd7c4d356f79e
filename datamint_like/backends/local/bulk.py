"""Rows of many new resources of one project at once: some statements for thousands of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from datamint_like.backends.local import annotation_rows, projects, resources, uploads
from datamint_like.backends.local.database import Read, Write, batches
from datamint_like.backends.local.schema import parts as part_table
from datamint_like.backends.local.schema import project_resources
from datamint_like.backends.local.schema import resources as resource_table
from datamint_like.entities import Part

#: The digests of a resource's parts, sorted: equal for equal bytes.
_Bytes = tuple[str, ...]


def insert(
    write: Write,
    project_id: str,
    taken: Sequence[tuple[uploads.Upload, Sequence[Part]]],
    said: Sequence[Sequence[dict[str, Any]]],
) -> list[str | None]:
    """Add resources with parts, tags, membership and annotations; the ids, None for what is there already.

    Args:
        write: The write.
        project_id: The project, which is there.
        taken: The resources, each with its parts.
        said: For each the rows of its annotations.
    """
    known, store_id = _held(write, project_id, [parts for _, parts in taken]), write.store_id()
    ids: list[str | None] = []
    fresh: list[tuple[dict[str, Any], Sequence[str], Sequence[Part]]] = []
    annotations: dict[str, Sequence[dict[str, Any]]] = {}
    for (upload, parts), rows in zip(taken, said, strict=True):
        own = _bytes_of(parts)
        if own in known:
            ids.append(None)
            continue
        known.add(own)
        row = uploads.row(write, upload, parts, store_id)
        fresh.append((row, upload.new.tags, parts))
        ids.append(row["id"])
        if rows:
            annotations[row["id"]] = rows
    resources.insert(write, fresh)
    projects.admit(write, project_id, [row["id"] for row, _, _ in fresh])
    annotation_rows.insert(write, annotations)
    if fresh:
        write.touch_projects([project_id])
    return ids


def _bytes_of(parts: Sequence[Part]) -> _Bytes:
    return tuple(sorted(part.sha256 for part in parts))


def _held(read: Read, project_id: str, wanted: Sequence[Sequence[Part]]) -> set[_Bytes]:
    """The bytes of those resources of the project, not deleted, that have the first digest of one that is wanted."""
    first, member, part = sorted({_bytes_of(parts)[0] for parts in wanted}), project_resources.c, part_table.c
    holders = (
        sa.select(part.resource_id)
        .join(project_resources, member.resource_id == part.resource_id)
        .join(resource_table, resource_table.c.id == part.resource_id)
        .where(member.project_id == project_id, resource_table.c.deleted.is_(False))
        .distinct()
    )
    found = [row["resource_id"] for batch in batches(first) for row in read.rows(holders.where(part.sha256.in_(batch)))]
    return {_bytes_of(parts) for parts in resources.parts_of(read, found).values()}
