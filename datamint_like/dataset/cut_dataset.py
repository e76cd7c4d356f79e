"""What slices of volumes and frames of videos share as 2-D datasets."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from datamint_like.dataset.item import Item, raw_slice_item, sliced_resource
from datamint_like.dataset.metainfo import slice_metainfo_of
from datamint_like.dataset.pieces_dataset import PiecesDataset
from datamint_like.dataset.prepared import Prepared
from datamint_like.dataset.reader import Reader
from datamint_like.dataset.rows import RowNumbers, as_row_numbers
from datamint_like.dataset.slice_choice import SliceChoice
from datamint_like.dataset.slice_reader import Slice, SliceReader
from datamint_like.entities import Resource


class CutDataset(PiecesDataset):
    """The slices of every resource along one cut: `image` (C, H, W), with neighbours (C * (2k + 1), H, W)."""

    _is_flat: ClassVar[bool] = True
    _choice: SliceChoice

    def _pieces_before(self, prepared: Prepared) -> npt.NDArray[np.int64]:
        return prepared.snapshot.slice_starts(self._cut.column, self._cut.kind)

    def _pieces_of(self, prepared: Prepared, resources: npt.NDArray[np.int64]) -> RowNumbers:
        starts = self._pieces_before(prepared)
        self._choice.warn_of_repeats(starts[resources + 1] - starts[resources], self._cut.kind)
        if self._choice.every == 1 and not self._choice.only_annotated:
            return super()._pieces_of(prepared, resources)
        slices = SliceReader(Reader(prepared, self._reader_options()), self._cut)
        return as_row_numbers(self._choice.kept(slices, resources, starts))

    def _wanted(self, row: int) -> Slice:
        """The slice that a slice number is."""
        volume, index = self._locate(row)
        return Slice(self._slices.volume(volume), index)

    def _get_raw_item(self, index: int) -> Item:
        wanted = self._wanted(int(self._rows[self._position(index)]))
        return raw_slice_item(self._slices, wanted, self._output, self._choice.neighbors)

    def _resource(self, row: int) -> Resource:
        wanted = self._wanted(row)
        return sliced_resource(self._prepared.snapshot.resource(wanted.volume.row), wanted)

    def _metainfo(self, row: int) -> dict[str, Any]:
        wanted = self._wanted(row)
        volume = wanted.volume
        return slice_metainfo_of(volume.place, volume.axis, wanted.index, self._read.units(volume.facts))

    @property
    def _neighbors(self) -> int:
        return self._choice.neighbors

    def _fingerprint_options(self) -> tuple[object, ...]:
        return (*super()._fingerprint_options(), self._choice.neighbors)
