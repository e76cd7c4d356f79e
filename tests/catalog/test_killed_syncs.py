"""A process killed at any instant of a sync leaves the last good snapshot, and the next sync is whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datamint_like.backends import open_backend
from datamint_like.backends.base import NewProject, ProjectContent
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.catalog import Snapshot, newest_snapshot, sync_project, write_snapshot
from datamint_like.testing.samples import label, upload
from tests import serving
from tests.catalog.test_incremental_sync import made_of_everything, tables

# Forks a process for each line that comes, which changes the project and syncs it, now of changes and now of
# everything, until it is killed; it says what it has synced.
CHILD = """
import itertools, os, random, sys
from pathlib import Path
from datamint_like.backends import open_backend
from datamint_like.backends.base import NewAnnotation
from datamint_like.catalog import sync
written, asked, cache = sys.argv[1:4]

def work(seed):
    draw, store, backend = random.Random(seed), open_backend(written), open_backend(asked)
    project = store.find_project("P")
    base, spare = sync._base, store.list_project_resources(store.find_project("spare").id)
    for n in itertools.count():
        members = [each.id for each in store.list_project_resources(project.id)]
        match draw.randrange(4):
            case 0:
                store.add_tags([draw.choice(members)], [f"{seed} {n}"])
            case 1:
                store.create_annotations(draw.choice(members), [NewAnnotation("label", f"{n}")])
            case 2:
                store.remove_project_resources(project.id, [members[0]])
                store.add_project_resources(project.id, [members[0]])
            case 3:
                store.add_project_resources(project.id, [draw.choice(spare).id])
        sync._base = base if draw.random() < 0.7 else lambda folder: None
        print("synced", sync.sync_project(backend, "P", Path(cache)).path.name, flush=True)

print("ready", flush=True)
for seed in sys.stdin:
    child = os.fork()
    if child == 0:
        work(int(seed))
    print("pid", child, flush=True)
    os.waitpid(child, 0)
    print("dead", flush=True)
"""


class Killer:
    """Starts processes that sync, and kills them."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self.synced: list[str] = []

    def round(self, seed: int, seconds: float) -> None:
        """One process, killed some time after it began."""
        assert self._child.stdin is not None
        self._child.stdin.write(f"{seed}\n")
        self._child.stdin.flush()
        pid = int(self._line("pid "))
        if seed % 2:  # whatever it is at then, it is behind a sync
            self._line("synced ")
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        self._line("dead")

    def _line(self, start: str) -> str:
        """The rest of the next line that starts so; the others are noted."""
        assert self._child.stdout is not None
        for line in self._child.stdout:
            if line.startswith("synced "):
                self.synced.append(line.split()[1])
            if line.startswith(start):
                return line.removeprefix(start).strip()
        raise AssertionError(f"the process ended with {self._child.wait()}")


@contextmanager
def killer(written: str, asked: str, cache: Path) -> Iterator[Killer]:
    command = [sys.executable, "-c", CHILD, written, asked, str(cache)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, process_group=0) as child:  # type: ignore[call-overload]
        try:
            found = Killer(child)
            found._line("ready")
            yield found
        finally:
            os.killpg(child.pid, signal.SIGKILL)


def made_of_rows(snapshot: Snapshot, path: Path) -> Snapshot:
    """The rows of a snapshot, written again: equal only where its columns are those of its rows."""
    path.unlink(missing_ok=True)
    meta, rows = snapshot.meta, (snapshot.row(n) for n in range(len(snapshot)))
    content = ProjectContent(meta.revision, meta.project, meta.worklists, meta.count, rows)
    write_snapshot(path, content, meta.store_url)
    return Snapshot(path)


def need_good(store: LocalBackend, asked: str, cache: Path, tmp_path: Path) -> None:
    """The newest snapshot is whole, and so is the next one."""
    for_now = newest_snapshot(asked, "P", cache)
    fresh = made_of_rows(for_now, tmp_path / "again.sqlite")
    assert tables(for_now) == tables(fresh)
    backend = open_backend(asked)
    project = store.find_project("P")
    assert project is not None
    synced = sync_project(backend, "P", cache)
    assert tables(synced) == tables(made_of_everything(backend, project.id, tmp_path / "whole.sqlite"))
    backend.close()


def rounds(folder: Path, count: int, *, over_http: bool) -> None:
    draw = random.Random(count)
    with serving.served(folder / "store") as server:
        store = server.store
        ids = [upload(store).id for _ in range(3)]
        project = store.create_project(NewProject("P", resource_ids=tuple(ids)))
        store.create_project(NewProject("spare", resource_ids=tuple(upload(store).id for _ in range(3))))
        store.create_annotations(ids[0], [label()])
        asked = server.url if over_http else store.url
        sync_project(open_backend(asked), project, folder / "cache")
        with killer(store.url, asked, folder / "cache") as processes:
            for seed in range(count):
                processes.round(seed, draw.uniform(0, 0.08))
                need_good(store, asked, folder / "cache", folder)
        assert len(processes.synced) >= count // 2


@pytest.mark.parametrize("over_http", [False, True], ids=["embedded", "over HTTP"])
def test_a_killed_sync_leaves_the_last_good_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over_http: bool
) -> None:
    monkeypatch.setenv("DATAMINT_LIKE_API_KEY", serving.ADMIN_KEY)
    rounds(tmp_path, 6, over_http=over_http)


@pytest.mark.soak
@pytest.mark.parametrize("over_http", [False, True], ids=["embedded", "over HTTP"])
def test_many_killed_syncs_leave_the_last_good_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over_http: bool
) -> None:
    monkeypatch.setenv("DATAMINT_LIKE_API_KEY", serving.ADMIN_KEY)
    rounds(tmp_path, 120, over_http=over_http)
