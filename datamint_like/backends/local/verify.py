"""Whether the files of a store are those that its rows name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from datamint_like._files import sha256_of
from datamint_like.backends.local.database import Read, Write
from datamint_like.backends.local.files import FileStore
from datamint_like.backends.local.schema import annotation_table, parts, resources


def problems(read: Read, files: FileStore) -> list[str]:
    """One sentence for each file that is missing or differs from what was stored, and one for what nothing names."""
    found = [
        _fault(_place(row, files), row["sha256"], f"File {row['filename']!r} of resource {row['resource_id']}")
        for row in read.rows(sa.select(parts).order_by(parts.c.resource_id, parts.c.index))
    ]
    masks = sa.select(annotation_table.c.id, annotation_table.c.sha256).order_by(annotation_table.c.id)
    found += [
        _fault(files.blob_path(row["sha256"]), row["sha256"], f"The file of annotation {row['id']}")
        for row in read.rows(masks.where(annotation_table.c.sha256.is_not(None)))
    ]
    bare = sa.select(resources.c.id).where(resources.c.id.not_in(sa.select(parts.c.resource_id)))
    found += [f"Resource {row['id']} has no files." for row in read.rows(bare)]
    return [sentence for sentence in [*found, _left(files, unnamed(read, files))] if sentence]


def unnamed(read: Read, files: FileStore) -> list[str]:
    """Digests of the stored files that no row names, older than a day: younger ones may be an upload's under way."""
    old = files.old_blobs()
    named = _named(read, old)
    return [digest for digest in old if digest not in named]


def drop_unnamed(write: Write, files: FileStore, digests: Sequence[str]) -> None:
    """Remove the stored files with these digests that no row names.

    It needs the write lock: another upload of the same bytes puts its file in place inside its own write.
    """
    for digest in set(digests) - _named(write, digests):
        files.blob_path(digest).unlink(missing_ok=True)


def _named(read: Read, digests: Sequence[str]) -> set[str]:
    """Those of these digests whose file in `blobs/` a row counts on."""
    of_parts = read.found(parts.c.sha256, digests, parts.c.linked_path.is_(None))
    return of_parts | read.found(annotation_table.c.sha256, digests)


def _left(files: FileStore, digests: Sequence[str]) -> str | None:
    if not digests:
        return None
    size = sum(files.blob_path(digest).stat().st_size for digest in digests if files.blob_path(digest).exists())
    return (
        f"{len(digests)} stored file(s) of {size} bytes belong to no resource or annotation, "
        "since uploads were killed; sweep() of the store removes them."
    )


def _place(row: Any, files: FileStore) -> Path:
    return Path(row["linked_path"]) if row["linked_path"] else files.blob_path(row["sha256"])


def _fault(path: Path, sha256: str, what: str) -> str | None:
    try:
        return None if sha256_of(path) == sha256 else f"{what} has other bytes than were stored."
    except OSError as error:
        return f"{what} cannot be read: {error.strerror}."
