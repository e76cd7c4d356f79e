"""Calls about many rows take as many statements as calls about few."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from datamint_like.backends.base import NewProject
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.testing.contents import whole
from datamint_like.testing.samples import project_of, upload

Call = Callable[[LocalBackend, str, list[str]], object]
CALLS: dict[str, Call] = {
    "adding": lambda store, project_id, ids: store.add_project_resources(project_id, ids),
    "removing": lambda store, project_id, ids: store.remove_project_resources(project_id, ids),
    "splitting": lambda store, project_id, ids: store.assign_split(project_id, ids, "train"),
    "tagging": lambda store, project_id, ids: store.add_tags(ids, ["x"]),
    "tagging anew": lambda store, project_id, ids: store.set_tags(ids, ["x", "y"]),
    "deleting": lambda store, project_id, ids: store.delete_resources(ids),
    "listing": lambda store, project_id, ids: store.list_project_resources(project_id),
    "reading": lambda store, project_id, ids: whole(store.read_project(project_id)),
}


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that the block sends to any database, without those that begin a transaction."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("call", CALLS)
def test_many_resources_take_no_more_statements_than_two(store: LocalBackend, call: str) -> None:
    counts = []
    for number in (2, 9):
        resources = [upload(store) for _ in range(number)]
        project = project_of(store, *([] if call == "adding" else resources), name=f"of {number}")
        with counted() as sent:
            CALLS[call](store, project.id, [each.id for each in resources])
        counts.append(len(sent))
    assert counts[0] == counts[1] > 0


def test_many_projects_are_listed_in_no_more_statements_than_one(store: LocalBackend) -> None:
    counts = []
    for number in (1, 9):
        for n in range(number):
            store.create_project(NewProject(f"{number}-{n}"))
        with counted() as sent:
            store.list_projects()
        counts.append(len(sent))
    assert counts[0] == counts[1] > 0


def test_a_call_that_needs_a_project_to_exist_reads_no_counts_of_it(store: LocalBackend) -> None:
    project = project_of(store, upload(store))
    for call in (store.list_splits, store.list_worklists):
        with counted() as sent:
            call(project.id)
        assert len(sent) == 2


def test_acting_in_the_name_of_another_opens_nothing(store: LocalBackend) -> None:
    with counted() as sent:
        other = store.acting_as("ana@lab.example")
    assert sent == []
    assert other.blobs() is store.blobs()
