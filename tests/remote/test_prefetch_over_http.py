"""A prefetch over a server: files come several at once, its progress is true, and it goes on where it was stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from datamint_like import ImageDataset, VolumeDataset
from datamint_like.backends._urls import store_folder
from datamint_like.dataset.prefetch_progress import PrefetchProgress
from datamint_like.exceptions import AuthenticationError, CacheError, DatamintDatasetException, PrefetchError
from datamint_like.testing.fault_server import Cut, Drip, Fault, FaultServer, Status
from tests import serving
from tests.dataset.conftest import Shelf, shelf

__all__ = ["shelf"]
FILES = 60  # of the two series
pytestmark = pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")


@pytest.fixture(scope="module")
def running(shelf: Shelf) -> Iterator[FaultServer]:
    with serving.served(store_folder(shelf.url)) as server, FaultServer(server.url) as proxy:
        yield proxy


@pytest.fixture
def proxy(running: FaultServer) -> FaultServer:
    """The server of the shelf, which has been asked nothing yet and does nothing wrong."""
    running.forget()
    running.seen.clear()
    return running


@pytest.fixture
def where(proxy: FaultServer, tmp_path: Path) -> dict[str, Any]:
    return {"server_url": proxy.url, "api_key": serving.ADMIN_KEY, "cache_dir": tmp_path, "irregular_spacing": "keep"}


def asked(proxy: FaultServer) -> list[str]:
    """The files that were asked for."""
    return [each.path for each in proxy.seen if "/parts/" in each.path]


def test_a_function_is_told_how_far_it_is(where: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    events: list[PrefetchProgress] = []
    report = VolumeDataset("mixed", **where).prefetch(slices="axial", progress=events.append)
    last = events[-1]
    assert {each.size_total for each in events} == {report.size}
    assert (last.size_done, last.resources_done, last.resources_total, last.failures) == (report.size, 2, 2, 0)
    sizes = [each.size_done for each in events]
    assert sizes == sorted(sizes)
    assert [each.seconds for each in events] == sorted(each.seconds for each in events)
    assert capsys.readouterr().err == ""


def test_the_bar_counts_bytes_and_can_be_left_out(where: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    report = VolumeDataset("mixed", **where).prefetch()
    shown = capsys.readouterr().err
    assert "prefetch: 100%" in shown
    assert f"{report.size / 1e6:.2f}M/{report.size / 1e6:.2f}M" in shown
    assert "B/s, 2/2 resources" in shown
    VolumeDataset("mixed", **where).prefetch(progress=False)
    assert capsys.readouterr().err == ""


def test_a_file_that_comes_slowly_moves_the_progress_before_it_is_whole(
    proxy: FaultServer, where: dict[str, Any], shelf: Shelf
) -> None:
    assert shelf.xray.size
    proxy.plan("/parts/0", Drip(piece=shelf.xray.size // 4, wait_s=0.5))
    events: list[PrefetchProgress] = []
    ImageDataset(resources=[shelf.xray], **where).prefetch(progress=events.append)
    assert len({each.size_done for each in events if 0 < each.size_done < shelf.xray.size}) >= 2


def test_what_breaks_off_and_comes_again_is_counted_once(proxy: FaultServer, where: dict[str, Any]) -> None:
    proxy.plan("/parts/", *[Cut(5000)] * 20)
    events: list[PrefetchProgress] = []
    report = VolumeDataset("mixed", **where).prefetch(progress=events.append)
    assert events[-1].size_done == events[-1].size_total == report.size


def test_failures_are_listed_after_everything_else_is_done(
    proxy: FaultServer, where: dict[str, Any], tmp_path: Path
) -> None:
    dataset = VolumeDataset("mixed", **where).prepare()
    series = dataset.resources[0].id
    for part in (9, 20):
        proxy.plan(f"/resources/{series}/parts/{part}", *[Status(404, {}, b'{"message": "gone"}')] * 3)
    with pytest.raises(PrefetchError, match="The prefetch of 2 resources is incomplete: 2 failures") as caught:
        dataset.prefetch(slices="axial", progress=False)
    assert len(list((tmp_path / "blobs").glob("??/*"))) == FILES - 2
    assert len(list((tmp_path / "packs").rglob("axial.npy.gz"))) == 1  # the other volume's
    assert all(dataset.resources[0].filename in each for each in caught.value.failures)
    events: list[PrefetchProgress] = []
    report = dataset.prefetch(on_error="report", progress=events.append)
    assert (report.is_complete, report.files, len(report.failures)) == (False, FILES - 2, 2)
    assert "Incomplete: 2 failures. Resource" in str(report)
    assert (events[-1].failures, events[-1].size_done) == (2, report.size)
    assert report.size < events[-1].size_total
    whole = VolumeDataset("mixed", **where)
    proxy.forget()
    assert whole.prefetch(slices="axial", on_error="report").is_complete


class _StopError(Exception):
    """Raised by a function that is told the progress."""


def test_what_the_function_raises_ends_it_and_the_next_one_goes_on(proxy: FaultServer, where: dict[str, Any]) -> None:
    proxy.plan("/parts/", *[Drip(piece=4000, wait_s=0.02)] * FILES)

    def stop(event: PrefetchProgress) -> None:
        if event.size_done > event.size_total / 3:
            raise _StopError

    with pytest.raises(_StopError):
        VolumeDataset("mixed", **where).prefetch(progress=stop, workers=4)
    for each in threading.enumerate():  # the call waits only a little for what is under way
        if each.name.startswith("datamint-like-"):
            each.join()
    proxy.forget()
    before = set(asked(proxy))
    assert len(before) < FILES
    there = _whole_files(where["cache_dir"])
    assert there
    proxy.seen.clear()
    assert VolumeDataset("mixed", **where).prefetch(progress=False).files == FILES
    not_asked = FILES - len(there) - len(asked(proxy))  # whose last byte was here when it ended
    assert 0 <= not_asked <= 4


@pytest.mark.parametrize("by", ["threads", "an executor"])
def test_a_key_that_is_refused_ends_it_at_once(by: str, proxy: FaultServer, where: dict[str, Any]) -> None:
    dataset = VolumeDataset("mixed", **where).prepare()
    proxy.plan("/parts/", *[Status(401)] * FILES)
    with ThreadPoolExecutor(1) as pool, pytest.raises(AuthenticationError, match="does not accept the key"):
        dataset.prefetch(workers=2, progress=False, on_error="report", executor=None if by == "threads" else pool)
    assert len(asked(proxy)) < FILES / 2


def _whole_files(cache: Path) -> list[Path]:
    return list((cache / "blobs").glob("[0-9a-f][0-9a-f]/*"))


_PREFETCH = """
import sys
from datamint_like import ImageDataset, VolumeDataset
options = {"server_url": sys.argv[1], "cache_dir": sys.argv[2], "irregular_spacing": "keep"}
dataset = VolumeDataset(resources=sys.argv[3:], **options).prepare()
print("ready", flush=True)
dataset.prefetch(workers=4, progress=False)
"""


def test_an_interrupt_ends_it_soon_and_the_next_one_goes_on_in_the_middle_of_files(
    proxy: FaultServer, where: dict[str, Any], shelf: Shelf
) -> None:
    proxy.plan("/parts/", *[Drip(piece=10_000, wait_s=3.0)] * FILES)
    command = [sys.executable, "-c", _PREFETCH, proxy.url, str(where["cache_dir"]), shelf.philips.id, shelf.ge.id]
    env = {**os.environ, "DATAMINT_LIKE_API_KEY": serving.ADMIN_KEY}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        while len(asked(proxy)) < 4 or not _sizes_of_partial_files(where["cache_dir"]):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)  # all of it would take minutes
    assert process.returncode != 0
    assert told.rstrip().endswith("KeyboardInterrupt")
    there = _whole_files(where["cache_dir"])
    proxy.forget()
    proxy.seen.clear()
    assert VolumeDataset("mixed", **where).prefetch(progress=False).files == FILES
    assert len(asked(proxy)) == FILES - len(there)
    resumed = [each for each in proxy.seen if each.headers.get("range", "bytes=0-") != "bytes=0-"]
    assert resumed


def _sizes_of_partial_files(cache: Path) -> list[int]:
    return [size for path in (cache / "blobs" / "incoming").glob("*.partial") if (size := path.stat().st_size)]


@dataclass(frozen=True)
class _Counted(Fault):
    """Notes how many files are under way at once."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    counts: list[int] = field(default_factory=lambda: [0, 0])  # now, and at most

    def request(self, headers: dict[str, str]) -> dict[str, str]:
        with self.lock:
            self.counts[0] += 1
            self.counts[1] = max(self.counts)
        return headers

    def send(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        time.sleep(0.02)
        with self.lock:
            self.counts[0] -= 1
        connection.sendall(head + body)


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_files_come_at_once_than_there_are_workers(
    proxy: FaultServer, where: dict[str, Any], workers: int
) -> None:
    dataset = VolumeDataset("mixed", **where).prepare()
    counted = _Counted()
    proxy.plan("/parts/", *[counted] * FILES)
    assert dataset.prefetch(workers=workers, progress=False).files == FILES
    assert counted.counts == [0, workers]


def test_arguments_of_another_kind_are_refused(where: dict[str, Any]) -> None:
    dataset = VolumeDataset("mixed", **where)
    wrong: dict[str, Any] = {"workers": 0, "on_error": "skip", "executor": 4, "progress": "no"}
    for name, value in wrong.items():
        with pytest.raises(DatamintDatasetException, match=name):
            dataset.prefetch(**{name: value})
    with pytest.raises(DatamintDatasetException, match="include_annotations"):
        dataset.prefetch("masks")  # type: ignore[arg-type]


def test_a_set_that_the_cache_may_not_hold_is_refused_before_the_first_byte(
    proxy: FaultServer, where: dict[str, Any]
) -> None:
    dataset = VolumeDataset("mixed", cache_limit="1MB", **where).prepare()
    with pytest.raises(CacheError, match=r"The prefetch of 2 resources takes .* may hold 1.0 MB"):
        dataset.prefetch(on_error="report", progress=False)
    assert asked(proxy) == []


def test_what_it_brings_is_leased_while_it_runs_and_no_longer(where: dict[str, Any], tmp_path: Path) -> None:
    dataset = VolumeDataset("mixed", **where).prepare()
    digests = {part.sha256 for row in (0, 1) for part in dataset._prepared.snapshot.parts(row)}
    masks = {each.sha256 for row in (0, 1) for each in dataset._read.annotations(row) if each.is_segmentation()}
    leased: set[str] = set()

    def look(_: PrefetchProgress) -> None:
        for path in (tmp_path / "leases").glob("*.lease"):
            leased.update(line.rpartition("blobs/")[2] or line for line in path.read_text().splitlines()[1:])

    dataset.prefetch(True, slices="axial", progress=look)
    assert {f"{digest[:2]}/{digest}" for digest in digests | masks if digest} <= leased
    assert len([each for each in leased if each.startswith("packs/")]) == 3
    assert len(list((tmp_path / "leases").glob("*.lease"))) == 1  # of the snapshot that the dataset reads
