"""A prefetch brings the splits that are saved in a project, so that they are there when its server is not."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist

from datamint_like import ImageDataset, VolumeDataset
from datamint_like.backends import open_backend
from datamint_like.backends.base import NewProject
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.cli.main import main
from datamint_like.exceptions import DatamintDatasetException, PrefetchError
from datamint_like.testing.fault_server import OURS, AsDatamint, FaultServer, Status
from datamint_like.testing.samples import OTHER_XRAY, XRAY, upload
from tests import serving
from tests.cache.mounts import READ_ONLY, run_where
from tests.dataset.conftest import shelf
from tests.remote.test_datasets_over_http import Both, both
from tests.remote.test_kept_splits import ids, silenced
from tests.remote.test_silenced_datasets import no_socket_opens

__all__ = ["both", "shelf", "silenced"]
pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")


class Stand:
    """A project of two pictures, the store behind it, and a proxy before its server."""

    def __init__(self, folder: Path, store: LocalBackend, proxy: FaultServer) -> None:
        self.store, self.proxy, self.cache = store, proxy, folder / "cache"
        self.ids = [upload(store, each).id for each in (XRAY, OTHER_XRAY)]
        self.project = store.create_project(NewProject("P", resource_ids=tuple(self.ids)))

    def assign(self) -> None:
        """Save a split in the project, so that it holds as of the server's time, which may be told in whole seconds."""
        instant = self.store.assign_splits(self.project.id, dict(zip(self.ids, ("train", "val"), strict=True)))
        server = open_backend(self.proxy.url, api_key=serving.ADMIN_KEY)
        while server.now() < instant:
            time.sleep(0.02)

    def dataset(self, **options: Any) -> ImageDataset:
        """The pictures, asked of the proxy."""
        options = {"server_url": self.proxy.url, "api_key": serving.ADMIN_KEY, "cache_dir": self.cache} | options
        return ImageDataset("P", **options)

    def asked(self) -> list[str]:
        """The paths, without those of files, that were asked for."""
        return [each.path for each in self.proxy.seen if "/parts/" not in each.path and "/file" not in each.path]


@pytest.fixture(params=[False, True], ids=["ours", "datamint"])
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    """The project over a server of ours, and over one of Datamint's protocol alone."""
    otherwise = AsDatamint() if request.param else None
    with serving.served(tmp_path / "store") as running, FaultServer(running.url, otherwise) as proxy:
        if request.param:
            proxy.hide(*OURS)
        yield Stand(tmp_path, running.store, proxy)


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Stand]:
    with serving.served(tmp_path / "store") as running, FaultServer(running.url) as proxy:
        yield Stand(tmp_path, running.store, proxy)


def test_after_a_prefetch_split_gives_the_same_parts_without_the_server(both: Both, silenced: Any) -> None:
    VolumeDataset("mixed", **both.remote("another")).split(train=0.5, val=0.5, seed=1).save()
    volumes = VolumeDataset("mixed", **both.remote(), irregular_spacing="keep")
    report = volumes.prefetch(progress=False)
    assert report.splits == ("train", "val")
    assert str(report).endswith(" in place; the project's split too (train, val).")
    asked = VolumeDataset("mixed", **both.remote("another")).split()
    make = silenced()
    with no_socket_opens(both.folder):
        again = make(VolumeDataset, irregular_spacing="keep").split()
        assert ids(again) == ids(asked)
        part = again["train"]
        assert len([part[n] for n in range(len(part))]) == 1


