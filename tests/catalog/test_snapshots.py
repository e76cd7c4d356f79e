"""Snapshots: whole, immutable, and cheap when nothing changed."""

from __future__ import annotations

import os
import pickle
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from datamint_like.backends import open_backend
from datamint_like.backends.base import Backend, NewAnnotation, NewProject, NewResource, ResourceQuery
from datamint_like.catalog import Snapshot, newest_snapshot, sync_project, sync_resources
from datamint_like.exceptions import CacheError, ItemNotFoundError


@pytest.fixture
def backend(tmp_path: Path, demo_images: Path) -> Backend:
    backend = open_backend((tmp_path / "store").as_uri())
    path = demo_images / "xray" / "nih_00000001_000.png"
    ids = [backend.create_resource(NewResource(paths=(path,), filename=f"{n}.png")).id for n in range(3)]
    backend.create_project(NewProject(name="p", resource_ids=tuple(ids)))
    return backend


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*.sqlite"))


def test_a_snapshot_holds_the_project_in_its_order(backend: Backend, tmp_path: Path) -> None:
    snapshot = sync_project(backend, "p", tmp_path / "cache")
    assert len(snapshot) == 3
    assert [snapshot.resource(row).filename for row in range(3)] == ["0.png", "1.png", "2.png"]
    assert snapshot.meta.project is not None
    assert snapshot.meta.project.name == "p"
    assert [part.filename for part in snapshot.parts(1)] == ["nih_00000001_000.png"]


