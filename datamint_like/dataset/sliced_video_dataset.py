"""Frames of videos as a 2-D dataset."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from datamint_like.dataset.base import DatamintBaseDataset
from datamint_like.dataset.cut import Cut
from datamint_like.dataset.cut_dataset import CutDataset
from datamint_like.dataset.slice_choice import SliceChoice
from datamint_like.imaging.types import Kind


class SlicedVideoDataset(CutDataset):
    """The frames of every video: `image` (C, H, W), `frame_labels` its own.

    A frame's tensors equal the cut of its video's. A video is decoded once, in sequence, however its frames are
    read; they lie in the cache folder from then on. `resource.frame_index` tells which frame an item is.

    Args:
        *args: As for `DatamintBaseDataset`.
        every: Keep frames 0, `every`, 2 * `every`, ... of each video.
        only_annotated: Keep frames on which a kept segmentation, frame label or box lies.
        neighbors: With k, `image` is (C * (2k + 1), H, W): the channels of the k frames before, of the frame, and of
            the k after it, the first and last frame repeated beyond the ends. All else is that of the middle frame.
        **kwargs: As for `DatamintBaseDataset`.

    Example:
        >>> SlicedVideoDataset(project="echo")[0]["image"].shape
        torch.Size([3, 240, 320])
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"video"})
    _whole_name = "videos"
    _how_made = "Mine.from_dataset(videos)"

    def __init__(
        self, *args: Any, every: int = 1, only_annotated: bool = False, neighbors: int = 0, **kwargs: Any
    ) -> None:
        choice = SliceChoice(every, only_annotated, neighbors)
        super().__init__(*args, **kwargs)
        self._cut, self._choice = Cut.frames(), choice

    @classmethod
    def from_dataset(
        cls,
        parent_dataset: DatamintBaseDataset,
        *,
        every: int = 1,
        only_annotated: bool = False,
        neighbors: int = 0,
    ) -> Self:
        """The frames of an existing dataset: its snapshot, label space and options, no question to the store.

        Raises:
            DatamintDatasetException: It is no dataset of videos.

        Example:
            >>> frames = SlicedVideoDataset.from_dataset(VideoDataset(project="echo"), every=10)
            >>> [resource.frame_index for resource in frames.resources]
            [0, 10, 20]
        """
        frames, choice = cls.__new__(cls), SliceChoice(every, only_annotated, neighbors)
        frames._adopt(parent_dataset, Cut.frames(), _choice=choice)
        return frames
