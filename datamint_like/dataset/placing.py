"""Where the item that is made lies in the patient, for transforms of libraries that work in millimetres."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
_LYING: ContextVar[Callable[[], Matrix | None] | None] = ContextVar("affine of the item that is made", default=None)


@contextmanager
def lying_at(affine: Callable[[], Matrix | None]) -> Iterator[None]:
    """A block in which the transforms of an item are told its affine; `affine` is called only when one asks."""
    token = _LYING.set(affine)
    try:
        yield
    finally:
        _LYING.reset(token)


def current_affine() -> Matrix | None:
    """The affine (4, 4) of the item that is made, array index (d, h, w) to RAS+ mm; None where it has none.

    Of a 2-D item it maps (0, h, w), as its `metainfo` does.
    """
    affine = _LYING.get()
    return None if affine is None else affine()


def moved_to(affine: Matrix | None) -> None:
    """Tell the transforms that follow within this item where it lies now."""
    if _LYING.get() is not None:
        _LYING.set(lambda: affine)
