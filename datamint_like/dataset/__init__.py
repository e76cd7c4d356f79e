"""PyTorch datasets of annotated medical images."""

from datamint_like.dataset.base import DatamintBaseDataset
from datamint_like.dataset.grid_aggregator import GridAggregator
from datamint_like.dataset.image_dataset import ImageDataset
from datamint_like.dataset.multiframe_dataset import MultiFrameDataset
from datamint_like.dataset.patch_dataset import PatchDataset, PatchGrid
from datamint_like.dataset.sliced_dataset import SlicedVolumeDataset
from datamint_like.dataset.sliced_video_dataset import SlicedVideoDataset
from datamint_like.dataset.split_result import SplitResult
from datamint_like.dataset.video_dataset import VideoDataset
from datamint_like.dataset.volume_dataset import VolumeDataset
from datamint_like.exceptions import DatamintDatasetException

__all__ = [
    "DatamintBaseDataset",
    "DatamintDatasetException",
    "GridAggregator",
    "ImageDataset",
    "MultiFrameDataset",
    "PatchDataset",
    "PatchGrid",
    "SlicedVideoDataset",
    "SlicedVolumeDataset",
    "SplitResult",
    "VideoDataset",
    "VolumeDataset",
]
