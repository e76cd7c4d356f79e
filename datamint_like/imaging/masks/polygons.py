"""Closed polygons to the pixels inside them, by the even-odd rule.

Convention: coordinates are (j, i) in pixels, a pixel's centre at whole numbers. A pixel is inside where its centre is
inside an odd number of the polygons, or on (within `ON_EDGE` of) the outline of any. A rectangle from 9.5 to 19.5
so marks rows 10 to 19, one from 10 to 20 rows 10 to 20; the outlines of an object and of its holes, drawn through the
centres of the object's own border pixels (as OpenCV traces them), mark just these pixels again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from datamint_like.imaging.masks.segments import Mask

Points = npt.NDArray[np.float64]

#: Pixels; coordinates that were written with two decimals of a mm lie this near to where they were meant.
ON_EDGE = 0.01
#: Crossings of edges with rows that are looked at together.
_TOGETHER = 1 << 21


def fill(polygons: Sequence[Points], shape: tuple[int, int]) -> Mask:
    """The mask (J, I) of polygons, each (n, 2) points (j, i), closed; what lies outside the image is cut off."""
    starts = np.concatenate(polygons)
    ends = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    inside = _even_odd(starts, ends, shape)
    _mark_edges(inside, starts, ends)
    return inside


def _even_odd(starts: Points, ends: Points, shape: tuple[int, int]) -> Mask:
    """Pixels from which a ray along the row crosses the edges an odd number of times.

    An edge covers the rows from its lower end (without it) to its upper end, so that a corner counts once.
    """
    rows, columns = shape
    low, high = np.minimum(starts[:, 0], ends[:, 0]), np.maximum(starts[:, 0], ends[:, 0])
    first = np.clip(np.floor(low) + 1, 0, rows).astype(np.int64)
    last = np.clip(np.floor(high), -1, rows - 1).astype(np.int64)
    flips = np.zeros(rows * (columns + 1), dtype=np.uint8)
    for edge, row in _expanded(first, last):
        a, b = starts[edge], ends[edge]
        at = a[:, 1] + (row - a[:, 0]) / (b[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
        from_column = np.clip(np.ceil(at), 0, columns).astype(np.int64)
        counts = np.bincount(row * (columns + 1) + from_column, minlength=flips.size)
        flips ^= (counts & 1).astype(np.uint8)
    crossings = flips.reshape(rows, columns + 1)[:, :columns]
    inside: Mask = np.bitwise_xor.accumulate(crossings, axis=1).astype(bool)
    return inside


def _mark_edges(mask: Mask, starts: Points, ends: Points) -> None:
    """Set the pixels whose centre lies on an edge: row by row on steep edges, column by column on flat ones."""
    steep = np.abs(ends[:, 0] - starts[:, 0]) >= np.abs(ends[:, 1] - starts[:, 1])
    _mark_steep(mask, starts[steep], ends[steep])
    _mark_steep(mask.T, starts[~steep][:, ::-1], ends[~steep][:, ::-1])


def _mark_steep(mask: Mask, starts: Points, ends: Points) -> None:
    low, high = np.minimum(starts[:, 0], ends[:, 0]), np.maximum(starts[:, 0], ends[:, 0])
    first = np.clip(np.ceil(low - ON_EDGE), 0, mask.shape[0]).astype(np.int64)
    last = np.clip(np.floor(high + ON_EDGE), -1, mask.shape[0] - 1).astype(np.int64)
    for edge, row in _expanded(first, last):
        a, b = starts[edge], ends[edge]
        length = b[:, 0] - a[:, 0]
        share = np.clip((row - a[:, 0]) / np.where(length == 0, 1, length), 0, 1)
        at = a[:, 1] + share * (b[:, 1] - a[:, 1])
        nearest = np.rint(at)
        on = (np.abs(at - nearest) <= ON_EDGE) & (nearest >= 0) & (nearest < mask.shape[1])
        mask[row[on], nearest[on].astype(np.int64)] = True


def _expanded(
    first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """(edge, row) of every row from `first` to `last` of every edge, in pieces of bounded size."""
    counts = np.maximum(last - first + 1, 0)
    edges = np.flatnonzero(counts)
    if edges.size == 0:
        return
    piece = (np.cumsum(counts[edges]) - 1) // _TOGETHER
    for part in np.split(edges, np.flatnonzero(np.diff(piece)) + 1):
        own = counts[part]
        edge = np.repeat(part, own)
        before = np.repeat(np.cumsum(own) - own, own)
        yield edge, first[edge] + np.arange(edge.size) - before
