"""Without a memory cache the private memory of workers does not grow with the items that they have read."""

from __future__ import annotations

import gc
import os
import re
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from datamint_like import Api, VolumeDataset
from datamint_like.dataset import SlicedVolumeDataset

MOST = 20_000_000


def private_memory(_: list[Any]) -> tuple[int, int]:
    """This process, and its private memory in bytes: a collation that lets the items go, and collects all garbage."""
    told = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    (kilobytes,) = re.findall(r"^Private_Dirty: +(\d+) kB", told, re.MULTILINE)
    gc.collect()  # as happens sooner or later; what it touches is a copy from then on
    return os.getpid(), int(kilobytes) * 1024


def small_slices(folder: Path, volumes: int, count: int) -> SlicedVolumeDataset:
    """So many volumes of so many slices of 8 x 8 voxels."""
    api = Api(server_url=(folder / "store").as_uri())
    (folder / "files").mkdir()
    for n in range(volumes):
        values = np.random.default_rng(n).integers(0, 999, (8, 8, count), dtype=np.int16)
        nib.save(nib.Nifti1Image(values, np.eye(4)), folder / "files" / f"{n:04}.nii")
    api.projects.create("small")
    api.resources.upload_resources([folder / "files"], publish_to="small", progress_bar=False)
    whole = VolumeDataset("small", server_url=api.server_url, cache_dir=folder / "cache", memory_cache=0, seed=1)
    whole.prefetch(slices="axial", progress=False)
    return whole.slice("axial")


def growth(slices: SlicedVolumeDataset, workers: int) -> list[int]:
    """Bytes by which each worker grew between its first batch and its last."""
    loader = slices.get_dataloader(
        batch_size=50,
        shuffle=True,
        num_workers=workers,
        collate_fn=private_memory,
        multiprocessing_context="fork",
        persistent_workers=True,
    )
    told = defaultdict(list)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork of a process with threads
        for pid, size in loader:
            told[pid].append(size)
    assert len(told) == workers
    return [sizes[-1] - sizes[0] for sizes in told.values()]


def test_an_epoch_of_some_thousand_items_leaves_workers_as_they_were(tmp_path: Path) -> None:
    slices = small_slices(tmp_path, volumes=30, count=200)
    assert len(slices) == 6000
    assert max(growth(slices, 2)) < MOST


@pytest.mark.soak
def test_an_epoch_of_a_hundred_thousand_items_leaves_workers_as_they_were(tmp_path: Path) -> None:
    slices = small_slices(tmp_path, volumes=400, count=250)
    assert len(slices) == 100_000
    assert max(growth(slices, 2)) < MOST


def test_a_start_of_workers_of_the_users_own_runs_too(tmp_path: Path) -> None:
    slices = small_slices(tmp_path, volumes=1, count=4)
    started = tmp_path / "started"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork of a process with threads
        list(slices.get_dataloader(num_workers=1, worker_init_fn=lambda n: started.write_text(f"worker {n}")))
    assert started.read_text() == "worker 0"
