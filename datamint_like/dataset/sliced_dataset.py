"""Slices of volumes as a 2-D dataset."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from datamint_like.dataset.base import DatamintBaseDataset
from datamint_like.dataset.cut import Cut, SliceAxis
from datamint_like.dataset.cut_dataset import CutDataset
from datamint_like.dataset.prepared import Prepared
from datamint_like.dataset.reader import ReaderOptions
from datamint_like.dataset.rows import RowNumbers
from datamint_like.exceptions import DatamintDatasetException, GeometryError
from datamint_like.imaging.types import Kind


class SlicedVolumeDataset(CutDataset):
    """Every slice of every volume along one axis: `image` (C, H, W).

    A slice's tensors equal the cut of its volume's; its affine is its own. A volume is decoded once, however its
    slices are read; they lie in the cache folder from then on.

    Args:
        slice_axis: `"axial"` (D), `"coronal"` (H), `"sagittal"` (W), or 0, 1, 2 for the array's axes. With
            `orientation="native"` a name still cuts the anatomical plane, a number the file's own (k, j, i).
        parent_dataset: Slice this dataset instead of naming a project.
        **kwargs: As for `DatamintBaseDataset`.

    Example:
        >>> SlicedVolumeDataset(project="liver-ct", slice_axis="coronal")[0]["image"].shape  # doctest: +SKIP
        torch.Size([1, 32, 128])
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"volume"})
    _cut_name = "volumes"

    def __init__(
        self,
        *,
        slice_axis: SliceAxis = "axial",
        parent_dataset: DatamintBaseDataset | None = None,
        **kwargs: Any,
    ) -> None:
        if parent_dataset is None:
            super().__init__(**kwargs)
            self._cut = Cut.along(slice_axis, self._reading.read.orientation)
        elif kwargs:
            raise DatamintDatasetException("parent_dataset= brings all other options with it; give it alone.")
        else:
            self._adopt(parent_dataset, Cut.along(slice_axis, parent_dataset._reading.read.orientation))

    @classmethod
    def from_dataset(cls, parent_dataset: DatamintBaseDataset, slice_axis: SliceAxis | str = "axial") -> Self:
        """The slices of an existing dataset: its snapshot, label space and options, no question to the store."""
        sliced = cls.__new__(cls)
        sliced._adopt(parent_dataset, Cut.along(slice_axis, parent_dataset._reading.read.orientation))
        return sliced

    def _slices_of(self, prepared: Prepared, resources: npt.NDArray[np.int64]) -> RowNumbers:
        if self._reading.read.irregular_spacing == "raise":
            self._refuse_uneven(prepared, resources)
        return super()._slices_of(prepared, resources)

    def _reader_options(self) -> ReaderOptions:
        """Uneven series are read too: which cuts of them are allowed was settled with the rows."""
        return replace(self._reading, read=replace(self._reading.read, irregular_spacing="keep"))

    def _refuse_uneven(self, prepared: Prepared, volumes: npt.NDArray[np.int64]) -> None:
        """Unevenly spaced series slice along their acquisition axis only: elsewhere the picture would lie."""
        snapshot = prepared.snapshot
        uneven = np.intersect1d(volumes, snapshot.rows_where(self._cut.uneven_condition))
        if len(uneven):
            first = snapshot.resource(int(uneven[0]))
            raise GeometryError(
                f"{len(uneven)} of {len(volumes)} volumes have missing or unevenly spaced planes and cannot be cut "
                f"{self._cut.label}, the first is resource {first.id} ({first.filename}): "
                f"{first.metadata.get('irregularity')} Slice along the acquisition axis, leave them out, or pass "
                "irregular_spacing='keep' to cut the planes as they are stacked."
            )

    @property
    def slice_axis(self) -> SliceAxis:
        """The plane that the slices lie in; the number of an axis of the file's own array."""
        return self._cut.label
