from __future__ import annotations

from pathlib import Path

import pytest

from datamint_like.backends.base import NewProject
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.idempotency import AlreadyMade, Answer, Once
from datamint_like.entities import Project, User
from datamint_like.exceptions import ValidationError


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
    store.create_user(User(email="bo@lab.example", created_at="", customer_id=""))
    store.acting_as("ana@lab.example").administration.put_member(project.id, "bo@lab.example", ["PROJECT_READER"])
    with store._database.read() as read:
        assert read.connection.exec_driver_sql("SELECT user_id, added_by FROM project_members").all() == [
            (store.current_user().email, store.current_user().email),
            ("bo@lab.example", "ana@lab.example"),
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


def test_a_project_keeps_an_owner(store: LocalBackend) -> None:
    project, mine = store.create_project(NewProject("p")).id, store.current_user().email
    office = store.administration
    store.create_user(User(email="second@lab.example", created_at="", customer_id=""))
    refused = pytest.raises(ValidationError, match=r"only owner of project .* Make another member its owner first")
    with refused:
        office.remove_member(project, mine)
    with refused:
        office.put_member(project, mine, ["PROJECT_READER"])
    assert [member.roles for member in office.list_members(project)] == [("PROJECT_OWNER",)]
    office.put_member(project, "second@lab.example", ["PROJECT_ADMIN"])
    office.remove_member(project, mine)
    assert [member.user_id for member in office.list_members(project)] == ["second@lab.example"]
