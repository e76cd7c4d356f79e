"""A snapshot made of an earlier one and what changed equals one made of everything."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from datamint_like import ImageDataset
from datamint_like.backends.base import Backend, Changes, NewProject, ProjectContent
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.catalog import Snapshot, changing, sync, sync_project, write_snapshot
from datamint_like.testing.contents import rows_of, whole
from datamint_like.testing.samples import label, upload
from tests.random_writes import RandomWrites


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalBackend]:
    store = LocalBackend((tmp_path / "store").as_uri())
    yield store
    store.close()


@pytest.fixture
def project_id(store: LocalBackend) -> str:
    ids = [upload(store).id for _ in range(4)]
    project = store.create_project(NewProject("P", resource_ids=tuple(ids)))
    store.create_annotations(ids[1], [label("only here"), label("benign")])
    store.create_annotations(ids[2], [label("benign")])
    return project.id


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How each snapshot came to be: "all" or "changes"."""
    made: list[str] = []
    for name, how in (("write_snapshot", "all"), ("write_changed", "changes")):
        write = getattr(sync, name)
        monkeypatch.setattr(sync, name, lambda *args, how=how, write=write: (made.append(how), write(*args))[1])
    return made


def tables(snapshot: Snapshot) -> list[Any]:
    """All that a snapshot holds, apart from how it is packed."""
    columns = (
        "row",
        "id",
        "digest",
        "kind",
        "patient",
        "filename",
        "tags",
        "d",
        "h",
        "w",
        "uneven_axis",
        "k",
        "j",
        "i",
    )
    said = "author, type, scope, identifier, value, status, of_one_frame"
    per_row = snapshot._all(f"SELECT row, {said}, said.count FROM said JOIN term USING (term) ORDER BY 1, {said}")
    rows = [snapshot.row(row) for row in range(len(snapshot))]
    return [
        snapshot.meta, rows, [snapshot.column(each) for each in columns],
        snapshot.count_by(said, "1", {}), snapshot.names(said, "1"), per_row,
        snapshot._all("SELECT COUNT(*) FROM packed"),
    ]  # fmt: skip


def made_of_everything(store: Backend, project_id: str, path: Path) -> Snapshot:
    path.unlink(missing_ok=True)
    with store.read_project(project_id) as content:
        write_snapshot(path, content, store.url)
    return Snapshot(path)


def run(store: LocalBackend, seed: int, steps: int, tmp_path: Path) -> None:
    """Write at random, and sync now and then."""
    writes = RandomWrites(store, random.Random(seed))
    made = []
    for _ in range(steps):
        made.append([writes.step() for _ in range(writes.random.choice((1, 1, 2, 4)))])
        for project_id in writes.project_ids:
            project = store.get_project(project_id)
            snapshot = sync_project(store, project, tmp_path / "cache")
            expected = made_of_everything(store, project_id, tmp_path / "whole.sqlite")
            assert tables(snapshot) == tables(expected), f"seed {seed}: {made}"


def test_after_any_writes_the_tables_are_those_of_a_whole_copy(
    store: LocalBackend, tmp_path: Path, copies: list[str]
) -> None:
    run(store, 7, 20, tmp_path)
    assert copies.count("all") == 2
    assert copies.count("changes") > 20


@pytest.mark.soak
def test_after_many_writes_the_tables_are_those_of_a_whole_copy(tmp_path: Path) -> None:
    for seed in range(200, 240):
        store = LocalBackend((tmp_path / str(seed) / "store").as_uri())
        run(store, seed, 60, tmp_path / str(seed))
        store.close()


def test_a_dataset_has_the_fingerprint_of_one_of_a_whole_copy(
    store: LocalBackend, project_id: str, tmp_path: Path, copies: list[str]
) -> None:
    sync_project(store, "P", tmp_path / "cache")
    store.delete_resources([store.list_project_resources(project_id)[1].id])
    store.add_project_resources(project_id, [upload(store).id])
    found = [
        ImageDataset(project="P", server_url=store.url, cache_dir=tmp_path / cache, seed=1).fingerprint
        for cache in ("cache", "another")
    ]
    assert copies == ["all", "changes", "all"]
    assert found[0] == found[1]


