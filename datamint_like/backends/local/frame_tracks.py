"""Tracks: what one author says of the frames of a resource under one identifier, as rows of one frame each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from datamint_like.backends.local import annotation_rows
from datamint_like.backends.local.changes import one_of
from datamint_like.backends.local.database import Write
from datamint_like.backends.local.schema import annotation_table
from datamint_like.entities import Annotation

TYPES = frozenset({"text", "category", "integer", "float", "label"})
_row = annotation_table.c


@dataclass(frozen=True)
class Track:
    """Which rows are one track.

    Attributes:
        model_id: The model that says so; without it, whoever writes.
        worklist_id: None is a track outside of worklists.
    """

    resource_id: str
    type: str
    identifier: str
    model_id: str | None = None
    worklist_id: str | None = None


def replace(write: Write, track: Track, rows: Sequence[dict[str, Any]]) -> tuple[list[Annotation], list[Annotation]]:
    """Make a track hold these checked rows and no others; the rows that were added, and those that were deleted.

    A row that is there already, with its frame and value, stays.

    Raises:
        ValidationError: The type is none that a frame can have a value of.
    """
    one_of(track.type, TYPES, f"The type of track {track.identifier!r}")
    wanted = {_key(row): row for row in rows}
    gone = [row["id"] for row in _live(write, track) if wanted.pop(_key(row), None) is None]
    annotation_rows.delete(write, gone)
    added = annotation_rows.create(write, {track.resource_id: list(wanted.values())})
    return added, annotation_rows.get_many(write, gone)


def _key(row: Any) -> tuple[Any, ...]:
    return row["frame_index"], row["text_value"], row["numeric_value"]


def _live(write: Write, track: Track) -> list[Any]:
    mine = (
        _row.created_by == write.user
        if track.model_id is None
        else sa.and_(_row.created_by.is_(None), _row.created_by_model == track.model_id)
    )
    statement = sa.select(annotation_table).where(
        _row.resource_id == track.resource_id,
        _row.annotation_type == track.type,
        _row.identifier == track.identifier,
        _row.annotation_worklist_id.is_not_distinct_from(track.worklist_id),
        _row.scope == "frame",
        _row.deleted.is_(False),
        mine,
    )
    return write.rows(statement.order_by(_row.created_at, _row.id))
