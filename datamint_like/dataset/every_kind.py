"""Images, volumes and videos in one dataset, as the deprecated classes hold them: by resource, or by stored frame."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from datamint_like.dataset.box_transforms import Boxes
from datamint_like.dataset.item import Item
from datamint_like.dataset.multiframe_dataset import MultiFrameDataset
from datamint_like.dataset.rows import as_array
from datamint_like.dataset.sliced_dataset import SlicedVolumeDataset
from datamint_like.dataset.sliced_video_dataset import SlicedVideoDataset
from datamint_like.imaging.types import Kind


class EveryKindDataset(MultiFrameDataset):
    """Every resource with its stored frames: `image` (C, N, H, W), of an image with N = 1."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"image", "volume", "video"})

    def apply_alb_transform(
        self, img: npt.NDArray[Any], segmentations: dict[str, npt.NDArray[Any]], boxes: Boxes | None = None
    ) -> dict[str, Any]:
        """As every dataset; an image with N = 1 meets the transforms as the 2-D picture that it is."""
        if img.shape[1] != 1:
            return super().apply_alb_transform(img, segmentations, boxes)
        flat = {author: own[:, 0] for author, own in segmentations.items()}
        made = super().apply_alb_transform(img[:, 0], flat, boxes)
        masks = {author: own[:, None] for author, own in made["segmentations"].items()}
        return made | {"image": made["image"][:, None], "segmentations": masks}

    def frame_counts(self) -> npt.NDArray[np.int64]:
        """How many stored frames each item has."""
        counts = np.array(self._prepared.snapshot.column("k"), np.int64)
        return np.where(self.kinds_of_items() == "image", 1, counts[as_array(self._rows)])

    def kinds_of_items(self) -> npt.NDArray[np.str_]:
        """The kind of each item's resource."""
        return np.array(self._prepared.snapshot.column("kind"), dtype=np.str_)[as_array(self._rows)]


class EveryFrame:
    """Every stored frame of every resource, in order: `image` (C, H, W).

    Frames of volumes and videos come of the datasets that cut those, so they are read and kept as theirs are.
    """

    def __init__(self, whole: EveryKindDataset) -> None:
        counts, kinds = whole.frame_counts(), whole.kinds_of_items()
        self._whole = whole
        self._kinds = kinds
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self._within = np.zeros(len(counts), np.int64)
        for kind in ("volume", "video"):
            own = np.flatnonzero(kinds == kind)
            self._within[own] = np.cumsum(counts[own]) - counts[own]
        self._cut = {
            "volume": SlicedVolumeDataset.from_dataset(whole, slice_axis=0),
            "video": SlicedVideoDataset.from_dataset(whole),
        }

    def __len__(self) -> int:
        return int(self._starts[-1])

    def locate(self, position: int) -> tuple[int, int]:
        """Which resource a frame is of, and which of its frames it is."""
        resource = int(np.searchsorted(self._starts, position, side="right")) - 1
        return resource, position - int(self._starts[resource])

    def __getitem__(self, position: int) -> Item:
        resource, frame = self.locate(position)
        cut = self._cut.get(self._kinds[resource])
        if cut is not None:
            return cut[int(self._within[resource]) + frame]
        item = self._whole[resource]
        return item | {"image": item["image"][:, 0]} | _flat(item.get("segmentations"))


def _flat(masks: dict[str, Any] | None) -> Item:
    """The masks (n, 1, H, W) of an image without the axis of frames."""
    return {} if masks is None else {"segmentations": {author: own[:, 0] for author, own in masks.items()}}
