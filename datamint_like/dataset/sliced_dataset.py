"""Slices of volumes as a 2-D dataset."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from datamint_like.dataset.base import DatamintBaseDataset
from datamint_like.dataset.cut import Cut, SliceAxis
from datamint_like.dataset.cut_dataset import CutDataset
from datamint_like.dataset.prepared import Prepared
from datamint_like.dataset.rows import RowNumbers
from datamint_like.dataset.slice_choice import SliceChoice
from datamint_like.exceptions import DatamintDatasetException
from datamint_like.imaging.types import Kind


class SlicedVolumeDataset(CutDataset):
    """The slices of every volume along one axis: `image` (C, H, W).

    A slice's tensors equal the cut of its volume's; its affine is its own. A volume is decoded once, however its
    slices are read; they lie in the cache folder from then on.

    Args:
        slice_axis: `"axial"` (D), `"coronal"` (H), `"sagittal"` (W), or 0, 1, 2 for the array's axes. With
            `orientation="native"` a name still cuts the anatomical plane, a number the file's own (k, j, i).
        parent_dataset: Slice this dataset instead of naming a project.
        every: Keep slices 0, `every`, 2 * `every`, ... of each volume.
        only_annotated: Keep slices on which a kept segmentation, frame label or box lies. A mask or label of a
            frame counts on its frame, even an empty mask, without being read; masks of whole volumes are read once,
            and packed in the cache folder. A box counts on the slices whose items hold it, those of its own plane.
        neighbors: With k, `image` is (C * (2k + 1), H, W): the channels of the k slices before, of the slice, and of
            the k after it in the volume (whatever `every` is), the first and last slice repeated beyond the ends.
            All else is that of the middle slice.
        **kwargs: As for `DatamintBaseDataset`.

    Example:
        >>> SlicedVolumeDataset(project="head-ct", slice_axis="coronal")[0]["image"].shape
        torch.Size([1, 32, 128])
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"volume"})
    _whole_name = "volumes"
    _how_made = "Mine.from_dataset(volumes, slice_axis=...)"

    def __init__(
        self,
        *,
        slice_axis: SliceAxis = "axial",
        parent_dataset: DatamintBaseDataset | None = None,
        every: int = 1,
        only_annotated: bool = False,
        neighbors: int = 0,
        **kwargs: Any,
    ) -> None:
        choice = SliceChoice(every, only_annotated, neighbors)
        if parent_dataset is None:
            super().__init__(**kwargs)
            self._cut, self._choice = Cut.along(slice_axis, self._reading.read.orientation), choice
        elif kwargs:
            raise DatamintDatasetException("parent_dataset= brings all other options with it; give it alone.")
        else:
            self._adopt(parent_dataset, Cut.along(slice_axis, parent_dataset._reading.read.orientation), _choice=choice)

    @classmethod
    def from_dataset(
        cls,
        parent_dataset: DatamintBaseDataset,
        slice_axis: SliceAxis | str = "axial",
        *,
        every: int = 1,
        only_annotated: bool = False,
        neighbors: int = 0,
    ) -> Self:
        """The slices of an existing dataset: its snapshot, label space and options, no question to the store.

        Example:
            >>> sliced = SlicedVolumeDataset.from_dataset(volumes, "sagittal", every=4)
            >>> len(sliced), sliced.slice_axis
            (32, 'sagittal')
        """
        sliced, choice = cls.__new__(cls), SliceChoice(every, only_annotated, neighbors)
        sliced._adopt(parent_dataset, Cut.along(slice_axis, parent_dataset._reading.read.orientation), _choice=choice)
        return sliced

    def _pieces_of(self, prepared: Prepared, resources: npt.NDArray[np.int64]) -> RowNumbers:
        way_out = "Slice along the acquisition axis, "
        self._refuse_uneven(prepared, resources, self._cut.uneven_condition, str(self._cut.label), way_out)
        return super()._pieces_of(prepared, resources)

    @property
    def slice_axis(self) -> SliceAxis:
        """The plane that the slices lie in; the number of an axis of the file's own array.

        Example:
            >>> volumes.slice("coronal").slice_axis
            'coronal'
        """
        return self._cut.label
