from __future__ import annotations

from pathlib import Path

import pytest

from datamint_like.backends.base import NewProject
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.idempotency import AlreadyMade, Answer, Once
from datamint_like.entities import Project


def test_acting_as_somebody_opens_nothing_anew(store: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    def opens(_self: LocalBackend, url: str) -> None:
        raise AssertionError(f"{url} was opened")

    monkeypatch.setattr(LocalBackend, "__init__", opens)
    ana = store.acting_as("ana@lab.example", sees_all=False)
    assert ana.create_project(NewProject("a")).created_by == "ana@lab.example"
    assert [each.name for each in ana.list_projects()] == ["a"]


def test_who_acts_administers_as_themselves(store: LocalBackend) -> None:
    assert store.administration.list_keys() == []
    project = store.create_project(NewProject("a"))
    store.acting_as("ana@lab.example").administration.put_member(
        project.id, store.current_user().email, ["PROJECT_READER"]
    )
    with store._database.read() as read:
        assert read.connection.exec_driver_sql("SELECT added_by FROM project_members").scalars().all() == [
            "ana@lab.example"
        ]


def test_a_create_under_a_name_is_made_once_and_other_writes_are_not_its_concern(
    store: LocalBackend, tmp_path: Path
) -> None:
    def answer(made: Project) -> Answer:
        return Answer(201, made.id)

    once = Once("ana@lab.example", "first", "digest", answer)
    naming = store.creating_once(once)
    assert store.earlier_answer(once) is None
    made = naming.create_project(NewProject("a"))
    assert store.earlier_answer(once) == Answer(201, made.id)
    naming.archive_project(made.id)
    with pytest.raises(AlreadyMade) as told:
        naming.create_project(NewProject("b"))
    assert told.value.answer == Answer(201, made.id)
    assert [each.name for each in store.list_projects(include_archived=True)] == ["a"]
