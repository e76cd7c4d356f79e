"""The order of items: by seed and epoch, in shares over ranks, and on from the middle of an epoch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import BatchSampler, DistributedSampler, RandomSampler

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
    twin = EpochSampler(range(length), shuffle=True)  # its drawn seed gives way
    source = EpochSampler(range(length), shuffle=True, seed=seed)
    source.set_epoch(epoch)
    twin.load_state_dict(source.state_dict(position=position))
    assert list(twin) == passes[epoch][position:]
    assert list(twin) == passes[epoch + 1]
    assert {index.epoch for index in passes[epoch]} == {epoch}


@given(
    length=st.integers(1, 40),
    worlds=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    steps=st.lists(st.integers(0, 9), min_size=3, max_size=3),
    shuffle=st.booleans(),
)
def test_another_number_of_ranks_goes_on_with_the_rest_of_the_epoch(
    length: int, worlds: list[int], steps: list[int], shuffle: bool
):
    order = [int(index) for index in EpochSampler(range(length), shuffle=shuffle, seed=3)]
    state = EpochSampler(range(length), shuffle=shuffle, seed=3).state_dict()
    seen: list[int] = []
    for number, world in enumerate(worlds):
        ranks = [EpochSampler(range(length), shuffle=shuffle, rank=n, world_size=world) for n in range(world)]
        for rank in ranks:
            rank.load_state_dict(state)
        start, epoch = ranks[0].start, ranks[0].epoch
        shares = [list(rank) for rank in ranks]
        assert len({len(share) for share in shares}) == 1
        taken = len(shares[0]) if number == len(worlds) - 1 else min(steps[number], len(shares[0]))
        seen += [int(share[n]) for n in range(taken) for share in shares]
        states = [rank.state_dict(position=rank.after(start, taken)) | {"epoch": epoch} for rank in ranks]
        assert all(each == states[0] for each in states)
        state = states[0]
    assert seen[:length] == order
    assert seen[length:] == [order[n % length] for n in range(len(seen) - length)]
    assert len(seen) - length < max(worlds)


def _loader(shelf: Shelf, **options: Any) -> Any:
    slices = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, seed=4).slice("axial")
    return slices.get_dataloader(batch_size=5, shuffle=True, **options)


def _singles(shelf: Shelf, **options: Any) -> Any:
    """A loader of single items, in batches of none."""
    return _slices(shelf, seed=4).get_dataloader(batch_size=None, shuffle=True, **options)


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
    resumed.load_state_dict(resumed.state_dict())
    assert [_indices(batch) for batch in resumed] == epochs[1]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_of_single_items_skips_no_epoch_and_goes_on_where_it_was(workers: int, shelf: Shelf):
    plain = _singles(shelf)
    epochs = [[item["resource"].slice_index for item in plain] for _ in range(2)]
    interrupted = _singles(shelf, num_workers=workers)
    stream = iter(interrupted)
    assert [next(stream)["resource"].slice_index for _ in range(3)] == epochs[0][:3]
    resumed = _singles(shelf, num_workers=workers)
    resumed.load_state_dict(interrupted.state_dict())
    assert [item["resource"].slice_index for item in resumed] == epochs[0][3:]
    assert [item["resource"].slice_index for item in resumed] == epochs[1]


def test_batches_in_no_order_have_no_state_but_between_epochs(shelf: Shelf):
    loader = _loader(shelf, num_workers=1, in_order=False)
    stream = iter(loader)
    next(stream)
    with pytest.raises(DatamintDatasetException, match="leave in_order at True"):
        loader.state_dict()
    assert len(list(stream)) == 6
    assert loader.state_dict()["epoch"] == 1


def _places(loader: Any) -> list[tuple[int, ...]]:
    return sorted(tuple(place) for batch in loader for place in batch["location"].tolist())


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("kind", ["sampler", "batch_sampler", "generator"])
def test_in_an_order_of_ones_own_each_pass_draws_anew(kind: str, workers: int, shelf: Shelf):
    volumes = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, seed=4)
    patches = volumes.patches((4, 8, 8), 3)
    own = {
        "sampler": lambda: {"sampler": RandomSampler(patches)},
        "batch_sampler": lambda: {"batch_sampler": BatchSampler(RandomSampler(patches), 2, drop_last=False)},
        "generator": lambda: {"generator": torch.Generator(), "shuffle": True},
    }[kind]
    by_ours = patches.get_dataloader()
    expected = [_places(by_ours) for _ in range(3)]
    loader = patches.get_dataloader(**own(), num_workers=workers, persistent_workers=workers > 0)
    assert [_places(loader) for _ in range(3)] == expected
    assert expected[0] != expected[1]


def test_a_sampler_that_is_told_its_epoch_says_which_it_is(shelf: Shelf):
    patches = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, seed=4).patches((4, 8, 8), 3)
    by_ours = patches.get_dataloader()
    epochs = [_places(by_ours) for _ in range(4)]
    sampler: Any = DistributedSampler(patches, num_replicas=1, rank=0)  # type: ignore[arg-type]
    loader = patches.get_dataloader(sampler=sampler)
    assert loader.sampler is sampler
    sampler.set_epoch(2)
    assert [_places(loader), _places(loader)] == epochs[2:]


def test_a_state_of_another_dataset_is_refused(shelf: Shelf):
    state = EpochSampler(range(9), shuffle=True).state_dict()
    with pytest.raises(DatamintDatasetException, match="of a dataset with 9 items, this one has 32"):
        _loader(shelf).load_state_dict(state)


def _slices(shelf: Shelf, axis: str = "axial", **options: Any) -> Any:
    return VolumeDataset(resources=[shelf.philips], server_url=shelf.url, **options).slice(axis)


def test_a_state_of_another_shuffle_or_given_seed_is_refused_with_the_way_out(shelf: Shelf):
    state = _loader(shelf).state_dict()
    in_order = _slices(shelf, seed=4).get_dataloader(batch_size=5)
    with pytest.raises(
        DatamintDatasetException, match=r"shuffle=True, this loader has shuffle=False\. Make the loader"
    ):
        in_order.load_state_dict(state)
    other = _slices(shelf, seed=5).get_dataloader(batch_size=5, shuffle=True)
    with pytest.raises(DatamintDatasetException, match=r"seed=4, this one has seed=5\. Make the dataset with seed=4"):
        other.load_state_dict(state)


def test_an_unseeded_loader_takes_the_seed_of_the_state(shelf: Shelf):
    first, second = (_slices(shelf).get_dataloader(batch_size=5, shuffle=True) for _ in range(2))
    stream = iter(first)
    next(stream)
    state = first.state_dict()
    second.load_state_dict(state)
    assert [_indices(batch) for batch in second] == [_indices(batch) for batch in stream]


def test_a_state_of_as_many_other_items_is_refused(shelf: Shelf):
    slices = _slices(shelf, seed=4)
    state = slices.subset(range(8)).get_dataloader(batch_size=4).state_dict()
    slices.subset(range(8)).get_dataloader(batch_size=4).load_state_dict(state)
    for other in (slices.subset(range(1, 9)), slices.subset([*range(7), 8]), slices.subset(range(7, -1, -1))):
        with pytest.raises(DatamintDatasetException, match=r"other items, .* Make the same dataset"):
            other.get_dataloader(batch_size=4).load_state_dict(state)
    along, across = (_slices(shelf, axis, seed=4).subset(range(8)) for axis in ("axial", "coronal"))
    along.get_dataloader().load_state_dict(state)
    with pytest.raises(DatamintDatasetException, match="other items"):
        across.get_dataloader().load_state_dict(state)


def test_a_state_outlives_new_transforms_and_another_batch_size(shelf: Shelf):
    first = _loader(shelf)
    order = [index for batch in _loader(shelf) for index in _indices(batch)]
    next(iter(first))
    slices = _slices(shelf, seed=4, alb_transform=lambda image, masks: {"image": image, "masks": masks})
    second = slices.get_dataloader(batch_size=2, shuffle=True)
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict()
    stream = iter(second)
    assert _indices(next(stream)) == order[5:7]
    third = _loader(shelf)
    third.load_state_dict(second.state_dict())
    assert [index for batch in third for index in _indices(batch)] == order[7:]


def test_a_state_taken_after_the_last_smaller_batch_can_be_loaded(shelf: Shelf):
    first = _loader(shelf)
    stream = iter(first)
    for _ in range(7):
        next(stream)
    assert first.state_dict()["position"] == 32
    second = _loader(shelf)
    second.load_state_dict(first.state_dict())
    assert list(second) == []
    assert second.state_dict()["epoch"] == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"position": 33}, "'position' .* from 0 to 32, not 33"),
        ({"position": -1}, "'position' .* from 0 to 32, not -1"),
        ({"position": 2.0}, "'position'"),
        ({"epoch": -1}, "'epoch' .* from 0 to"),
        ({"epoch": True}, "'epoch'"),
        ({"epoch": 2**63}, "'epoch'"),
        ({"seed": "4"}, "'seed'"),
        ({"seed": 2**64}, "'seed'"),
        ({"shuffle": "yes"}, "'shuffle' .* True or False"),
        ({"length": None}, "'length'"),
    ],
)
def test_a_state_out_of_bounds_is_refused_and_changes_nothing(change: dict[str, Any], told: str, shelf: Shelf):
    loader = _loader(shelf)
    state = loader.state_dict()
    with pytest.raises(DatamintDatasetException, match=rf"{told}.*A state is what state_dict\(\) gives"):
        loader.load_state_dict(state | {"epoch": 7, "position": 3} | change)
    assert loader.state_dict() == state


@pytest.mark.parametrize("key", ["epoch", "position", "shuffle", "seed", "length", "fingerprint"])
def test_a_state_without_one_of_its_keys_is_refused(key: str, shelf: Shelf):
    loader = _loader(shelf)
    state = {name: value for name, value in loader.state_dict().items() if name != key}
    with pytest.raises(DatamintDatasetException, match=rf"no '{key}'\. A state is what state_dict\(\) gives"):
        loader.load_state_dict(state)


@pytest.mark.parametrize("state", [None, 3, "state", [("epoch", 1)]])
def test_what_is_no_state_is_refused_by_its_type(state: Any, shelf: Shelf):
    with pytest.raises(DatamintDatasetException, match=f"is a mapping, not {type(state).__name__}"):
        _loader(shelf).load_state_dict(state)


@pytest.mark.parametrize("shuffle", ["yes", "", 2, 0.0])
def test_shuffle_that_is_no_truth_value_is_refused(shuffle: Any, shelf: Shelf):
    with pytest.raises(DatamintDatasetException, match="shuffle is True or False, not"):
        _slices(shelf).get_dataloader(shuffle=shuffle)
    assert len(_slices(shelf).get_dataloader(shuffle=None)) == 32  # torch's default


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
    source.load_state_dict({"epoch": 2, "position": 6, "shuffle": True, "seed": 3, "length": 10})
    source.set_epoch(2)
    assert len(list(source)) == 4
    source.set_epoch(2)
    assert len(list(source)) == 10
