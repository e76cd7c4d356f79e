"""Row numbers of a dataset: a range where they are consecutive, else an int64 array."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

import numpy as np
import numpy.typing as npt

from datamint_like._words import counted
from datamint_like.exceptions import DatamintDatasetException

T = TypeVar("T")
#: Row numbers that a dataset can have: 2 GiB of them.
_MOST = 1 << 28
RowNumbers = range | npt.NDArray[np.int64]


def as_row_numbers(rows: npt.NDArray[np.int64]) -> RowNumbers:
    """`rows`, as a range where they are consecutive, so that they pickle as three numbers."""
    if len(rows) == 0:
        return range(0)
    first, last = int(rows[0]), int(rows[-1])
    if last - first == len(rows) - 1 and (len(rows) == 1 or bool((np.diff(rows) == 1).all())):
        return range(first, last + 1)
    return rows


def packed(rows: RowNumbers) -> range | npt.NDArray[Any]:
    """`rows` as they pickle: in the smallest type that holds them."""
    return rows if isinstance(rows, range) else rows.astype(np.min_scalar_type(rows.max()))


def unpacked(rows: range | npt.NDArray[Any]) -> RowNumbers:
    """What `packed` gave, as it was."""
    return rows if isinstance(rows, range) else rows.astype(np.int64)


def take(rows: RowNumbers, positions: npt.ArrayLike) -> RowNumbers:
    """The rows at some positions (from 0), in that order."""
    return as_row_numbers(as_array(rows)[np.asarray(positions, dtype=np.int64)])


def as_array(rows: RowNumbers) -> npt.NDArray[np.int64]:
    """`rows` as an int64 array."""
    return np.arange(rows.start, rows.stop, dtype=np.int64) if isinstance(rows, range) else rows


def expand(rows: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The slice numbers of some volume rows, volume by volume: `starts[r] .. starts[r + 1]` for each row r.

    Raises:
        DatamintDatasetException: They are too many to be numbered.
    """
    counts = starts[rows + 1] - starts[rows]
    ends = np.cumsum(counts)
    if len(ends) and ends[-1] > _MOST:
        raise DatamintDatasetException(f"{int(ends[-1])} items are too many (at most {_MOST}): ask for fewer.")
    within = np.arange(int(ends[-1]) if len(ends) else 0, dtype=np.int64) - np.repeat(ends - counts, counts)
    numbers: npt.NDArray[np.int64] = np.repeat(starts[rows], counts) + within
    return numbers


class LazySequence(Sequence[T], Generic[T]):
    """A sequence that builds an element when it is asked for; a slice of it is one too."""

    def __init__(self, positions: Sequence[int], element: Callable[[int], T]) -> None:
        self._positions = positions
        self._element = element

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> LazySequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | LazySequence[T]:
        if isinstance(index, slice):
            return LazySequence(self._positions[index], self._element)
        return self._element(self._positions[index])

    def __iter__(self) -> Iterator[T]:
        return (self._element(position) for position in self._positions)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = [repr(item) for item in self[:3]]
        more: list[Any] = ["..."] if len(self) > 3 else []
        return f"<{counted(len(self), 'item')}: [{', '.join([*shown, *more])}]>"
