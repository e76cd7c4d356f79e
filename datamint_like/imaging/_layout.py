"""Arrays with their channels first, as items have them, and last, as transforms take them."""

from __future__ import annotations

import cv2
import numpy as np

from datamint_like.imaging.types import Array

#: OpenCV moves channels several times faster than a strided copy, of these types and up to so many.
_TYPES = (np.dtype(np.uint8), np.dtype(np.float32))
_MOST = 64
#: Up to so many it splits in one pass; more are transposed as a matrix.
_SPLIT_AT_MOST = 4


def channels_last(*arrays: Array) -> Array:
    """(..., C) of one or several (C, ...), contiguous and to be changed: a copy, unless the values lie so already."""
    first, count = arrays[0], sum(len(array) for array in arrays)
    pixels = _last(first)
    if len(first) == count and pixels.flags.c_contiguous and pixels.flags.writeable:
        return pixels
    if not _is_fast(first, count):
        return np.array(_last(np.concatenate(arrays)), order="C")
    planes = [plane.reshape(-1, first.shape[-1]) for array in arrays for plane in np.ascontiguousarray(array)]
    return np.asarray(cv2.merge(planes)).reshape(*first.shape[1:], count)


def channels_first(array: Array) -> Array:
    """(C, ...) of (..., C), contiguous."""
    count = array.shape[-1]
    if not _is_fast(array, count):
        return np.ascontiguousarray(array.transpose(-1, *range(array.ndim - 1)))
    if count > _SPLIT_AT_MOST:
        matrix = np.ascontiguousarray(array).reshape(-1, count)
        return np.asarray(cv2.transpose(matrix)).reshape(count, *array.shape[:-1])
    rows = np.ascontiguousarray(array).reshape(-1, array.shape[-2], count)
    made = np.empty((count, *rows.shape[:2]), array.dtype)
    cv2.split(rows, list(made))
    return made.reshape(count, *array.shape[:-1])


def contiguous(array: Array) -> Array:
    """(C, ...), contiguous: a copy, unless it lies so already."""
    return array if array.flags.c_contiguous else copied(array)


def copied(array: Array) -> Array:
    """A contiguous copy of (C, ...), fast where it is a view of pixels whose channels lie side by side."""
    pixels = _last(array) if array.ndim else array
    if pixels.flags.c_contiguous and _is_fast(pixels, len(array)):
        return channels_first(pixels)
    return array.copy(order="C")


def _last(array: Array) -> Array:
    """(..., C) of (C, ...), as a view; np.moveaxis takes far longer to say so."""
    return array.transpose(*range(1, array.ndim), 0)


def _is_fast(array: Array, channels: int) -> bool:
    return 1 < channels <= _MOST and array.ndim > 2 and array.size > 0 and array.dtype in _TYPES
