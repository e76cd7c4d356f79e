"""Rows in PostgreSQL: the same answers as from SQLite, alone in its writes, and whole after whatever happens to it."""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pydicom
import pytest
import sqlalchemy as sa

from datamint_like.backends.base import NewProject, NewResource, ResourceQuery
from datamint_like.backends.local import migrations, postgres, projects
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.options import StoreOptions, open_store
from datamint_like.entities import Resource, User
from datamint_like.exceptions import ItemNotFoundError, StorageError, ValidationError
from datamint_like.testing.contents import changes_since, whole
from datamint_like.testing.samples import CT_FILES, XRAY, label, project_of, upload
from tests.servers.postgres import PostgresServer

PROCESSES, ROUNDS = 3, 5


def schema_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["schema"][0]


@pytest.fixture
def options(postgres_url: str, tmp_path: Path) -> StoreOptions:
    return StoreOptions(database=postgres_url, blobs=(tmp_path / "blobs").as_uri())


@pytest.fixture
def pg_store(options: StoreOptions) -> Iterator[LocalBackend]:
    backend = open_store(options)
    yield backend
    backend.close()


@pytest.fixture
def both(store: LocalBackend, pg_store: LocalBackend) -> tuple[LocalBackend, LocalBackend]:
    """The embedded store and one in PostgreSQL."""
    return store, pg_store


# what SQLite says, PostgreSQL says

NAMES = ["b.png", "A.png", "a.png", "Z.png", "é.png", "É.png", "_.png", "50%.png", "ß.png", "aa.png", "Ab.png"]


def test_text_is_ordered_by_code_point_and_no_value_comes_first(both: tuple[LocalBackend, LocalBackend]) -> None:
    for each in both:
        for n, name in enumerate(NAMES):
            each.create_resource(NewResource((XRAY,), name, modality=None if n % 3 else name[:-4]))
        listed = each.list_resources(ResourceQuery(order_field="filename"))
        assert [resource.filename for resource in listed] == sorted(NAMES)
    for field in ("filename", "modality", "published_on"):
        for ascending in (True, False):
            query = ResourceQuery(order_field=field, order_ascending=ascending)
            answers = [[resource.filename for resource in each.list_resources(query)] for each in both]
            assert answers[0] == answers[1], (field, ascending)


@pytest.mark.parametrize("part", ["A", "é", "%", "_", ".PNG", "ss", "\\"])
def test_a_part_of_a_name_is_found_by_one_rule(both: tuple[LocalBackend, LocalBackend], part: str) -> None:
    found = []
    for each in both:
        for name in NAMES:
            each.create_resource(NewResource((XRAY,), name))
        found.append([resource.filename for resource in each.list_resources(ResourceQuery(filename=part))])
    folded = str.maketrans({chr(n): chr(n + 32) for n in range(65, 91)})
    assert found[0] == found[1] == [name for name in NAMES if part.translate(folded) in name.translate(folded)]


def test_a_page_for_a_server_is_the_json_of_the_listed_resources(both: tuple[LocalBackend, LocalBackend]) -> None:
    hostile = "a\"b\\c\u2028\x01\x7f\n'é😀.png"
    for each in both:
        for name in (hostile, "plain.png"):
            facts = {"WindowCenter": 40.5, "said": hostile, "none": None}
            each.create_resource(NewResource((XRAY,), name, tags=("z", hostile, "a"), metadata=facts))
        upload(each)
        each.publish_resources([each.list_resources(ResourceQuery())[0].id])
        each.delete_resources([each.list_resources(ResourceQuery())[1].id])
        query = ResourceQuery(deleted="include")
        rows, total = each.page_of_resources(query)
        assert total == 3
        found = [msgspec.json.decode(msgspec.json.encode(row), type=Resource) for row in rows]
        assert found == each.list_resources(query)
        assert {*msgspec.json.decode(msgspec.json.encode(rows[0]))} == {*Resource.__struct_fields__}


