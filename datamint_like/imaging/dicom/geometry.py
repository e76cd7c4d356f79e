"""Frames in order and in space: sorted along the normal, with an affine, gaps found and named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from datamint_like.exceptions import GeometryError
from datamint_like.imaging.affine import Affine
from datamint_like.imaging.dicom.channels import channels_of, interleaved
from datamint_like.imaging.dicom.frames import Frame
from datamint_like.imaging.dicom.positions import (
    SAME_ORIENTATION,
    SAME_SPACING,
    Vector,
    distances_of,
    lie_aside,
    normal_of,
    ranks_of,
    spread,
)

#: A plane may lie this share of a step from its place before the series counts as irregular.
REGULAR = 0.05
#: Planes of one patient lie no farther apart than this many mm.
_FARTHEST = 1e6
_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Stack:
    """Frames as an array has them.

    Attributes:
        grid: For each channel the frame numbers of its planes in order k.
        affine: Array index (k, j, i) to patient RAS+ mm, or None where frames carry no place.
        plane_origins: Patient RAS+ mm of the first pixel of each plane, when irregular.
        irregularity: What is uneven, in words, or None.
    """

    grid: tuple[tuple[int, ...], ...]
    affine: Affine | None = None
    plane_origins: tuple[tuple[float, float, float], ...] | None = None
    irregularity: str | None = None


def stack(frames: Sequence[Frame], thickness: float | None) -> Stack:
    """The frames in order, with their place.

    Frames in ascending or descending order along the normal keep it; others are sorted ascending. Several
    frames at every position (time points, echoes) become channels.

    Raises:
        GeometryError: Some planes alone have a place, orientations or pixel spacings differ, stacks lie side by
            side, or positions repeat without making channels.
    """
    placed = sum(frame.position is not None and frame.orientation is not None for frame in frames)
    if not placed:
        return Stack(grid=(tuple(range(len(frames))),))
    if placed < len(frames):
        raise GeometryError(
            f"{len(frames) - placed} of its {len(frames)} planes carry no position or orientation, and the others do. "
            "Correct the header, or export the series again."
        )
    grid: tuple[tuple[int, ...], ...] = ((0,),)
    if len(frames) > 1:  # one has nothing to be compared with, and comparing costs more than the rest of a probe
        _refuse_orientations(frames)
        _refuse_spacings(frames)
        grid = _grid(frames)
    first = [frames[index] for index in grid[0]]
    origins = np.array([frame.position for frame in first], dtype=np.float64)
    _refuse_far(first, origins)
    return _placed(grid, first[0], origins, thickness)


def _refuse_orientations(frames: Sequence[Frame]) -> None:
    """Stop at frames of several orientations.

    Raises:
        GeometryError: They are.
    """
    orientations = np.array([frame.orientation for frame in frames], dtype=np.float64)
    if float(np.ptp(orientations, axis=0).max()) <= 2 * SAME_ORIENTATION:  # files that join differ so from a third one
        return
    counts: list[int] = []
    while len(orientations) and len(counts) < 9:
        alike = np.abs(orientations - orientations[0]).max(axis=1) <= SAME_ORIENTATION
        counts.append(int(alike.sum()))
        orientations = orientations[~alike]
    named = ", ".join(str(count) for count in counts[:8]) + (", ..." if len(counts) > 8 else "")
    raise GeometryError(
        f"its planes have several orientations ({named} planes of each), which one volume cannot hold. "
        "One file is one resource: split it into a file for each orientation and import those."
    )


def _refuse_spacings(frames: Sequence[Frame]) -> None:
    """Stop at frames of several pixel spacings.

    Raises:
        GeometryError: They are.
    """
    known = [frame.spacing for frame in frames if frame.spacing is not None]
    if known and len(known) < len(frames):
        raise GeometryError(f"{len(frames) - len(known)} of its {len(frames)} planes carry no pixel spacing.")
    if not known:
        return
    spacings = np.array(known, dtype=np.float64)
    far = np.abs(np.log(spacings / spacings[0])).max(axis=1)
    if float(far.max()) > 2 * SAME_SPACING:  # files that join differ so far from a third one
        first, other = (f"{down:g} x {across:g}" for down, across in (known[0], known[int(far.argmax())]))
        raise GeometryError(
            f"its planes have several pixel spacings ({first} mm and {other} mm), which one volume cannot hold. "
            "One file is one resource: split it into a file for each spacing and import those."
        )


def _refuse_far(frames: Sequence[Frame], origins: Vector) -> None:
    """Stop at a plane that lies far beyond the others: its position is damaged, and no affine would hold it.

    Raises:
        GeometryError: It does.
    """
    away = np.abs(origins - np.median(origins, axis=0)).max(axis=1)
    if float(away.max()) > _FARTHEST:
        worst = max(range(len(frames)), key=lambda n: (away[n], np.abs(origins[n]).max()))
        place, (instance, number) = "\\".join(f"{mm:g}" for mm in origins[worst]), frames[worst].instance
        raise GeometryError(
            f"its plane {worst} of 0-{len(frames) - 1} (Instance Number {instance}, frame {number + 1}) has the Image "
            f"Position (Patient) {place}, more than a kilometre from the others. Correct that element, or export the "
            "series again."
        )


def _grid(frames: Sequence[Frame]) -> tuple[tuple[int, ...], ...]:
    ranks = ranks_of(frames)
    _refuse_interleaved(frames, ranks)
    planes = int(ranks.max()) + 1
    if planes == len(frames):
        descending = bool(np.all(np.diff(ranks) < 0)) and planes > 1
        order = np.argsort(ranks)
        return (tuple(int(n) for n in (order[::-1] if descending else order)),)
    counts = np.bincount(ranks)
    if planes == 1:
        raise GeometryError(f"all of its {len(frames)} planes lie at one position, which makes no volume.")
    _refuse_aside(frames, ranks)
    _refuse_uneven(counts, distances_of(frames), ranks)
    return channels_of(frames, ranks)


def _refuse_interleaved(frames: Sequence[Frame], ranks: npt.NDArray[np.int64]) -> None:
    """Stop at stacks between each other: together they look like one stack of thinner planes.

    Raises:
        GeometryError: They are.
    """
    found = interleaved(frames, ranks, distances_of(frames))
    if found is not None:
        name, stacks = found
        raise GeometryError(
            f"its planes are {int(stacks.max()) + 1} even stacks by {name}, and the planes of one lie between those of "
            "another, which one volume cannot hold. One file is one resource: split it into a file for each stack and "
            "import those."
        )


def _refuse_aside(frames: Sequence[Frame], ranks: npt.NDArray[np.int64]) -> None:
    """Stop at stacks side by side: an affine places all channels at the same pixels.

    Raises:
        GeometryError: They are.
    """
    if lie_aside(frames, ranks):
        raise GeometryError(
            f"its planes at one position along the normal lie up to {spread(frames, ranks):.2f} mm apart in the plane, "
            "as of several stacks side by side, which one volume cannot hold. One file is one resource: split it into "
            "a file for each stack and import those."
        )


def _refuse_uneven(counts: npt.NDArray[np.int64], distances: Vector, ranks: npt.NDArray[np.int64]) -> None:
    """Stop where positions hold different numbers of planes, as where a plane of a time point is missing.

    Raises:
        GeometryError: They do.
    """
    usual = int(np.bincount(counts).argmax())
    others = np.flatnonzero(counts != usual)
    if others.size == 0:
        return
    start = float(distances.min())
    named = ", ".join(
        f"position {n + 1} ({float(distances[ranks == n].mean()) - start:.2f} mm from the first) holds {counts[n]}"
        for n in others[:4].tolist()
    )
    more = f", and {others.size - 4} more differ" if others.size > 4 else ""
    raise GeometryError(
        f"{named}{more}, and the others of its {len(counts)} positions along the normal hold "
        f"{usual}, which makes no volume. Add the planes that are missing, or leave out the incomplete time point."
    )


def _placed(grid: tuple[tuple[int, ...], ...], first: Frame, origins: Vector, thickness: float | None) -> Stack:
    """The stack with its affine (PS3.3 C.7.6.2.1.1), the step being (last - first) / (n - 1)."""
    if first.orientation is None or first.spacing is None:
        return Stack(grid=grid)
    row, column = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    normal = normal_of(first.orientation)
    count = len(origins)
    step = (origins[-1] - origins[0]) / (count - 1) if count > 1 else normal * (thickness or 1.0)
    matrix = np.eye(4)
    matrix[:3, 0] = step
    matrix[:3, 1] = column / np.linalg.norm(column) * first.spacing[0]
    matrix[:3, 2] = row / np.linalg.norm(row) * first.spacing[1]
    matrix[:3, 3] = origins[0]
    matrix[:2] *= -1.0
    irregularity = _irregularity(origins, normal)
    corners = None
    if irregularity:
        corners = tuple((float(x), float(y), float(z)) for x, y, z in origins * _LPS_TO_RAS)
    return Stack(grid=grid, affine=Affine(matrix), plane_origins=corners, irregularity=irregularity)


def _irregularity(origins: Vector, normal: Vector) -> str | None:
    """Where planes are missing or unevenly spaced, or None when each lies within 5 % of a step of its place."""
    count = len(origins)
    if count < 3:
        return None
    step = (origins[-1] - origins[0]) / (count - 1)
    expected = origins[0] + np.arange(count)[:, None] * step
    away = np.linalg.norm(origins - expected, axis=1)
    gaps = np.abs(np.diff(origins @ normal))
    usual = float(np.median(gaps))
    if float(away.max()) <= REGULAR * min(float(np.linalg.norm(step)), usual):
        return None
    uneven = np.flatnonzero(np.abs(gaps - usual) > REGULAR * usual)
    if uneven.size == 0:
        worst = int(away.argmax())
        return f"Plane {worst} lies {away[worst]:.2f} mm from its place in an even stack."
    places = ", ".join(f"{int(n)} to {int(n) + 1}: {gaps[n]:.2f} mm" for n in uneven[:4])
    more = f" and {uneven.size - 4} more" if uneven.size > 4 else ""
    kind = "missing" if _are_multiples(gaps[uneven] / usual) else "not evenly spaced"
    return f"Planes are {kind}: {usual:.2f} mm is usual, but planes {places}{more} ({count} planes)."


def _are_multiples(ratios: Vector) -> bool:
    """Whether each gap is as wide as if whole planes were left out of it."""
    return bool(np.all(ratios > 1.5) and np.all(np.abs(ratios - np.rint(ratios)) <= REGULAR))
