"""A network trains on every dataset class, on the embedded store, with workers that fork and that spawn."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import albumentations
import pytest
import torch
from torch import nn

from datamint_like.dataset import ImageDataset, SlicedVideoDataset, SlicedVolumeDataset, VideoDataset, VolumeDataset
from datamint_like.dataset.dataset import DatamintDataset
from tests.dataset.conftest import Shelf

SIZE = 32
TRAINING: dict[str, Any] = {
    "return_as_semantic_segmentation": True,
    "semantic_seg_merge_strategy": "union",
    "alb_transform": albumentations.Resize(SIZE, SIZE),
}


def volumes(shelf: Shelf, cls: Any) -> Any:
    return cls(resources=[shelf.philips], server_url=shelf.url, **TRAINING)


def videos(shelf: Shelf, cls: Any) -> Any:
    return cls(resources=[shelf.clip], server_url=shelf.url, **TRAINING)


def images(shelf: Shelf) -> Any:
    return ImageDataset(resources=[shelf.xray, shelf.plain_xray], server_url=shelf.url, **TRAINING)


def deprecated(shelf: Shelf) -> Any:
    with pytest.warns(DeprecationWarning, match="DatamintDataset is deprecated"):
        frames = DatamintDataset(
            "mixed", server_url=shelf.url, all_annotations=True, return_frame_by_frame=True, **TRAINING
        )
    return frames.subset(list(range(8)))


DATASETS: dict[str, Callable[[Shelf], Any]] = {
    "ImageDataset": images,
    "VolumeDataset": lambda shelf: volumes(shelf, VolumeDataset),
    "SlicedVolumeDataset": lambda shelf: volumes(shelf, SlicedVolumeDataset).subset(range(8, 16)),
    "VideoDataset": lambda shelf: videos(shelf, VideoDataset),
    "SlicedVideoDataset": lambda shelf: videos(shelf, SlicedVideoDataset).subset(range(8)),
    "DatamintDataset": deprecated,
}


@pytest.fixture(params=["fork", "spawn"])
def start(request: pytest.FixtureRequest) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork of a process with threads
        yield request.param


def network(image: torch.Tensor, classes: int) -> nn.Module:
    """A convolution for the axes that the image has."""
    kind = nn.Conv3d if image.ndim == 5 else nn.Conv2d
    return kind(image.shape[1], classes, kernel_size=3, padding=1)


@pytest.mark.parametrize("name", DATASETS)
def test_a_network_learns_from_two_workers(shelf: Shelf, name: str, start: str) -> None:
    torch.manual_seed(0)
    loader = DATASETS[name](shelf).get_dataloader(
        batch_size=2, shuffle=True, num_workers=2, multiprocessing_context=start, persistent_workers=True
    )
    model: nn.Module | None = None
    losses: list[float] = []
    for _ in range(6):
        total = 0.0
        for batch in loader:
            image, target = batch["image"].float() / 1000, batch["segmentations"]
            if model is None:
                model = network(image, target.shape[1])
                optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
            assert image.shape[2:] == target.shape[2:]
            loss = nn.functional.binary_cross_entropy_with_logits(model(image), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        losses.append(total)
    assert losses[-1] < losses[0]
    assert all(torch.isfinite(torch.tensor(losses)))
