from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from datamint_like.backends.local.database import Write
from tests.serving import Served

_KEY = {"Idempotency-Key": "the-first-project"}


def test_a_create_under_a_key_is_answered_as_it_was_first(admin: httpx.Client) -> None:
    first = admin.post("/projects", json={"name": "a"}, headers=_KEY)
    again = admin.post("/projects", json={"name": "a"}, headers=_KEY)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert len(admin.get("/projects").json()["data"][0]["projects"]) == 1


def test_without_a_key_a_taken_name_is_told(admin: httpx.Client) -> None:
    assert admin.post("/projects", json={"name": "a"}).status_code == 201
    assert admin.post("/projects", json={"name": "a"}).status_code == 409


def test_a_key_with_another_body_is_refused(admin: httpx.Client) -> None:
    admin.post("/projects", json={"name": "a"}, headers=_KEY)
    other = admin.post("/projects", json={"name": "b"}, headers=_KEY)
    assert (other.status_code, other.json()["kind"]) == (422, "ValidationError")
    assert len(admin.get("/projects").json()["data"][0]["projects"]) == 1


def test_each_user_has_keys_of_their_own(server: Served, admin: httpx.Client) -> None:
    first = admin.post("/projects", json={"name": "a"}, headers=_KEY).json()
    with server.client(server.user("ana@lab.example")) as ana:
        hers = ana.post("/projects", json={"name": "b"}, headers=_KEY).json()
    assert hers["id"] != first["id"]


def test_a_create_that_failed_may_be_tried_again_under_its_key(admin: httpx.Client) -> None:
    body = {"name": "a", "resource_ids": ["00000000-0000-0000-0000-000000000000"]}
    assert admin.post("/projects", json=body, headers=_KEY).status_code == 404
    assert admin.post("/projects", json={"name": "a"}, headers=_KEY).status_code == 201


def test_a_key_is_kept_for_a_day(server: Served, admin: httpx.Client, tmp_path: Path) -> None:
    admin.post("/projects", json={"name": "a"}, headers=_KEY)
    with sqlite3.connect(tmp_path / "store" / "store.sqlite") as connection:
        connection.execute("UPDATE idempotency SET created_at = '2020-01-01T00:00:00.000000Z'")
    connection.close()
    assert admin.post("/projects", json={"name": "b"}, headers=_KEY).status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 201])
def test_a_key_that_is_none_is_refused(admin: httpx.Client, key: str) -> None:
    assert admin.post("/projects", json={"name": "a"}, headers={"Idempotency-Key": key}).status_code == 422


def test_of_many_that_ask_at_once_one_makes_it_and_all_are_answered_alike(server: Served) -> None:
    answers: list[bytes] = []

    def ask() -> None:
        with server.client() as client:
            answers.append(client.post("/projects", json={"name": "a"}, headers=_KEY).content)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1


def test_a_create_whose_answer_cannot_be_kept_is_not_made(
    server: Served, admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_write: Write, value: Any) -> Any:
        raise RuntimeError(value)

    with monkeypatch.context() as patched:
        patched.setattr(Write, "made", fails)
        assert admin.post("/projects", json={"name": "a"}, headers=_KEY).status_code == 500
    assert server.store.list_projects() == []
    assert admin.post("/projects", json={"name": "a"}, headers=_KEY).status_code == 201
