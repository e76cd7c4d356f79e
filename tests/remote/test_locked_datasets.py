"""A dataset of a lock file is that of the day it was written: elsewhere, later, with the server off, or an error."""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from datamint_like import ImageDataset, SlicedVolumeDataset, VideoDataset, VolumeDataset
from datamint_like.backends import open_backend
from datamint_like.backends._urls import store_folder
from datamint_like.backends.base import Backend, NewAnnotation
from datamint_like.cli.main import main
from datamint_like.exceptions import (
    CacheError,
    DatamintDatasetException,
    DatamintException,
    ItemNotFoundError,
    StorageError,
    ValidationError,
)
from datamint_like.testing.contents import whole
from tests import serving
from tests.dataset.conftest import Shelf, shelf
from tests.remote.test_datasets_over_http import assert_same, itself

__all__ = ["shelf"]
pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")


@dataclass(frozen=True)
class Place:
    """A store of one's own, a server of it, and the lock file of its project `mixed`."""

    shelf: Shelf
    store: Backend
    url: str
    lock: Path
    folder: Path

    def at_the_server(self, cache: str = "elsewhere") -> dict[str, Any]:
        return {"server_url": self.url, "api_key": serving.ADMIN_KEY, "cache_dir": self.folder / cache}

    def change(self) -> None:
        """Make another project of it: rows go, come and change."""
        first = self.shelf
        project = self.store.find_project("mixed")
        assert project is not None
        self.store.create_annotations(first.plain_xray.id, [NewAnnotation("label", "contrast")])
        self.store.add_tags([first.philips.id], ["later"])
        self.store.delete_annotations([each.id for each in self.annotations_of(first.xray.id)])
        self.store.delete_resources([first.clip.id])
        self.store.remove_project_resources(project.id, [first.ge.id])
        self.store.update_worklist(self.store.list_worklists(project.id)[0].id, {"description": "later"})

    def annotations_of(self, resource_id: str) -> list[Any]:
        return whole(self.store.read_resources([resource_id])).annotations[resource_id]


@pytest.fixture
def place(shelf: Shelf, tmp_path: Path) -> Iterator[Place]:
    shelf.backend.close()
    shutil.copytree(store_folder(shelf.url), tmp_path / "store")
    with serving.served(tmp_path / "store") as server:
        store = open_backend((tmp_path / "store").as_uri())
        dataset = ImageDataset("mixed", server_url=store.url, cache_dir=tmp_path / "cache")
        dataset.snapshot.write_lock(tmp_path / "mixed.lock")
        yield Place(shelf, store, server.url, tmp_path / "mixed.lock", tmp_path)
        store.close()


KINDS: dict[str, Callable[..., Any]] = {
    "volumes": partial(VolumeDataset, irregular_spacing="keep"),
    "merged volumes": partial(
        VolumeDataset,
        irregular_spacing="keep",
        return_as_semantic_segmentation=True,
        semantic_seg_merge_strategy="union",
        image_labels_merge_strategy="mode",
    ),
    "slices": lambda **where: VolumeDataset(**where).slice("axial"),
    "sagittal slices": partial(SlicedVolumeDataset, slice_axis="sagittal", irregular_spacing="keep"),
    "images": ImageDataset,
    "videos": VideoDataset,
    "frames": lambda **where: VideoDataset(**where).frame_by_frame(),
}


