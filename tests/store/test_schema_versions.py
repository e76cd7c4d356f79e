"""Stores of other schema versions: newer ones are refused, older ones are brought up once."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from filelock import FileLock

from datamint_like.backends.local import engine
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.exceptions import DatamintException, StorageError
from datamint_like.testing.samples import upload


def version_of(folder: Path) -> int:
    connection = sqlite3.connect(folder / "store.sqlite")
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def test_a_new_store_is_durable_and_checks_its_keys(store: LocalBackend, tmp_path: Path) -> None:
    assert version_of(tmp_path / "store") == 1
    with engine.SqliteDatabase(tmp_path / "store" / "store.sqlite").begin() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 60_000}


def test_a_newer_store_is_refused_and_left_alone(store: LocalBackend, tmp_path: Path) -> None:
    store.close()
    connection = sqlite3.connect(tmp_path / "store" / "store.sqlite")
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(StorageError, match=r"version 7.*newer.*Upgrade"):
        LocalBackend(store.url)
    assert version_of(tmp_path / "store") == 7


def test_an_older_store_is_migrated_once_and_keeps_its_rows(
    store: LocalBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = upload(store)
    store.close()
    runs = []

    def add_a_column(connection: sa.Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE projects ADD COLUMN colour TEXT")
        runs.append(1)

    monkeypatch.setattr(engine, "MIGRATIONS", [add_a_column])
    openers = [threading.Thread(target=LocalBackend, args=(store.url,)) for _ in range(4)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    assert runs == [1]
    assert version_of(tmp_path / "store") == 2
    assert LocalBackend(store.url).get_resource(resource.id) == resource


def test_a_migration_that_fails_changes_nothing(
    store: LocalBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = upload(store)
    store.close()

    def fail(connection: sa.Connection) -> None:
        connection.exec_driver_sql("DROP TABLE annotations")
        connection.exec_driver_sql("SELECT * FROM nowhere")

    with monkeypatch.context() as patch:
        patch.setattr(engine, "MIGRATIONS", [fail])
        with pytest.raises(DatamintException):
            LocalBackend(store.url)
    assert version_of(tmp_path / "store") == 1
    assert LocalBackend(store.url).read_resources([resource.id]).annotations == {resource.id: []}


def test_a_file_that_is_no_database_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"something else entirely" * 100)
    with pytest.raises(StorageError, match="not a database"):
        LocalBackend(tmp_path.as_uri())


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "store.sqlite")
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(StorageError, match="something else"):
        LocalBackend(tmp_path.as_uri())


def test_a_store_that_cannot_be_locked_says_so(tmp_path: Path) -> None:
    (tmp_path / "store" / "store.lock").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"cannot be locked: .*writable"):
        LocalBackend((tmp_path / "store").as_uri())


def test_a_store_that_another_process_sets_up_for_too_long_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "store").mkdir()
    monkeypatch.setattr(engine, "BUSY_S", 0.1)
    with FileLock(tmp_path / "store" / "store.lock"), pytest.raises(StorageError, match="set up by another process"):
        LocalBackend((tmp_path / "store").as_uri())


def test_a_time_limit_of_the_caller_is_not_taken_for_the_stores(store: LocalBackend, tmp_path: Path) -> None:
    database = engine.SqliteDatabase(tmp_path / "store" / "store.sqlite")
    with pytest.raises(TimeoutError, match="of the caller"), database.begin():
        raise TimeoutError("of the caller")
