"""What slices, frames and patches share as datasets: pieces of resources, which are numbers, not objects."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from datamint_like._warn import warn_user
from datamint_like.dataset.base import DatamintBaseDataset
from datamint_like.dataset.cut import Cut
from datamint_like.dataset.item import Item
from datamint_like.dataset.prepared import Prepared
from datamint_like.dataset.reader import ReaderOptions
from datamint_like.dataset.rows import RowNumbers, as_array, as_row_numbers, expand
from datamint_like.dataset.slice_reader import SliceReader
from datamint_like.dataset.splits import SplitOrigin
from datamint_like.entities import Resource
from datamint_like.exceptions import DatamintDatasetException, DatamintWarning, GeometryError

Rows = npt.NDArray[np.int64]
#: The steps of an item that a class of one's own may override, and that its pieces do not take.
_STEPS = ("__getitem__", "_get_raw_item", "apply_alb_transform", "_process_segmentations")
_PACKAGE = __name__.partition(".")[0]


class PiecesDataset(DatamintBaseDataset):
    """Pieces of every resource, read from the slices along one cut.

    Row numbers count the pieces of all resources of the snapshot, so a million pieces cost a million integers at
    most, and none while all are there.
    """

    #: What is taken apart, in words.
    _whole_name: ClassVar[str]
    #: How a subclass is made of a dataset, in code.
    _how_made: ClassVar[str]
    _cut: Cut

    def _adopt(self, parent: DatamintBaseDataset, cut: Cut, **own: Any) -> None:
        """Take snapshot, label space, options and rows of an existing dataset, and attributes of its own."""
        if isinstance(parent, PiecesDataset) or not self.kinds <= parent.kinds:
            raise DatamintDatasetException(
                f"Only a dataset of {self._whole_name} can be cut into a {type(self).__name__}, "
                f"not a {type(parent).__name__}."
            )
        _warn_of_steps_left_behind(type(parent), type(self))
        parent.prepare()
        self.__dict__.update(parent.__dict__)
        self.__dict__.pop("fingerprint", None)
        self.__dict__.update(own)
        self._reader, self._cut = None, cut
        self._check_steps()
        self._state = parent._prepared, self._pieces_of(parent._prepared, as_array(parent._rows))

    def _root_rows(self, prepared: Prepared) -> RowNumbers:
        return self._pieces_of(prepared, as_array(super()._root_rows(prepared)))

    def _pieces_of(self, prepared: Prepared, resources: Rows) -> RowNumbers:
        """The numbers of the pieces of some rows of the snapshot, row by row."""
        return as_row_numbers(expand(resources, self._pieces_before(prepared)))

    @abstractmethod
    def _pieces_before(self, prepared: Prepared) -> Rows:
        """For each row of the snapshot how many pieces all rows before it have, and the total last."""

    def _reader_options(self) -> ReaderOptions:
        """Uneven series are read too: which pieces of them are allowed was settled with the rows."""
        return replace(self._reading, read=replace(self._reading.read, irregular_spacing="keep"))

    @cached_property
    def _slices(self) -> SliceReader:
        return SliceReader(self._read, self._cut)

    @cached_property
    def _starts(self) -> Rows:
        return self._pieces_before(self._prepared)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key not in ("_starts", "_slices")}

    def _locate(self, row: int) -> tuple[int, int]:
        """The resource's row, and which of its pieces one number is."""
        resource = int(np.searchsorted(self._starts, row, side="right")) - 1
        return resource, row - int(self._starts[resource])

    def _resource_row(self, row: int) -> int:
        return self._locate(row)[0]

    def _resource(self, row: int) -> Resource:
        return self._prepared.snapshot.resource(self._resource_row(row))

    def _resource_rows(self) -> Rows:
        found: Rows = np.searchsorted(self._starts, as_array(self._rows), side="right") - 1
        return found

    def _planes(self, resource_rows: Rows) -> Rows:
        return as_array(self._rows) - self._starts[resource_rows]

    def _with_rows(self, rows: RowNumbers, split: SplitOrigin | None = None) -> Self:
        assert self._slices  # made now, so that every part shares it and what it holds
        return super()._with_rows(rows, split)

    def __getitems__(self, indices: Sequence[int]) -> list[Item]:
        """The items at some indices, as torch asks for a batch.

        Packs of images that several of them lack are made first, in an order in which workers do not wait; but
        not for a class of one's own with a `__getitem__`, which alone knows what it reads for an index.
        """
        if self._slices.packs_images and not _is_of_ones_own(type(self), "__getitem__"):
            self._slices.pack_what_is_free(self._resource_row(int(self._rows[self._position(n)])) for n in indices)
        return [self[index] for index in indices]

    def _slices_to_pack(self, slices: str | int | None) -> SliceReader | None:
        if slices is not None and not self._cut.is_called(slices):
            raise DatamintDatasetException(
                f"A {type(self).__name__} reads slices {self._cut.pack_name!r}, not {slices!r}: leave slices= out."
            )
        if self._slices.packs_images:
            return self._slices
        if slices is None:
            return None
        raise DatamintDatasetException("With a function as intensity= no slices are packed: leave slices= out.")

    def _fingerprint_options(self) -> tuple[object, ...]:
        return (*super()._fingerprint_options(), self._cut)

    def _refuse_uneven(self, prepared: Prepared, volumes: Rows, condition: str, how: str, way_out: str) -> None:
        """Unevenly spaced series are cut along their acquisition axis only: elsewhere the picture would lie.

        Args:
            prepared: What is shared with the root.
            volumes: Rows of the snapshot.
            condition: Which of them cannot be cut (SQL over the snapshot's columns).
            how: What they cannot be cut into.
            way_out: What to do instead.
        """
        if self._reading.read.irregular_spacing != "raise":
            return
        uneven = np.intersect1d(volumes, prepared.snapshot.rows_where(condition))
        if len(uneven):
            first = prepared.snapshot.resource(int(uneven[0]))
            raise GeometryError(
                f"{len(uneven)} of {len(volumes)} volumes have missing or unevenly spaced planes and cannot be cut "
                f"{how}, the first is resource {first.id} ({first.filename}): {first.metadata.get('irregularity')} "
                f"{way_out}leave them out, or pass irregular_spacing='keep' to cut the planes as they are stacked."
            )


def _warn_of_steps_left_behind(whole: type[DatamintBaseDataset], pieces: type[PiecesDataset]) -> None:
    """Say that pieces are cut from the files, where a class of one's own changes the items they seem to come of."""
    left = [step for step in _STEPS if _is_of_ones_own(whole, step) and not _is_of_ones_own(pieces, step)]
    if left:
        steps, own = " and ".join(left), pieces.__name__
        warn_user(
            f"{whole.__name__} overrides {steps}, which the items of a {own} do not pass: they are cut from the files, "
            f"not from the items of a {whole.__name__}. Override {steps} in a subclass of {own} as well, made as "
            f"{pieces._how_made}, or change items by alb_transform= or intensity=, which they do pass.",
            DatamintWarning,
        )


def _is_of_ones_own(dataset: type[DatamintBaseDataset], step: str) -> bool:
    """Whether a class of the caller's defines this step."""
    return str(getattr(getattr(dataset, step), "__module__", "")).partition(".")[0] != _PACKAGE
