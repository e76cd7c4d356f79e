"""Two real processes of a gloo group share an epoch: by our own order, and by torch's `DistributedSampler`."""

from __future__ import annotations

import json
import multiprocessing
import os
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist
from torch.utils.data import DistributedSampler

from datamint_like.dataset import SlicedVolumeDataset, VolumeDataset
from tests.dataset.conftest import Shelf

WORLD = 2
LENGTHS = (32, 31)  # one that two processes share evenly, one that they do not


def slices_of(url: str, resource: str, length: int, **options: Any) -> SlicedVolumeDataset:
    return VolumeDataset(resources=[resource], server_url=url, **options).slice("axial").subset(range(length))


def seen(loader: Any) -> list[int]:
    return [resource.slice_index for batch in loader for resource in batch["resource"]]


def train(rank: int, folder: str, url: str, resource: str) -> None:
    """What one process of the group sees, as JSON in a file."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=WORLD, timeout=timedelta(minutes=5))
    told: dict[str, Any] = {}
    for length in LENGTHS:
        for name, seed in (("seeded", 5), ("unseeded", None)):
            loader = slices_of(url, resource, length, seed=seed).get_dataloader(batch_size=3, shuffle=True)
            told[f"{name} {length}"] = [seen(loader), seen(loader)]
        told[f"in order {length}"] = [seen(slices_of(url, resource, length).get_dataloader(batch_size=3))]
        slices = slices_of(url, resource, length)
        sampler = DistributedSampler(slices, shuffle=True, seed=5)
        loader = slices.get_dataloader(batch_size=3, sampler=sampler)
        told[f"torch's {length}"] = []
        for epoch in range(2):
            sampler.set_epoch(epoch)
            told[f"torch's {length}"].append(seen(loader))
    loader = slices_of(url, resource, 32, seed=5).get_dataloader(batch_size=3, shuffle=True)
    stream = iter(loader)
    first = [next(stream) for _ in range(2)]
    states: list[Any] = [None] * WORLD
    dist.all_gather_object(states, loader.state_dict())
    told["half"], told["states"] = seen(first), states
    resumed = slices_of(url, resource, 32, seed=5).get_dataloader(batch_size=3, shuffle=True)
    resumed.load_state_dict(states[0])
    told["rest"] = seen(resumed)
    dist.destroy_process_group()
    Path(folder, f"{rank}.json").write_text(json.dumps(told), encoding="utf-8")


@pytest.fixture(scope="module")
def ranks(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes saw."""
    folder = tmp_path_factory.mktemp("group")
    slices_of(shelf.url, shelf.philips.id, 32)[0]  # packs them once
    context = multiprocessing.get_context("spawn")
    arguments = (str(folder), shelf.url, shelf.philips.id)
    processes = [context.Process(target=train, args=(rank, *arguments)) for rank in range(WORLD)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * WORLD
    return [json.loads((folder / f"{rank}.json").read_text(encoding="utf-8")) for rank in range(WORLD)]


@pytest.mark.parametrize("order", ["seeded", "unseeded", "in order", "torch's"])
def test_two_processes_see_every_item_exactly_once_an_epoch(ranks: list[dict[str, Any]], order: str) -> None:
    for epoch in zip(*(rank[f"{order} 32"] for rank in ranks), strict=True):
        assert [len(share) for share in epoch] == [16, 16]
        assert sorted(chain(*epoch)) == list(range(32))


@pytest.mark.parametrize("order", ["seeded", "unseeded", "in order", "torch's"])
def test_of_an_odd_number_one_item_is_seen_twice_so_that_steps_are_equal(
    ranks: list[dict[str, Any]], order: str
) -> None:
    for epoch in zip(*(rank[f"{order} 31"] for rank in ranks), strict=True):
        assert [len(share) for share in epoch] == [16, 16]
        assert set(chain(*epoch)) == set(range(31))


def test_the_processes_share_one_order_which_epochs_change(ranks: list[dict[str, Any]], shelf: Shelf) -> None:
    alone = slices_of(shelf.url, shelf.philips.id, 32, seed=5).get_dataloader(batch_size=3, shuffle=True)
    for epoch in range(2):
        order = seen(alone)
        assert [rank["seeded 32"][epoch] for rank in ranks] == [order[0::2], order[1::2]]
    assert ranks[0]["seeded 32"][0] != ranks[0]["seeded 32"][1]
    assert [rank["in order 32"][0] for rank in ranks] == [list(range(0, 32, 2)), list(range(1, 32, 2))]


def test_a_state_is_the_same_on_both_and_goes_on_in_two_processes_or_one(
    ranks: list[dict[str, Any]], shelf: Shelf
) -> None:
    (state, other), whole = ranks[0]["states"], [rank["seeded 32"][0] for rank in ranks]
    assert state == other == ranks[1]["states"][0]
    assert [rank["half"] + rank["rest"] for rank in ranks] == whole
    alone = slices_of(shelf.url, shelf.philips.id, 32, seed=5).get_dataloader(batch_size=3, shuffle=True)
    alone.load_state_dict(state)
    rest = seen(alone)
    assert sorted(ranks[0]["half"] + ranks[1]["half"] + rest) == list(range(32))
    assert [rest[0::2], rest[1::2]] == [rank["rest"] for rank in ranks]
