"""Several processes and threads use one store at once, and nothing is lost."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from datamint_like.backends import open_backend
from datamint_like.backends.base import AnnotationQuery, Backend, NewProject, ResourceQuery
from datamint_like.backends.local import engine, per_process
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.exceptions import EntityAlreadyExistsError
from datamint_like.testing.contents import whole
from datamint_like.testing.samples import CT_FILES, label, project_of, upload

PROCESSES, ROUNDS = 4, 6


def in_processes(work: Callable[..., None], *arguments: Any, method: str = "spawn") -> None:
    """Run `work(n, *arguments)` in several processes at once; each must end well."""
    context = multiprocessing.get_context(method)
    children = [context.Process(target=work, args=(n, *arguments)) for n in range(PROCESSES)]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0] * PROCESSES


def write_everything(n: int, url: str, project_id: str, shared_id: str) -> None:
    """What one process does: uploads, tags, annotations, splits and projects of its own, reading in between."""
    store = open_backend(url)
    for step in range(ROUNDS):
        resource = upload(store, CT_FILES[step], name=f"{n}-{step}.dcm")
        store.add_project_resources(project_id, [resource.id])
        store.add_tags([shared_id], [f"tag-{n}-{step}"])
        store.create_annotations(shared_id, [label(f"label-{n}-{step}")])
        store.assign_split(project_id, [resource.id, shared_id], f"split-{n}")
        store.create_project(NewProject(f"project-{n}-{step}"))
        content = whole(store.read_project(project_id))
        assert resource.id in {each.id for each in content.resources}
        assert set(content.parts) == {each.id for each in content.resources}
        assigned = [row.resource_id for row in store.list_splits(project_id)]  # read once: others assign meanwhile
        assert len(set(assigned)) == len(assigned)


def test_processes_that_write_at_once_lose_nothing(store: LocalBackend) -> None:
    shared = upload(store)
    project = project_of(store, shared, name="shared")
    in_processes(write_everything, store.url, project.id, shared.id)
    pairs = [(n, step) for n in range(PROCESSES) for step in range(ROUNDS)]
    assert set(store.get_resource(shared.id).tags) == {f"tag-{n}-{step}" for n, step in pairs}
    members = store.list_project_resources(project.id)
    assert sorted(each.filename for each in members[1:]) == sorted(f"{n}-{step}.dcm" for n, step in pairs)
    names = {each.identifier for each in store.list_annotations(AnnotationQuery(resource_ids=(shared.id,)))}
    assert names == {f"label-{n}-{step}" for n, step in pairs}
    assert {each.name for each in store.list_projects()} == {"shared", *(f"project-{n}-{s}" for n, s in pairs)}
    held = {row.resource_id: row.split_name for row in store.list_splits(project.id)}
    for resource in members[1:]:
        assert held[resource.id] == f"split-{resource.filename.split('-')[0]}"
    assert store.verify() == []


def open_and_name(_n: int, url: str, results: Path) -> None:
    """Open a store that may not be there yet, and note who it says it is."""
    store = open_backend(url)
    (results / str(os.getpid())).write_text(store.current_user().customer_id)


def test_processes_that_make_one_store_at_once_agree_on_it(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    in_processes(open_and_name, (tmp_path / "store").as_uri(), results)
    answers = [file.read_text() for file in results.iterdir()]
    assert len(answers) == PROCESSES
    assert len(set(answers)) == 1


def take_the_name(_n: int, url: str, results: Path) -> None:
    """Try to create a project that others try to create too."""
    store = open_backend(url)
    with contextlib.suppress(EntityAlreadyExistsError):
        (results / store.create_project(NewProject("the one")).id).touch()


def test_one_of_many_gets_a_contended_name(store: LocalBackend, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    in_processes(take_the_name, store.url, results)
    assert [file.name for file in results.iterdir()] == [each.id for each in store.list_projects()]


def test_threads_share_a_backend(store: LocalBackend) -> None:
    resource = upload(store)
    faults: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for step in range(5):
                store.add_tags([resource.id], [f"{n}-{step}"])
                assert f"{n}-{step}" in store.get_resource(resource.id).tags
        except BaseException as error:  # noqa: BLE001 -- whatever a thread meets fails the test
            faults.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(store.get_resource(resource.id).tags) == 60


def test_threads_that_are_first_at_once_share_one_engine(
    store: LocalBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second engine would never be closed before a fork."""
    made, new_engine = [], engine._new_engine

    def slowly(file: Path) -> sa.Engine:
        made.append(file)
        time.sleep(0.05)
        return new_engine(file)

    store.close()
    monkeypatch.setattr(engine, "_new_engine", slowly)
    threads = [threading.Thread(target=store.list_users) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def list_from_a_thread(_n: int, store: Backend) -> None:
    """Use the store where the lock would have to be free."""
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(store.list_users()), daemon=True)
    thread.start()
    thread.join(20)
    assert found


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_a_fork_while_engines_come_and_go_inherits_no_held_lock(store: LocalBackend) -> None:
    with per_process._lock:
        in_processes(list_from_a_thread, store, method="fork")


def tag_from_a_fork(n: int, store: Backend, resource_id: str) -> None:
    """Use the backend that the parent opened and used before the fork."""
    for step in range(5):
        store.add_tags([resource_id], [f"{n}-{step}"])


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_a_backend_in_use_survives_forks(store: LocalBackend) -> None:
    resource = upload(store)
    in_processes(tag_from_a_fork, store, resource.id, method="fork")
    store.add_tags([resource.id], ["parent"])
    assert len(store.get_resource(resource.id).tags) == 5 * PROCESSES + 1
    assert len(store.list_resources(ResourceQuery())) == 1


def test_a_read_sees_one_instant_while_others_write(store: LocalBackend) -> None:
    """Both resources always move together, so no consistent view holds them in different splits."""
    first, second = upload(store), upload(store)
    project = project_of(store, first, second)
    store.assign_split(project.id, [first.id, second.id], "s0")
    done = threading.Event()

    def move() -> None:
        for n in range(30):
            store.assign_split(project.id, [first.id, second.id], f"s{n + 1}")
        done.set()

    mover = threading.Thread(target=move)
    mover.start()
    while not done.is_set():
        rows = store.list_splits(project.id)
        assert len(rows) == 2
        assert len({row.split_name for row in rows}) == 1
        instant = store.now()
        once = store.list_splits(project.id, as_of=instant)
        assert store.list_splits(project.id, as_of=instant)[0].split_name == once[0].split_name
    mover.join()
