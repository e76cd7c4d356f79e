"""Processes that fetch, pack and evict are killed at any instant: what is there is whole, and nothing stays behind."""

from __future__ import annotations

import os
import pickle
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like._cache import Lease
from datamint_like._cache.collecting import collect
from datamint_like._cache.entries import entries
from datamint_like.cache import Cache
from datamint_like.dataset import VolumeDataset
from tests.cache.conftest import Shelf
from tests.cache.lab import SHAPE, VOLUMES, Lab, ended, forked, running_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


def works(lab: Lab, pickled: bytes, cache: Path, seed: int) -> bool:
    """Read slices in any order, of which files and packs are evicted meanwhile."""
    rng = random.Random(seed)
    dataset: VolumeDataset = pickle.loads(pickled)
    axial = dataset.slice("axial")
    while True:
        for n in rng.sample(range(VOLUMES * SHAPE[2]), 3):
            if not lab.is_right(n, axial[n]["image"]):
                return False
        with Lease(dataset._source.cache, [cache / "blobs" / "x"]):
            collect(cache, limit=rng.choice([0, 60_000, 200_000]), grace_s=0)


def everything_is_whole(cache: Path) -> None:
    assert Cache(cache).verify().damaged == ()


def kill_many(lab: Lab, tmp_path: Path, rounds: int) -> Counter[str]:
    """Let two processes work in one cache and kill them, again and again; what the kills left, by kind."""
    cache, left, rng = tmp_path / "cache", Counter[str](), random.Random(rounds)
    prepared = lab.dataset(cache, dtype="int32").prepare()
    pickled = pickle.dumps(prepared)
    for number in range(rounds):
        children = [forked(lambda seed=2 * number + n: works(lab, pickled, cache, seed)) for n in (0, 1)]  # type: ignore[misc]
        for child in children:
            time.sleep(rng.uniform(0.001, 0.12))
            os.kill(child, signal.SIGKILL)
        assert [ended(child) for child in children] == [-signal.SIGKILL] * 2
        left.update({entry.kind for entry in entries(cache)})
        everything_is_whole(cache)
    axial = pickle.loads(pickled).slice("axial")
    assert all(lab.is_right(n, axial[n]["image"]) for n in range(len(axial)))
    nothing_is_left(cache)
    assert prepared.prefetch(slices="axial").resources == VOLUMES
    everything_is_whole(cache)
    return left


def nothing_is_left(cache: Path) -> None:
    """A day later a tidied cache holds files, packs, the newest snapshot, its pointer, and leases of this process."""
    for entry in list(entries(cache)):
        Shelf.age(cache / entry.name, 25)
    collect(cache)
    found = {(entry.kind, entry.name.rpartition("/")[2]) for entry in entries(cache)}
    mine = f".{os.getpid()}-"
    assert {kind for kind, _ in found} <= {"file", "pack", "snapshot", "lease", "other"}
    assert {name for kind, name in found if kind == "other"} == {"current"}
    assert [name for kind, name in found if kind == "lease" and mine not in name] == []


def test_killed_processes_leave_only_what_is_whole(lab: Lab, tmp_path: Path) -> None:
    kill_many(lab, tmp_path, 12)


@pytest.mark.soak
def test_three_hundred_times_killed_processes_leave_only_what_is_whole(lab: Lab, tmp_path: Path) -> None:
    left = kill_many(lab, tmp_path, 320)
    assert {"file", "pack", "partial", "lease"} <= set(left), "the kills met nothing under way"


def test_others_finish_the_pack_of_a_process_that_dies_while_it_builds(lab: Lab, tmp_path: Path) -> None:
    import datamint_like.dataset.reader as reading

    dataset = lab.dataset(tmp_path / "cache").prepare()
    pickled, told = pickle.dumps(dataset), os.pipe()

    def dies() -> bool:
        def stuck(*_: object, **__: object) -> object:
            os.write(told[1], b"x")
            time.sleep(100)
            raise AssertionError("it was to be killed")

        reading.read = stuck  # type: ignore[assignment]
        return bool(pickle.loads(pickled).slice("axial")[0])

    def finishes() -> bool:
        axial = pickle.loads(pickled).slice("axial")
        return all(lab.is_right(n, axial[n]["image"]) for n in range(SHAPE[2]))

    dying = forked(dies)
    assert os.read(told[0], 1) == b"x"
    others = [forked(finishes) for _ in range(3)]
    time.sleep(0.3)
    os.kill(dying, signal.SIGKILL)
    assert [ended(dying), *map(ended, others)] == [-signal.SIGKILL, 0, 0, 0]
    found = Cache(tmp_path / "cache").verify()
    assert (found.damaged, found.checked["pack"]) == ((), 1)
    for end in told:
        os.close(end)
