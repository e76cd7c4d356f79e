"""Rows of split assignments, with their history: a replaced row is closed, never changed or removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from datamint_like.backends.local import clock
from datamint_like.backends.local.database import Read, Write, batches, new_id
from datamint_like.backends.local.schema import splits
from datamint_like.entities import ProjectResourceSplit

_row = splits.c


def assign(write: Write, project_id: str, resource_ids: Sequence[str], split_name: str) -> None:
    """Put members of a project into a split; those in it already stay as they are."""
    assign_each(write, project_id, dict.fromkeys(resource_ids, split_name))


def assign_each(write: Write, project_id: str, names: Mapping[str, str | None]) -> str:
    """Put each of these members of a project into the split named, or into none; the instant at which all hold.

    Those that are there already stay as they are.
    """
    by_name: dict[str | None, list[str]] = {}
    for resource_id, split_name in names.items():
        by_name.setdefault(split_name, []).append(resource_id)
    live = (_row.project_id == project_id, _row.deleted_at.is_(None))
    leaving = write.found(_row.resource_id, by_name.pop(None, []), *live)
    moving: dict[str, str | None] = {}
    for split_name, ids in by_name.items():
        present = write.found(_row.resource_id, ids, *live, _row.split_name == split_name)
        moving |= {resource_id: split_name for resource_id in ids if resource_id not in present}
    now = write.stamp()
    if not moving and not leaving:
        return now
    close(write, project_id, [*leaving, *moving], now)
    base = {"project_id": project_id, "created_at": now, "created_by": write.user}
    rows = [{**base, "id": new_id(), "resource_id": each, "split_name": name} for each, name in moving.items()]
    write.insert(splits, rows)
    write.touch_projects([project_id])
    return now


def close(write: Write, project_id: str, resource_ids: Sequence[str], now: str) -> None:
    """End the assignments that these resources have in a project."""
    for batch in batches(resource_ids):
        held = sa.and_(_row.project_id == project_id, _row.resource_id.in_(batch), _row.deleted_at.is_(None))
        write.change(splits, held, deleted_at=now, deleted_by=write.user)


def listing(
    read: Read, project_id: str, *, split_name: str | None = None, as_of: str | None = None
) -> list[ProjectResourceSplit]:
    """The assignments that hold now, or held at `as_of`, by (created_at, resource id)."""
    statement = sa.select(splits).where(_row.project_id == project_id).order_by(_row.created_at, _row.resource_id)
    if as_of is None:
        statement = statement.where(_row.deleted_at.is_(None))
    else:
        moment = clock.parse(as_of)
        held = sa.or_(_row.deleted_at.is_(None), _row.deleted_at > moment)
        statement = statement.where(_row.created_at <= moment, held)
    if split_name is not None:
        statement = statement.where(_row.split_name == split_name)
    return [_split(row) for row in read.rows(statement)]


def _split(row: Any) -> ProjectResourceSplit:
    return ProjectResourceSplit(**{key: value for key, value in row.items() if key != "revision"})