@pytest.mark.parametrize("bad", ["nul \0 inside", "half \ud800 of a pair"])
def test_text_that_cannot_be_kept_is_refused_and_the_connection_stays_good(pg_store: LocalBackend, bad: str) -> None:
    resource = upload(pg_store)
    for call in (
        lambda: pg_store.create_project(NewProject(bad)),
        lambda: pg_store.set_tags([resource.id], ["good", bad]),
        lambda: pg_store.create_annotations(resource.id, [label(bad)]),
        lambda: pg_store.list_resources(ResourceQuery(filename=bad)),
    ):
        with pytest.raises(ValidationError):
            call()
        assert pg_store.get_resource(resource.id) == resource
    assert pg_store.list_projects() == []


def test_many_rows_are_few_statements(pg_store: LocalBackend, postgres_server: PostgresServer) -> None:
    resource = upload(pg_store)
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        pg_store.set_tags([resource.id], [f"tag {n}" for n in range(900)])
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    assert len([statement for statement in sent if statement.startswith("INSERT INTO resource_tags")]) == 1
    assert pg_store.get_resource(resource.id).tags == tuple(f"tag {n}" for n in range(900))


def test_keys_members_and_listings_of_a_user_are_as_in_the_embedded_store(
    both: tuple[LocalBackend, LocalBackend],
) -> None:
    for each in both:
        each.create_user(User(email="ana@lab.example", created_at="", customer_id=""))
        mine, other = upload(each), upload(each, CT_FILES[0])
        project = project_of(each, mine)
        key, text = each.administration.create_key("ana@lab.example", "laptop")
        held = each.administration.holder_of(text)
        assert held is not None
        assert (held[0].email, held[1]) == ("ana@lab.example", key.prefix)
        each.administration.put_member(project.id, "ana@lab.example", ["PROJECT_ANNOTATOR"])
        assert [member.user_id for member in each.administration.list_members(project.id)][-1] == "ana@lab.example"
        ana = each.acting_as("ana@lab.example", sees_all=False)
        assert [resource.id for resource in ana.list_resources(ResourceQuery())] == [mine.id]
        levels = each.administration.levels_of_resources("ana@lab.example", [mine.id, other.id])
        assert {ident: level.name for ident, level in levels.items()} == {mine.id: "ANNOTATOR", other.id: "NONE"}
        each.administration.remove_member(project.id, "ana@lab.example")
        with pytest.raises(ItemNotFoundError):
            each.administration.remove_member(project.id, "ana@lab.example")
        each.administration.revoke_key(key.prefix)
        assert each.administration.holder_of(text) is None


def test_a_full_database_is_told_as_a_full_disk(pg_store: LocalBackend) -> None:
    fail = sa.text("DO $$ BEGIN RAISE EXCEPTION 'row of Geheim' USING ERRCODE = '53100'; END $$")
    with pytest.raises(StorageError, match="disk is full") as caught, pg_store._database.write() as write:
        write.connection.execute(fail)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC


# one write after another, one instant a read


def in_processes(work: Callable[..., None], *arguments: Any, method: str = "spawn") -> None:
    context = multiprocessing.get_context(method)
    children = [context.Process(target=work, args=(n, *arguments)) for n in range(PROCESSES)]
    for child in children:
        child.start()
    for child in children:
        child.join(240)
    assert [child.exitcode for child in children] == [0] * PROCESSES


def write_much(n: int, options: StoreOptions, project_id: str, shared_id: str) -> None:
    """Open the store at the same time as others, then upload, tag, annotate and split."""
    store = open_store(options)
    for step in range(ROUNDS):
        resource = upload(store, CT_FILES[step], name=f"{n}-{step}.dcm")
        store.add_project_resources(project_id, [resource.id])
        store.add_tags([shared_id], [f"tag-{n}-{step}"])
        store.create_annotations(shared_id, [label(f"label-{n}-{step}")])
        store.assign_split(project_id, [resource.id, shared_id], f"split-{n}")
        content = whole(store.read_project(project_id))
        assert set(content.parts) == {each.id for each in content.resources}
        assigned = [row.resource_id for row in store.list_splits(project_id)]
        assert len(set(assigned)) == len(assigned)
    store.close()


