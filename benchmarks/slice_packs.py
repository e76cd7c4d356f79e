"""What slices, frames and patches cost, as ratios within one process on one thread (CPU time). Prints JSON.

The volume is a .nii.gz of real size: 512 x 512 x 48, int16, smooth with noise, without masks.

`first_pass`: all axial slices through `VolumeDataset.slice`, with an empty cache, against decoding the volume once
    with igzip and writing each slice with igzip level 1 (target 1.2).
`warm_random_slice`: an item of a warm pack, nothing in memory, against `pread`, igzip inflate and a tensor (1.25).
`warm_random_slice_read`: the same without the item around it: reading the pack alone.
`held_slice`: a slice that the memory cache holds, against copying its array (3.0).
`raw_random_slice`: an item of a warm pack without compression, against copying the slice out of a memory map.
`clip_frames`: all frames of a 200-frame clip (H.264 would need a codec that is not everywhere, so MPEG-4; 640 x 480)
    through `frame_by_frame` with an empty cache, against one sequential decode by OpenCV and writing each frame with
    igzip level 1 (1.3). `clip_frames_beyond_memory`: the same with a memory cache that does not hold the clip, so that
    its frames are read back. `clip_decode`: our decoder alone, against the same decode.
`patches`: patches (16, 96, 96) out of a warm pack, nothing in memory, against inflating the 16 slices and copying the
    crop; `patches_held`: with all slices in memory, against copying the crop.
`two_workers`: how many times as fast, on the clock, two workers of `get_dataloader` give random slices of a warm pack
    as one does (1.7): batches of 8, nothing in memory, workers that run already. `two_workers_bare`: the same for
    torch's own loader over a dataset that does no more than `pread`, igzip inflate and a tensor. `one_by_bare` and
    `both_by_bare`: seconds of one worker, and of two, by those of the bare loader with as many (0.77 and 0.75 when
    batches began to lie in memory that is used again).
    `two_workers_first_pass`: as `two_workers`, for slices in random order with an empty cache, where the workers
    decode and pack. `two_workers_held`: the same for slices that the memory of each worker holds, where copying them
    twice is all there is to do (no target). Only on a machine that does nothing else are these theirs alone: `load` is
    the number of processes that wanted a CPU within the last minute before.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import nibabel as nib
import numpy as np
import torch
from isal import igzip, isal_zlib
from torch.utils.data import DataLoader, Dataset, RandomSampler

from datamint_like.api import Api
from datamint_like.dataset import VideoDataset, VolumeDataset
from datamint_like.dataset.sliced_dataset import SlicedVolumeDataset
from datamint_like.slices.pack import Pack
from datamint_like.slices.packs import Packs

ROUNDS = 15


def ratio(ours: Callable[[], object], theirs: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median of ours / theirs over interleaved rounds."""
    ours(), theirs()
    found = []
    for _ in range(rounds):
        times = []
        for work in (ours, theirs):
            start = time.process_time()
            work()
            times.append(time.process_time() - start)
        found.append(times[0] / times[1])
    return round(statistics.median(found), 3)


def write_volume(path: Path, seed: int = 0) -> None:
    generator = np.random.default_rng(seed)
    ramp = np.add.outer(np.arange(512), np.arange(512))[..., None]
    values = (ramp + generator.integers(0, 60, (512, 512, 48))).astype(np.int16)
    nib.save(nib.Nifti1Image(values, np.diag([0.7, 0.7, 2.5, 1.0])), path)


def decode_and_write(path: Path, folder: Path) -> None:
    """The bare work of a first pass."""
    raw = igzip.decompress(path.read_bytes())
    volume = np.frombuffer(raw, np.int16, count=512 * 512 * 48, offset=352).reshape(48, 512, 512)
    with open(folder / "bare", "wb") as file:
        for plane in volume:
            file.write(igzip.compress(plane.tobytes(), 1, mtime=0))


def write_clip(path: Path) -> None:
    """200 frames of a moving, noisy picture, as an ultrasound clip is."""
    generator = np.random.default_rng(0)
    ramp = np.add.outer(np.arange(480), np.arange(900)) % 256
    speckle = cv2.GaussianBlur(generator.integers(0, 255, (480, 900)).astype(np.float32), (5, 5), 0)
    picture = np.clip(ramp * 0.5 + speckle * 0.5, 0, 255).astype(np.uint8)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (640, 480))
    for n in range(200):
        writer.write(cv2.cvtColor(np.ascontiguousarray(picture[:, n : n + 640]), cv2.COLOR_GRAY2BGR))
    writer.release()


