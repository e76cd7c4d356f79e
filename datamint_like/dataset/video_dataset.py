"""Videos: video files, and multi-frame DICOM whose frames are time (ultrasound, angiography, fluoroscopy)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from datamint_like.dataset.multiframe_dataset import MultiFrameDataset
from datamint_like.imaging.types import Kind

if TYPE_CHECKING:
    from datamint_like.dataset.slice_reader import SliceReader
    from datamint_like.dataset.sliced_video_dataset import SlicedVideoDataset


class VideoDataset(MultiFrameDataset):
    """Videos as stored: `image` (C, N, H, W) with N frames. See `DatamintBaseDataset` for the arguments.

    Example:
        >>> VideoDataset(project="echo")[0]["image"].shape
        torch.Size([3, 30, 240, 320])
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"video"})

    def frame_by_frame(self, *, every: int = 1, only_annotated: bool = False, neighbors: int = 0) -> SlicedVideoDataset:
        """A 2-D dataset of the frames: items with `image` (C, H, W).

        Args:
            every: Keep frames 0, `every`, 2 * `every`, ... of each video.
            only_annotated: Keep frames on which a kept segmentation, frame label or box lies.
            neighbors: Show that many frames on each side as channels: `image` (C * (2 * neighbors + 1), H, W), in
                order, the first and last frame of the video repeated beyond its ends.

        Raises:
            DatamintDatasetException: An option is out of range.

        Warns:
            DatamintWarning: A video has no more frames than `neighbors`.

        Example:
            >>> len(VideoDataset(project="echo").frame_by_frame())
            30
        """
        from datamint_like.dataset.sliced_video_dataset import SlicedVideoDataset

        return SlicedVideoDataset.from_dataset(self, every=every, only_annotated=only_annotated, neighbors=neighbors)

    def _slices_to_pack(self, slices: str | int | None) -> SliceReader | None:
        return super()._slices_to_pack(slices) if slices != "frames" else self.frame_by_frame()._slices_to_pack(slices)