def test_the_command_brings_them_too(both: Both, monkeypatch: pytest.MonkeyPatch, silenced: Any, capsys: Any) -> None:
    monkeypatch.setenv("DATAMINT_LIKE_API_KEY", serving.ADMIN_KEY)
    VolumeDataset("mixed", **both.remote("another")).split(train=0.5, val=0.5, seed=1).save()
    where = ["--server-url", both.url, "--cache-dir", str(both.folder / "remote")]
    assert main(["prefetch", "mixed", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)["splits"] == ["train", "val"]
    make = silenced()
    with no_socket_opens(both.folder):
        assert sorted(make(VolumeDataset).split()) == ["train", "val"]


def test_a_project_without_splits_is_complete_and_is_told_to_have_none(stand: Stand) -> None:
    report = stand.dataset().prefetch(progress=False)
    assert (report.is_complete, report.splits) == (True, ())
    with pytest.raises(DatamintDatasetException, match="'P' has no split assignments as of"):
        stand.dataset(auto_update=False).split()


def test_a_server_that_knows_no_splits_has_none_to_bring(tmp_path: Path) -> None:
    with serving.served(tmp_path / "store") as running, FaultServer(running.url, AsDatamint()) as proxy:
        proxy.hide(*OURS)
        stand = Stand(tmp_path, running.store, proxy)
        for status in (404, 405, 501, 400, 403):
            proxy.plan("/splits", Status(status, {}, b'{"message": "no route"}'))
            report = stand.dataset().prefetch(progress=False)
            assert (report.is_complete, report.splits) == (True, ())
            assert proxy.seen[-1].path.partition("?")[0].endswith(("/splits", stand.project.id))


def test_splits_that_cannot_be_read_are_a_failure_after_everything_else(ours: Stand) -> None:
    ours.assign()
    dataset = ours.dataset().prepare()
    ours.proxy.plan("/splits", *[Status(500)] * 9)
    with pytest.raises(
        PrefetchError, match=r"incomplete: 1 failure\. The splits of the project could not be had: .*500"
    ):
        dataset.prefetch(progress=False)
    assert len(list((ours.cache / "blobs").glob("??/*"))) == 2
    ours.proxy.forget()
    assert dataset.prefetch(progress=False).splits == ("train", "val")


def test_all_take_two_requests_and_those_that_are_here_count_where_the_server_does_not_answer(stand: Stand) -> None:
    stand.assign()
    dataset = stand.dataset().prepare()
    stand.proxy.seen.clear()
    assert dataset.prefetch(progress=False).splits == ("train", "val")
    assert len([path for path in stand.asked() if "capabilities" not in path]) == 2
    stand.proxy.plan("/splits", *[Status(500)] * 9)
    assert dataset.prefetch(progress=False).splits == ("train", "val")
    stand.proxy.seen.clear()
    assert stand.dataset(auto_update=False).prefetch(progress=False).splits == ("train", "val")
    assert stand.dataset(auto_update=False).split()["val"].resources[0].id == stand.ids[1]
    assert stand.proxy.seen == []


def test_a_prefetch_of_a_later_state_brings_what_was_assigned_meanwhile(stand: Stand) -> None:
    assert stand.dataset().prefetch(progress=False).splits == ()
    stand.assign()
    assert stand.dataset().prefetch(progress=False).splits == ("train", "val")
    assert stand.dataset(auto_update=False).split()["train"].resources[0].id == stand.ids[0]


def test_damaged_ones_are_brought_again_and_told_where_nobody_may_be_asked(
    ours: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours.assign()
    ours.dataset().prefetch(progress=False)
    for path in (ours.cache / "catalog").rglob("split*.json"):
        path.write_bytes(b"")
    with monkeypatch.context() as patch:
        patch.setenv("DATAMINT_LIKE_OFFLINE", "1")
        report = ours.dataset().prefetch(on_error="report", progress=False)
        (failure,) = report.failures
        assert "are damaged: split-last.json cannot be read" in failure
    assert ours.dataset(auto_update=False).prefetch(progress=False).splits == ("train", "val")


def test_a_lock_file_has_them_from_the_server_of_its_project_and_none_from_another(ours: Stand, tmp_path: Path) -> None:
    ours.assign()
    ours.dataset().snapshot.write_lock(tmp_path / "P.lock")
    locked: dict[str, Any] = {"lock": tmp_path / "P.lock", "api_key": serving.ADMIN_KEY}
    here = ImageDataset(server_url=ours.proxy.url, cache_dir=ours.cache, **locked)
    assert here.prefetch(progress=False).splits == ("train", "val")
    without = ImageDataset(server_url=ours.proxy.url, cache_dir=ours.cache, auto_update=False, **locked)
    assert sorted(without.split()) == ["train", "val"]
    server = open_backend(ours.proxy.url, api_key=serving.ADMIN_KEY)
    server.archive_project(ours.project.id)
    ours.proxy.plan("/splits", Status(404, {}, b'{"message": "Project p not found.", "kind": "ItemNotFoundError"}'))
    report = ImageDataset(server_url=ours.proxy.url, cache_dir=tmp_path / "other", **locked).prefetch(progress=False)
    assert (report.is_complete, report.splits) == (True, ())


def _rank(rank: int, folder: str, url: str) -> None:
    """Split without the server, as one of two processes with caches of their own."""
    os.environ |= {"GLOO_SOCKET_IFNAME": "lo", "DATAMINT_LIKE_OFFLINE": "1"}
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    parts = ImageDataset("P", server_url=url, cache_dir=Path(folder, f"node {rank}")).split()
    told = {name: [ids(parts)[name], part.split_as_of_timestamp] for name, part in parts.items()}
    Path(folder, f"{rank}.json").write_text(json.dumps(told))
    dist.barrier()
    dist.destroy_process_group()


def test_ranks_whose_nodes_were_prefetched_apart_have_one_split(ours: Stand, tmp_path: Path) -> None:
    ours.assign()
    for node in range(2):
        ours.dataset(cache_dir=tmp_path / f"node {node}").prefetch(progress=False)
    start = multiprocessing.get_context("spawn").Process
    processes = [start(target=_rank, args=(rank, str(tmp_path), ours.proxy.url)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    told = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert told[0] == told[1]
    assert {name: own for name, (own, _) in told[0].items()} == {"train": ours.ids[:1], "val": ours.ids[1:]}


_PREFETCHES = """
import sys
from pathlib import Path
from datamint_like import Api, ImageDataset
from datamint_like.backends.remote.keys import given

cache, url, key, first = sys.argv[1:]
given(url, key)
for assigned in (False, True):
    if assigned:
        Api(server_url=url).projects.assign_splits("P", [first], "train")
    dataset = ImageDataset("P", server_url=url, cache_dir=Path(cache))
    print(*dataset.prefetch(on_error="report", progress=False).failures)
"""


def test_a_cache_that_cannot_be_written_lacks_them_and_that_is_told(ours: Stand) -> None:
    ours.dataset().prefetch(progress=False)
    arguments = (ours.cache, ours.proxy.url, serving.ADMIN_KEY, ours.ids[0])
    without, told = run_where(READ_ONLY, ours.cache, _PREFETCHES, *arguments).splitlines()
    assert without == ""
    assert told.startswith("The splits of the project could not be had: The cache folder ")
    assert "cannot be written: Read-only file system. Name another cache folder" in told
