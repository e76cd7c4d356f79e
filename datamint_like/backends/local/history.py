"""What changed in a project since one of its latest writes.

Each write that changes a project leaves its number and random id among the states of the project, and its number on
every member of which something changed; members that left have a row that says when. So a token is known as a state
that this store has been in, and what came after it is found by number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from datamint_like.backends.local.database import Read, Write, batches
from datamint_like.backends.local.schema import departures, project_resources, project_writes, resources

#: More changes than this, and than a quarter of a project, are not told: the whole is about as cheap.
_FEW = 100
_TOKEN = re.compile(r"([0-9]{1,18})-(.+)")
_member, _state, _departure = project_resources.c, project_writes.c, departures.c


@dataclass(frozen=True)
class Moved:
    """What of a project is not as it was, or not where it was, by id.

    Attributes:
        gone: What is a member no more, or deleted.
        places: Each member that changed and the one before it (None for the first), in dataset order.
    """

    gone: tuple[str, ...]
    places: tuple[tuple[str, str | None], ...]


def moved(read: Read, project_id: str, token: str, total: int) -> Moved | None:
    """What changed after the state that a token (`number-id`) names; `total` resources are there now.

    None where the store does not know it as one of the project's, or where so much changed that the whole is as cheap.
    """
    number = _number_of(read, project_id, token)
    if number is None:
        return None
    after = (_member.project_id == project_id, _member.revision > number)
    touched = sa.select(_member.resource_id, resources.c.deleted).join(resources, resources.c.id == _member.resource_id)
    rows = read.rows(touched.where(*after))
    left = sa.select(_departure.resource_id).where(_departure.project_id == project_id, _departure.revision > number)
    gone = [row["resource_id"] for row in rows if row["deleted"]]
    gone += [row["resource_id"] for row in read.rows(left)]
    changed = {row["resource_id"] for row in rows if not row["deleted"]}
    if len(changed) + len(gone) > max(_FEW, total // 4):
        return None
    return Moved(tuple(sorted(gone)), _placed(read, project_id, changed))


def came(write: Write, project_id: str, resource_ids: Sequence[str]) -> None:
    """Note that resources are in a project (again)."""
    for batch in batches(resource_ids):
        write.connection.execute(sa.delete(departures).where(_of(project_id, batch)))


def left(write: Write, project_id: str, resource_ids: Sequence[str]) -> None:
    """Note that resources left a project, and forget those that left before the oldest state that is known."""
    write.insert(departures, [{"project_id": project_id, "resource_id": each} for each in resource_ids])
    oldest = sa.select(sa.func.min(_state.revision)).where(_state.project_id == project_id).scalar_subquery()
    forgotten = sa.and_(_departure.project_id == project_id, _departure.revision <= oldest)
    write.connection.execute(sa.delete(departures).where(forgotten))


def _number_of(read: Read, project_id: str, token: str) -> int | None:
    """The number of the write that a token names; None where it is none of the project's."""
    parts = _TOKEN.fullmatch(token)
    if parts is None:
        return None
    number, write_id = int(parts[1]), parts[2]
    state = (_state.project_id == project_id, _state.revision == number, _state.write_id == write_id)
    return number if read.row(sa.select(_state.n).where(*state)) is not None else None


def _placed(read: Read, project_id: str, changed: set[str]) -> tuple[tuple[str, str | None], ...]:
    """These members, each with the one before it, in dataset order."""
    earlier = project_resources.alias("earlier")
    others = sa.select(earlier.c.resource_id).join(resources, resources.c.id == earlier.c.resource_id)
    others = others.where(earlier.c.project_id == project_id, resources.c.deleted.is_(False))
    last = others.where(earlier.c.added_at < _member.added_at).order_by(earlier.c.added_at.desc()).limit(1)
    some = sa.select(_member.added_at, _member.resource_id, last.correlate(project_resources).scalar_subquery())
    some = some.where(_member.project_id == project_id)
    found = [
        tuple(row)
        for batch in batches(sorted(changed))
        for row in read.connection.execute(some.where(_member.resource_id.in_(batch)))
    ]
    return tuple((resource_id, before) for _, resource_id, before in sorted(found))


def _of(project_id: str, resource_ids: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.and_(_departure.project_id == project_id, _departure.resource_id.in_(resource_ids))
