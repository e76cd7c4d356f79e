"""What slices of volumes and frames of videos share as 2-D datasets: numbers, not objects."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from datamint_like.dataset.base import DatamintBaseDataset
from datamint_like.dataset.cut import Cut
from datamint_like.dataset.item import Item, raw_slice_item, sliced_resource
from datamint_like.dataset.metainfo import slice_metainfo_of
from datamint_like.dataset.prepared import Prepared
from datamint_like.dataset.rows import RowNumbers, as_array, as_row_numbers, expand
from datamint_like.dataset.slice_reader import Slice, SliceReader
from datamint_like.dataset.splits import SplitOrigin
from datamint_like.entities import Resource
from datamint_like.exceptions import DatamintDatasetException


class CutDataset(DatamintBaseDataset):
    """Every slice of every resource along one cut: `image` (C, H, W).

    Row numbers count the slices of all resources of the snapshot, so a million slices cost a million integers at
    most, and none while all are there.
    """

    #: What is cut, in words.
    _cut_name: ClassVar[str]
    _cut: Cut

    def _adopt(self, parent: DatamintBaseDataset, cut: Cut) -> None:
        """Take snapshot, label space, options and rows of an existing dataset."""
        if isinstance(parent, CutDataset) or not self.kinds <= parent.kinds:
            raise DatamintDatasetException(
                f"Only a dataset of {self._cut_name} can be cut into a {type(self).__name__}, "
                f"not a {type(parent).__name__}."
            )
        parent.prepare()
        self.__dict__.update(parent.__dict__)
        self.__dict__.pop("fingerprint", None)
        self._reader, self._cut = None, cut
        self._state = parent._prepared, self._slices_of(parent._prepared, as_array(parent._rows))

    def _root_rows(self, prepared: Prepared) -> RowNumbers:
        return self._slices_of(prepared, as_array(super()._root_rows(prepared)))

    def _slices_of(self, prepared: Prepared, resources: npt.NDArray[np.int64]) -> RowNumbers:
        return as_row_numbers(expand(resources, prepared.snapshot.slice_starts(self._cut.column, self._cut.kind)))

    @cached_property
    def _slices(self) -> SliceReader:
        return SliceReader(self._read, self._cut)

    @cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        return self._prepared.snapshot.slice_starts(self._cut.column, self._cut.kind)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key not in ("_starts", "_slices")}

    def _locate(self, row: int) -> tuple[int, int]:
        """The volume's row, and which of its slices one slice number is."""
        volume = int(np.searchsorted(self._starts, row, side="right")) - 1
        return volume, row - int(self._starts[volume])

    def _wanted(self, row: int) -> Slice:
        """The slice that a slice number is."""
        volume, index = self._locate(row)
        return Slice(self._slices.volume(volume), index)

    def _get_raw_item(self, index: int) -> Item:
        return raw_slice_item(self._slices, self._wanted(int(self._rows[self._position(index)])), self._output)

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

    def _metainfo(self, row: int) -> dict[str, Any]:
        wanted = self._wanted(row)
        volume = wanted.volume
        return slice_metainfo_of(volume.place, volume.axis, wanted.index, self._read.units(volume.facts))

    def _with_rows(self, rows: RowNumbers, split: SplitOrigin | None = None) -> Self:
        assert self._slices  # made now, so that every part shares it and what it holds
        return super()._with_rows(rows, split)

    def _fingerprint_options(self) -> tuple[object, ...]:
        return (*super()._fingerprint_options(), self._cut)
