"""Training and scoring of a segmentation network: batches in, numbers out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Batches = Iterable[dict[str, Any]]
#: CT values are clipped to this range and divided by its upper end, so that air is -1 and dense bone is 1.
CLIP_HU = 1000.0


@dataclass(frozen=True)
class Score:
    """How a network does on a set of slices.

    Attributes:
        loss: Mean training loss over the slices.
        dice: Class name -> Dice over all voxels of the set; None where neither mask nor prediction has the class.
    """

    loss: float
    dice: dict[str, float | None]


def network_input(image: Tensor) -> Tensor:
    """The image (B, 1, H, W) in HU, as float32 in [-1, 1]."""
    return image.float().clamp(-CLIP_HU, CLIP_HU) / CLIP_HU


def segmentation_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy plus one minus the soft Dice, both averaged over the classes (a scalar).

    Each class is scored by itself: where annotators disagree, a merged voxel may belong to two classes.

    Args:
        logits: (B, L + 1, H, W), background first.
        target: (B, L + 1, H, W) float32 of zeros and ones.
    """
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, target)
    chance = logits.sigmoid()
    overlap = (chance * target).sum(dim=(0, 2, 3))
    size = (chance + target).sum(dim=(0, 2, 3))
    return entropy + 1 - ((2 * overlap + 1) / (size + 1)).mean()


def predict(model: nn.Module, image: Tensor) -> Tensor:
    """The class code (B, H, W) of every pixel of an image (B, 1, H, W) in HU; 0 is background."""
    model.eval()
    with torch.inference_mode():
        logits: Tensor = model(network_input(image))
    return logits.argmax(dim=1)


def train(
    model: nn.Module, batches: Batches, *, epochs: int, learning_rate: float, step: Callable[[float], None]
) -> list[float]:
    """Train in place; the mean loss of each epoch. `step` hears the loss of every batch."""
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    history = []
    for _ in range(epochs):
        model.train()
        losses = []
        for batch in batches:
            loss = segmentation_loss(model(network_input(batch["image"])), batch["segmentations"])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
            step(losses[-1])
        history.append(sum(losses) / len(losses))
    return history


def score(model: nn.Module, batches: Batches, classes: list[str]) -> Score:
    """Loss and Dice per class (codes from 1, in the order of `classes`) without changing the network."""
    model.eval()
    loss, items = 0.0, 0
    overlap, size = torch.zeros(len(classes)), torch.zeros(len(classes))
    with torch.inference_mode():
        for batch in batches:
            target = batch["segmentations"]
            logits = model(network_input(batch["image"]))
            loss += segmentation_loss(logits, target).item() * len(target)
            items += len(target)
            chosen = nn.functional.one_hot(logits.argmax(dim=1), len(classes) + 1).movedim(-1, 1)[:, 1:]
            truth = target[:, 1:]
            overlap += (chosen * truth).sum(dim=(0, 2, 3))
            size += (chosen + truth).sum(dim=(0, 2, 3))
    pairs = zip(classes, overlap.tolist(), size.tolist(), strict=True)
    return Score(loss=loss / items, dice={name: 2 * both / total if total else None for name, both, total in pairs})