def test_an_unchanged_project_is_not_copied_again(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sync_project(backend, "p", tmp_path / "cache")
    monkeypatch.setattr(type(backend), "read_project", lambda *_: pytest.fail("the project was copied again"))
    assert sync_project(backend, "p", tmp_path / "cache").path == first.path


@pytest.mark.parametrize("change", ["tags", "annotation", "deleted", "membership", "worklist", "split"])
def test_every_change_a_dataset_could_see_makes_a_new_snapshot(backend: Backend, tmp_path: Path, change: str) -> None:
    before = sync_project(backend, "p", tmp_path / "cache")
    resource, project = before.resource(1), before.meta.project
    assert project is not None
    match change:
        case "tags":
            backend.add_tags([resource.id], ["new"])
        case "annotation":
            backend.create_annotations(resource.id, [NewAnnotation(type="label", identifier="x")])
        case "deleted":
            backend.delete_resources([resource.id])
        case "membership":
            backend.remove_project_resources(project.id, [resource.id])
        case "worklist":
            backend.update_worklist(backend.list_worklists(project.id)[0].id, {"description": "new"})
        case "split":
            backend.assign_split(project.id, [resource.id], "train")
    after = sync_project(backend, "p", tmp_path / "cache")
    assert after.path != before.path
    assert len(before) == 3
    assert len(after) == (2 if change in ("deleted", "membership") else 3)


def labels_of(snapshot: Snapshot) -> list[str]:
    return [each.identifier for each in snapshot.annotations(0)]


def test_a_backup_that_is_put_back_and_changed_otherwise_is_not_taken_for_what_was_lost(
    backend: Backend, tmp_path: Path
) -> None:
    first = backend.list_resources(ResourceQuery())[0].id
    backend.create_annotations(first, [NewAnnotation(type="label", identifier="base")])
    backend.close()
    shutil.copytree(tmp_path / "store", tmp_path / "backup")
    backend.create_annotations(first, [NewAnnotation(type="label", identifier="malignant")])
    lost = sync_project(backend, "p", tmp_path / "cache")
    assert labels_of(lost) == ["base", "malignant"]
    backend.close()
    shutil.rmtree(tmp_path / "store")
    shutil.copytree(tmp_path / "backup", tmp_path / "store")
    assert labels_of(sync_project(backend, "p", tmp_path / "cache")) == ["base"]
    backend.create_annotations(first, [NewAnnotation(type="label", identifier="benign")])
    now = sync_project(backend, "p", tmp_path / "cache")
    assert labels_of(now) == ["base", "benign"]
    assert labels_of(lost) == ["base", "malignant"]


def test_two_machines_with_copies_that_parted_share_a_cache_without_mixing_them(
    backend: Backend, tmp_path: Path
) -> None:
    backend.close()
    other = tmp_path / "other machine"
    shutil.copytree(tmp_path / "store", other)
    first = backend.list_resources(ResourceQuery())[0].id
    seen = []
    for label in ("benign", "malignant"):  # the second copy moves to the same path, as on a second machine
        backend.create_annotations(first, [NewAnnotation(type="label", identifier=label)])
        seen.append(sync_project(backend, "p", tmp_path / "cache"))
        backend.close()
        (tmp_path / "store").rename(tmp_path / label)
        if other.exists():
            other.rename(tmp_path / "store")
    assert [labels_of(each) for each in seen] == [["benign"], ["malignant"]]


def test_a_sync_that_is_interrupted_leaves_the_last_good_snapshot(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = sync_project(backend, "p", tmp_path / "cache")
    backend.add_tags([good.resource(0).id], ["new"])

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("datamint_like.catalog.writing.Filling.finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sync_project(backend, "p", tmp_path / "cache")
    assert files(tmp_path / "cache") == [good.path.name]
    assert newest_snapshot(backend.url, "p", tmp_path / "cache").path == good.path


def test_without_a_snapshot_offline_opening_says_what_to_do(backend: Backend, tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=r"'p'.*auto_update=True"):
        newest_snapshot(backend.url, "p", tmp_path / "cache")


def test_a_file_that_is_no_snapshot_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(CacheError, match=r"x\.sqlite"):
        Snapshot(tmp_path / "x.sqlite")
    with pytest.raises(CacheError, match=r"gone\.sqlite"):
        Snapshot(tmp_path / "gone.sqlite")


def test_a_snapshot_cannot_be_written(backend: Backend, tmp_path: Path) -> None:
    snapshot = sync_project(backend, "p", tmp_path / "cache")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        snapshot._connection().execute("DELETE FROM resource")


def test_a_list_of_resources_keeps_the_order_asked_for_and_unknown_ids_are_named(
    backend: Backend, tmp_path: Path
) -> None:
    ids = [r.id for r in backend.list_project_resources(backend.list_projects()[0].id)]
    snapshot = sync_resources(backend, [ids[2], ids[0]], tmp_path / "cache")
    assert [snapshot.resource(row).id for row in range(2)] == [ids[2], ids[0]]
    missing = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(ItemNotFoundError, match=missing):
        sync_resources(backend, [ids[0], missing], tmp_path / "cache")


def test_threads_and_forked_children_read_through_handles_of_their_own(backend: Backend, tmp_path: Path) -> None:
    snapshot = pickle.loads(pickle.dumps(sync_project(backend, "p", tmp_path / "cache")))
    found: list[str] = []
    threads = [threading.Thread(target=lambda n=n: found.append(snapshot.resource(n).filename)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["0.png", "1.png", "2.png"]
    child = os.fork()
    if child == 0:
        os._exit(0 if snapshot.resource(2).filename == "2.png" else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_damaged_snapshot_is_built_again(backend: Backend, tmp_path: Path) -> None:
    good = sync_project(backend, "p", tmp_path / "cache")
    for damage in (b"", b"garbage" * 500, good.path.read_bytes()[:5000]):
        good.path.write_bytes(damage)
        again = sync_project(backend, "p", tmp_path / "cache")
        assert again.resource(2).filename == "2.png"


def test_any_changed_bit_of_the_newest_snapshot_has_it_built_again(backend: Backend, tmp_path: Path) -> None:
    good = sync_project(backend, "p", tmp_path / "cache")
    whole = good.path.read_bytes()
    rows = list(good.each_row())
    for place in range(60, len(whole), max(1, len(whole) // 23)):
        good.path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert list(sync_project(backend, "p", tmp_path / "cache").each_row()) == rows
        assert good.path.read_bytes() == whole


def test_a_snapshot_that_shows_damage_is_removed_so_that_the_next_one_is_good(backend: Backend, tmp_path: Path) -> None:
    ids = [each.id for each in backend.list_resources(ResourceQuery())]
    listed = sync_resources(backend, ids, tmp_path / "cache")
    data = bytearray(listed.path.read_bytes())
    data[data.rindex(b"png")] ^= 1
    listed.path.write_bytes(data)
    with pytest.raises(CacheError, match=r"damaged in row .* and was removed"):
        list(sync_resources(backend, ids, tmp_path / "cache").each_row())
    assert [row.resource.id for row in sync_resources(backend, ids, tmp_path / "cache").each_row()] == ids


def test_a_name_means_the_project_that_had_it_last(backend: Backend, tmp_path: Path) -> None:
    first = sync_project(backend, "p", tmp_path / "cache").meta.project
    assert first is not None
    backend.update_project(first.id, {"name": "old"})
    for n in range(5):
        second = backend.create_project(NewProject(name="p"))
        sync_project(backend, "p", tmp_path / "cache")
        newest = newest_snapshot(backend.url, "p", tmp_path / "cache").meta.project
        assert newest is not None
        assert newest.id == second.id
        backend.update_project(second.id, {"name": f"old {n}"})
    by_id = newest_snapshot(backend.url, first.id, tmp_path / "cache").meta.project
    assert by_id is not None
    assert by_id.id == first.id


def test_a_damaged_snapshot_of_another_project_does_not_stand_in_the_way(backend: Backend, tmp_path: Path) -> None:
    backend.create_project(NewProject(name="q"))
    sync_project(backend, "q", tmp_path / "cache").path.write_bytes(b"")
    sync_project(backend, "p", tmp_path / "cache")
    assert len(newest_snapshot(backend.url, "p", tmp_path / "cache")) == 3


def test_a_cache_that_cannot_be_written_is_named_with_what_to_do(backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(CacheError, match=r"cache.*DATAMINT_LIKE_CACHE"):
        sync_project(backend, "p", tmp_path / "cache")


def test_pages_that_go_bad_later_are_a_cache_error(backend: Backend, tmp_path: Path) -> None:
    snapshot = sync_project(backend, "p", tmp_path / "cache")
    data = bytearray(snapshot.path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    snapshot.path.write_bytes(data)
    with pytest.raises(CacheError, match="auto_update=True"):
        pickle.loads(pickle.dumps(snapshot)).resource(1)


def test_a_project_without_resources_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_backend((tmp_path / "store").as_uri())
    store.create_project(NewProject(name="empty"))
    first = sync_project(store, "empty", tmp_path / "cache")
    (first.path.parent / "current").unlink()
    monkeypatch.setattr(type(store), "read_project", None)
    assert sync_project(store, "empty", tmp_path / "cache").path == first.path
    store.close()
