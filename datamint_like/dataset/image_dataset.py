"""Single images: radiographs, photographs, single-frame DICOM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy.typing as npt

from datamint_like.dataset.box_transforms import Boxes
from datamint_like.dataset.volume_dataset import VolumeDataset
from datamint_like.exceptions import DatamintDatasetException
from datamint_like.imaging.types import Kind

if TYPE_CHECKING:
    from datamint_like.dataset.sliced_dataset import SlicedVolumeDataset


class ImageDataset(VolumeDataset):
    """2-D images as stored: `image` (C, H, W), `segmentations` (n, H, W) an author.

    See `DatamintBaseDataset` for the arguments. It descends from `VolumeDataset` because the published class does.

    Example:
        >>> ImageDataset(project="chest")[0]["image"].shape
        torch.Size([1, 512, 512])
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"image"})
    _is_flat: ClassVar[bool] = True

    def apply_alb_transform(
        self, img: npt.NDArray[Any], segmentations: dict[str, npt.NDArray[Any]], boxes: Boxes | None = None
    ) -> dict[str, Any]:
        """Image and masks after the dataset's transforms, as `{"image": ..., "segmentations": {author: ...}}`.

        Args:
            img: (C, 1, H, W); transforms get it without the axis of depth.
            segmentations: Author to uint8 (n, 1, H, W).
            boxes: Those of the item, with `return_boxes`; the result then has the key `boxes` too.

        Example:
            >>> made = dataset.apply_alb_transform(np.zeros((1, 1, 4, 4), np.uint8), {})
            >>> made["image"].shape
            (1, 4, 4)
        """
        return super().apply_alb_transform(*self._shaped(img, segmentations), boxes)

    def _shaped(self, image: Any, masks: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Image and masks without the axis of depth, where they have it still."""
        if image.ndim != 4:
            return image, masks
        return image[:, 0], {author: own[:, 0] for author, own in masks.items()}

    def slice(
        self, axis: str | int = "axial", *, every: int = 1, only_annotated: bool = False, neighbors: int = 0
    ) -> SlicedVolumeDataset:
        """Raises: an image is one slice already.

        Raises:
            DatamintDatasetException: Always.

        Example:
            >>> dataset.slice("axial")
            Traceback (most recent call last):
            datamint_like.exceptions.DatamintDatasetException: An ImageDataset cannot be sliced: ...
        """
        raise DatamintDatasetException("An ImageDataset cannot be sliced: its items are single images already.")
