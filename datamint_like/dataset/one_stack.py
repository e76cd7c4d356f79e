"""Arrays that lie one after another as the one array that they are parts of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def one_stack(stacks: Sequence[Array]) -> Array:
    """All of some (n, ...), contiguous and to be changed: a copy, unless they make up one array already."""
    first, owner = stacks[0], stacks[0].base
    if len(stacks) == 1 and _is_free(first):
        return first
    if len(stacks) > 1 and isinstance(owner, np.ndarray) and _is_free(owner) and _make_up(owner, stacks):
        return owner.reshape(-1, *first.shape[1:])
    return np.concatenate(stacks)


def _is_free(array: Array) -> bool:
    """Whether it is contiguous and to be changed: what is shared is read-only."""
    flags = array.flags
    return flags.c_contiguous and flags.writeable


def _make_up(owner: Array, stacks: Sequence[Array]) -> bool:
    """Whether an array consists of some others of one shape and type, each beginning where the one before it ends."""
    shape, end, size = stacks[0].shape[1:], 0, 0
    for each in stacks:
        alike = each.base is owner and each.shape[1:] == shape and each.dtype == owner.dtype
        if not alike or not _is_free(each):
            return False
        start = each.__array_interface__["data"][0]
        if size and start != end:
            return False
        end, size = start + each.nbytes, size + each.nbytes
    return size == owner.nbytes
