"""Many readers and one that evicts all the time: every read is right, whoever finds a file gone has it again."""

from __future__ import annotations

import os
import pickle
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datamint_like._cache.collecting import clear, collect
from datamint_like._cache.entries import entries
from datamint_like.cache import Cache
from tests.cache.conftest import Shelf
from tests.cache.lab import SHAPE, VOLUMES, Lab, ended, forked, running_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


def read_while_evicting(lab: Lab, tmp_path: Path, items: int, **options: Any) -> None:
    cache = tmp_path / "cache"
    prepared = lab.dataset(cache, **options).prepare()  # which keeps its snapshot from being cleared
    pickled = pickle.dumps(prepared)

    def reads(seed: int) -> bool:
        dataset, rng = pickle.loads(pickled), random.Random(seed)
        axial = dataset.slice("axial")
        for number in range(items):
            n = rng.randrange(VOLUMES * SHAPE[2])
            if not lab.is_right(n, axial[n]["image"]):
                return False
            if number % 5 == 0 and not (dataset[n // SHAPE[2]]["image"][0].numpy() == lab.volumes[n // SHAPE[2]]).all():
                return False  # whole volumes are read from the files, not from packs
        return True

    def evicts() -> bool:
        rng = random.Random(0)
        while True:
            collect(cache, limit=rng.choice([0, 50_000]), grace_s=0)
            clear(cache)
            time.sleep(0.01)

    evicting = forked(evicts)
    readers = [forked(lambda seed=seed: reads(seed)) for seed in range(4)]  # type: ignore[misc]
    try:
        assert [ended(child) for child in readers] == [0] * 4
    finally:
        os.kill(evicting, signal.SIGKILL)
        ended(evicting)
    assert Cache(cache).verify().damaged == ()


@pytest.mark.parametrize("compression", ["gzip", None])
def test_readers_are_right_while_everything_is_evicted(lab: Lab, tmp_path: Path, compression: str | None) -> None:
    read_while_evicting(lab, tmp_path, 25, compression=compression)


@pytest.mark.soak
@pytest.mark.parametrize("compression", ["gzip", None])
def test_readers_stay_right_for_long(lab: Lab, tmp_path: Path, compression: str | None) -> None:
    read_while_evicting(lab, tmp_path, 1500, compression=compression)


def test_a_dataset_with_a_limit_lets_go_of_what_it_read_days_ago(lab: Lab, tmp_path: Path) -> None:
    cache, half = tmp_path / "cache", VOLUMES * SHAPE[2] // 2
    dataset = lab.dataset(cache, cache_limit="170KB")
    axial = dataset.slice("axial")

    def held(kind: str) -> set[str]:
        return {entry.name for entry in entries(cache) if entry.kind == kind}

    assert all(lab.is_right(n, axial[n]["image"]) for n in range(half))
    first = held("file") | held("pack")
    assert len(first) == VOLUMES
    for entry in list(entries(cache)):
        Shelf.age(cache / entry.name, 48)
    fresh = pickle.loads(pickle.dumps(axial))  # another process, which has no pack open
    assert all(lab.is_right(n, fresh[n]["image"]) for n in range(half, 2 * half))
    assert Cache(cache).usage().size <= 170_000
    assert 0 < len(first - held("file") - held("pack")) <= len(first)
    assert len(held("snapshot")) == 1
    assert all(lab.is_right(n, fresh[n]["image"]) for n in range(half))
    assert Cache(cache).verify().damaged == ()
