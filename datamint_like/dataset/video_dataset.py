"""Videos: video files, and multi-frame DICOM whose frames are time (ultrasound, angiography, fluoroscopy)."""

from __future__ import annotations

from typing import Any, ClassVar

from datamint_like.dataset.multiframe_dataset import MultiFrameDataset
from datamint_like.imaging.types import Kind


class VideoDataset(MultiFrameDataset):
    """Videos as stored: `image` (C, N, H, W) with N frames. See `DatamintBaseDataset` for the arguments.

    Example:
        >>> VideoDataset(project="echo")[0]["image"].shape  # doctest: +SKIP
        torch.Size([3, 30, 240, 320])
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"video"})

    def frame_by_frame(self) -> Any:
        """Not available yet; index the frames of an item's `image` (C, N, H, W)."""
        raise NotImplementedError("frame_by_frame() is not available yet. Index item['image'][:, n] for frame n.")
