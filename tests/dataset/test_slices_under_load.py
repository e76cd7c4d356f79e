"""Slices at the limits: little memory, forks, threads, packs that vanish, full disks, more volumes than stay open."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from datamint_like.api import Api
from datamint_like.dataset import VolumeDataset
from tests.dataset.conftest import ANA, Shelf, slices_of

SHAPE = (6, 5, 4)  # (i, j, k) of the small volumes


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Api:
    """80 small volumes, of which number n holds n at every voxel."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "files").mkdir()
    for n in range(80):
        image = nib.Nifti1Image(np.full(SHAPE, n, np.int16), np.diag([1.0, 1.0, 2.0, 1.0]))
        nib.save(image, folder / "files" / f"{n:02d}.nii.gz")
    api = Api(server_url=(folder / "store").as_uri())
    api.resources.upload_resources(str(folder / "files"), progress_bar=False)
    return api


def run_in_fork(work: Callable[[], bool]) -> int:
    """The exit status of a forked child: 0 where the work was done and true, within a minute."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork of a process with threads
        child = os.fork()
    if child == 0:
        signal.alarm(60)  # a deadlock ends the child, and the test with it
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1]


@pytest.mark.parametrize("compression", ["gzip", None])
def test_random_slices_of_more_volumes_than_stay_open_are_right_and_files_are_closed(
    many: Api, tmp_path: Path, compression: Any
):
    volumes = VolumeDataset(
        resources=many.resources.get_list(),
        server_url=many.server_url,
        cache_dir=tmp_path,
        memory_cache=0,
        compression=compression,
    )
    expected = [int(name.partition(".")[0]) for name in (r.filename for r in volumes.resources)]
    slices = volumes.slice("axial")
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    order = random.Random(1).choices(range(len(slices)), k=600)
    for n in order:
        item = slices[n]
        assert item["image"].shape == (1, 5, 6)
        assert (item["image"] == expected[n // 4]).all()
    if before and compression:
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + 66
    assert len(slices._slices._open._values) == 64


@pytest.mark.parametrize("limit", [0, 40_000, 700_000, "256MB"])
def test_the_memory_cache_keeps_to_its_limit_and_changes_no_value(
    shelf: Shelf, tmp_path: Path, limit: int | str, decoded: list[str]
):
    whole = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)[0]
    decoded.clear()
    slices = slices_of(shelf, tmp_path, memory_cache=limit)
    recent = slices._slices._recent
    for n in random.Random(0).choices(range(32), k=60):
        item = slices[n]
        assert torch.equal(item["image"], whole["image"][:, n])
        assert torch.equal(item["segmentations"][ANA], whole["segmentations"][ANA][:, n])
        assert recent.held <= recent.limit
    assert len(decoded) == 1
    assert bool(recent.held) == bool(limit)


@pytest.mark.parametrize("compression", ["gzip", None])
@pytest.mark.parametrize("memory_cache", [0, "256MB"])
def test_forked_readers_go_on_with_packs_that_the_parent_has_open(
    shelf: Shelf, tmp_path: Path, compression: Any, memory_cache: Any
):
    slices = slices_of(shelf, tmp_path, compression=compression, memory_cache=memory_cache)
    expected = [slices[n]["image"] for n in range(32)]

    def work() -> bool:
        return all(torch.equal(slices[n]["image"], expected[n]) for n in random.Random(2).choices(range(32), k=64))

    children = [run_in_fork(work) for _ in range(2)]
    assert children == [0, 0]
    assert torch.equal(slices[5]["image"], expected[5])


def test_a_child_forked_while_a_pack_is_built_builds_its_own(shelf: Shelf, tmp_path: Path):
    slices = slices_of(shelf, tmp_path, memory_cache=0)
    expected = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)[0]["image"]
    packs = slices._reading.packs
    inside, leave = threading.Event(), threading.Event()

    def slow() -> Any:
        with packs._building:
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=slow)
    thread.start()
    inside.wait(10)
    try:
        assert run_in_fork(lambda: torch.equal(slices[3]["image"], expected[:, 3])) == 0
    finally:
        leave.set()
        thread.join()


@pytest.mark.parametrize("writable", [True, False])
def test_threads_that_ask_for_slices_of_one_volume_at_once_decode_it_once(
    shelf: Shelf, tmp_path: Path, decoded: list[str], writable: bool
):
    slices = slices_of(shelf, tmp_path)
    whole = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)[0]["image"]
    if not writable:
        (tmp_path / "packs").write_text("a file where the folder should be")
    decoded.clear()
    start, found = threading.Barrier(6), {}

    def ask(n: int) -> None:
        start.wait()
        found[n] = slices[n]["image"]

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[n], whole[:, n]) for n in range(6))
    assert len(decoded) == 1


def test_a_pack_that_is_removed_while_open_serves_on_and_is_made_again_by_others(
    shelf: Shelf, tmp_path: Path, decoded: list[str]
):
    slices = slices_of(shelf, tmp_path, memory_cache=0)
    expected = [slices[n]["image"] for n in range(4)]
    decoded.clear()
    shutil.rmtree(tmp_path / "packs")
    assert torch.equal(slices[2]["image"], expected[2])
    assert decoded == []
    other = slices_of(shelf, tmp_path, memory_cache=0)
    assert torch.equal(other[1]["image"], expected[1])
    assert torch.equal(other[3]["image"], expected[3])
    assert len(decoded) == 1
    assert len(list((tmp_path / "packs").rglob("axial.npy.gz"))) == 2


def test_a_pack_that_is_damaged_while_open_never_gives_other_pixels(shelf: Shelf, tmp_path: Path, decoded: list[str]):
    slices = slices_of(shelf, tmp_path, memory_cache=0)
    expected = [slices[n]["image"] for n in range(32)]
    decoded.clear()
    for path in (tmp_path / "packs").rglob("axial.npy.gz"):
        with open(path, "rb+") as file:
            file.seek(path.stat().st_size // 2)
            file.write(bytes(2000))
    for n in (*range(32), *range(32)):
        assert torch.equal(slices[n]["image"], expected[n])
    assert len(decoded) == 1


# Reads slices where files cannot grow beyond a limit, so that no pack can be written.
FULL = """
import logging, resource, sys
from pathlib import Path
import torch
from datamint_like.dataset import VolumeDataset
from datamint_like.exceptions import PrefetchError

