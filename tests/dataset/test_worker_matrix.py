"""Equal (seed, epoch, index) give equal tensors, however many workers there are and however they start."""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pytest
import torch

from datamint_like.dataset import SlicedVolumeDataset
from tests.dataset.conftest import Shelf, slices_of

STARTS = ("fork", "spawn", "forkserver")
FEW = [("fork", 1), ("fork", 4), ("forkserver", 1)]
EPOCHS = 2
Drawn = list[dict[int, torch.Tensor]]


def noisy(image: Any, masks: Any) -> dict[str, Any]:
    """The image with draws of every source of random numbers added."""
    noise = np.random.rand(*image.shape) + random.random() + torch.rand(1).item()
    return {"image": image + noise, "masks": masks}


@pytest.fixture(scope="module")
def slices(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> SlicedVolumeDataset:
    whole = slices_of(shelf, tmp_path_factory.mktemp("matrix"), seed=11, alb_transform=noisy)
    return whole.subset(range(8, 24))


def drawn(slices: SlicedVolumeDataset, **options: Any) -> Drawn:
    """For each epoch the images by index."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork of a process with threads
        warnings.filterwarnings("ignore", "This DataLoader will create 4 worker processes")
        loader = slices.get_dataloader(batch_size=3, shuffle=True, **options)
        return [
            {
                resource.slice_index: image
                for batch in loader
                for resource, image in zip(batch["resource"], batch["image"], strict=True)
            }
            for _ in range(EPOCHS)
        ]


@pytest.fixture(scope="module")
def expected(slices: SlicedVolumeDataset) -> Drawn:
    """What this process draws without workers, which two calls agree on."""
    found = drawn(slices)
    assert all(sorted(epoch) == list(range(8, 24)) for epoch in found)
    assert not torch.equal(found[0][8], found[1][8])
    assert_equal(drawn(slices, num_workers=0), found)
    return found


def assert_equal(found: Drawn, expected: Drawn) -> None:
    for one, two in zip(found, expected, strict=True):
        assert list(one) == list(two)
        assert all(torch.equal(one[index], two[index]) for index in one)


@pytest.mark.parametrize(("start", "workers"), FEW)
def test_workers_draw_what_this_process_draws(
    slices: SlicedVolumeDataset, expected: Drawn, start: str, workers: int
) -> None:
    options = {"num_workers": workers, "multiprocessing_context": start}
    assert_equal(drawn(slices, persistent_workers=start != "fork", **options), expected)


@pytest.mark.soak
@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("start", STARTS)
def test_every_number_and_start_of_workers_draws_the_same(
    slices: SlicedVolumeDataset, expected: Drawn, start: str, workers: int, persistent: bool
) -> None:
    options = {"num_workers": workers, "multiprocessing_context": start, "persistent_workers": persistent}
    assert_equal(drawn(slices, **options), expected)
