"""Volumes: NIfTI, DICOM series, multi-frame DICOM whose frames are planes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from datamint_like.dataset.multiframe_dataset import MultiFrameDataset
from datamint_like.imaging.types import Kind

if TYPE_CHECKING:
    from datamint_like.dataset.patch_dataset import Balance, PatchDataset, PatchGrid
    from datamint_like.dataset.slice_reader import SliceReader
    from datamint_like.dataset.sliced_dataset import SlicedVolumeDataset


class VolumeDataset(MultiFrameDataset):
    """3-D volumes in canonical orientation.

    `image` is (C, D, H, W): D runs from inferior to superior, H from anterior to posterior, W from the patient's
    right to left, with the values the file means (CT in HU). `metainfo["affine"]` maps (d, h, w) to patient RAS+
    mm. See `DatamintBaseDataset` for the arguments.

    Example:
        >>> volumes = VolumeDataset(project="head-ct")
        >>> volumes[0]["image"].shape
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
            only_annotated: Keep slices on which a kept segmentation or frame label lies, or a box in their plane.
            neighbors: Show that many slices on each side as channels: `image` (C * (2 * neighbors + 1), H, W), in
                order, the first and last slice of the volume repeated beyond its ends.

        Raises:
            DatamintDatasetException: There is no such axis, or an option is out of range.
            GeometryError: A volume has uneven planes along another axis.

        Warns:
            DatamintWarning: A volume has no more slices than `neighbors`.

        Example:
            >>> len(VolumeDataset(project="head-ct").slice("axial"))
            32
        """
        from datamint_like.dataset.sliced_dataset import SlicedVolumeDataset

        return SlicedVolumeDataset.from_dataset(
            self, slice_axis=axis, every=every, only_annotated=only_annotated, neighbors=neighbors
        )

    def patches(
        self,
        size: int | tuple[int, int, int],
        n: int,
        *,
        balance: Balance = None,
        seed: int | None = None,
        pad_value: float = 0,
    ) -> PatchDataset:
        """`n` patches of every volume: items with `image` (C, d, h, w), drawn anew each epoch.

        A patch lies anywhere in its volume with the same chance, or around a voxel of a class. It reads the slices
        that it crosses and no others. Items have `location`, int64 (3, 2), and an affine of their own.

        Args:
            size: Voxels along (d, h, w), or one number for all.
            n: How many patches an epoch has of each volume.
            balance: A class, on a voxel of which half of the patches are centred, or `{class: share}`; the rest lies
                anywhere. Near a face of the volume the patch is moved into it. The masks of all annotators count;
                a volume without a voxel of the class gives patches that lie anywhere.
            seed: Places (and transforms) follow from (seed, epoch, item); None takes the seed of this dataset,
                without which they follow torch's random numbers.
            pad_value: What an image smaller than the patch is padded with, on both sides (-1000 is air in HU); its
                masks get background.

        Raises:
            DatamintDatasetException: An argument is out of range, or a class is unknown.
            GeometryError: A volume has missing or uneven planes.

        Example:
            >>> patches = volumes.patches((16, 64, 64), 4, balance={"bone": 0.5}, seed=1)
            >>> patches[0]["image"].shape
            torch.Size([1, 16, 64, 64])
        """
        from datamint_like.dataset.patch_dataset import PatchDataset

        return PatchDataset(self, size, n, balance=balance, seed=seed, pad_value=pad_value)

    def patch_grid(
        self, size: int | tuple[int, int, int], overlap: int | tuple[int, int, int] = 0, *, pad_value: float = 0
    ) -> PatchGrid:
        """All patches of a grid that covers every volume: items with `image` (C, d, h, w), for inference.

        The last patch along an axis is moved back to end with the volume, so overlaps may be larger than asked for.

        Args:
            size: Voxels along (d, h, w), or one number for all.
            overlap: How many of them neighbouring patches share.
            pad_value: What an image smaller than the patch is padded with, on both sides.

        Raises:
            DatamintDatasetException: An argument is out of range.
            GeometryError: A volume has missing or uneven planes.

        Example:
            >>> grid = volumes.patch_grid((16, 64, 64), overlap=8)
            >>> aggregator = grid.aggregator(0, weights="hann")
            >>> for batch in grid.of_volume(0).get_dataloader(batch_size=4):
            ...     aggregator.add(batch["image"].float() > 300, batch["location"])
            >>> aggregator.result().shape
            torch.Size([1, 32, 128, 128])
        """
        from datamint_like.dataset.patch_dataset import PatchGrid

        return PatchGrid(self, size, overlap, pad_value=pad_value)

    def _slices_to_pack(self, slices: str | int | None) -> SliceReader | None:
        return None if slices is None else self.slice(slices)._slices_to_pack(slices)
