from __future__ import annotations

import sqlite3
from pathlib import Path

import httpx

from tests.serving import ADMIN_KEY, Served


def test_without_a_key_only_health_and_capabilities_answer(server: Served) -> None:
    with server.client(key=None) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/capabilities").json()["name"] == "datamint_like"
        refused = client.get("/projects")
    assert refused.status_code == 401
    assert refused.json()["kind"] == "AuthenticationError"


def test_either_header_is_enough(server: Served) -> None:
    with server.client(key=None) as client:
        assert client.get("/projects", headers={"apikey": ADMIN_KEY}).status_code == 200
        assert client.get("/projects", headers={"Authorization": f"Bearer {ADMIN_KEY}"}).status_code == 200


def test_a_wrong_key_is_refused_and_not_repeated(server: Served) -> None:
    wrong = "dml_aaaaaaaa_" + "s" * 43
    with server.client(key=wrong) as client:
        answer = client.get("/users/me")
    assert answer.status_code == 401
    assert wrong not in answer.text


def test_a_revoked_key_opens_nothing_from_then_on(server: Served) -> None:
    key = server.user("ana@lab.example")
    with server.client(key) as client:
        assert client.get("/users/me").json()["email"] == "ana@lab.example"
        server.store.administration.revoke_key(key[:12])
        assert client.get("/users/me").status_code == 401


def test_the_keys_of_a_removed_user_end(server: Served, admin: httpx.Client) -> None:
    key = server.user("ana@lab.example")
    assert admin.delete("/users/ana@lab.example").status_code == 200
    with server.client(key) as client:
        assert client.get("/users/me").status_code == 401


def test_the_database_holds_no_key(server: Served, tmp_path: Path) -> None:
    key = server.user("ana@lab.example")
    server.store.close()
    with sqlite3.connect(tmp_path / "store" / "store.sqlite") as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert key[:12] in dump
    assert key[13:] not in dump
    assert ADMIN_KEY not in dump