def decode_clip(path: Path) -> np.ndarray:
    """The frames (3, N, H, W) in RGB of one sequential decode on one thread."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    frames = np.empty((3, 200, 480, 640), np.uint8)
    for n in range(200):
        _, picture = capture.read()
        cv2.split(picture, [frames[2, n], frames[1, n], frames[0, n]])
    return frames


def decode_and_write_clip(path: Path, folder: Path) -> None:
    """The bare work of a first pass over a clip."""
    frames = decode_clip(path)
    with open(folder / "bare", "wb") as file:
        for n in range(200):
            file.write(igzip.compress(np.ascontiguousarray(frames[:, n]), 1, mtime=0))


def measure_clip(folder: Path) -> dict[str, float]:
    clip = folder / "clip.mp4"
    write_clip(clip)
    api = Api(server_url=(folder / "clips").as_uri())
    api.resources.upload_resources([clip])
    options: dict[str, Any] = {"resources": api.resources.get_list(), "server_url": api.server_url}
    options["cache_dir"] = folder / "clip"
    videos, small = VideoDataset(**options), VideoDataset(memory_cache="10MB", **options)

    def first_pass(dataset: VideoDataset) -> None:
        frames = dataset.frame_by_frame()
        for item in frames:
            assert item["image"].shape == (3, 480, 640)
        shutil.rmtree(folder / "clip" / "packs")

    return {
        "clip_frames": ratio(lambda: first_pass(videos), lambda: decode_and_write_clip(clip, folder), 7),
        "clip_frames_beyond_memory": ratio(lambda: first_pass(small), lambda: decode_and_write_clip(clip, folder), 7),
        "clip_decode": ratio(lambda: videos[0], lambda: decode_clip(clip), 7),
    }


def measure_patches(warm: VolumeDataset, held: VolumeDataset, pack: Path) -> dict[str, float]:
    """Patches of a volume whose slices are packed at `pack`."""
    size, count = (16, 96, 96), 12
    opened, handle = Pack(pack), os.open(pack, os.O_RDONLY)
    starts, ends = opened._starts.tolist(), opened._ends.tolist()
    cold_patches, held_patches = (each.patches(size, count, seed=1) for each in (warm, held))
    places = [item["location"].tolist() for item in held_patches]
    whole = held[0]["image"].numpy()

    def bare() -> None:
        for (d0, d1), (h0, h1), (w0, w1) in places:
            block = np.empty((1, *size), np.int16)
            for n in range(d0, d1):
                npy = isal_zlib.decompress(os.pread(handle, ends[n] - starts[n], starts[n]), wbits=31)
                plane = np.frombuffer(npy, np.int16, offset=128).reshape(1, 512, 512)
                block[:, n - d0] = plane[:, h0:h1, w0:w1]
            torch.from_numpy(block)

    def crops() -> None:
        for (d0, d1), (h0, h1), (w0, w1) in places:
            torch.from_numpy(whole[:, d0:d1, h0:h1, w0:w1].copy())

    return {
        "patches": ratio(lambda: list(cold_patches), bare, 7),
        "patches_held": ratio(lambda: list(held_patches), crops),
    }


class BareSlices(Dataset[dict[str, torch.Tensor]]):
    """The least work that gives the slices of a pack."""

    def __init__(self, path: Path) -> None:
        pack = Pack(path)
        self.handle = os.open(path, os.O_RDONLY)
        self.starts, self.ends = pack._starts.tolist(), pack._ends.tolist()

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, n: int) -> dict[str, torch.Tensor]:
        packed = os.pread(self.handle, self.ends[n] - self.starts[n], self.starts[n])
        npy = isal_zlib.decompress(packed, wbits=31)
        plane = np.frombuffer(bytearray(memoryview(npy)[128:]), np.int16)
        return {"image": torch.from_numpy(plane.reshape(1, 512, 512))}


def random_slices(dataset: Dataset[Any], make: Callable[..., Any], workers: int) -> Callable[[], float]:
    """What takes seconds on the clock for 960 slices by workers that run already."""
    sampler = RandomSampler(dataset, replacement=True, num_samples=960)  # type: ignore[arg-type]  # it has a length
    loader = make(batch_size=8, sampler=sampler, num_workers=workers, persistent_workers=True)

    def taken() -> float:
        start = time.perf_counter()
        for batch in loader:
            assert batch["image"].shape == (8, 1, 512, 512)
        return time.perf_counter() - start

    taken()
    return taken


def two_workers(dataset: SlicedVolumeDataset, pack: Path, rounds: int = 7) -> dict[str, float]:
    """Seconds of one worker by those of two, for the same number of random slices; ours and bare in turn."""
    load, bare = round(os.getloadavg()[0], 1), BareSlices(pack)
    works = [random_slices(dataset, dataset.get_dataloader, workers) for workers in (1, 2)]
    works += [random_slices(bare, partial(DataLoader, bare), workers) for workers in (1, 2)]
    found = []
    for _ in range(rounds):
        one, two, bare_one, bare_two = (work() for work in works)
        found.append((one / two, bare_one / bare_two, one / bare_one, two / bare_two))
    names = ("two_workers", "two_workers_bare", "one_by_bare", "both_by_bare")
    medians = (round(statistics.median(each), 2) for each in zip(*found, strict=True))
    return dict(zip(names, medians, strict=True)) | {"load": load}


def two_workers_held(dataset: SlicedVolumeDataset, rounds: int = 7) -> dict[str, float]:
    """The same where memory holds every slice."""
    one, two = (random_slices(dataset, dataset.get_dataloader, workers) for workers in (1, 2))
    return {"two_workers_held": round(statistics.median(one() / two() for _ in range(rounds)), 2)}


def two_workers_first_pass(folder: Path, rounds: int = 5) -> dict[str, float]:
    """The same for all slices of eight volumes, once each, in random order, with an empty cache."""
    for n in range(8):
        write_volume(folder / f"{n}.nii.gz", seed=n)
    api = Api(server_url=(folder / "many").as_uri())
    api.resources.upload_resources(sorted(folder.glob("[0-9].nii.gz")))
    options: dict[str, Any] = {"resources": api.resources.get_list(), "server_url": api.server_url, "seed": 1}

    def seconds(workers: int) -> float:
        dataset = VolumeDataset(**options, cache_dir=folder / "first", memory_cache=0).slice("axial")
        start = time.perf_counter()
        count = sum(len(batch["image"]) for batch in dataset.get_dataloader(8, shuffle=True, num_workers=workers))
        taken = time.perf_counter() - start
        assert count == len(dataset) == 8 * 48
        shutil.rmtree(folder / "first" / "packs")
        return taken

    return {"two_workers_first_pass": round(statistics.median(seconds(1) / seconds(2) for _ in range(rounds)), 2)}


def measure(folder: Path) -> dict[str, Any]:
    write_volume(folder / "volume.nii.gz")
    api = Api(server_url=(folder / "store").as_uri())
    api.resources.upload_resources([folder / "volume.nii.gz"])
    (resource,) = api.resources.get_list()

    def slices(cache: str, **options: Any) -> SlicedVolumeDataset:
        return VolumeDataset(
            resources=[resource], server_url=api.server_url, cache_dir=folder / cache, **options
        ).slice("axial")

    number = itertools.count()

    def first_pass() -> None:
        dataset = slices(f"cold{next(number)}")
        for item in dataset:
            assert item["image"].shape == (1, 512, 512)
        shutil.rmtree(dataset._reading.packs.folder / "packs")

    warm, raw = slices("warm", memory_cache=0), slices("raw", memory_cache=0, compression=None)
    held = slices("warm")
    for dataset in (warm, raw, held):
        dataset[0]
    (pack_path,) = (folder / "warm" / "packs").rglob("*.npy.gz")
    (raw_path,) = (folder / "raw" / "packs").rglob("*.npy")
    pack = Packs(folder / "warm")
    opened, handle = Pack(pack_path), os.open(pack_path, os.O_RDONLY)
    starts, ends = opened._starts.tolist(), opened._ends.tolist()
    mapped = np.load(raw_path, mmap_mode="r")
    order = random.Random(0).choices(range(48), k=48)

    def bare_slices() -> None:
        for n in order:
            npy = isal_zlib.decompress(os.pread(handle, ends[n] - starts[n], starts[n]), wbits=31)
            torch.from_numpy(np.frombuffer(bytearray(memoryview(npy)[128:]), np.int16).reshape(1, 512, 512))

    assert pack.compression
    wanted = held._wanted(0)
    array = np.array(held._slices.image(wanted))
    copies = 200

    def volumes(**options: Any) -> VolumeDataset:
        return VolumeDataset(resources=[resource], server_url=api.server_url, cache_dir=folder / "warm", **options)

    return {
        **two_workers(warm, pack_path),
        **two_workers_first_pass(folder),
        **two_workers_held(held),
        **measure_clip(folder),
        **measure_patches(volumes(memory_cache=0), volumes(), pack_path),
        "first_pass": ratio(first_pass, lambda: decode_and_write(folder / "volume.nii.gz", folder), 7),
        "warm_random_slice": ratio(lambda: [warm[n] for n in order], bare_slices),
        "warm_random_slice_read": ratio(lambda: [opened.read(n) for n in order], bare_slices),
        "held_slice": ratio(
            lambda: [held._slices.image(wanted).copy() for _ in range(copies)],
            lambda: [array.copy() for _ in range(copies)],
        ),
        "raw_random_slice": ratio(lambda: [raw[n] for n in order], lambda: [np.array(mapped[n]) for n in order]),
        "rounds": ROUNDS,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measure(Path(scratch)), indent=2))
