"""Whatever is written: what a project was, and what changed since, is what it is."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like.backends.local import database
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.options import StoreOptions, open_store
from datamint_like.testing.contents import WholeContent, after, encoded, whole
from tests.random_writes import SERVER_WRITES, WRITES, RandomWrites


@pytest.fixture(autouse=True)
def _all_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, write in SERVER_WRITES.items():
        monkeypatch.setitem(WRITES, name, write)


@pytest.fixture
def postgres_store(postgres_url: str, tmp_path: Path) -> Iterator[LocalBackend]:
    store = open_store(StoreOptions(database=postgres_url, blobs=(tmp_path / "blobs").as_uri()))
    yield store
    store.close()


def run(store: LocalBackend, seed: int, steps: int) -> Counter[str]:
    """Write at random; after each write every earlier content of every project must become that of now."""
    writes, made = RandomWrites(store, random.Random(seed)), []
    earlier: dict[str, list[WholeContent]] = {each: [whole(store.read_project(each))] for each in writes.project_ids}
    for _ in range(steps):
        made.append(writes.step())
        for project_id, contents in earlier.items():
            now = whole(store.read_project(project_id))
            for before in (contents[0], writes.random.choice(contents), contents[-1]):
                later = whole(store.read_changes(project_id, before.revision))
                assert after(before, later) == encoded(now), f"seed {seed}: {made}"
            contents.append(now)
    return writes.made


def test_old_content_and_changes_are_the_new_content_after_any_writes(tmp_path: Path) -> None:
    made: Counter[str] = Counter()
    for seed in (2, 3):
        store = LocalBackend((tmp_path / str(seed)).as_uri())
        made += run(store, seed, 60)
        store.close()
    assert made.keys() == WRITES.keys()


def test_so_they_are_in_postgres(postgres_store: LocalBackend) -> None:
    run(postgres_store, 4, len(WRITES))


@pytest.mark.soak
def test_old_content_and_changes_are_the_new_content_after_many_writes(tmp_path: Path) -> None:
    for seed in range(100, 150):
        store = LocalBackend((tmp_path / str(seed)).as_uri())
        run(store, seed, 120)
        store.close()


@pytest.mark.soak
def test_so_they_are_in_postgres_after_many_writes(postgres_store: LocalBackend) -> None:
    run(postgres_store, 5, 500)


def test_a_state_older_than_those_kept_is_answered_with_everything(
    store: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "STATES_KEPT", 5)
    writes = RandomWrites(store, random.Random(1))
    project_id = writes.project_ids[0]
    contents = [whole(store.read_project(project_id))]
    for n in range(12):
        store.update_project(project_id, {"description": str(n)})
        contents.append(whole(store.read_project(project_id)))
    answers = [whole(store.read_changes(project_id, each.revision)) for each in contents]
    assert [each.changes is not None for each in answers] == [False] * 8 + [True] * 5
    assert encoded(answers[0]) == encoded(contents[-1])
