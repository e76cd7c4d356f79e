"""Instances as one channel per class, and the merging of several annotators' masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch

from datamint_like.annotations.strategy import MergeStrategy, check_strategy, votes_needed
from datamint_like.exceptions import ValidationError

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]


@overload
def instances_to_semantic(masks: Array, codes: Array | torch.Tensor, num_labels: int) -> Float32: ...
@overload
def instances_to_semantic(masks: torch.Tensor, codes: Array | torch.Tensor, num_labels: int) -> torch.Tensor: ...
def instances_to_semantic(
    masks: Array | torch.Tensor, codes: Array | torch.Tensor, num_labels: int
) -> Float32 | torch.Tensor:
    """The masks as float32 channels (L + 1, ...): one per class, 0 where no class is (background).

    Classes may overlap; each voxel has background or at least one class, never both. A tensor gives a tensor
    (on its device), an array an array.

    Args:
        masks: Instances (n, ...), non-zero where present; n may be 0.
        codes: Class code of each instance (n,), from 1 to `num_labels`.
        num_labels: L, the highest code of the label space.

    Raises:
        ValidationError: The number of codes is not n, or a code is out of range.

    Example:
        >>> import numpy as np
        >>> instances_to_semantic(np.array([[[0, 1]]], np.uint8), np.array([1]), num_labels=1).tolist()
        [[[1.0, 0.0]], [[0.0, 1.0]]]
    """
    array, numbers = _numpy(masks), _numpy(codes).astype(np.int64).ravel()
    if len(numbers) != len(array):
        raise ValidationError(f"Each mask has one code; found {len(array)} masks and {len(numbers)} codes.")
    if len(numbers) and not (numbers.min() >= 1 and numbers.max() <= num_labels):
        raise ValidationError(f"Class codes are 1 to {num_labels}; found {sorted(set(numbers.tolist()))}.")
    semantic = np.zeros((num_labels + 1, *array.shape[1:]), np.float32)
    for mask, code in zip(array, numbers, strict=True):
        np.maximum(semantic[code], mask != 0, out=semantic[code])
    _fill_background(semantic)
    return torch.from_numpy(semantic).to(masks.device) if isinstance(masks, torch.Tensor) else semantic


@overload
def merge_semantic(
    by_author: Mapping[str, torch.Tensor], strategy: MergeStrategy, *, num_labels: int, spatial_shape: tuple[int, ...]
) -> torch.Tensor: ...
@overload
def merge_semantic(
    by_author: Mapping[str, Array], strategy: MergeStrategy, *, num_labels: int, spatial_shape: tuple[int, ...]
) -> Float32 | torch.Tensor: ...
def merge_semantic(
    by_author: Mapping[str, Array | torch.Tensor],
    strategy: MergeStrategy,
    *,
    num_labels: int,
    spatial_shape: tuple[int, ...],
) -> Float32 | torch.Tensor:
    """The annotators' semantic masks as one float32 (L + 1, ...).

    The voters are the authors given: those with any mask on the image or volume. Classes are merged one by one
    (`union`: any voter, `intersection`: all, `mode`: at least half); background is where no class is left.
    Arrays give an array, tensors (and nobody at all) a tensor; without voters all is background.

    Args:
        by_author: Author to semantic mask (L + 1, ...), non-zero where present.
        strategy: `"union"`, `"intersection"` or `"mode"`.
        num_labels: L, the highest code of the label space.
        spatial_shape: The axes after the channel, as (H, W) or (D, H, W).

    Raises:
        ValidationError: The strategy is unknown, or a mask has another shape.

    Example:
        >>> ana, ben = np.array([[1, 0], [0, 1]], np.float32), np.array([[0, 0], [1, 1]], np.float32)
        >>> merge_semantic({"ana": ana, "ben": ben}, "union", num_labels=1, spatial_shape=(2,)).tolist()
        [[0.0, 0.0], [1.0, 1.0]]
    """
    strategy = check_strategy("strategy", strategy)
    merged = np.zeros((num_labels + 1, *spatial_shape), np.float32)
    if by_author:
        merged[1:] = _votes(by_author, merged.shape) >= votes_needed(strategy, len(by_author))
    _fill_background(merged)
    first = next(iter(by_author.values()), None)
    if first is None:
        return torch.from_numpy(merged)
    return torch.from_numpy(merged).to(first.device) if isinstance(first, torch.Tensor) else merged


def _votes(by_author: Mapping[str, Array | torch.Tensor], shape: tuple[int, ...]) -> npt.NDArray[np.uint16]:
    """How many authors have each class at each voxel, (L, ...)."""
    votes = np.zeros((shape[0] - 1, *shape[1:]), np.uint16)
    for author, semantic in by_author.items():
        if tuple(semantic.shape) != shape:
            raise ValidationError(
                f"The semantic mask of {author!r} has shape {tuple(semantic.shape)}; expected {shape}."
            )
        votes += _numpy(semantic)[1:] > 0
    return votes


def _fill_background(semantic: Float32) -> None:
    """Sets channel 0 to where no class is."""
    semantic[0] = ~semantic[1:].any(axis=0)


def _numpy(values: Array | torch.Tensor) -> Array:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values
