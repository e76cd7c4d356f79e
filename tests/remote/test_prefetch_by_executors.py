"""A prefetch by an executor: threads, processes and workers of Dask do it; one that dies loses nothing unnamed."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import distributed
import pytest
import torch

from datamint_like import ImageDataset, VolumeDataset
from datamint_like.backends._urls import store_folder
from datamint_like.dataset import prefetch_tasks
from datamint_like.dataset.prefetch_progress import PrefetchProgress
from datamint_like.dataset.prefetch_rows import Job
from datamint_like.exceptions import DatamintDatasetException, PrefetchError
from datamint_like.testing.fault_server import Drip, FaultServer
from tests import serving
from tests.dataset.conftest import Shelf, shelf

__all__ = ["shelf"]
FILES = 60  # of the two series
pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")


@pytest.fixture(scope="module")
def proxy(shelf: Shelf) -> Iterator[FaultServer]:
    with serving.served(store_folder(shelf.url)) as server, FaultServer(server.url) as proxy:
        yield proxy


@pytest.fixture(scope="module", autouse=True)
def key() -> Iterator[None]:
    """Workers of another process take their key from the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATAMINT_LIKE_API_KEY", serving.ADMIN_KEY)
        yield


@pytest.fixture
def volumes(proxy: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VolumeDataset:
    monkeypatch.setenv("DATAMINT_LIKE_API_KEY", serving.ADMIN_KEY)
    return VolumeDataset("mixed", server_url=proxy.url, cache_dir=tmp_path, irregular_spacing="keep").prepare()


@pytest.fixture(scope="module")
def dask() -> Iterator[distributed.Client]:
    """Two of Dask's workers, each a process that is started again when it dies."""
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "memory_limit": 0}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client


def assert_complete_and_right(volumes: VolumeDataset, executor: Executor) -> None:
    events: list[PrefetchProgress] = []
    report = volumes.prefetch(True, slices="axial", executor=executor, progress=events.append)
    assert (report.resources, report.files, report.masks) == (2, FILES, 3)
    assert (report.packs_made, report.packs_there) == (3, 0)
    last = events[-1]
    assert (last.size_done, last.resources_done) == (report.size, 2)
    again = volumes.prefetch(True, slices="axial", executor=executor, progress=False)
    assert (again.files, again.packs_made, again.packs_there) == (FILES, 0, 3)
    assert torch.equal(volumes.slice("axial")[40]["image"], volumes[1]["image"][:, 40 - 32])


def test_a_pool_of_threads_does_it(volumes: VolumeDataset) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert_complete_and_right(volumes, pool)


def test_dask_does_it(volumes: VolumeDataset, dask: distributed.Client) -> None:
    assert_complete_and_right(volumes, dask.get_executor())


def kill_when_files_come(proxy: FaultServer, pid: Callable[[], int]) -> threading.Thread:
    """Let files come slowly, and kill a worker once some are under way; then they come as usual."""
    proxy.seen.clear()
    proxy.plan("/parts/", *[Drip(piece=10_000, wait_s=0.5)] * FILES)

    def kill() -> None:
        while not any("/parts/" in each.path for each in proxy.seen):
            time.sleep(0.02)
        os.kill(pid(), signal.SIGKILL)
        proxy.forget()

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def test_a_pool_of_processes_does_it_and_one_that_is_killed_ends_as_an_error_that_names_what_is_missing(
    volumes: VolumeDataset, proxy: FaultServer, tmp_path: Path
) -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        assert_complete_and_right(volumes, pool)
        other = VolumeDataset("mixed", server_url=proxy.url, cache_dir=tmp_path / "other", irregular_spacing="keep")
        other.prepare()
        killer = kill_when_files_come(proxy, lambda: next(iter(pool._processes)))
        with pytest.raises(PrefetchError, match=r"2 failures.*its task was lost \(BrokenProcessPool\)") as caught:
            other.prefetch(slices="axial", executor=pool, progress=False)
        killer.join()
    names = [resource.filename for resource in other.resources]
    assert all(name in failure for name, failure in zip(names, caught.value.failures, strict=True))
    assert other.prefetch(slices="axial", progress=False).is_complete


