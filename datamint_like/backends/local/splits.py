"""Rows of split assignments, with their history: a replaced row is closed, never changed or removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from datamint_like.backends.local import clock
from datamint_like.backends.local.database import Read, Write, batches, new_id
from datamint_like.backends.local.schema import splits
from datamint_like.entities import ProjectResourceSplit

_row = splits.c


def assign(write: Write, project_id: str, resource_ids: Sequence[str], split_name: str) -> None:
    """Put members of a project into a split; those in it already stay as they are."""
    same = (_row.project_id == project_id, _row.deleted_at.is_(None), _row.split_name == split_name)
    present = write.found(_row.resource_id, resource_ids, *same)
    moving = [resource_id for resource_id in resource_ids if resource_id not in present]
    if not moving:
        return
    now = write.stamp()
    close(write, project_id, moving, now)
    base = {"split_name": split_name, "project_id": project_id, "created_at": now, "created_by": write.user}
    write.insert(splits, [{**base, "id": new_id(), "resource_id": resource_id} for resource_id in moving])
    write.touch_projects([project_id])


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
