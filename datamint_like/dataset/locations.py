"""Where patches lie in a volume: `((d0, d1), (h0, h1), (w0, w1))` in voxels, beyond the volume where it is smaller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from datamint_like.dataset.options import whole_number
from datamint_like.exceptions import DatamintDatasetException

Triple = tuple[int, int, int]
Location = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


def triple(keyword: str, value: Any, *, least: int) -> Triple:
    """One number, or three along (d, h, w), as three.

    Raises:
        DatamintDatasetException: It is neither, or a number is below `least`.
    """
    values = value if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str) else (value,) * 3
    if len(values) != 3:
        raise DatamintDatasetException(f"{keyword} is one whole number or three (d, h, w), not {value!r:.80}.")
    d, h, w = (whole_number(keyword, each, least=least) for each in values)
    return d, h, w


def at(starts: Sequence[int], size: Triple) -> Location:
    """The patch of a size that starts there."""
    d, h, w = ((int(start), int(start) + extent) for start, extent in zip(starts, size, strict=True))
    return d, h, w


def lowest_start(size: int, extent: int) -> int:
    """The first start of patches of a size along an axis: 0, or before a volume that is smaller, which they enclose."""
    return min(0, -((size - extent) // 2))


def centred(voxel: Sequence[int], size: Triple, shape: Sequence[int]) -> Location:
    """The patch around a voxel, moved into the volume where it would leave it."""
    starts = []
    for centre, extent, whole in zip(voxel, size, shape, strict=True):
        low = lowest_start(extent, whole)
        starts.append(min(max(centre - extent // 2, low), max(whole - extent, low)))
    return at(starts, size)


def uniform(generator: np.random.Generator, size: Triple, shape: Sequence[int]) -> Location:
    """A patch anywhere within the volume, every place as likely as another."""
    starts = []
    for extent, whole in zip(size, shape, strict=True):
        low = lowest_start(extent, whole)
        starts.append(low + int(generator.integers(max(0, whole - extent) + 1)))
    return at(starts, size)


def grid_extent(whole: Any, size: int, step: int) -> Any:
    """How many patches cover an axis (of each of several volumes) in steps; the last one ends with the volume."""
    return 1 + np.maximum(0, -(-(np.asarray(whole) - size) // step))


def on_grid(number: int, size: Triple, step: Triple, shape: Sequence[int]) -> Location:
    """The patch of a number of the grid that covers a volume; numbers run along w first.

    Patches start at 0, `step`, 2 * `step`, ...; the last one along an axis is moved back to end with the volume.
    """
    counts = [int(grid_extent(whole, *each)) for whole, *each in zip(shape, size, step, strict=True)]
    starts = []
    for place, extent, each, whole in zip(np.unravel_index(number, counts), size, step, shape, strict=True):
        low = lowest_start(extent, whole)
        starts.append(max(low, min(int(place) * each, whole - extent)) if whole > extent else low)
    return at(starts, size)


def inside(location: Location, shape: Sequence[int]) -> tuple[Location, Triple]:
    """The part of a patch that lies in a volume, and where in the patch it starts."""
    d, h, w = ((max(0, start), min(whole, stop)) for (start, stop), whole in zip(location, shape, strict=True))
    offset = (d[0] - location[0][0], h[0] - location[1][0], w[0] - location[2][0])
    return (d, h, w), offset