def test_what_nobody_says_any_more_is_no_name(store: LocalBackend, project_id: str, tmp_path: Path) -> None:
    before = sync_project(store, "P", tmp_path / "cache")
    assert before.names("identifier", "1") == [("benign",), ("only here",)]
    store.remove_project_resources(project_id, [store.list_project_resources(project_id)[1].id])
    after = sync_project(store, "P", tmp_path / "cache")
    assert after.count_names("1", {}) == [("label", "benign", 1)]
    assert before.names("identifier", "1") == [("benign",), ("only here",)]  # which is as it was


@pytest.mark.parametrize("fault", ["cut", "changed", "gone", "no digest", "no pointer", "another format"])
def test_a_last_snapshot_that_is_not_as_it_was_written_is_not_gone_on_with(
    store: LocalBackend, project_id: str, tmp_path: Path, copies: list[str], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sync_project(store, "P", tmp_path / "cache").path
    pointer, data = path.parent / "current", bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    match fault:
        case "cut":
            path.write_bytes(data[: len(data) // 2])
        case "changed":
            path.write_bytes(data)
        case "gone":
            path.unlink()
        case "no digest":
            pointer.write_text(path.name)
        case "no pointer":
            pointer.unlink()
        case "another format":
            monkeypatch.setattr("datamint_like.catalog.snapshot.FORMAT", 99)
            monkeypatch.setattr("datamint_like.catalog.writing.FORMAT", 99)
            monkeypatch.setattr(sync, "FORMAT", 99)
    store.update_project(project_id, {"description": "new"})
    snapshot = sync_project(store, "P", tmp_path / "cache")
    assert copies == ["all", "all"]
    assert tables(snapshot) == tables(made_of_everything(store, project_id, tmp_path / "whole.sqlite"))


def test_changes_that_do_not_fit_what_is_here_are_not_used(
    store: LocalBackend, project_id: str, tmp_path: Path, copies: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_project(store, "P", tmp_path / "cache")
    store.add_tags([store.list_project_resources(project_id)[1].id], ["new"])
    read = LocalBackend.read_changes

    class Wrong:
        """Changes that name a resource that is not here."""

        def __init__(self, *asked: Any) -> None:
            self.block = read(*asked)

        def __enter__(self) -> ProjectContent:
            content = self.block.__enter__()
            assert content.changes is not None
            return replace(content, changes=replace_places(content.changes))

        def __exit__(self, *exc: Any) -> bool | None:
            return self.block.__exit__(*exc)

    monkeypatch.setattr(LocalBackend, "read_changes", lambda *asked: Wrong(*asked))
    snapshot = sync_project(store, "P", tmp_path / "cache")
    assert copies == ["all", "changes", "all"]
    assert [row.resource for row in rows_of(whole(store.read_project(project_id)))] == [
        snapshot.resource(row) for row in range(len(snapshot))
    ]


def replace_places(changes: Changes) -> Changes:
    return msgspec.structs.replace(changes, places=tuple((each, "nowhere") for each, _ in changes.places))


def test_plans_put_rows_where_lists_would() -> None:
    draw = random.Random(3)
    for _ in range(500):
        ids = [str(n) for n in range(draw.randrange(12))]
        old = draw.sample(ids, draw.randrange(len(ids) + 1))
        stay = [each for each in old if draw.random() < 0.6]
        new = stay.copy()
        changed = [each for each in ids if each not in stay and draw.random() < 0.6]
        for each in changed:
            new.insert(draw.randrange(len(new) + 1), each)
        places = tuple((each, new[n - 1] if n else None) for n, each in enumerate(new) if each in changed)
        gone = tuple(each for each in ids if each not in new)
        named = {each: old.index(each) for each in old}
        plan = changing.plan_of(len(old), named, Changes("1", gone, places, len(new)))
        found = dict(zip(plan.places, (each for each, _ in places), strict=True))
        for first, last, by in plan.runs:
            found |= {row + by: old[row] for row in range(first, last + 1)}
        assert [found[row] for row in range(len(new))] == new
        assert len(found) == len(new)
        assert sorted(old[row] for row in plan.dropped.tolist()) == sorted(set(old) - set(stay))
