"""Where placed frames lie along their normal and beside each other in the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from datamint_like.imaging.dicom.frames import Frame, cross

Vector = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.int64]

#: Largest difference of direction cosines within one orientation.
SAME_ORIENTATION = 1e-3
#: Largest relative difference (of logarithms) of pixel spacings within one series.
SAME_SPACING = 1e-3
#: Positions along the normal that differ by less than this share of a pixel are one: scanners jitter by
#: hundredths of a millimetre, and no planes lie so close.
SAME_POSITION = 0.02
_USUAL_PIXEL, _WIDEST_PIXEL = 0.05, 5.0
#: They are one up to this share of a pixel, and these mm, too, where that gives as many planes at each position,
#: together within this share of a step: jitter then, since no stack has its planes in tight and equal bundles.
_BUNDLE_PIXEL, _BUNDLE_MM, _BUNDLE_STEP = 0.25, 0.1, 0.1
#: Planes at one position may lie this share of a pixel apart in the plane, or the mm by which scanners jitter
#: where that is more, but never half a pixel.
_SAME_PLACE, _JITTER, _NOT_HALF = 0.1, 0.05, 0.45


def normal_of(orientation: Sequence[float]) -> Vector:
    """The unit normal, rows x columns, of an Image Orientation (Patient)."""
    normal = np.array(cross(orientation[:3], orientation[3:]))
    result: Vector = normal / math.hypot(*normal)
    return result


def distances_of(frames: Sequence[Frame]) -> Vector:
    """The mm along the normal of each frame; all are placed, in one orientation."""
    positions = np.array([frame.position for frame in frames], dtype=np.float64)
    result: Vector = positions @ normal_of(frames[0].orientation or ())
    return result


def are_at_one_position(frames: Sequence[Frame]) -> bool:
    """Whether all frames are placed, in one orientation and at one position along their normal."""
    if any(frame.position is None or frame.orientation is None for frame in frames):
        return False
    orientations = np.array([frame.orientation for frame in frames], dtype=np.float64)
    if float(np.abs(orientations - orientations[0]).max()) > SAME_ORIENTATION:
        return False
    return float(np.ptp(distances_of(frames))) <= _same_position(frames[0].spacing)


def ranks_of(frames: Sequence[Frame]) -> Ranks:
    """For each frame the rank of its position along the normal; all are placed, in one orientation."""
    distances, spacing = distances_of(frames), frames[0].spacing
    fine = _same_position(spacing)
    ranks = _ranks(distances, fine)
    wide = min(_BUNDLE_PIXEL * min(spacing or (_USUAL_PIXEL,)), _BUNDLE_MM)
    if wide > fine and _are_bundles(distances, bundled := _ranks(distances, wide), wide):
        return bundled
    return ranks


def _are_bundles(distances: Vector, ranks: Ranks, widest: float) -> bool:
    """Whether positions hold equally many frames, which lie far closer to each other than to the next ones."""
    count = int(ranks.max()) + 1
    if count < 2 or len(ranks) % count or count == len(ranks) or np.ptp(np.bincount(ranks)):
        return False
    table = np.sort(distances).reshape(count, -1)
    within, between = np.ptp(table, axis=1).max(), (table[1:, 0] - table[:-1, -1]).min()
    return bool(within <= min(widest, _BUNDLE_STEP * between))


def beside(frames: Sequence[Frame], ranks: Ranks) -> Ranks:
    """For each frame the number of the stack that it belongs to, where stacks lie side by side in the plane.

    Compared where positions along the normal repeat; 0 for all frames of one stack. A shear (gantry tilt), by
    which every stack drifts along the normal, is taken out.
    """
    places = _in_plane(frames)
    allowed = _same_place(frames[0].spacing)
    if spread(frames, ranks) <= allowed:
        return np.zeros(len(frames), dtype=np.int64)
    places = places - np.outer(distances_of(frames), _drift(places, distances_of(frames), ranks, allowed))
    stacks = np.full(len(frames), -1, dtype=np.int64)
    count = 0
    while (left := np.flatnonzero(stacks < 0)).size:
        near = np.abs(places[left] - places[left[0]]).max(axis=1) <= 2 * allowed
        stacks[left[near]] = count
        count += 1
    return stacks


def spread(frames: Sequence[Frame], ranks: Ranks) -> float:
    """The most mm by which frames at one position lie apart in the plane, along rows or columns."""
    order = np.argsort(ranks, kind="stable")
    places = _in_plane(frames)[order]
    starts = np.flatnonzero(np.diff(ranks[order], prepend=-1))
    return float((np.maximum.reduceat(places, starts) - np.minimum.reduceat(places, starts)).max())


def lie_aside(frames: Sequence[Frame], ranks: Ranks) -> bool:
    """Whether frames at one position lie farther apart in the plane than scanners jitter."""
    return spread(frames, ranks) > _same_place(frames[0].spacing)


def _in_plane(frames: Sequence[Frame]) -> Vector:
    """The mm of each frame's first pixel along its rows and columns, (n, 2)."""
    positions = np.array([frame.position for frame in frames], dtype=np.float64)
    axes = np.array(frames[0].orientation, dtype=np.float64).reshape(2, 3)
    result: Vector = positions @ (axes / np.linalg.norm(axes, axis=1, keepdims=True)).T
    return result


def _drift(places: Vector, distances: Vector, ranks: Ranks, allowed: float) -> Vector:
    """The mm in the plane for each mm along the normal by which a stack goes on from position to position."""
    slopes = []
    members = [np.flatnonzero(ranks == rank) for rank in range(int(ranks.max()) + 1)]
    for here, there in pairwise(members):
        steps = places[there] - places[here[0]]
        nearest = int(np.abs(steps).max(axis=1).argmin())
        slopes.append(steps[nearest] / (distances[there[nearest]] - distances[here[0]]))
    if not slopes:
        return np.zeros(2)
    drift: Vector = np.median(slopes, axis=0)
    gap = float(np.ptp(distances)) / len(slopes)
    return np.zeros(2) if float(np.abs(drift).max()) * gap <= allowed else drift


def _same_position(spacing: Sequence[float] | None) -> float:
    """The mm along the normal by which planes at one position may differ, by their pixel spacing."""
    return SAME_POSITION * min(*(spacing or (_USUAL_PIXEL,)), _WIDEST_PIXEL)


def _same_place(spacing: Sequence[float] | None) -> float:
    """The mm in the plane by which planes at one position may differ, by their pixel spacing."""
    pixel = min(spacing or (1.0,))
    return min(max(_SAME_PLACE * pixel, _JITTER), _NOT_HALF * pixel)


def _ranks(distances: Vector, tolerance: float) -> Ranks:
    """For each frame the rank of its position along the normal; positions within `tolerance` mm share one."""
    order = np.argsort(distances, kind="stable")
    steps = np.diff(distances[order]) > tolerance
    ranks = np.empty(len(distances), dtype=np.int64)
    ranks[order] = np.concatenate([[0], np.cumsum(steps)])
    return ranks