def test_processes_that_write_at_once_lose_nothing(
    pg_store: LocalBackend, options: StoreOptions, postgres_server: PostgresServer
) -> None:
    shared = upload(pg_store)
    project = project_of(pg_store, shared, name="shared")
    in_processes(write_much, options, project.id, shared.id)
    pairs = [(n, step) for n in range(PROCESSES) for step in range(ROUNDS)]
    assert set(pg_store.get_resource(shared.id).tags) == {f"tag-{n}-{step}" for n, step in pairs}
    members = pg_store.list_project_resources(project.id)
    assert sorted(each.filename for each in members[1:]) == sorted(f"{n}-{step}.dcm" for n, step in pairs)
    name = schema_of(str(options.database))
    stamps = postgres_server.sql(f"SELECT created_at FROM {name}.annotations ORDER BY revision").split()
    assert stamps == sorted(set(stamps)), "later writes have later stamps"
    assert pg_store.verify() == []


def open_and_note(_n: int, options: StoreOptions, results: Path) -> None:
    store = open_store(options)
    (results / str(os.getpid())).write_text(store.current_user().customer_id)
    store.close()


def test_processes_that_make_one_store_at_once_agree_on_it(options: StoreOptions, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    in_processes(open_and_note, options, results)
    answers = [file.read_text() for file in results.iterdir()]
    assert len(answers) == PROCESSES
    assert len(set(answers)) == 1


def tag_from_a_fork(n: int, store: LocalBackend, resource_id: str) -> None:
    for step in range(ROUNDS):
        store.add_tags([resource_id], [f"{n}-{step}"])


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_a_backend_in_use_survives_forks(pg_store: LocalBackend) -> None:
    resource = upload(pg_store)
    in_processes(tag_from_a_fork, pg_store, resource.id, method="fork")
    pg_store.add_tags([resource.id], ["parent"])
    assert len(pg_store.get_resource(resource.id).tags) == PROCESSES * ROUNDS + 1


def test_a_read_sees_one_instant_while_others_write(pg_store: LocalBackend) -> None:
    names = sa.text("SELECT name FROM projects")
    with pg_store._database.read() as read:
        before = read.connection.execute(names).all()
        pg_store.create_project(NewProject("meanwhile"))
        assert read.connection.execute(names).all() == before == []
    with pytest.raises(StorageError, match="read-only transaction"), pg_store._database.read() as read:
        read.connection.execute(sa.text("DELETE FROM projects"))
    assert [each.name for each in pg_store.list_projects()] == ["meanwhile"]


def test_who_waits_too_long_for_another_write_is_told(
    options: StoreOptions, pg_store: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres._SETTINGS, "lock_timeout", "100ms")
    other = open_store(options)
    with pg_store._database.write(), pytest.raises(StorageError, match="Another process held it"):
        other.create_project(NewProject("late"))
    assert other.create_project(NewProject("later")).name == "later"
    other.close()


# what happens to it

HOLDER = """
import pickle, sys, time
from datamint_like.backends.local.options import open_store
store = open_store(pickle.loads(bytes.fromhex(sys.argv[1])))
from datamint_like.backends.local import projects
from datamint_like.backends.base import NewProject
with store._database.write() as write:
    projects.create(write, NewProject("never finished"))
    print("holding", flush=True)
    time.sleep(600)
"""


def test_a_killed_writer_leaves_nothing_and_holds_up_nobody(pg_store: LocalBackend, options: StoreOptions) -> None:
    given = pickle.dumps(options).hex()
    with subprocess.Popen([sys.executable, "-c", HOLDER, given], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "holding\n"
        child.send_signal(signal.SIGKILL)
        child.wait()
    pg_store.create_project(NewProject("next"))
    assert [each.name for each in pg_store.list_projects()] == ["next"]


def stop_within_a_write(store: LocalBackend, server: PostgresServer, how: signal.Signals) -> None:
    with store._database.write() as write:
        projects.create(write, NewProject("in the middle"))
        server.stop(how)
        projects.create(write, NewProject("too late"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_a_server_that_goes_away_and_comes_back_is_used_again(
    pg_store: LocalBackend, postgres_server: PostgresServer, how: signal.Signals
) -> None:
    pg_store.create_project(NewProject("before"))
    threads = [threading.Thread(target=pg_store.list_projects) for _ in range(4)]  # several idle connections
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        with pytest.raises(StorageError, match="postgres"):
            stop_within_a_write(pg_store, postgres_server, how)
        with pytest.raises(StorageError, match="cannot be reached"):
            pg_store.list_projects()
    finally:
        postgres_server.start()
    pg_store.create_project(NewProject("after"))
    assert [each.name for each in pg_store.list_projects()] == ["before", "after"]


# versions


def test_a_newer_store_is_refused_and_left_alone(
    pg_store: LocalBackend, options: StoreOptions, postgres_server: PostgresServer
) -> None:
    table = f"{schema_of(str(options.database))}.store_schema"
    postgres_server.sql(f"UPDATE {table} SET version = 77")
    with pytest.raises(StorageError, match=r"version 77.*newer.*Upgrade"):
        open_store(options)
    assert postgres_server.sql(f"SELECT version FROM {table}") == "77"


def test_an_older_store_is_migrated_once_and_its_new_text_has_the_order_of_the_old(
    pg_store: LocalBackend, options: StoreOptions, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = upload(pg_store)
    runs = []

    def add_a_column(connection: sa.Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE projects ADD COLUMN colour TEXT NOT NULL DEFAULT ''")
        runs.append(1)

    monkeypatch.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, add_a_column])
    openers = [threading.Thread(target=lambda: open_store(options).close()) for _ in range(4)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    assert runs == [1]
    assert pg_store.get_resource(resource.id) == resource
    schema = schema_of(str(options.database))
    other = (
        "SELECT count(*) FROM information_schema.columns WHERE data_type IN ('text', 'character varying') "
        f"AND table_schema = '{schema}' AND collation_name IS DISTINCT FROM 'C' AND column_name <> 'metadata'"
    )
    json = {"roles", "resource_ids", "annotators", "annotations", "segmentation_group", "geometry", "old_geometry"}
    plain = postgres_server.sql(other.replace("count(*)", "column_name")).split()
    assert set(plain) <= json, "only JSON, which is never compared, may have the order of the database"


def test_the_first_migration_gives_every_project_an_id_of_its_own(pg_store: LocalBackend) -> None:
    for name in ("a", "b"):
        pg_store.create_project(NewProject(name))
    with pg_store._database.write() as write:
        write.connection.exec_driver_sql("ALTER TABLE projects DROP COLUMN write_id")
        migrations.MIGRATIONS[0](write.connection)
    revisions = {pg_store.project_revision(each.id).rsplit("-", 1)[1] for each in pg_store.list_projects()}
    assert len(revisions) == 2


def test_the_fifth_migration_tells_what_changes_after_it(pg_store: LocalBackend) -> None:
    resource = upload(pg_store)
    project = project_of(pg_store, resource, upload(pg_store))
    before = whole(pg_store.read_project(project.id))
    with pg_store._database.write() as write:
        for index in ("projects_by_revision", "project_resources_by_revision", "project_resources_in_order"):
            write.connection.exec_driver_sql(f"DROP INDEX {index}")
        write.connection.exec_driver_sql("DROP TABLE project_writes, departures")
        migrations.MIGRATIONS[4](write.connection)
    pg_store.add_tags([resource.id], ["later"])
    assert [each.id for each in changes_since(pg_store, before).resources] == [resource.id]


def test_a_schema_with_tables_of_something_else_is_left_alone(
    options: StoreOptions, postgres_server: PostgresServer
) -> None:
    schema = schema_of(str(options.database))
    postgres_server.sql(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.users (name TEXT)")
    with pytest.raises(StorageError, match=r"something else \(users\)"):
        open_store(options)
    assert postgres_server.sql(f"SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'") == "1"


# secrets

PASSWORD = "Geheim-4711"


@pytest.fixture
def locked_url(postgres_server: PostgresServer, postgres_url: str) -> str:
    """The URL of a user who needs a password, without it."""
    schema = schema_of(postgres_url)
    postgres_server.sql(f"DROP ROLE IF EXISTS locked; CREATE ROLE locked LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
    return postgres_server.url(schema, user="locked")


def test_a_pickled_backend_holds_no_password_and_takes_it_from_the_environment(
    locked_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = locked_url.replace("locked@", f"locked:{PASSWORD}@")
    options = StoreOptions(database=given, blobs=(tmp_path / "blobs").as_uri())
    store = open_store(options)
    pickled = pickle.dumps(store)
    for text in (pickled, pickle.dumps(options), repr(store).encode(), repr(options).encode(), store.url.encode()):
        assert PASSWORD.encode() not in text
    with pytest.raises(StorageError, match="PGPASSWORD") as caught:
        pickle.loads(pickled)
    assert "locked" not in str(caught.value)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    other = pickle.loads(pickled)
    assert other.current_user() == store.current_user()
    monkeypatch.setenv("PGPASSWORD", "another")
    with pytest.raises(StorageError, match="PGPASSWORD"):
        pickle.loads(pickled)
    for each in (store, other):
        each.close()


def test_a_failing_statement_tells_nothing_of_what_it_would_have_stored(
    pg_store: LocalBackend, options: StoreOptions, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    table = f"{schema_of(str(options.database))}.resources"
    postgres_server.sql(f"ALTER TABLE {table} ADD CONSTRAINT no_more CHECK (size < 0) NOT VALID")
    dataset = pydicom.dcmread(CT_FILES[0])
    dataset.PatientID = "MRN-4711"
    dataset.save_as(tmp_path / "one.dcm")
    given = {"referrer": "Dr. Geheim"}
    with pytest.raises(StorageError, match="no_more") as caught:
        pg_store.create_resource(NewResource((tmp_path / "one.dcm",), "one.dcm", metadata=given))
    whole = "".join(traceback.format_exception(caught.value))
    for secret in ("MRN-4711", "Geheim"):
        assert secret not in whole


NO_DATABASES = {
    "postgresql://ana:SECRET@host": "form",
    "mysql://ana:SECRET@host/db": "form",
    "postgresql://ana:SECRET@host:port/db": "form",
    "postgresql://ana:SECRET@host/db?schema=Some+Name": "schema",
    "postgresql://ana:SECRET@host/db?sslmode=prefer": "sslmode",
    "postgresql://ana:SECRET@host/db?password=SECRET": "PGPASSWORD",
    "postgresql://ana:SECRET@host/db?sslmode=verify-full&sslrootcert=/nowhere": "sslrootcert",
}


@pytest.mark.parametrize("url", NO_DATABASES)
def test_a_url_of_no_database_is_refused_without_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=NO_DATABASES[url]) as caught:
        open_store(StoreOptions(database=url, blobs=tmp_path.as_uri()))
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


def test_a_server_that_is_not_there_is_a_storage_error_without_a_password(tmp_path: Path) -> None:
    options = StoreOptions(database="postgresql://ana:SECRET@127.0.0.1:9/db", blobs=(tmp_path / "b").as_uri())
    with pytest.raises(StorageError, match=r"127.0.0.1:9/db cannot be reached") as caught:
        open_store(options)
    whole = "".join(traceback.format_exception(caught.value))
    assert "SECRET" not in whole
    assert "ana" not in str(caught.value)


def test_a_server_without_encryption_is_refused_where_it_is_asked_for(options: StoreOptions) -> None:
    with pytest.raises(StorageError, match="does not encrypt"):
        open_store(StoreOptions(database=f"{options.database}&sslmode=require", blobs=options.blobs))


def test_a_server_is_reached_by_its_socket(options: StoreOptions, postgres_server: PostgresServer) -> None:
    schema = schema_of(str(options.database))
    url = f"postgresql://tests@:{postgres_server.port}/postgres?host={postgres_server.folder}&schema={schema}"
    store = open_store(StoreOptions(database=url, blobs=options.blobs))
    assert store.current_user().roles == ("admin",)
    store.close()
