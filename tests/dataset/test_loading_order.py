"""The order of items: by seed and epoch, in shares over ranks, and on from the middle of an epoch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import RandomSampler

from datamint_like.dataset import VolumeDataset
from datamint_like.dataset.loader import Loader
from datamint_like.dataset.sampler import EpochSampler
from datamint_like.exceptions import DatamintDatasetException
from tests.dataset.conftest import Shelf


@given(length=st.integers(1, 40), world=st.integers(1, 5), seed=st.integers(-(2**63), 2**63 - 1), shuffle=st.booleans())
def test_ranks_share_every_index_evenly(length: int, world: int, seed: int, shuffle: bool):
    shares = [
        list(EpochSampler(range(length), shuffle=shuffle, seed=seed, rank=rank, world_size=world))
        for rank in range(world)
    ]
    assert {len(share) for share in shares} == {-(-length // world)}
    everything = sorted(index for share in shares for index in share)
    assert set(everything) == set(range(length))
    assert len(everything) - length < world


@given(length=st.integers(1, 30), seed=st.integers(0, 99), epoch=st.integers(0, 3), position=st.integers(0, 30))
def test_a_sampler_goes_on_where_its_state_was_taken(length: int, seed: int, epoch: int, position: int):
    position = min(position, length)
    whole = EpochSampler(range(length), shuffle=True, seed=seed)
    passes = [list(whole) for _ in range(epoch + 2)]
    twin = EpochSampler(range(length), shuffle=True, seed=seed + 1)
    source = EpochSampler(range(length), shuffle=True, seed=seed)
    source.set_epoch(epoch)
    twin.load_state_dict(source.state_dict(position=position))
    assert list(twin) == passes[epoch][position:]
    assert list(twin) == passes[epoch + 1]
    assert {index.epoch for index in passes[epoch]} == {epoch}


def _loader(shelf: Shelf, **options: Any) -> Any:
    slices = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, seed=4).slice("axial")
    return slices.get_dataloader(batch_size=5, shuffle=True, **options)


def _indices(batch: dict[str, Any]) -> list[int]:
    return [resource.slice_index for resource in batch["resource"]]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_goes_on_after_the_batches_that_were_delivered(workers: int, shelf: Shelf):
    plain = _loader(shelf)
    epochs = [[_indices(batch) for batch in plain] for _ in range(2)]
    assert sorted(index for batch in epochs[0] for index in batch) == list(range(32))
    interrupted = _loader(shelf, num_workers=workers)
    stream = iter(interrupted)
    assert [_indices(next(stream)) for _ in range(3)] == epochs[0][:3]
    state = interrupted.state_dict()
    resumed = _loader(shelf, num_workers=workers)
    resumed.load_state_dict(state)
    assert [_indices(batch) for batch in resumed] == epochs[0][3:]
    assert resumed.state_dict() == plain.state_dict() | {"epoch": 1}
    assert [_indices(batch) for batch in resumed] == epochs[1]


def test_a_state_of_another_dataset_is_refused(shelf: Shelf):
    state = EpochSampler(range(9), shuffle=True).state_dict()
    with pytest.raises(DatamintDatasetException, match="of a dataset with 9 items, this one has 32"):
        _loader(shelf).load_state_dict(state)


def test_a_sampler_or_generator_of_ones_own_is_used(shelf: Shelf):
    slices = VolumeDataset(resources=[shelf.philips], server_url=shelf.url).slice("axial")
    loader = slices.get_dataloader(2, False, RandomSampler(slices, num_samples=3, replacement=True))
    assert not isinstance(loader, Loader)
    assert sum(len(batch["image"]) for batch in loader) == 3
    orders = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(3)
        orders.append([_indices(b) for b in slices.get_dataloader(8, True, generator=generator)])
    assert orders[0] == orders[1]


def test_without_a_seed_torch_decides_the_order(shelf: Shelf):
    slices = VolumeDataset(resources=[shelf.philips], server_url=shelf.url).slice("axial")
    orders = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        orders.append([_indices(batch) for batch in slices.get_dataloader(batch_size=8, shuffle=True)])
    assert orders[0] == orders[1] != orders[2]


def test_set_epoch_before_the_epoch_that_a_state_left_keeps_its_place() -> None:
    source = EpochSampler(range(10), shuffle=True, seed=3)
    source.load_state_dict({"epoch": 2, "position": 6, "seed": 3, "length": 10})
    source.set_epoch(2)
    assert len(list(source)) == 4
    source.set_epoch(2)
    assert len(list(source)) == 10
