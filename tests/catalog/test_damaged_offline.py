"""A snapshot that is damaged stays where its store may not be asked, and is one error that says what to do."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datamint_like import ImageDataset
from datamint_like.backends import open_backend
from datamint_like.backends.base import Backend, NewProject
from datamint_like.catalog import newest_snapshot, sync_project
from datamint_like.exceptions import CacheError
from datamint_like.testing.samples import OTHER_XRAY, XRAY, upload

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda _: b"",
    "no database": lambda data: b"garbage" * (len(data) // 7),
    "cut": lambda data: data[:5000],
    "a bit of a row": lambda data: data[: (at := data.rindex(b"png"))] + b"q" + data[at + 1 :],
    "all pages but the first": lambda data: data[:4096] + b"\xff" * (len(data) - 4096),
}


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    store = open_backend((tmp_path / "store").as_uri())
    store.create_project(NewProject("p", resource_ids=tuple(upload(store, each).id for each in (XRAY, OTHER_XRAY))))
    yield store
    store.close()


@pytest.mark.parametrize("damage", DAMAGES)
def test_it_stays_as_it_is_and_is_named_until_the_store_may_be_asked(
    backend: Backend, tmp_path: Path, damage: str
) -> None:
    synced = sync_project(backend, "p", tmp_path / "cache")
    rows, whole = list(synced.each_row()), synced.path.read_bytes()
    synced.path.write_bytes(DAMAGES[damage](whole))
    left = synced.path.read_bytes()
    assert left != whole
    for project in ("p", backend.list_projects()[0]):
        with pytest.raises(CacheError, match=rf"sound snapshot of project 'p' .*{synced.path.name}.*auto_update=True"):
            newest_snapshot(backend.url, project, tmp_path / "cache")
    with pytest.raises(CacheError, match="No sound snapshot of project 'p'"):
        ImageDataset("p", server_url=backend.url, cache_dir=tmp_path / "cache", auto_update=False).prepare()
    assert synced.path.read_bytes() == left
    assert list(sync_project(backend, "p", tmp_path / "cache").each_row()) == rows
    assert synced.path.read_bytes() == whole


def test_damage_that_a_row_shows_later_removes_it_only_where_it_can_be_built_again(
    backend: Backend, tmp_path: Path
) -> None:
    synced = sync_project(backend, "p", tmp_path / "cache")
    silent = newest_snapshot(backend.url, "p", tmp_path / "cache")
    travelled = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(silent))))
    synced.path.write_bytes(DAMAGES["all pages but the first"](synced.path.read_bytes()))
    for snapshot in (silent, travelled):
        with pytest.raises(CacheError, match="is damaged") as told:
            list(snapshot.each_row())
        assert "removed" not in str(told.value)
        assert synced.path.exists()
    with pytest.raises(CacheError, match="and was removed"):
        list(synced.each_row())


def test_that_of_another_project_does_not_stand_in_the_way(backend: Backend, tmp_path: Path) -> None:
    sync_project(backend, "p", tmp_path / "cache")
    backend.create_project(NewProject("q"))
    damaged = sync_project(backend, "q", tmp_path / "cache").path
    damaged.write_bytes(b"")
    assert len(newest_snapshot(backend.url, "p", tmp_path / "cache")) == 2
    assert damaged.exists()
