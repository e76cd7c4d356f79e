"""Assignments of a project's resources to splits, with their history."""

from __future__ import annotations

from typing import Any

import msgspec

from datamint_like.exceptions import ValidationError
from datamint_like.server.access import OWNS_PROJECT, READS_PROJECT
from datamint_like.server.call import Call
from datamint_like.server.routing import Route


class Assignment(msgspec.Struct, frozen=True):
    """Resources to put into one split, or for each resource its own (null takes it out)."""

    resource_ids: tuple[str, ...] = ()
    split_name: str | None = None
    assignments: dict[str, str | None] | None = None


class SplitQuery(msgspec.Struct, frozen=True):
    """Which assignments: of one split, or as they were at an instant."""

    split_name: str | None = None
    as_of_timestamp: str | None = None


def assign(call: Call) -> str | None:
    """The instant from which these assignments hold; None where they came in Datamint's words."""
    body: Assignment = call.body
    if body.assignments is not None:
        return call.store.assign_splits(call.path["project_id"], body.assignments)
    if body.split_name is None:
        raise ValidationError("Give split_name with resource_ids, or assignments.")
    call.store.assign_split(call.path["project_id"], body.resource_ids, body.split_name)
    return None


def _assigned(instant: str | None) -> Any:
    return {} if instant is None else {"instant": instant}


def list_splits(call: Call) -> Any:
    """The assignments, by time."""
    query: SplitQuery = call.query
    return call.store.list_splits(call.path["project_id"], split_name=query.split_name, as_of=query.as_of_timestamp)


def resource_split(call: Call) -> Any:
    """The assignment of one resource; null where it has none."""
    rows = call.store.list_splits(call.path["project_id"])
    return next((row for row in rows if row.resource_id == call.path["resource_id"]), None)


_P = "/projects/{project_id}"
ROUTES = (
    Route("GET", _P + "/splits", list_splits, READS_PROJECT, "Its splits, now or at an instant", query=SplitQuery),
    Route("POST", _P + "/splits", assign, OWNS_PROJECT, "Put resources into splits", body=Assignment, answer=_assigned),
    Route("GET", _P + "/resources/{resource_id}/split", resource_split, READS_PROJECT, "The split of a resource"),
)
