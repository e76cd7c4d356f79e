"""A dataset over a server is the dataset of the store behind it: the same items, parts, packs and errors."""

from __future__ import annotations

import multiprocessing
import pickle
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamint_like import ImageDataset, VideoDataset, VolumeDataset
from datamint_like.backends import open_backend
from datamint_like.backends._urls import store_folder
from datamint_like.backends.base import NewAnnotation
from datamint_like.backends.remote import keys
from datamint_like.cli.main import main
from datamint_like.exceptions import AuthenticationError, CacheError, DatamintException, NetworkError, PrefetchError
from datamint_like.testing.fault_server import Cut, FaultServer, Reset, Status
from tests import serving
from tests.dataset.conftest import Shelf, shelf

__all__ = ["shelf"]
pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")
KEEP = {"irregular_spacing": "keep"}
DATASETS: dict[str, Callable[..., Any]] = {
    "volumes": lambda **where: VolumeDataset("mixed", **KEEP, **where),
    "merged volumes": lambda **where: VolumeDataset(
        "mixed",
        return_as_semantic_segmentation=True,
        semantic_seg_merge_strategy="union",
        image_labels_merge_strategy="mode",
        **KEEP,
        **where,
    ),
    "slices": lambda **where: VolumeDataset("mixed", **where).slice("axial"),
    "images": lambda **where: ImageDataset("mixed", **where),
    "videos": lambda **where: VideoDataset("mixed", **where),
    "frames": lambda **where: VideoDataset("mixed", **where).frame_by_frame(),
}


@dataclass(frozen=True)
class Both:
    """The shelf, and a server of it."""

    shelf: Shelf
    url: str
    folder: Path

    def local(self) -> dict[str, Any]:
        """Where the store is."""
        return {"server_url": self.shelf.url, "cache_dir": self.folder / "local"}

    def remote(
        self, name: str = "remote", url: str | None = None, key: str | None = serving.ADMIN_KEY
    ) -> dict[str, Any]:
        """Where the server is; each name has a cache of its own."""
        return {"server_url": url or self.url, "api_key": key, "cache_dir": self.folder / name}


@pytest.fixture
def both(shelf: Shelf, tmp_path: Path) -> Iterator[Both]:
    with serving.served(store_folder(shelf.url)) as server:
        yield Both(shelf, server.url, tmp_path)


def assert_same(one: Any, two: Any) -> None:
    """Equal types and values, all the way down."""
    assert type(one) is type(two)
    if isinstance(one, dict):
        assert list(one) == list(two)
        for key in one:
            assert_same(one[key], two[key])
    elif isinstance(one, torch.Tensor):
        assert one.dtype == two.dtype
        assert torch.equal(one, two)
    elif isinstance(one, np.ndarray):
        assert one.dtype == two.dtype
        assert np.array_equal(one, two)
    elif isinstance(one, list | tuple):
        assert len(one) == len(two)
        for left, right in zip(one, two, strict=True):
            assert_same(left, right)
    else:
        assert one == two


