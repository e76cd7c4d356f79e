"""`pin_memory=True` changes no batch, and torch says where it can do nothing."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch

from datamint_like.dataset import ImageDataset
from tests.dataset.conftest import Shelf


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batch_size", [2, None])
def test_batches_are_the_same_with_pinned_memory_or_a_warning_that_there_is_none(
    shelf: Shelf, workers: int, batch_size: int | None
) -> None:
    images = ImageDataset(resources=[shelf.xray, shelf.plain_xray], server_url=shelf.url, return_boxes=True)
    how: dict[str, Any] = {"batch_size": batch_size, "num_workers": workers}
    plain = list(images.get_dataloader(**how))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        pinned = list(images.get_dataloader(**how, pin_memory=True))
    accelerated = torch.accelerator.is_available()
    assert accelerated or [str(each.message) for each in told if "no accelerator is found" in str(each.message)]
    for batch, own in zip(pinned, plain, strict=True):
        assert set(batch) == set(own)
        assert torch.equal(batch["image"], own["image"])
        assert batch["image"].is_pinned() == accelerated
        assert batch["resource"] == own["resource"]
        assert batch["annotations"] == own["annotations"]
        assert {key: type(value) for key, value in batch.items()} == {key: type(value) for key, value in own.items()}