def some(dataset: Any) -> dict[int, Any]:
    return {index: dataset[index] for index in range(0, len(dataset), max(1, len(dataset) // 4))}


def test_what_was_locked_comes_back_elsewhere_after_the_project_changed(place: Place) -> None:
    here = {"server_url": place.store.url, "cache_dir": place.folder / "cache"}
    before = {
        name: (len(dataset), dataset.fingerprint, some(dataset))
        for name, dataset in ((name, make(project="mixed", **here)) for name, make in KINDS.items())
    }
    place.change()
    for name, make in KINDS.items():
        after = make(lock=place.lock, **place.at_the_server())
        assert (len(after), after.fingerprint) == before[name][:2]
        assert_same(some(after), before[name][2])
        assert make(project="mixed", **here).fingerprint != after.fingerprint


def test_the_command_writes_the_lock_that_a_dataset_writes_over_http_too(
    place: Place, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setenv("DATAMINT_LIKE_API_KEY", serving.ADMIN_KEY)
    for where in (["--home", str(place.folder / "store")], ["--server-url", place.url]):
        assert main(["lock", "mixed", *where]) == 0
        written, told = capfdbinary.readouterr()
        assert written == place.lock.read_bytes()
        assert b"'mixed': 5 resources" in told
    assert serving.ADMIN_KEY.encode() not in written
    assert main(["lock", "mixd", "--server-url", place.url]) == 1
    written, told = capfdbinary.readouterr()
    assert not written
    assert b"mixd" in told


def test_with_a_filled_cache_no_socket_is_opened(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    where = place.at_the_server()
    here = VolumeDataset(lock=place.lock, irregular_spacing="keep", **where)
    here.prefetch(include_annotations=True)
    items = list(here)
    shutil.rmtree(place.folder / "elsewhere" / "catalog")
    where["api_key"] = None
    monkeypatch.setenv("DATAMINT_LIKE_OFFLINE", "1")
    monkeypatch.setattr(socket, "socket", None)
    offline = VolumeDataset(lock=place.lock, irregular_spacing="keep", **where)
    for left, right in zip(offline, items, strict=True):
        assert_same(left, right)
    assert offline.fingerprint == here.fingerprint
    with pytest.raises(CacheError, match="DATAMINT_LIKE_OFFLINE"):
        ImageDataset(lock=place.lock, **where)[0]


def test_opening_asks_no_server_and_reading_asks_for_files_alone(place: Place) -> None:
    where = {**place.at_the_server(), "server_url": "http://127.0.0.1:9"}
    dataset = ImageDataset(lock=place.lock, **where).prepare()
    assert (len(dataset), dataset.project.name) == (2, "mixed")
    assert repr(dataset) == "ImageDataset(lock='mixed.lock', 2 items)"
    assert len(dataset.filter(has_annotations=True)) == 1


def test_a_copy_of_the_store_elsewhere_serves_the_files(place: Place) -> None:
    shutil.copytree(place.folder / "store", place.folder / "copy")
    before = some(ImageDataset("mixed", server_url=place.store.url, cache_dir=place.folder / "cache"))
    shutil.rmtree(place.folder / "store" / "blobs")
    there = ImageDataset(lock=place.lock, server_url=str(place.folder / "copy"), cache_dir=place.folder / "c")
    assert_same(some(there), before)


def test_files_that_changed_or_are_gone_at_the_store_are_told_with_resource_and_digests(place: Place) -> None:
    (part,) = place.store.list_parts([place.shelf.xray.id])[place.shelf.xray.id]
    blob = place.folder / "store" / "blobs" / part.sha256[:2] / part.sha256
    blob.chmod(0o600)
    data = bytearray(blob.read_bytes())
    data[-20] ^= 1
    blob.write_bytes(data)
    local = {"server_url": place.store.url, "cache_dir": place.folder / "c"}
    with pytest.raises(StorageError, match=rf"'one\.png'.*SHA-256 {part.sha256}, found [0-9a-f]{{64}}"):
        ImageDataset(lock=place.lock, **local)[0]
    with pytest.raises(DatamintException, match=rf"resource 'one\.png'.*{part.sha256}"):
        ImageDataset(lock=place.lock, **place.at_the_server())[0]
    blob.unlink()
    with pytest.raises(StorageError, match=rf"'one\.png'.*SHA-256 {part.sha256}, found no such file"):
        ImageDataset(lock=place.lock, **local)[0]
    with pytest.raises(DatamintException, match=rf"resource 'one\.png'.*{part.sha256}"):
        ImageDataset(lock=place.lock, **place.at_the_server())[0]


def test_a_store_that_never_had_the_files_is_told_with_what_to_do(place: Place, tmp_path: Path) -> None:
    with serving.served(tmp_path / "empty") as other:
        where = {**place.at_the_server(), "server_url": other.url}
        with pytest.raises(
            ItemNotFoundError, match=r"wants the file .* of resource 'one\.png' with SHA-256.*server_url"
        ):
            ImageDataset(lock=place.lock, **where)[0]
    with pytest.raises(StorageError, match=r"'one\.png'.*server_url"):
        ImageDataset(lock=place.lock, cache_dir=tmp_path / "c")[0]


def test_files_that_were_linked_are_found_where_they_lie(tmp_path: Path, demo_images: Path) -> None:
    path = shutil.copy(demo_images / "xray" / "nih_00000001_000.png", tmp_path / "one.png")
    assert main(["import", str(path), "--project", "linked", "--link", "--home", str(tmp_path / "store")]) == 0
    where = {"server_url": str(tmp_path / "store"), "cache_dir": tmp_path / "cache"}
    before = ImageDataset("linked", **where)
    before.snapshot.write_lock(tmp_path / "linked.lock")
    assert torch.equal(ImageDataset(lock=tmp_path / "linked.lock", **where)[0]["image"], before[0]["image"])
    Path(path).unlink()
    with pytest.raises(StorageError, match=r"'one\.png'.*linked.*found no such file"):
        ImageDataset(lock=tmp_path / "linked.lock", **where)[0]


def test_pickles_workers_splits_and_filters_are_as_usual(place: Place) -> None:
    where = {"server_url": place.store.url, "cache_dir": place.folder / "c"}
    there, here = ImageDataset(lock=place.lock, **where), ImageDataset("mixed", **where)
    parts, same = there.split(train=0.5, val=0.5, seed=3), here.split(train=0.5, val=0.5, seed=3)
    assert [part.fingerprint for part in parts.values()] == [part.fingerprint for part in same.values()]
    assert there.filter(tags=["xray"]).fingerprint == here.filter(tags=["xray"]).fingerprint
    again = pickle.loads(pickle.dumps(there))
    place.lock.unlink()
    assert_same(again[0], here[0])
    options = {"num_workers": 2, "multiprocessing_context": multiprocessing.get_context("fork")}
    loader = torch.utils.data.DataLoader(again, batch_size=None, collate_fn=itself, **options)
    for left, right in zip(loader, here, strict=True):
        assert_same(left, right)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"project": "mixed"}, "got project= and lock="),
        ({"resources": ["x"]}, "got resources= and lock="),
        ({"lock": "gone.lock"}, r"no lock file gone\.lock.*datamint-like lock"),
        ({"lock": ""}, "lock is the path"),
        ({"lock": 7}, "lock is the path"),
    ],
)
def test_misuse_is_told_at_construction(place: Place, given: dict[str, Any], told: str) -> None:
    with pytest.raises(DatamintDatasetException, match=told):
        ImageDataset(**{"lock": place.lock, **given})


def test_a_damaged_lock_is_told_when_it_is_opened(place: Place) -> None:
    place.lock.write_bytes(place.lock.read_bytes()[:-200])
    with pytest.raises(ValidationError, match=r"mixed\.lock is not as it was written"):
        ImageDataset(lock=place.lock).prepare()
