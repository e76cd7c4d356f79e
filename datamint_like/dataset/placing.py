"""Where the item that is made lies in the patient, for transforms of libraries that work in millimetres."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
_Affine = Callable[[], Matrix | None]
_LYING: ContextVar[_Affine | None] = ContextVar("affine of the item that is made", default=None)


class lying_at:  # noqa: N801 (read as a statement; no generator, since every item of a dataset enters one)
    """A block in which the transforms of an item are told its affine; `affine` is called only when one asks."""

    __slots__ = ("_affine", "_token")
    _token: Token[_Affine | None]

    def __init__(self, affine: _Affine) -> None:
        """Tell what this gives."""
        self._affine = affine

    def __enter__(self) -> None:
        self._token = _LYING.set(self._affine)

    def __exit__(self, *_: object) -> None:
        _LYING.reset(self._token)


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
