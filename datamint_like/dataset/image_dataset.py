"""Single images: radiographs, photographs, single-frame DICOM."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from datamint_like.dataset.volume_dataset import VolumeDataset
from datamint_like.exceptions import DatamintDatasetException
from datamint_like.imaging.types import Kind

if TYPE_CHECKING:
    from datamint_like.dataset.sliced_dataset import SlicedVolumeDataset


class ImageDataset(VolumeDataset):
    """2-D images as stored: `image` (C, H, W), `segmentations` (n, H, W) an author.

    See `DatamintBaseDataset` for the arguments. It descends from `VolumeDataset` because the published class does.

    Example:
        >>> ImageDataset(project="chest")[0]["image"].shape  # doctest: +SKIP
        torch.Size([1, 512, 512])
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"image"})

    def slice(self, axis: str | int = "axial") -> SlicedVolumeDataset:
        """Raises: an image is one slice already.

        Raises:
            DatamintDatasetException: Always.
        """
        raise DatamintDatasetException("An ImageDataset cannot be sliced: its items are single images already.")
