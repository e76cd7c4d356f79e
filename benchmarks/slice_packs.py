"""What slices of a volume cost, as ratios within one process on one thread (CPU time). Prints JSON.

The volume is a .nii.gz of real size: 512 x 512 x 48, int16, smooth with noise, without masks.

`first_pass`: all axial slices through `VolumeDataset.slice`, with an empty cache, against decoding the volume once
    with igzip and writing each slice with igzip level 1 (target 1.2).
`warm_random_slice`: an item of a warm pack, nothing in memory, against `pread`, igzip inflate and a tensor (1.25).
`warm_random_slice_read`: the same without the item around it: reading the pack alone.
`held_slice`: a slice that the memory cache holds, against copying its array (3.0).
`raw_random_slice`: an item of a warm pack without compression, against copying the slice out of a memory map.
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
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from isal import igzip, isal_zlib

from datamint_like.api import Api
from datamint_like.dataset import VolumeDataset
from datamint_like.dataset.sliced_dataset import SlicedVolumeDataset
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


def write_volume(path: Path) -> None:
    generator = np.random.default_rng(0)
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
    from datamint_like.slices.pack import Pack

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
    return {
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
