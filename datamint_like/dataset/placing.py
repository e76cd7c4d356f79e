"""Which item is made, and where it lies in the patient, for transforms of libraries that work in millimetres."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token

import numpy as np
import numpy.typing as npt

from datamint_like.entities import Resource

Matrix = npt.NDArray[np.float64]
_Affine = Callable[[], Matrix | None]
_LYING: ContextVar[_Affine | None] = ContextVar("affine of the item that is made", default=None)
_OF: ContextVar[Callable[[], Resource] | None] = ContextVar("resource of the item that is made", default=None)


class lying_at:  # noqa: N801 (read as a statement; no generator, since every item of a dataset enters one)
    """A block in which the transforms of an item are told its affine and resource, called only when one asks."""

    __slots__ = ("_affine", "_resource", "_tokens")
    _tokens: tuple[Token[_Affine | None], Token[Callable[[], Resource] | None]]

    def __init__(self, affine: _Affine, resource: Callable[[], Resource] | None = None) -> None:
        """Tell what these give."""
        self._affine, self._resource = affine, resource

    def __enter__(self) -> None:
        self._tokens = _LYING.set(self._affine), _OF.set(self._resource)

    def __exit__(self, *_: object) -> None:
        _LYING.reset(self._tokens[0])
        _OF.reset(self._tokens[1])


def current_item() -> str:
    """The item that is made, in words: its resource, and which slice or frame of it."""
    if (resource := _OF.get()) is None:
        return "an item"
    found = resource()
    if found.slice_axis is not None:
        piece = f"slice {found.slice_axis} {found.slice_index} of "
    else:
        piece = "" if found.frame_index is None else f"frame {found.frame_index} of "
    return f"{piece}resource {found.id} ({found.filename})"


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
