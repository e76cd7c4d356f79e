"""Points, lines, boxes and polygons as geometry of the wire, with the coordinate system they are given in.

Pixel coordinates are (x, y): column and row of the frame, from the centre of the first pixel. Patient coordinates
are (x, y, z) in millimetres, LPS+ as in DICOM. Nothing is converted: what is stored is what was given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

from datamint_like.api._endpoint import several
from datamint_like.exceptions import ValidationError

CoordinateSystem = Literal["pixel", "patient"]
ViewPlane = Literal["axial", "coronal", "sagittal"]
Point: TypeAlias = Sequence[float]
Geometry: TypeAlias = dict[str, Any]

_ACROSS: dict[str, int] = {"sagittal": 0, "coronal": 1, "axial": 2}  # the patient axis that a plane is square to


def point(at: Point, system: CoordinateSystem, frame: int | None) -> Geometry:
    """One point."""
    return _geometry([_point(at, system, frame)], system)


def line(start: Point, end: Point, system: CoordinateSystem, frame: int | None) -> Geometry:
    """A straight line between two points."""
    return _geometry([_point(start, system, frame), _point(end, system, frame)], system)


def polyline(points: Sequence[Point], closed: bool, system: CoordinateSystem, frame: int | None) -> Geometry:
    """A chain of points; `closed` makes it a polygon.

    Raises:
        ValidationError: It has fewer than 2 points, or fewer than 3 when closed.
    """
    least = 3 if closed else 2
    points = several(points, "points", "[(x, y), ...]")
    if len(points) < least:
        raise ValidationError(f"A {'polygon' if closed else 'polyline'} needs {least} points, got {len(points)}.")
    return {**_geometry([_point(at, system, frame) for at in points], system), "closed": closed}


def box(
    corner: Point, opposite: Point, system: CoordinateSystem, frame: int | None, plane: ViewPlane | None
) -> Geometry:
    """A box by two opposite corners, as its four: (x1, y1), (x2, y1), (x1, y2), (x2, y2).

    Raises:
        ValidationError: Patient corners do not lie in one axial, coronal or sagittal plane, or the box is flat.
    """
    first, second = _point(corner, system, frame), _point(opposite, system, frame)
    across = 2 if system == "pixel" else _across(first, second, plane)
    u, v = (axis for axis in range(3) if axis != across)
    if first[u] == second[u] or first[v] == second[v]:
        raise ValidationError(f"A box needs two opposite corners, but {list(corner)} and {list(opposite)} span none.")
    corners = []
    for b in (first[v], second[v]):
        for a in (first[u], second[u]):
            at = list(first)
            at[u], at[v] = a, b
            corners.append(at)
    return _geometry(corners, system)


def _across(first: list[float], second: list[float], plane: ViewPlane | None) -> int:
    """The patient axis that both corners agree on."""
    if plane is not None and plane not in _ACROSS:
        raise ValidationError(f"slice_plane is one of {', '.join(get_args(ViewPlane))}, not {plane!r}.")
    shared = [axis for axis in range(3) if first[axis] == second[axis]]
    wanted = shared if plane is None else [axis for axis in shared if axis == _ACROSS[plane]]
    if len(wanted) != 1:
        raise ValidationError(
            f"The corners {first} and {second} of a box in patient coordinates must lie in one "
            f"{plane or 'axial, coronal or sagittal'} plane: one coordinate is equal, the other two differ."
        )
    return wanted[0]


def _geometry(points: list[list[float]], system: CoordinateSystem) -> Geometry:
    return {"points": points, "coordinate_system": system}


def _point(at: Point, system: CoordinateSystem, frame: int | None) -> list[float]:
    """Three finite numbers; a pixel point gets its frame (0 without one) as the third."""
    if system not in get_args(CoordinateSystem):
        raise ValidationError(f'coords_system is "pixel" or "patient", not {system!r}.')
    if isinstance(at, str) or not (isinstance(at, Sequence) or getattr(at, "ndim", None) == 1):
        raise ValidationError(f"A point is a sequence of numbers, not a {type(at).__name__}.")
    numbers = [_plain(value) for value in at]
    wanted = 2 if system == "pixel" else 3
    if len(numbers) != wanted:
        named = "(x, y)" if system == "pixel" else "(x, y, z) in mm"
        raise ValidationError(f"A point in {system} coordinates is {named}, got {len(numbers)} numbers.")
    return [*numbers, frame or 0] if system == "pixel" else numbers


def _plain(value: Any) -> float:
    """A Python number: whole numbers stay int."""
    number = value.item() if getattr(value, "ndim", None) == 0 else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise ValidationError(f"A coordinate must be a finite number, not {value!r}.")
    return number
