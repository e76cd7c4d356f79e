"""The classes of a mask file that carries several: named, possibly overlapping, each a mask of the whole resource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Patch:
    """A box of a segment in stored orientation: where it starts (k, j, i), its extent, and its voxels as bits."""

    start: tuple[int, int, int]
    extent: tuple[int, int, int]
    bits: bytes = field(repr=False)

    @classmethod
    def of(cls, mask: Mask, start: Sequence[int]) -> Patch:
        """The patch of a (k, j, i) box of booleans."""
        k, j, i = (int(at) for at in start)
        planes, rows, columns = mask.shape
        return cls((k, j, i), (planes, rows, columns), np.packbits(mask).tobytes())

    def paint(self, out: npt.NDArray[np.uint8]) -> None:
        """Set the voxels of the patch in (K, J, I) to 1."""
        count = self.extent[0] * self.extent[1] * self.extent[2]
        box = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=count).reshape(self.extent)
        where = tuple(slice(at, at + length) for at, length in zip(self.start, self.extent, strict=True))
        out[where] |= box


@dataclass(frozen=True)
class Segment:
    """One class of a mask file, on the grid of its resource. Segments of one file may overlap.

    Held as packed boxes, so that a file of a hundred organs costs what its marked voxels cost; `array` is made when
    asked for.

    Attributes:
        name: Segment Label, or ROI Name; `segment_<number>` where the file names none.
        number: Segment Number, or ROI Number.
        shape: Stored planes, rows, columns (k, j, i) of the resource.
        patches: Where it is; none for a class that the file names but does not show.
        colour: Recommended display colour, RGB of 8 bits, or None.
        code: Its type as (code value, coding scheme, meaning), or None.
        creator: Name of the person who made it as the file has it, or None.
        algorithm: How it was made (`"MANUAL"`, `"SEMIAUTOMATIC"`, `"AUTOMATIC"`), with the algorithm's name where
            there is one, or None.

    Example:
        >>> from datamint_like.imaging import decode_segments, probe
        >>> facts = probe(sorted(Path("ct").iterdir()))
        >>> (liver,) = decode_segments(Path("seg.dcm").read_bytes(), facts, name="seg.dcm").segments
        >>> liver.name, liver.empty, liver.array.shape, liver.planes[-1]
        ('Liver', False, (32, 128, 128), 31)
    """

    name: str
    number: int
    shape: tuple[int, int, int]
    patches: tuple[Patch, ...] = field(default=(), repr=False)
    colour: tuple[int, int, int] | None = None
    code: tuple[str, str, str] | None = None
    creator: str | None = None
    algorithm: str | None = None

    @property
    def empty(self) -> bool:
        """Whether no voxel is marked."""
        return not self.patches

    @property
    def array(self) -> npt.NDArray[np.uint8]:
        """The mask (K, J, I) in the resource's stored orientation: uint8, 1 where the class is."""
        out = np.zeros(self.shape, np.uint8)
        for patch in self.patches:
            patch.paint(out)
        return out

    @property
    def planes(self) -> tuple[int, ...]:
        """The stored planes k on which a voxel is marked, ascending."""
        return tuple(sorted({k for p in self.patches for k in range(p.start[0], p.start[0] + p.extent[0])}))


@dataclass(frozen=True)
class Segmentation:
    """What a mask file of several classes holds.

    Attributes:
        segments: The classes, in the file's order.
        notes: What was left out on purpose, a sentence each (contours that enclose nothing).
        instance_uid: SOP Instance UID of the file; empty where it has none.
    """

    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()
    instance_uid: str = ""


def patch_of_plane(mask: Mask, plane: int) -> Patch | None:
    """The patch of a mask (J, I) on stored plane `plane`, cut to what is marked; None where nothing is."""
    box = marked_box(mask)
    if box is None:
        return None
    rows, columns = box
    return Patch.of(mask[None, rows, columns], (plane, rows.start, columns.start))


def marked_box(mask: Mask) -> tuple[slice, slice] | None:
    """Rows and columns of the smallest box that holds all that is marked, or None where nothing is."""
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
