"""Slices of volumes as a 2-D dataset: numbers, not objects."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from datamint_like.dataset.base import DatamintBaseDataset
from datamint_like.dataset.cut import Cut, SliceAxis
from datamint_like.dataset.item import Item, slice_item, sliced_resource
from datamint_like.dataset.prepared import Prepared
from datamint_like.dataset.reader import ReaderOptions
from datamint_like.dataset.rows import RowNumbers, as_array, as_row_numbers, expand
from datamint_like.dataset.slice_reader import Slice, SliceReader
from datamint_like.dataset.splits import SplitOrigin
from datamint_like.entities import Resource
from datamint_like.exceptions import DatamintDatasetException, GeometryError
from datamint_like.imaging.types import Kind


class SlicedVolumeDataset(DatamintBaseDataset):
    """Every slice of every volume along one axis: `image` (C, H, W).

    A slice's tensors equal the cut of its volume's; its affine is its own. Row numbers count the slices of all
    volumes of the snapshot, so a million slices cost a million integers at most, and none while all are there.
    Volumes are decoded once while they fit into `memory_cache`.

    Args:
        *args: As for `DatamintBaseDataset`.
        slice_axis: `"axial"` (D), `"coronal"` (H), `"sagittal"` (W), or 0, 1, 2 for the array's axes. With
            `orientation="native"` a name still cuts the anatomical plane, a number the file's own (k, j, i).
        parent_dataset: Slice this dataset instead of naming a project.
        **kwargs: As for `DatamintBaseDataset`.

    Example:
        >>> SlicedVolumeDataset(project="liver-ct", slice_axis="coronal")[0]["image"].shape  # doctest: +SKIP
        torch.Size([1, 32, 128])
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"volume"})

    def __init__(
        self,
        *args: Any,
        slice_axis: SliceAxis = "axial",
        parent_dataset: DatamintBaseDataset | None = None,
        **kwargs: Any,
    ) -> None:
        if parent_dataset is None:
            super().__init__(*args, **kwargs)
            self._cut = Cut.along(slice_axis, self._reading.read.orientation)
        elif args or kwargs:
            raise DatamintDatasetException("parent_dataset= brings all other options with it; give it alone.")
        else:
            self._adopt(parent_dataset, slice_axis)

    @classmethod
    def from_dataset(cls, parent_dataset: DatamintBaseDataset, slice_axis: SliceAxis | str = "axial") -> Self:
        """The slices of an existing dataset: its snapshot, label space and options, no question to the store."""
        sliced = cls.__new__(cls)
        sliced._adopt(parent_dataset, slice_axis)
        return sliced

    def _adopt(self, parent: DatamintBaseDataset, slice_axis: SliceAxis | str) -> None:
        if isinstance(parent, SlicedVolumeDataset) or "volume" not in parent.kinds:
            raise DatamintDatasetException(f"Only a dataset of volumes can be sliced, not a {type(parent).__name__}.")
        cut = Cut.along(slice_axis, parent._reading.read.orientation)
        parent.prepare()
        self.__dict__.update(parent.__dict__)
        self.__dict__.pop("fingerprint", None)
        self._reader, self._cut = None, cut
        self._state = parent._prepared, self._slices_of(parent._prepared, as_array(parent._rows))

    def _root_rows(self, prepared: Prepared) -> RowNumbers:
        return self._slices_of(prepared, as_array(super()._root_rows(prepared)))

    def _slices_of(self, prepared: Prepared, volumes: npt.NDArray[np.int64]) -> RowNumbers:
        if self._reading.read.irregular_spacing == "raise":
            self._refuse_uneven(prepared, volumes)
        return as_row_numbers(expand(volumes, prepared.snapshot.slice_starts(self._cut.column)))

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

    @cached_property
    def _slices(self) -> SliceReader:
        return SliceReader(self._read, self._cut)

    @cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        return self._prepared.snapshot.slice_starts(self._cut.column)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key not in ("_starts", "_slices")}

    @property
    def slice_axis(self) -> SliceAxis:
        """The plane that the slices lie in; the number of an axis of the file's own array."""
        return self._cut.label

    def _locate(self, row: int) -> tuple[int, int]:
        """The volume's row, and which of its slices one slice number is."""
        volume = int(np.searchsorted(self._starts, row, side="right")) - 1
        return volume, row - int(self._starts[volume])

    def _wanted(self, row: int) -> Slice:
        """The slice that a slice number is."""
        volume, index = self._locate(row)
        return Slice(self._slices.volume(volume), index)

    def _load_item(self, row: int) -> Item:
        return slice_item(self._slices, self._wanted(row), self._output)

    def _resource_row(self, row: int) -> int:
        return self._locate(row)[0]

    def _resource_rows(self) -> npt.NDArray[np.int64]:
        found: npt.NDArray[np.int64] = np.searchsorted(self._starts, as_array(self._rows), side="right") - 1
        return found

    def _planes(self, resource_rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return as_array(self._rows) - self._starts[resource_rows]

    def _resource(self, row: int) -> Resource:
        wanted = self._wanted(row)
        return sliced_resource(self._prepared.snapshot.resource(wanted.volume.row), wanted)

    def _with_rows(self, rows: RowNumbers, split: SplitOrigin | None = None) -> Self:
        assert self._slices  # made now, so that every part shares it and what it holds
        return super()._with_rows(rows, split)

    def _fingerprint_options(self) -> tuple[object, ...]:
        return (*super()._fingerprint_options(), self._cut)