def test_what_a_killed_dask_worker_left_is_done_by_another(
    volumes: VolumeDataset, proxy: FaultServer, dask: distributed.Client
) -> None:
    busy = list(dask.run(os.getpid).values())
    killer = kill_when_files_come(proxy, lambda: busy[0])
    report = volumes.prefetch(slices="axial", executor=dask.get_executor(), progress=False)
    killer.join()
    assert (report.files, report.is_complete) == (FILES, True)


class _Forgetful(Executor):
    """Loses some tasks, and does the others at once."""

    def __init__(self, loses: Callable[[int, tuple[int, ...]], bool]) -> None:
        self.loses = loses
        self.tasks: list[tuple[int, ...]] = []

    def submit(self, work: Any, /, *args: Any, **_: Any) -> Future[Any]:
        rows = args[0]
        self.tasks.append(rows)
        future: Future[Any] = Future()
        if self.loses(len(self.tasks), rows):
            future.set_exception(ConnectionError("somewhere"))
        else:
            future.set_result(pickle.loads(pickle.dumps(work))(*args))
        return future


def test_a_lost_task_is_tried_once_more(volumes: VolumeDataset) -> None:
    executor = _Forgetful(lambda count, _: count == 1)
    assert volumes.prefetch(executor=executor, progress=False).is_complete
    assert executor.tasks == [(0,), (1,), (0,)]


def test_no_more_tasks_wait_than_an_executor_should_hold(
    volumes: VolumeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch_tasks, "_SUBMITTED", 1)
    with ThreadPoolExecutor(2) as pool:
        assert volumes.prefetch(executor=pool, progress=False).files == FILES


def test_what_is_lost_twice_is_named_and_the_rest_is_done(volumes: VolumeDataset) -> None:
    executor = _Forgetful(lambda _, rows: rows == (1,))
    report = volumes.prefetch(executor=executor, progress=False, on_error="report")
    ((failure,), name) = report.failures, volumes.resources[1].filename
    assert failure == f"Resource {volumes.resources[1].id} ({name}): its task was lost (ConnectionError)"
    assert report.files == 32


@pytest.mark.parametrize("at_once", [1, 512])
def test_an_executor_that_takes_nothing_ends_as_an_error(
    volumes: VolumeDataset, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch_tasks, "_SUBMITTED", at_once)
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    told = (
        r"2 failures.*its task was lost \(RuntimeError\): the executor took none \(.*after shutdown\)\. Give one that"
    )
    with pytest.raises(PrefetchError, match=told):
        volumes.prefetch(executor=pool, progress=False)


def test_the_class_of_an_executor_is_told_from_one_that_is_made(volumes: VolumeDataset) -> None:
    with pytest.raises(DatamintDatasetException, match=r"not its class: make one, such as ThreadPoolExecutor\(4\)"):
        volumes.prefetch(executor=ThreadPoolExecutor, progress=False)  # type: ignore[arg-type]


def test_what_ends_it_calls_off_the_tasks_of_this_process(volumes: VolumeDataset, proxy: FaultServer) -> None:
    proxy.plan("/parts/", *[Drip(piece=10_000, wait_s=0.5)] * FILES)

    def stop(_: PrefetchProgress) -> None:
        if any("/parts/" in each.path for each in proxy.seen):
            raise KeyboardInterrupt

    proxy.seen.clear()
    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyboardInterrupt):
        volumes.prefetch(executor=pool, progress=stop, workers=2)
    assert len(proxy.seen) < FILES
    proxy.forget()


def test_a_task_is_light_and_holds_neither_key_nor_function(proxy: FaultServer, tmp_path: Path) -> None:
    images = ImageDataset(
        "mixed",
        server_url=proxy.url,
        api_key="sesame-sesame",
        cache_dir=tmp_path,
        auto_update=False,
        intensity=lambda array: array,
    )
    ImageDataset("mixed", server_url=proxy.url, api_key=serving.ADMIN_KEY, cache_dir=tmp_path).prepare()
    job = pickle.dumps(Job(images._read, None, include_annotations=True, workers=4))
    assert len(job) < 4000
    assert b"sesame" not in job
    assert pickle.loads(job).workers == 4
