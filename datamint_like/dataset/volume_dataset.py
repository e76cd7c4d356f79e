"""Volumes: NIfTI, DICOM series, multi-frame DICOM whose frames are planes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from datamint_like.dataset.multiframe_dataset import MultiFrameDataset
from datamint_like.imaging.types import Kind

if TYPE_CHECKING:
    from datamint_like.dataset.sliced_dataset import SlicedVolumeDataset


class VolumeDataset(MultiFrameDataset):
    """3-D volumes in canonical orientation.

    `image` is (C, D, H, W): D runs from inferior to superior, H from anterior to posterior, W from the patient's
    right to left, with the values the file means (CT in HU). `metainfo["affine"]` maps (d, h, w) to patient RAS+
    mm. See `DatamintBaseDataset` for the arguments.

    Example:
        >>> volumes = VolumeDataset(project="liver-ct")  # doctest: +SKIP
        >>> volumes[0]["image"].shape  # doctest: +SKIP
        torch.Size([1, 32, 128, 128])
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"volume"})

    def slice(
        self, axis: str | int = "axial", *, every: int = 1, only_annotated: bool = False, neighbors: int = 0
    ) -> SlicedVolumeDataset:
        """A 2-D dataset of the slices along `axis`: items with `image` (C, H, W).

        Args:
            axis: `"axial"` (D), `"coronal"` (H), `"sagittal"` (W), or 0, 1, 2 for the array's axes.
            every: Keep slices 0, `every`, 2 * `every`, ... of each volume.
            only_annotated: Keep slices on which a kept segmentation, frame label or box lies.
            neighbors: Show that many slices on each side as channels: `image` (C * (2 * neighbors + 1), H, W), in
                order, the first and last slice of the volume repeated beyond its ends.

        Raises:
            DatamintDatasetException: There is no such axis, or an option is out of range.
            GeometryError: A volume has uneven planes along another axis.

        Example:
            >>> len(VolumeDataset(project="liver-ct").slice("axial"))  # doctest: +SKIP
            32
        """
        from datamint_like.dataset.sliced_dataset import SlicedVolumeDataset

        return SlicedVolumeDataset.from_dataset(
            self, slice_axis=axis, every=every, only_annotated=only_annotated, neighbors=neighbors
        )
