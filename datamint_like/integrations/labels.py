"""The masks of an item as the channels of one label image, as MONAI and TorchIO take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from datamint_like.dataset.holdings import Holdings
from datamint_like.dataset.transforms import binary_masks
from datamint_like.exceptions import DatamintDatasetException


@dataclass(frozen=True)
class LabelChannels:
    """All masks of an item in one stack.

    Attributes:
        masks: (n, D, H, W) or (n, H, W). Merged semantic masks are the channels 0 (background) to L; semantic masks of
            authors follow each other, authors sorted; so do instances. An item without masks has one empty channel.
        codes: The class of each channel; 0 is background.
        authors: Who drew each channel; empty where annotators were merged.
    """

    masks: torch.Tensor
    codes: tuple[int, ...]
    authors: tuple[str, ...]


def label_channels(item: Mapping[str, Any]) -> LabelChannels | None:
    """The label of an item, or None where its dataset returns no masks."""
    segmentations = item.get("segmentations")
    if segmentations is None:
        return None
    if not isinstance(segmentations, Mapping):
        return LabelChannels(segmentations, tuple(range(len(segmentations))), ("",) * len(segmentations))
    stacks: list[torch.Tensor] = []
    codes: list[int] = []
    authors: list[str] = []
    for author, stack in sorted(segmentations.items()):
        stacks.append(stack)
        codes += item["seg_labels"][author].tolist() if "seg_labels" in item else range(len(stack))
        authors += [author] * len(stack)
    if not codes:
        empty = torch.zeros(1, *item["image"].shape[1:], dtype=torch.uint8)
        return LabelChannels(empty, (0,), ("",))
    return LabelChannels(torch.cat(stacks), tuple(int(code) for code in codes), tuple(authors))


def refuse_transforms(dataset: Holdings, library: str) -> None:
    """Say that a dataset with transforms cannot tell where its items lie.

    Raises:
        DatamintDatasetException: It has transforms.
    """
    if dataset._transforms:
        raise DatamintDatasetException(
            f"This dataset has transforms, after which its affines would be wrong for {library}. Take them off with "
            f"set_transform(None), and give {library}'s own here as transform=."
        )


def binary_masks_of(library: str, made: torch.Tensor, advice: str) -> torch.Tensor:
    """Masks that a library's transform returned, as uint8 0 and 1.

    Raises:
        DatamintDatasetException: They hold other values: they were interpolated.
    """
    kept: torch.Tensor = binary_masks(made, f"The {library} transform", f": it interpolates them. {advice}")
    return kept


def item_name(dataset: Holdings, index: int) -> str:
    """A name that no other item has, to save results under: id, slice or frame, and file name."""
    resource = dataset.get_resource(index)
    place = f"{resource.slice_axis}{resource.slice_index:04d}_" if resource.slice_axis else ""
    if not place and resource.frame_index is not None:
        place = f"frame{resource.frame_index:04d}_"
    return f"{resource.id}_{place}{resource.filename}"


def columns_of(sequence: Sequence[int]) -> torch.Tensor:
    """int64 (n,)."""
    return torch.tensor(list(sequence), dtype=torch.int64)