url, resource_id, cache, compression = sys.argv[1:]
told = []
handler = logging.Handler()
handler.emit = lambda record: told.append(record.getMessage())
logging.getLogger("datamint_like").addHandler(handler)
options = {"compression": compression or None, "cache_dir": cache, "server_url": url, "resources": [resource_id]}
whole = VolumeDataset(**options)[0]["image"]
slices, coronal = (VolumeDataset(**options).slice(axis) for axis in ("axial", "coronal"))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
for n in (0, 31, 7):
    assert torch.equal(slices[n]["image"], whole[:, n])
assert any("cannot be written" in each for each in told), told
left = [path for path in (Path(cache) / "packs").rglob("*") if path.is_file() and path.suffix != ".lock"]
assert all(path.stat().st_size < 20_000 for path in left), left
assert not [path for path in left if path.name.endswith(".partial")], left
try:
    coronal.prefetch()
except PrefetchError as error:
    assert "Free space there" in str(error)
else:
    raise AssertionError("it fitted")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert VolumeDataset(**options).slice("axial").prefetch().packs_made == 1
assert torch.equal(slices[9]["image"], whole[:, 9])
print("checked")
"""


@pytest.mark.parametrize("compression", ["gzip", ""])
def test_a_disk_that_fills_while_a_pack_is_written_costs_speed_only(shelf: Shelf, tmp_path: Path, compression: str):
    arguments = [shelf.url, shelf.philips.id, str(tmp_path / "cache"), compression]
    done = subprocess.run([sys.executable, "-c", FULL, *arguments], capture_output=True, text=True, check=False)
    assert done.stdout == "checked\n", done.stderr


# Packs the frames of a video and tells how much memory that took, in arrays of the video.
LONG = """
import resource, sys
from datamint_like.dataset import VideoDataset
import cv2, isal, torch
url, resource_id, cache, compression, size = sys.argv[1:]
options = {"server_url": url, "resources": [resource_id], "cache_dir": cache, "compression": compression or None}
frames = VideoDataset(memory_cache=0, return_segmentations=False, **options).frame_by_frame()
frames._slices.reader.blobs
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
frames[0]
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print((after - before) / int(size))
"""


@pytest.mark.parametrize("compression", ["gzip", ""])
def test_packing_a_long_video_takes_its_array_once(tmp_path: Path, compression: str):
    from tests.imaging.video_files import write_video

    rng = np.random.default_rng(0)
    tile = rng.integers(0, 255, (480, 640, 3), np.uint8)
    path = write_video(tmp_path / "long.mp4", "mpeg4", (np.roll(tile, n, axis=1) for n in range(200)))
    api = Api(server_url=(tmp_path / "store").as_uri())
    api.resources.upload_resource(path)
    (resource,) = api.resources.get_list()
    arguments = [api.server_url, resource.id, str(tmp_path / "cache"), compression, str(200 * 480 * 640 * 3)]
    done = subprocess.run([sys.executable, "-c", LONG, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1.4
