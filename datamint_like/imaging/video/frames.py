"""Frames on their way into one array: turned upright, split into planes R, G, B."""

from __future__ import annotations

import cv2
import numpy as np

from datamint_like.imaging.types import Array
from datamint_like.imaging.video.structure import Upright

_GROWTH = 1.25


def shown(picture: Array, upright: Upright) -> Array:
    """A stored frame (H, W, 3) as it is shown."""
    if upright.transpose:
        picture = cv2.transpose(picture)
    if upright.flip_rows or upright.flip_columns:
        picture = cv2.flip(picture, -1 if upright.flip_rows and upright.flip_columns else int(upright.flip_columns))
    return picture


class Frames:
    """Frames collected into an array (3, N, H, W) whose N is known only at the end."""

    def __init__(self, shape: tuple[int, int], capacity: int, dtype: str) -> None:
        self._array: Array = np.empty((3, max(1, capacity), *shape), dtype=dtype)
        self._count = 0

    def add(self, picture: Array) -> None:
        """Append an upright frame (H, W, 3) uint8 in the order B, G, R."""
        if self._count == self._array.shape[1]:
            self._grow()
        blue, green, red = (self._array[channel, self._count] for channel in (2, 1, 0))
        if self._array.dtype == np.uint8:
            cv2.split(picture, [blue, green, red])
        else:
            for channel, plane in enumerate((blue, green, red)):
                plane[...] = picture[..., channel]
        self._count += 1

    def array(self) -> Array:
        """All frames so far, contiguous."""
        return np.ascontiguousarray(self._array[:, : self._count])

    def _grow(self) -> None:
        """Make room for a quarter more."""
        old = self._array
        self._array = np.empty((3, int(self._count * _GROWTH) + 8, *old.shape[2:]), dtype=old.dtype)
        self._array[:, : self._count] = old
