"""Whether the files of a store are those that its rows name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from datamint_like.backends.local.byte_store import ByteStore
from datamint_like.backends.local.database import Read, Write
from datamint_like.backends.local.files import fault_of_bytes
from datamint_like.backends.local.schema import annotation_table, parts, resources


def problems(read: Read, files: ByteStore) -> list[str]:
    """One sentence for each file that is missing or differs from what was stored, and one for what nothing names."""
    found = [
        _sentence(f"File {row['filename']!r} of resource {row['resource_id']}", _fault(row, files))
        for row in read.rows(sa.select(parts).order_by(parts.c.resource_id, parts.c.index))
    ]
    masks = sa.select(annotation_table.c.id, annotation_table.c.sha256).order_by(annotation_table.c.id)
    found += [
        _sentence(f"The file of annotation {row['id']}", files.fault(row["sha256"]))
        for row in read.rows(masks.where(annotation_table.c.sha256.is_not(None)))
    ]
    bare = sa.select(resources.c.id).where(resources.c.id.not_in(sa.select(parts.c.resource_id)))
    found += [f"Resource {row['id']} has no files." for row in read.rows(bare)]
    return [sentence for sentence in [*found, _left(files, unnamed(read, files))] if sentence]


def unnamed(read: Read, files: ByteStore) -> list[str]:
    """Digests of the stored files that no row names, older than a day: younger ones may be an upload's under way."""
    there = files.digests()
    named = _named(read, there)
    return [digest for digest in there if digest not in named and files.is_old(digest)]


def drop_unnamed(write: Write, files: ByteStore, digests: Sequence[str]) -> None:
    """Remove the stored files with these digests that no row names.

    It needs the write lock: another upload of the same bytes puts its file in place inside its own write.
    """
    files.remove(sorted(set(digests) - _named(write, digests)))


def _named(read: Read, digests: Sequence[str]) -> set[str]:
    """Those of these digests whose file in `blobs/` a row counts on."""
    of_parts = read.found(parts.c.sha256, digests, parts.c.linked_path.is_(None))
    return of_parts | read.found(annotation_table.c.sha256, digests)


def _left(files: ByteStore, digests: Sequence[str]) -> str | None:
    if not digests:
        return None
    size = sum(files.size_of(digest) or 0 for digest in digests)
    return (
        f"{len(digests)} stored file(s) of {size} bytes belong to no resource or annotation, "
        "since uploads were killed; sweep() of the store removes them."
    )


def _fault(part: Any, files: ByteStore) -> str | None:
    if part["linked_path"]:
        return fault_of_bytes(Path(part["linked_path"]), part["sha256"])
    return files.fault(part["sha256"])


def _sentence(what: str, fault: str | None) -> str | None:
    return None if fault is None else f"{what} {fault}."
