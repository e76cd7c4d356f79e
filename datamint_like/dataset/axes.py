"""Arrays with their channels first, as items have them, and last, as transforms take them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: OpenCV moves channels several times faster than a strided copy, of these types and up to so many.
_TYPES = (np.dtype(np.uint8), np.dtype(np.float32))
_MOST = 64
#: Up to so many it splits in one pass; more are transposed as a matrix.
_SPLIT_AT_MOST = 4


def channels_last(*arrays: Array) -> Array:
    """(..., C) of one or several (C, ...), contiguous and to be changed: a copy, unless one channel lies so already."""
    first, count = arrays[0], sum(len(array) for array in arrays)
    if len(first) == count == 1 and first.flags.writeable and first.flags.c_contiguous:
        return first.reshape(*first.shape[1:], 1)
    if not _is_fast(first, count):
        return np.array(np.moveaxis(np.concatenate(arrays), 0, -1), order="C")
    planes = [plane.reshape(-1, first.shape[-1]) for array in arrays for plane in np.ascontiguousarray(array)]
    return np.asarray(cv2.merge(planes)).reshape(*first.shape[1:], count)


def channels_first(array: Array) -> Array:
    """(C, ...) of (..., C), contiguous."""
    count = array.shape[-1]
    if not _is_fast(array, count):
        return np.ascontiguousarray(np.moveaxis(array, -1, 0))
    if count > _SPLIT_AT_MOST:
        matrix = np.ascontiguousarray(array).reshape(-1, count)
        return np.asarray(cv2.transpose(matrix)).reshape(count, *array.shape[:-1])
    made = np.empty((count, *array.shape[:-1]), array.dtype)
    rows = np.ascontiguousarray(array).reshape(-1, array.shape[-2], count)
    cv2.split(rows, [channel.reshape(rows.shape[:2]) for channel in made])
    return made


def _is_fast(array: Array, channels: int) -> bool:
    return 1 < channels <= _MOST and array.ndim > 2 and array.size > 0 and array.dtype in _TYPES
