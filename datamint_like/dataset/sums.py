"""The sum of two datasets."""

from __future__ import annotations

from typing import Any

from torch.utils.data import ConcatDataset, Dataset, IterableDataset


def summed(first: Dataset[Any], second: object) -> ConcatDataset[Any]:
    """The items of the first dataset, then those of the second.

    Raises:
        TypeError: The second is no `torch.utils.data.Dataset` whose items have numbers.
    """
    if isinstance(second, Dataset) and not isinstance(second, IterableDataset):
        return ConcatDataset([first, second])
    raise TypeError(
        f"{type(first).__name__} + {second!r:.80}: give another dataset, whose items have numbers "
        "(a torch.utils.data.Dataset, not an iterable one)."
    )
