"""Which planes of an item are drawn, and how they lie on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

#: Patient axis 0 (R-L), 1 (A-P), 2 (S-I) of each letter.
_AXIS = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}
_OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "S": "I", "I": "S"}
#: By the patient axis a plane stands on: its name, and where rows and columns run on the page.
_PAGES = {2: ("axial", "P", "L"), 1: ("coronal", "I", "L"), 0: ("sagittal", "I", "P")}
_FRAMES = 4
#: Stands for every plane along an axis.
_EVERY = -1


@dataclass(frozen=True)
class Plane:
    """One plane of an item, and how it is laid on the page.

    Attributes:
        title: What it is, such as `"axial 15 of 0-31"`.
        axis, index: Which plane of (C, D, H, W); `axis` is None for an item that is one plane already.
        transposed: Whether rows and columns change places, before the flips.
        flips: Whether rows, columns of the page run against the array.
        pixel: Height and width of a pixel on the page, in mm, or relative to each other.
        letters: Patient directions at the left, right, top and bottom edge; empty where unknown.
    """

    title: str
    axis: int | None
    index: int
    transposed: bool = False
    flips: tuple[bool, bool] = (False, False)
    pixel: tuple[float, float] = (1.0, 1.0)
    letters: tuple[str, str, str, str] | tuple[()] = ()

    @property
    def aspect(self) -> float:
        """Height of a pixel over its width."""
        return self.pixel[0] / self.pixel[1]

    def size(self, image: npt.NDArray[Any]) -> tuple[float, float]:
        """Height and width on the page of this plane of an image (C, ...), in the units of `pixel`."""
        rows, columns = self.of(image).shape[-2:]
        return rows * self.pixel[0], columns * self.pixel[1]

    def of(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """This plane of (..., D, H, W), or of (..., H, W), as (..., rows, columns) of the page."""
        cut = array if self.axis is None else np.take(array, self.index, axis=array.ndim - 3 + self.axis)
        if self.transposed:
            cut = np.swapaxes(cut, -1, -2)
        rows, columns = (slice(None, None, -1 if flip else None) for flip in self.flips)
        return cut[..., rows, columns]

    def on_page(self, corners: Sequence[float], size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Left, top, right, bottom on the page of x1, y1, x2, y2 in this plane, in its pixels from their centres.

        Args:
            corners: In the array's own axes.
            size: Rows and columns of the page.
        """
        x1, y1, x2, y2 = corners
        if self.transposed:
            x1, y1, x2, y2 = y1, x1, y2, x2
        if self.flips[0]:
            y1, y2 = size[0] - 1 - y2, size[0] - 1 - y1
        if self.flips[1]:
            x1, x2 = size[1] - 1 - x2, size[1] - 1 - x1
        return x1, y1, x2, y2


def planes_of(
    spatial: Sequence[int],
    metainfo: Mapping[str, Any],
    marked: npt.NDArray[np.bool_] | None,
    boxed: Set[tuple[int, int]] = frozenset(),
) -> list[Plane]:
    """The planes that show an item: one of a 2-D item, three of a volume, a few frames of a video.

    Args:
        spatial: (H, W) or (D, H, W) of the item.
        metainfo: That of the item; its `spacing` and `orientation` are those of the axes.
        marked: Where any mask is, of the same shape; the planes are chosen to show some.
        boxed: Axis and index of planes that a box lies in, which are shown before others.
    """
    if len(spatial) == 2:
        return [_flat(metainfo)]
    if metainfo["kind"] == "video":
        count = spatial[0]
        step = (count - 1) / max(1, _FRAMES - 1)
        frames = sorted({_near(round(place * step), step / 2, 0, boxed) for place in range(_FRAMES)})
        pixel = _pixel(metainfo)
        return [Plane(f"frame {n} of 0-{count - 1}", 0, n, pixel=pixel) for n in frames]
    planes = []
    for axis in (0, 1, 2):
        index = _near(_shown_index(spatial[axis], axis, marked), spatial[axis], axis, boxed)
        kept = tuple(n for n in range(3) if n != axis)
        planes.append(_laid(axis, index, spatial[axis], kept, metainfo))
    return planes


def middle_plane(
    spatial: Sequence[int],
    metainfo: Mapping[str, Any],
    marked: npt.NDArray[np.bool_] | None,
    boxed: Set[tuple[int, int]] = frozenset(),
) -> Plane:
    """The plane that stands for an item: the first of a volume, the middle frame of a video, of those with boxes."""
    planes = planes_of(spatial, metainfo, marked, boxed)
    own = [each for each in planes if (each.axis, each.index) in boxed]
    held = own or [each for each in planes if (each.axis, _EVERY) in boxed] or planes
    return held[len(held) // 2] if metainfo["kind"] == "video" else held[0]


def _flat(metainfo: Mapping[str, Any]) -> Plane:
    """A 2-D item: a slice of a volume lies as its plane does, all else as it is stored."""
    if metainfo["kind"] == "volume" and metainfo["orientation"]:
        return _laid(None, 0, 1, (1, 2), metainfo)
    spacing, letters = metainfo["spacing"], metainfo["orientation"]
    pixel = _pixel(metainfo) if spacing is None else (spacing[1], spacing[2])
    edges = (_OPPOSITE[letters[2]], letters[2], _OPPOSITE[letters[1]], letters[1]) if letters else ()
    return Plane("", None, 0, pixel=pixel, letters=edges)


def _laid(axis: int | None, index: int, count: int, kept: tuple[int, ...], metainfo: Mapping[str, Any]) -> Plane:
    """A plane with rows and columns as radiologists read it, where the axes of the patient are known."""
    letters, spacing = metainfo["orientation"], metainfo["spacing"] or (1.0, 1.0, 1.0)
    if not letters:
        return Plane(f"axis {axis}: {index} of 0-{count - 1}", axis, index)
    normal = letters[0 if axis is None else axis]
    name, *wanted = _PAGES[_AXIS[normal]]
    rows, columns = kept
    transposed = _AXIS[letters[rows]] != _AXIS[wanted[0]]
    if transposed:
        rows, columns = columns, rows
    title = "" if axis is None else f"{name} {index} of 0-{count - 1}"
    edges = (_OPPOSITE[wanted[1]], wanted[1], _OPPOSITE[wanted[0]], wanted[0])
    flips = (letters[rows] != wanted[0], letters[columns] != wanted[1])
    return Plane(title, axis, index, transposed, flips, (spacing[rows], spacing[columns]), edges)


def _shown_index(count: int, axis: int, marked: npt.NDArray[np.bool_] | None) -> int:
    """The middle, or the nearest plane to it that a mask touches."""
    middle = count // 2
    if marked is None:
        return middle
    touched = np.flatnonzero(marked.any(axis=tuple(n for n in range(3) if n != axis)))
    return int(touched[np.argmin(np.abs(touched - middle))]) if len(touched) else middle


def _near(index: int, reach: float, axis: int, boxed: Set[tuple[int, int]]) -> int:
    """The plane within reach of this one that a box lies in, the nearest; this one where there is none."""
    held = [n for along, n in boxed if along == axis and n != _EVERY and abs(n - index) <= reach]
    return min(held, key=lambda n: (abs(n - index), n), default=index)


def _pixel(metainfo: Mapping[str, Any]) -> tuple[float, float]:
    """Relative height and width of a pixel, from a video's header (which tells width over height)."""
    told = (metainfo.get("header") or {}).get("pixel_aspect")
    return (1.0, float(told)) if isinstance(told, int | float) and told > 0 else (1.0, 1.0)