@pytest.mark.parametrize("kind", DATASETS)
def test_items_and_fingerprint_are_those_of_the_embedded_store(both: Both, kind: str) -> None:
    here, there = DATASETS[kind](**both.local()), DATASETS[kind](**both.remote())
    assert len(here) == len(there) > 0
    step = max(1, len(here) // 5)
    for index in range(0, len(here), step):
        assert_same(here[index], there[index])
    assert here.fingerprint == there.fingerprint


def test_resources_by_id_are_a_dataset_too(both: Both) -> None:
    wanted = [both.shelf.plain_xray.id, both.shelf.xray.id]
    here, there = ImageDataset(resources=wanted, **both.local()), ImageDataset(resources=wanted, **both.remote())
    for index in range(2):
        assert_same(here[index], there[index])


def test_an_unchanged_project_costs_a_few_questions_and_no_copy(both: Both) -> None:
    with FaultServer(both.url) as proxy:
        ImageDataset("mixed", **both.remote(url=proxy.url)).prepare()
        assert any(each.path.endswith("/content") for each in proxy.seen)
        proxy.seen.clear()
        ImageDataset("mixed", **both.remote(url=proxy.url)).prepare()
        assert not any(each.path.endswith("/content") for each in proxy.seen)
        assert len(proxy.seen) <= 3


def test_a_change_at_the_server_is_in_the_next_dataset_and_in_no_older_one(both: Both) -> None:
    old = ImageDataset("mixed", **both.remote()).prepare()
    backend = open_backend(both.url, api_key=serving.ADMIN_KEY)
    (made,) = backend.create_annotations(both.shelf.plain_xray.id, [NewAnnotation("category", "view", value="pa")])
    try:
        new = ImageDataset("mixed", **both.remote())
        assert len(new.resource_annotations[1]) == len(old.resource_annotations[1]) + 1
    finally:
        backend.delete_annotations([made.id])


def test_splits_are_saved_to_the_server_and_replayed(both: Both) -> None:
    whole = ImageDataset("mixed", **both.remote())
    parts = whole.split(train=0.5, val=0.5, seed=3)
    instant = parts.save()
    again = ImageDataset("mixed", **both.remote("other")).split(as_of_timestamp=instant)
    for name, part in parts.items():
        assert [each.id for each in part.resources] == [each.id for each in again[name].resources]
    assert again["train"].split_as_of_timestamp == instant
    now = whole.split()
    assert now["train"].split_source == "project_api"
    assert now["train"].split_as_of_timestamp > instant


def test_a_series_whose_files_break_off_is_read_all_the_same(both: Both) -> None:
    with FaultServer(both.url) as proxy:
        proxy.plan("/parts/", Cut(1000), Reset(), Status(429, {"Retry-After": "0"}), Cut(0))
        there = VolumeDataset(resources=[both.shelf.philips], **both.remote(url=proxy.url))
        here = VolumeDataset(resources=[both.shelf.philips], **both.local())
        assert_same(here[0], there[0])


def test_after_a_prefetch_the_server_may_be_off_and_the_key_unknown(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = VolumeDataset("mixed", **both.local()).slice("axial")
    with FaultServer(both.url) as proxy:
        where = both.remote(url=proxy.url)
        report = VolumeDataset("mixed", **where).prefetch(include_annotations=True, slices="axial")
        assert (report.files, report.masks) == (60, 3)
        asked = len(proxy.seen)
        again = VolumeDataset("mixed", **where).prefetch(include_annotations=True, slices="axial")
        assert (again.packs_made, len(proxy.seen)) == (0, asked + 1)
    monkeypatch.setattr(keys, "_GIVEN", {})
    where["api_key"] = None
    there = VolumeDataset("mixed", auto_update=False, **where).slice("axial")
    for index in (0, 7, len(here) - 1):
        assert_same(here[index], there[index])
    monkeypatch.setenv("DATAMINT_LIKE_OFFLINE", "1")
    monkeypatch.setattr(socket, "socket", None)
    offline = VolumeDataset("mixed", **where)
    assert_same(offline[0], VolumeDataset("mixed", **both.local())[0])


def test_what_is_not_here_offline_is_one_error_that_counts_it(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    VolumeDataset("mixed", **both.remote()).prepare()
    monkeypatch.setenv("DATAMINT_LIKE_OFFLINE", "1")
    there = VolumeDataset("mixed", **both.remote())
    with pytest.raises(CacheError, match=r"32 of 32 files.*DATAMINT_LIKE_OFFLINE.*prefetch"):
        there[0]
    with pytest.raises(PrefetchError, match="60 failures"):
        there.prefetch()
    with pytest.raises(CacheError, match="auto_update=True"):
        VolumeDataset("another", **both.remote())[0]


def test_a_server_that_is_gone_is_named(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datamint_like.backends.remote.retries.time.sleep", lambda seconds: None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(NetworkError, match=url):
        VolumeDataset("mixed", **both.remote(url=url)).prepare()


def itself(item: Any) -> Any:
    return item


def by_two(method: str) -> dict[str, Any]:
    context = multiprocessing.get_context(method)
    return {"batch_size": None, "num_workers": 2, "multiprocessing_context": context, "collate_fn": itself}


def items_by_workers(dataset: Any, method: str) -> list[Any]:
    return list(torch.utils.data.DataLoader(dataset, **by_two(method)))


def test_forked_workers_fetch_with_the_key_of_their_parent(both: Both) -> None:
    here, there = ImageDataset("mixed", **both.local()), ImageDataset("mixed", **both.remote())
    for left, right in zip(here, items_by_workers(there, "fork"), strict=True):
        assert_same(left, right)


def test_spawned_workers_need_the_variable_or_a_prefetch(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = ImageDataset("mixed", **both.local()), ImageDataset("mixed", **both.remote())
    assert serving.ADMIN_KEY.encode() not in pickle.dumps(there)
    with pytest.raises(AuthenticationError, match=r"DATAMINT_LIKE_API_KEY.*prefetch"):
        list(there.get_dataloader(**by_two("spawn")))
    with monkeypatch.context() as patched:
        patched.setenv("DATAMINT_LIKE_API_KEY", serving.ADMIN_KEY)
        spawned = items_by_workers(there, "spawn")
    for left, right in zip(here, spawned, strict=True):
        assert_same(left, right)
    other = ImageDataset("mixed", **both.remote("other"))
    other.prefetch(include_annotations=True)
    for left, right in zip(here, items_by_workers(other, "spawn"), strict=True):
        assert_same(left, right)


def test_the_commands_work_on_a_server(
    both: Both, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], demo_images: Path
) -> None:
    monkeypatch.setenv("DATAMINT_LIKE_API_KEY", serving.ADMIN_KEY)
    assert main(["ls", "--server-url", both.url]) == 0
    assert "mixed" in capsys.readouterr().out
    xray = str(demo_images / "xray" / "nih_00000001_000.png")
    for _ in range(2):
        assert main(["import", xray, "--project", "over-http", "--server-url", both.url]) == 0
    assert main(["ls", "over-http", "--server-url", both.url]) == 0
    out = capsys.readouterr().out
    assert out.count("nih_00000001_000.png") >= 1
    backend = open_backend(both.url)
    project = backend.find_project("over-http")
    assert project is not None
    assert len(backend.list_project_resources(project.id)) == 1


def test_errors_of_a_dataset_are_those_of_the_embedded_store(both: Both) -> None:
    told = []
    for where in (both.local(), both.remote()):
        with pytest.raises(DatamintException) as caught:
            VolumeDataset("mixd", **where).prepare()
        told.append((type(caught.value), str(caught.value).replace(where["server_url"], "URL")))
    assert told[0] == told[1]
