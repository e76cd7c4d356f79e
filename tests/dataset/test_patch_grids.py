"""A grid of patches covers each volume, and predictions for them go back to where they belong."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datamint_like.dataset import GridAggregator, VolumeDataset
from datamint_like.dataset.locations import grid_extent, on_grid
from datamint_like.exceptions import DatamintDatasetException
from tests.dataset.conftest import Shelf

WEIGHTS = ["average", "crop", "hann"]
extents = st.tuples(*[st.integers(1, 12)] * 3)


@pytest.fixture
def volumes(shelf: Shelf, tmp_path: Path) -> VolumeDataset:
    options: dict[str, Any] = {"irregular_spacing": "keep", "cache_dir": tmp_path}
    return VolumeDataset(resources=[shelf.philips, shelf.ge], server_url=shelf.url, **options)


def locations(size: Any, step: Any, shape: Any) -> list[Any]:
    counts = [int(grid_extent(*each)) for each in zip(shape, size, step, strict=True)]
    return [on_grid(n, size, step, shape) for n in range(int(np.prod(counts)))]


def cut(volume: torch.Tensor, location: Any) -> torch.Tensor:
    """The patch of a volume (K, D, H, W), with zeros beyond it."""
    patch = torch.zeros((len(volume), *(stop - start for start, stop in location)), dtype=volume.dtype)
    for index in np.ndindex(*patch.shape[1:]):
        there = [start + n for (start, _), n in zip(location, index, strict=True)]
        if all(0 <= n < whole for n, whole in zip(there, volume.shape[1:], strict=True)):
            patch[(slice(None), *index)] = volume[(slice(None), *there)]
    return patch


@settings(max_examples=60, deadline=None)
@given(
    shape=extents,
    size=extents,
    overlap=st.integers(0, 11),
    weights=st.sampled_from(WEIGHTS),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.float16, torch.int16, torch.int32, torch.uint8]),
    shuffle=st.randoms(use_true_random=False),
)
def test_what_was_cut_comes_back_exactly_for_every_shape_overlap_and_weight(
    shape: Any, size: Any, overlap: int, weights: Any, dtype: Any, shuffle: Any
):
    step = tuple(max(1, extent - overlap) for extent in size)
    generator = torch.Generator().manual_seed(1)
    volume = (torch.randn(2, *shape, generator=generator, dtype=torch.float64) * 90).to(dtype)
    places = locations(size, step, shape)
    shuffle.shuffle(places)
    aggregator = GridAggregator(shape, weights)
    for first in range(0, len(places), 3):
        some = places[first : first + 3]
        aggregator.add(torch.stack([cut(volume, place) for place in some]), some)
    assert torch.equal(aggregator.result(), volume)


@settings(max_examples=150, deadline=None)
@given(shape=extents, size=extents, overlap=st.integers(0, 11))
def test_a_grid_covers_every_voxel_with_the_overlap_asked_for(shape: Any, size: Any, overlap: int):
    step = tuple(max(1, extent - overlap) for extent in size)
    places = locations(size, step, shape)
    assert len(set(places)) == len(places)
    for axis, (extent, each, whole) in enumerate(zip(size, step, shape, strict=True)):
        starts = sorted({place[axis][0] for place in places})
        assert starts[0] == min(0, -((extent - whole) // 2))
        assert starts[-1] + extent >= whole
        assert all(after - before <= each for before, after in itertools.pairwise(starts))
        assert len(starts) == (1 if extent >= whole else 1 + int(np.ceil((whole - extent) / each)))


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize(("size", "overlap"), [((16, 48, 40), (4, 8, 0)), (50, 7), ((40, 130, 64), 0)])
def test_the_patches_of_a_volume_put_together_are_the_volume(
    volumes: VolumeDataset, size: Any, overlap: Any, weights: Any
):
    grid = volumes.patch_grid(size, overlap)
    assert grid.num_volumes == 2
    assert sum(len(grid.of_volume(n)) for n in range(2)) == len(grid)
    for n in range(2):
        aggregator = grid.aggregator(n, weights)
        for batch in grid.of_volume(n).get_dataloader(batch_size=5):
            aggregator.add(batch["image"], batch["location"])
        assert torch.equal(aggregator.result(), volumes[n]["image"])


def test_a_grid_is_the_same_in_parts_workers_and_pickles(volumes: VolumeDataset):
    grid = volumes.patch_grid((16, 64, 64), overlap=(0, 8, 8))
    places = [item["location"].tolist() for item in grid]
    assert places[:2] == [[[0, 16], [0, 64], [0, 64]], [[0, 16], [0, 64], [56, 120]]]
    twin = pickle.loads(pickle.dumps(grid))
    assert [item["location"].tolist() for item in twin] == places
    loader = grid.get_dataloader(batch_size=4, num_workers=2)
    assert [place.tolist() for batch in loader for place in batch["location"]] == places
    parts = grid.split(train=0.5, val=0.5, seed=1)
    assert all(part.num_volumes == 1 for part in parts.values())
    assert grid.subset(range(len(grid) - 1, -1, -1)).of_volume(0).resources[0] == grid.resources[-1]


def test_overlaps_are_averaged_and_weighted(volumes: VolumeDataset):
    patches = torch.tensor([[0.0] * 4, [3.0] * 4]).reshape(2, 1, 1, 1, 4)
    places = [((0, 1), (0, 1), (0, 4)), ((0, 1), (0, 1), (2, 6))]
    found = {}
    for weights in WEIGHTS:
        aggregator = GridAggregator((1, 1, 6), weights)  # type: ignore[arg-type]
        aggregator.add(patches, torch.tensor(places))
        found[weights] = aggregator.result().flatten().tolist()
    assert found["average"] == [0, 0, 1.5, 1.5, 3, 3]
    assert found["crop"] == [0, 0, 0, 3, 3, 3]
    near, far = np.sin(np.pi * 0.5 / 4) ** 2, np.sin(np.pi * 1.5 / 4) ** 2
    np.testing.assert_allclose(found["hann"][2:4], [3 * near / (near + far), 3 * far / (near + far)], rtol=1e-6)


def test_infinite_and_missing_numbers_stay_what_they_are():
    for value in (float("inf"), float("-inf"), float("nan")):
        aggregator = GridAggregator((1, 1, 3))
        patches = torch.full((2, 1, 1, 1, 2), value)
        aggregator.add(patches, [((0, 1), (0, 1), (0, 2)), ((0, 1), (0, 1), (1, 3))])
        assert torch.equal(aggregator.result().nan_to_num(7.0), torch.full((1, 1, 1, 3), value).nan_to_num(7.0))


def test_crop_keeps_class_numbers_as_they_are():
    aggregator = GridAggregator((1, 1, 3), "crop")
    patches = torch.tensor([[2**40 + 1, 5], [9, 2]]).reshape(2, 1, 1, 1, 2)
    aggregator.add(patches, [((0, 1), (0, 1), (0, 2)), ((0, 1), (0, 1), (1, 3))])
    assert aggregator.result().dtype == torch.int64
    assert aggregator.result().flatten().tolist() == [2**40 + 1, 5, 2]


def test_a_volume_that_is_not_covered_or_a_prediction_that_does_not_fit_is_named(volumes: VolumeDataset):
    aggregator = GridAggregator((2, 2, 4))
    patch = torch.zeros(1, 3, 2, 2, 2)
    with pytest.raises(DatamintDatasetException, match="16 of 16 voxels have no prediction"):
        aggregator.result()
    aggregator.add(patch, [((0, 2), (0, 2), (0, 2))])
    with pytest.raises(DatamintDatasetException, match="8 of 16 voxels have no prediction"):
        aggregator.result()
    for wrong, place, message in (
        (patch, [((0, 2), (0, 2), (0, 3))], "does not fit its location"),
        (patch, [], "0 locations"),
        (patch[0], [((0, 2), (0, 2), (0, 2))], r"\(B, K, d, h, w\)"),
        (patch[:, :2], [((0, 2), (0, 2), (0, 2))], "3 channels"),
        (patch.double(), [((0, 2), (0, 2), (0, 2))], "float64"),
        (patch, [((0, 2), (0, 2), (4, 6))], "outside of the volume"),
        (patch, [(0, 2)], "A location is"),
        (patch, None, "are numbers"),
        (patch, 3, "no locations"),
        ("patch", [], "are numbers"),
        (patch * 1j, [((0, 2), (0, 2), (0, 2))], "real numbers"),
    ):
        with pytest.raises(DatamintDatasetException, match=message):
            aggregator.add(wrong, place)
    with pytest.raises(DatamintDatasetException, match="average, crop, hann"):
        GridAggregator((2, 2, 2), "mean")  # type: ignore[arg-type]
    with pytest.raises(DatamintDatasetException, match="smaller than the patch"):
        volumes.patch_grid(8, 8)
    with pytest.raises(IndexError, match="2 volumes"):
        volumes.patch_grid(64).aggregator(2)
