"""The affine of a volume as a value, and the turn to canonical orientation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from datamint_like.exceptions import GeometryError

#: Direction of increase of (D, H, W) in canonical orientation: superior, posterior, left.
CANONICAL = "SPL"
_FLAT = 1e-9  # volume that three unit vectors span at most when they lie in one plane
_LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))  # (towards minus, towards plus) of RAS x, y, z


class Affine:
    """A 4x4 map from array index (d, h, w) to patient RAS+ millimetres, validated once and immutable.

    Example:
        >>> affine = Affine([[0, 0, -1, 90], [0, -1, 0, 126], [2, 0, 0, -72], [0, 0, 0, 1]])
        >>> affine.orientation, affine.spacing
        ('SPL', (2.0, 1.0, 1.0))
        >>> affine.origin, affine.direction[:, 0].tolist()
        ((90.0, 126.0, -72.0), [0.0, 0.0, 1.0])
    """

    __slots__ = ("matrix",)
    matrix: npt.NDArray[np.float64]

    def __init__(self, matrix: npt.ArrayLike) -> None:
        """Take a 4x4 matrix.

        Raises:
            GeometryError: It is not 4x4, not finite, singular, or its last row is not 0 0 0 1.
        """
        try:
            array = np.array(matrix, dtype=np.float64) + 0.0  # -0 becomes 0, so that equal affines hash alike
        except (TypeError, ValueError) as error:
            raise GeometryError(f"An affine must be a 4x4 matrix of numbers ({error}).") from error
        if array.shape != (4, 4):
            raise GeometryError(f"An affine must be 4x4, got shape {array.shape}.")
        if not np.isfinite(array).all() or array[3].tolist() != [0.0, 0.0, 0.0, 1.0]:
            raise GeometryError("An affine must be finite, with the last row 0 0 0 1.")
        if not _spans_space(array[:3, :3].T.tolist()):
            raise GeometryError("An affine must span space: its three axes lie in one plane.")
        array.setflags(write=False)
        object.__setattr__(self, "matrix", array)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("An Affine does not change; make another one.")

    def __reduce__(self) -> tuple[type[Affine], tuple[list[list[float]]]]:
        return Affine, (self.matrix.tolist(),)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Length in mm of one step along d, h, w."""
        d, h, w = np.linalg.norm(self.matrix[:3, :3], axis=0)
        return float(d), float(h), float(w)

    @property
    def origin(self) -> tuple[float, float, float]:
        """Patient RAS+ mm of index (0, 0, 0)."""
        x, y, z = self.matrix[:3, 3]
        return float(x), float(y), float(z)

    @property
    def direction(self) -> npt.NDArray[np.float64]:
        """(3, 3) unit vectors (columns) of d, h, w in patient RAS+."""
        result: npt.NDArray[np.float64] = self.matrix[:3, :3] / np.array(self.spacing)
        return result

    @property
    def orientation(self) -> str:
        """Three letters: where d, h, w grow towards (of R/L, A/P, S/I), by the closest one-to-one match."""
        return "".join(_LETTERS[axis][sign > 0] for axis, sign in _closest_axes(self.direction))

    def __matmul__(self, other: Affine | npt.ArrayLike) -> Affine:
        """The map that applies `other` first."""
        first = other if isinstance(other, Affine) else Affine(other)
        return Affine(self.matrix @ first.matrix)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Affine) and np.array_equal(self.matrix, other.matrix)

    def __hash__(self) -> int:
        return hash(self.matrix.tobytes())

    def __repr__(self) -> str:
        spacing = " x ".join(f"{step:.4g}" for step in self.spacing)
        return f"Affine({self.orientation}, {spacing} mm, origin {tuple(round(v, 3) for v in self.origin)})"

    def points(self, index: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Patient RAS+ mm (n, 3) of array indices (n, 3).

        Example:
            >>> Affine(np.diag([2, 1, 1, 1])).points([[10, 0, 0]]).tolist()
            [[20.0, 0.0, 0.0]]
        """
        result: npt.NDArray[np.float64] = (
            np.asarray(index, dtype=np.float64) @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        )
        return result

    def indices(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Fractional array indices (n, 3) of patient RAS+ mm (n, 3): `points` undone.

        Example:
            >>> Affine(np.diag([2, 1, 1, 1])).indices([[5, 0, 0]]).tolist()
            [[2.5, 0.0, 0.0]]
        """
        offset = np.asarray(points, dtype=np.float64) - self.matrix[:3, 3]
        return np.asarray(np.linalg.solve(self.matrix[:3, :3], offset.T).T, dtype=np.float64)

    def turned_to(self, orientation: str, shape: Sequence[int]) -> Affine:
        """The affine of the same volume, of extent `shape` (d, h, w) now, in another orientation; exact.

        Raises:
            GeometryError: `orientation` does not name three different axes.

        Example:
            >>> Affine([[0, 0, -1, 90], [0, -1, 0, 126], [2, 0, 0, -72], [0, 0, 0, 1]]).turned_to("RAS", (9, 9, 9))
            Affine(RAS, 1 x 1 x 2 mm, origin (82.0, 118.0, -72.0))
        """
        return self.turn_to(orientation).affine(self, shape)

    def turn_to(self, orientation: str = CANONICAL) -> Turn:
        """The permutation and flips that bring an array with this affine to `orientation`.

        Raises:
            GeometryError: `orientation` does not name three different axes.

        Example:
            >>> Affine([[0, 0, -1, 90], [0, -1, 0, 126], [2, 0, 0, -72], [0, 0, 0, 1]]).turn_to("RAS")
            Turn(axes=(2, 1, 0), flips=(True, True, False))
        """
        wanted = [next((a for a, pair in enumerate(_LETTERS) if letter in pair), -1) for letter in orientation]
        if sorted(wanted) != [0, 1, 2]:
            raise GeometryError(f"An orientation names R or L, A or P, S or I once each, not {orientation!r}.")
        current = _closest_axes(self.direction)
        axes = tuple(next(n for n, (axis, _) in enumerate(current) if axis == want) for want in wanted)
        flips = tuple(
            (current[n][1] > 0) != (letter == _LETTERS[want][1])
            for n, want, letter in zip(axes, wanted, orientation, strict=True)
        )
        return Turn(axes=axes, flips=flips)


@dataclass(frozen=True)
class Turn:
    """A permutation of the last three axes of an array, then flips: exact, never resampling.

    Attributes:
        axes: New axis n is old axis `axes[n]`.
        flips: Whether new axis n runs the other way.
    """

    axes: tuple[int, ...] = (0, 1, 2)
    flips: tuple[bool, ...] = (False, False, False)

    def array(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A view of `stored` (..., K, J, I) in the new orientation.

        Example:
            >>> Turn(axes=(2, 1, 0)).array(np.zeros((1, 4, 5, 6))).shape
            (1, 6, 5, 4)
        """
        lead = stored.ndim - 3
        turned = stored.transpose(*range(lead), *(lead + axis for axis in self.axes))
        steps = tuple(slice(None, None, -1 if flip else None) for flip in self.flips)
        return turned[(..., *steps)]

    def shape(self, stored: Sequence[int]) -> tuple[int, int, int]:
        """The new extent of an array of extent `stored`.

        Example:
            >>> Turn(axes=(2, 1, 0)).shape((4, 5, 6))
            (6, 5, 4)
        """
        d, h, w = (stored[axis] for axis in self.axes)
        return d, h, w

    def inverse(self) -> Turn:
        """The turn that undoes this one.

        Example:
            >>> Turn(axes=(1, 2, 0), flips=(True, False, False)).inverse()
            Turn(axes=(2, 0, 1), flips=(False, True, False))
        """
        back = tuple(self.axes.index(axis) for axis in range(3))
        return Turn(axes=back, flips=tuple(self.flips[axis] for axis in back))

    def then(self, other: Turn) -> Turn:
        """The one turn that does this, and `other` after it.

        Example:
            >>> turn = Turn(axes=(1, 2, 0), flips=(True, False, False))
            >>> turn.then(turn.inverse()) == Turn()
            True
        """
        axes = tuple(self.axes[axis] for axis in other.axes)
        flips = tuple(self.flips[axis] != flip for axis, flip in zip(other.axes, other.flips, strict=True))
        return Turn(axes=axes, flips=flips)

    def affine(self, affine: Affine, stored_shape: Sequence[int]) -> Affine:
        """The affine of the turned array, exact.

        Example:
            >>> Turn(flips=(True, False, False)).affine(Affine(np.eye(4)), (10, 5, 5)).origin
            (9.0, 0.0, 0.0)
        """
        step = np.zeros((4, 4))
        step[3, 3] = 1.0
        for new, (old, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            step[old, new] = -1.0 if flip else 1.0
            step[old, 3] = stored_shape[old] - 1 if flip else 0.0
        return affine @ step


def _spans_space(axes: Sequence[Sequence[float]]) -> bool:
    """Whether three axes do not lie in one plane, whatever their lengths.

    In plain floats: for nine numbers these are several times faster than arrays, and every probe asks.
    """
    units = []
    for axis in axes:
        longest = max(map(abs, axis))
        if longest == 0.0:
            return False
        x, y, z = (part / longest for part in axis)  # length 1 to sqrt 3: squares neither vanish nor overflow
        length = math.hypot(x, y, z)
        units.append((x / length, y / length, z / length))
    (a, b, c), (d, e, f), (g, h, i) = units
    return abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)) > _FLAT


def _closest_axes(direction: npt.NDArray[np.float64]) -> list[tuple[int, float]]:
    """For each index axis the patient axis it runs along and the sign, all three different.

    The match with the largest sum of cosines is taken, so that strongly oblique axes never share one.
    """
    from itertools import permutations

    best = max(permutations(range(3)), key=lambda order: sum(abs(direction[axis, n]) for n, axis in enumerate(order)))
    return [(axis, float(np.sign(direction[axis, n])) or 1.0) for n, axis in enumerate(best)]
