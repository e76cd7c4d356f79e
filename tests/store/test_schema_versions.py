"""Stores of other schema versions: newer ones are refused, older ones are brought up once."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from filelock import FileLock

from datamint_like.backends.base import Changes
from datamint_like.backends.local import engine, migrations, read_only
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.exceptions import DatamintException, StorageError
from datamint_like.testing.contents import changes_since, whole
from datamint_like.testing.samples import label, upload

NEWEST = 1 + len(migrations.MIGRATIONS)
#: What version 1 wrote: two projects (one archived), an X-ray with tag, label and split; without its image.
VERSION_1 = Path(__file__).with_name("version_1.sql").read_text()


def version_of(folder: Path) -> int:
    connection = sqlite3.connect(folder / "store.sqlite")
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def test_a_new_store_is_durable_and_checks_its_keys(store: LocalBackend, tmp_path: Path) -> None:
    assert version_of(tmp_path / "store") == NEWEST
    with engine.SqliteDatabase(tmp_path / "store" / "store.sqlite").begin() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 60_000}


def test_a_newer_store_is_refused_and_left_alone(store: LocalBackend, tmp_path: Path) -> None:
    store.close()
    connection = sqlite3.connect(tmp_path / "store" / "store.sqlite")
    connection.execute("PRAGMA user_version = 77")
    connection.close()
    with pytest.raises(StorageError, match=r"version 77.*newer.*Upgrade"):
        LocalBackend(store.url)
    assert version_of(tmp_path / "store") == 77


@pytest.fixture
def old_store(tmp_path: Path) -> Path:
    """The folder of a store of version 1."""
    folder = tmp_path / "old"
    folder.mkdir()
    connection = sqlite3.connect(folder / "store.sqlite")
    connection.executescript(f"PRAGMA journal_mode=WAL; {VERSION_1} PRAGMA user_version = 1;")
    connection.close()
    return folder


def columns_of(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(folder / "store.sqlite")
    try:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
        found = {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in names}
    finally:
        connection.close()
    # without the default value, which a column needs to be added to rows that are there
    return {name: [column[:4] + column[5:] for column in columns] for name, columns in found.items()}


def test_a_store_of_version_1_comes_to_the_tables_of_a_new_one_with_all_it_held(
    store: LocalBackend, tmp_path: Path, old_store: Path
) -> None:
    old = LocalBackend(old_store.as_uri())
    assert version_of(old_store) == NEWEST
    assert columns_of(old_store) == columns_of(tmp_path / "store")
    assert [each.name for each in old.list_projects(include_archived=True)] == ["old", "older"]
    (project,) = old.list_projects()
    (resource,) = old.list_project_resources(project.id)
    assert resource.tags == ("t",)
    assert [each.split_name for each in old.list_splits(project.id)] == ["train"]
    content = whole(old.read_project(project.id))
    assert [each.identifier for each in content.annotations[resource.id]] == ["benign"]
    old.create_annotations(resource.id, [label("later")])
    assert old.project_revision(project.id) != content.revision


def test_what_changes_after_a_store_of_version_1_was_brought_up_is_told(old_store: Path) -> None:
    store = LocalBackend(old_store.as_uri())
    project = store.list_projects()[0]
    before = whole(store.read_project(project.id))
    assert changes_since(store, before).resources == []
    store.create_annotations(before.resources[0].id, [label("later")])
    assert [each.id for each in changes_since(store, before).resources] == [before.resources[0].id]
    store.remove_project_resources(project.id, [before.resources[0].id])
    assert changes_since(store, before).changes == Changes(before.revision, (before.resources[0].id,), (), 0)


def test_two_copies_of_a_store_of_version_1_share_no_revision(old_store: Path, tmp_path: Path) -> None:
    shutil.copytree(old_store, tmp_path / "copy")
    revisions = set()
    for folder in (old_store, tmp_path / "copy"):
        store = LocalBackend(folder.as_uri())
        revisions |= {store.project_revision(each.id) for each in store.list_projects(include_archived=True)}
        store.close()
    assert len(revisions) == 4


def test_an_older_store_that_may_not_be_written_says_what_to_do(
    old_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_only, "is_read_only", lambda file: True)
    with pytest.raises(StorageError, match=rf"version 1, which must become {NEWEST}.*open it once"):
        LocalBackend(old_store.as_uri())
    assert version_of(old_store) == 1


def test_an_older_store_is_migrated_once_and_keeps_its_rows(
    store: LocalBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = upload(store)
    store.close()
    runs = []

    def add_a_column(connection: sa.Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE projects ADD COLUMN colour TEXT")
        runs.append(1)

    monkeypatch.setattr(engine, "MIGRATIONS", [*engine.MIGRATIONS, add_a_column])
    openers = [threading.Thread(target=LocalBackend, args=(store.url,)) for _ in range(4)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    assert runs == [1]
    assert version_of(tmp_path / "store") == NEWEST + 1
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
        patch.setattr(engine, "MIGRATIONS", [*engine.MIGRATIONS, fail])
        with pytest.raises(DatamintException):
            LocalBackend(store.url)
    assert version_of(tmp_path / "store") == NEWEST
    assert whole(LocalBackend(store.url).read_resources([resource.id])).annotations == {resource.id: []}


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
