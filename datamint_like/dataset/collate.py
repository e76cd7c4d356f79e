"""Items to a batch, without losing a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import default_collate

from datamint_like.dataset.item import Item
from datamint_like.dataset.lent_batches import empty_batch
from datamint_like.exceptions import DatamintDatasetException


class Collate:
    """A callable that makes a batch of items; a module-level class, so it pickles to spawned workers.

    Tensors that agree in shape and type are stacked; everything else stays a list with one element an item.
    Every key of any item is in the batch; an item that lacks it gives None.

    Example:
        >>> batch = Collate()([{"image": torch.zeros(1, 4, 4)}, {"image": torch.ones(1, 4, 4)}])
        >>> batch["image"].shape
        torch.Size([2, 1, 4, 4])
    """

    def __call__(self, items: Sequence[Item]) -> dict[str, Any]:
        """The batch of some items.

        Raises:
            DatamintDatasetException: Their images do not stack; the message names the items, their shapes and types.
        """
        keys = dict.fromkeys(key for item in items for key in item)
        batch = {key: _column([item.get(key) for item in items]) for key in keys}
        if not isinstance(batch.get("image"), torch.Tensor):
            raise DatamintDatasetException(_unstackable(items))
        return batch


def single(item: Item) -> Item:
    """The item itself: torch's own conversion would make tensors of the arrays in `metainfo`."""
    return item


def _column(values: list[Any]) -> Any:
    first = values[0]
    if isinstance(first, torch.Tensor) and all(
        isinstance(v, torch.Tensor) and v.shape == first.shape and v.dtype == first.dtype for v in values
    ):
        return _stacked(values)
    return values


def _stacked(values: list[torch.Tensor]) -> torch.Tensor:
    """One tensor; in a worker it lies in memory that the main process shares, where such tensors can."""
    lent = empty_batch(values)
    if lent is not None:
        return torch.stack(values, out=lent)
    try:
        stacked: torch.Tensor = default_collate(values)
    except RuntimeError:  # sparse or quantized, or with a gradient
        return torch.stack(values)
    return stacked


def _unstackable(items: Sequence[Item]) -> str:
    images = [item.get("image") for item in items]
    found = [image for image in images if isinstance(image, torch.Tensor)]
    types, shapes = {image.dtype for image in found}, {image.shape for image in found}
    advice = []
    if len(types) > 1:
        advice.append('Give them one type with dtype="float32" where the dataset is made')
    if len(shapes) > 1 or len(found) < len(images):
        advice.append("Bring them to one shape first")
    differ = "types differ" if len(shapes) == 1 and len(found) == len(images) else "shapes differ"
    differ = "shapes and types differ" if len(advice) > 1 else differ
    shown = "; ".join(_described(number, item) for number, item in enumerate(items))
    return (
        f"The images of this batch do not stack, their {differ}: {shown}. {'. '.join(advice)}; "
        "or use batch_size=1 or a collate_fn of your own."
    )


def _described(number: int, item: Item) -> str:
    image, resource = item.get("image"), item.get("resource")
    what = f"{tuple(image.shape)} {image.dtype}" if isinstance(image, torch.Tensor) else "no image"
    return f"{resource.filename} ({resource.id}) {what}" if resource is not None else f"item {number} {what}"
