"""Frames of videos as a 2-D dataset."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from datamint_like.dataset.base import DatamintBaseDataset
from datamint_like.dataset.cut import Cut
from datamint_like.dataset.cut_dataset import CutDataset
from datamint_like.imaging.types import Kind


class SlicedVideoDataset(CutDataset):
    """Every frame of every video: `image` (C, H, W), `frame_labels` its own.

    A frame's tensors equal the cut of its video's. A video is decoded once, in sequence, however its frames are
    read; they lie in the cache folder from then on. `resource.frame_index` tells which frame an item is.

    Args:
        *args: As for `DatamintBaseDataset`.
        **kwargs: As for `DatamintBaseDataset`.

    Example:
        >>> SlicedVideoDataset(project="echo")[0]["image"].shape  # doctest: +SKIP
        torch.Size([3, 240, 320])
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"video"})
    _cut_name = "videos"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cut = Cut.frames()

    @classmethod
    def from_dataset(cls, parent_dataset: DatamintBaseDataset) -> Self:
        """The frames of an existing dataset: its snapshot, label space and options, no question to the store.

        Raises:
            DatamintDatasetException: It is no dataset of videos.
        """
        frames = cls.__new__(cls)
        frames._adopt(parent_dataset, Cut.frames())
        return frames
