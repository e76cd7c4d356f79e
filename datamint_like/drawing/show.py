"""`dataset.show` and `dataset.montage`: which items, and what is missing where they cannot be drawn."""

from __future__ import annotations

from typing import Any

from datamint_like._optional import need
from datamint_like._words import counted
from datamint_like.dataset.holdings import Holdings
from datamint_like.drawing.sheet import sheet_of
from datamint_like.exceptions import DatamintDatasetException

_MOST = 100


def show(dataset: Holdings, index: int, *, max_annotators: int = 4) -> Any:
    """A figure of one item; see `DatamintBaseDataset.show`."""
    need("matplotlib", extra="notebooks")
    from datamint_like.drawing.figures import sheet_figure

    if max_annotators < 1:
        raise DatamintDatasetException(f"max_annotators is 1 or more, not {max_annotators!r}.")
    return sheet_figure(sheet_of(dataset, index), max_annotators)


def montage(dataset: Holdings, n: int) -> Any:
    """A figure of `n` items; see `DatamintBaseDataset.montage`."""
    need("matplotlib", extra="notebooks")
    from datamint_like.drawing.figures import montage_figure

    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= _MOST:
        raise DatamintDatasetException(f"A montage shows 1 to {_MOST} items, not {n!r}.")
    if not len(dataset):
        raise DatamintDatasetException(f"This {type(dataset).__name__} has no items to show.")
    indices = spread(len(dataset), n)
    sheets = [sheet_of(dataset, index, one_plane=True) for index in indices]
    title = f"{len(indices)} of {counted(len(dataset), 'item')} of {type(dataset).__name__}"
    if dataset.split_name:
        title += f", split {dataset.split_name}"
    return montage_figure(sheets, title)


def spread(length: int, n: int) -> list[int]:
    """`n` different indices of `length`, evenly spread from the first to the last; all where there are fewer."""
    if n >= length:
        return list(range(length))
    return sorted({round(place * (length - 1) / max(1, n - 1)) for place in range(n)})
