"""Where the frames of a segmentation lie on the grid of an image: by their place, or by what they reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from datamint_like.exceptions import GeometryError
from datamint_like.imaging.affine import Affine
from datamint_like.imaging.dicom.frames import Frame
from datamint_like.imaging.dicom.header import DicomFile
from datamint_like.imaging.masks.planes import LPS_TO_RAS, TOLERANCE, Planes
from datamint_like.imaging.masks.references import Source, references_of, sources_of_frame
from datamint_like.imaging.masks.segments import Mask, Patch, marked_box
from datamint_like.imaging.types import HeaderFacts

Index = npt.NDArray[np.int64]


class Placement(Protocol):
    """Puts the frames of one segmentation on the grid of an image."""

    def patch(self, frame: int, mask: Mask) -> Patch | None:
        """What is marked on a frame, as a box of the image; None where nothing is.

        Raises:
            GeometryError: The frame does not lie on the image.
        """


def placement_of(file: DicomFile, frames: Sequence[Frame], facts: HeaderFacts) -> Placement:
    """By space where frames and image have a place in it, else by reference."""
    planes = Planes.of(facts)
    if planes is None or any(frame.position is None or frame.spacing is None for frame in frames):
        return ByReference(file, facts)
    return InSpace(frames, (file.pixels.rows, file.pixels.columns), planes)


@dataclass(frozen=True)
class _Laid:
    """A frame on the grid: the index of its first pixel, and the unit steps (k, j, i) along its rows and columns."""

    first: Index
    down: Index
    across: Index


@dataclass(frozen=True)
class InSpace:
    """Frames by position, orientation and spacing: turned exactly, never resampled.

    A frame may be smaller than the image's planes, or lie across them; its pixels must be the image's voxels.
    """

    frames: Sequence[Frame]
    size: tuple[int, int]
    planes: Planes

    def patch(self, frame: int, mask: Mask) -> Patch | None:
        """What is marked on a frame, as a box of the image."""
        box = marked_box(mask)
        if box is None:
            return None
        laid = self._laid(self.frames[frame])
        rows, columns = box
        corner = laid.first + laid.down * rows.start + laid.across * columns.start
        other = laid.first + laid.down * (rows.stop - 1) + laid.across * (columns.stop - 1)
        low, high = np.minimum(corner, other), np.maximum(corner, other)
        if (low < 0).any() or (high >= self.planes.shape).any():
            raise GeometryError(self._outside(self.frames[frame], laid))
        marked = mask[rows, columns]
        marked = marked[:: int(laid.down.sum()), :: int(laid.across.sum())]
        if int(np.flatnonzero(laid.down)[0]) > int(np.flatnonzero(laid.across)[0]):
            marked = marked.T
        return Patch.of(marked.reshape(tuple(high - low + 1)), low.tolist())

    def _laid(self, frame: Frame) -> _Laid:
        """Where a frame lies.

        Raises:
            GeometryError: Its pixels are not voxels of the image; the message says how far they are from it.
        """
        first, down, across = self._steps(frame)
        unit_down, unit_across = np.rint(down), np.rint(across)
        if not _are_axes(unit_down, unit_across) or (not self.planes.even and (unit_down[0] or unit_across[0])):
            raise GeometryError(self._other_grid(frame))
        rows, columns = self.size
        corners = np.array(
            [
                first + n * (rows - 1) * (down - unit_down) + m * (columns - 1) * (across - unit_across)
                for n in (0, 1)
                for m in (0, 1)
            ]
        )
        base = np.rint(corners.mean(axis=0))
        away = np.abs(corners - base).max(axis=0)
        if (away[1:] > TOLERANCE[1:]).any() or (away[0] > TOLERANCE[0] and (unit_down[0] or unit_across[0])):
            raise GeometryError(self._other_grid(frame))
        if away[0] > TOLERANCE[0]:
            where = self.planes.told(np.array(frame.position) * LPS_TO_RAS)
            raise GeometryError(
                f"frame {frame.number + 1} lies {where}. Masks are not carried to other planes; give the image that "
                "it was drawn on, or resample the mask to this one."
            )
        return _Laid(base.astype(np.int64), unit_down.astype(np.int64), unit_across.astype(np.int64))

    def _steps(self, frame: Frame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Fractional (k, j, i) of the first pixel, and its change from row to row and from column to column."""
        across, down = _directions(frame)
        (first,) = self.planes.index([np.array(frame.position) * LPS_TO_RAS])
        return first, self.planes.step(down), self.planes.step(across)

    def _other_grid(self, frame: Frame) -> str:
        return (
            f"it lies on another grid: its frames have {self.size[0]} x {self.size[1]} pixels (rows x columns) and "
            f"{self._affine(frame)!r}, the image (k, j, i) {self.planes.shape} and {self.planes.affine!r}. "
            "Resample the mask to the image first."
        )

    def _outside(self, frame: Frame, laid: _Laid) -> str:
        if not (laid.down[0] or laid.across[0]) and not 0 <= laid.first[0] < self.planes.shape[0]:
            where = self.planes.told(np.array(frame.position) * LPS_TO_RAS)
            return f"frame {frame.number + 1} lies {where}. Give the image that it was drawn on."
        return (
            f"what frame {frame.number + 1} marks lies partly outside the image: the frame has {self.size[0]} x "
            f"{self.size[1]} pixels (rows x columns) from index {tuple(laid.first.tolist())}, the image (k, j, i) "
            f"{self.planes.shape}. Give the image that it was drawn on."
        )

    def _affine(self, frame: Frame) -> Affine:
        """The grid of the frames, for a message: planes are as far apart as the nearest two."""
        across, down = _directions(frame)
        normal = np.cross(down, across)
        normal = normal / np.linalg.norm(normal)
        along = np.unique(np.round([np.array(each.position) * LPS_TO_RAS @ normal for each in self.frames], 3))
        gap = float(np.diff(along).min()) if len(along) > 1 else 1.0
        matrix = np.eye(4)
        matrix[:3, :3] = np.c_[normal * gap, down, across]
        matrix[:3, 3] = np.array(frame.position) * LPS_TO_RAS
        return Affine(matrix)


@dataclass(frozen=True)
class ByReference:
    """Frames without a place: drawn on the image itself, whose SOP instance they name, in its own size."""

    file: DicomFile
    facts: HeaderFacts

    def patch(self, frame: int, mask: Mask) -> Patch | None:
        """What is marked on a frame, as a box of the image."""
        box = marked_box(mask)
        if box is None:
            return None
        plane = self._plane(frame)
        rows, columns = box
        return Patch.of(mask[None, rows, columns], (plane, rows.start, columns.start))

    @cached_property
    def _wanted(self) -> frozenset[str]:
        """The SOP instances that the segmentation was drawn on.

        Raises:
            GeometryError: It was drawn on another image, or has another size.
        """
        pixels, facts = self.file.pixels, self.facts
        if (pixels.rows, pixels.columns) != facts.shape[1:]:
            raise GeometryError(
                f"its frames have {pixels.rows} x {pixels.columns} pixels (rows x columns) and no position, "
                f"the image {facts.shape[1]} x {facts.shape[2]}. Give the image that it was drawn on."
            )
        wanted = references_of(self.file).instance_uids
        if facts.instance_uid and wanted and facts.instance_uid not in wanted and facts.shape[0] == 1:
            raise GeometryError(
                f"it was drawn on the image {min(wanted)} (SOP Instance UID), not on this one, {facts.instance_uid}, "
                "and its frames carry no position."
            )
        return wanted

    def _plane(self, frame: int) -> int:
        wanted, planes = self._wanted, self.facts.shape[0]
        if planes == 1:
            return 0
        own = [source for source in sources_of_frame(self.file, frame) if self._is_here(source, wanted)]
        numbers = {source.frame for source in own if source.frame is not None}
        if len(numbers) == 1 and 1 <= (number := next(iter(numbers))) <= planes:
            return number - 1
        raise GeometryError(
            f"frame {frame + 1} carries no position and names no frame of the image, which has {planes}, "
            "so its place is unknown."
        )

    def _is_here(self, source: Source, wanted: frozenset[str]) -> bool:
        return source.instance_uid == self.facts.instance_uid or (not self.facts.instance_uid and len(wanted) == 1)


def _directions(frame: Frame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The vector in RAS+ mm from column to column, and that from row to row."""
    orientation, spacing = frame.orientation or (), frame.spacing or ()
    across = np.array(orientation[:3]) / np.linalg.norm(orientation[:3]) * spacing[1] * LPS_TO_RAS
    down = np.array(orientation[3:]) / np.linalg.norm(orientation[3:]) * spacing[0] * LPS_TO_RAS
    return across, down


def _are_axes(down: npt.NDArray[np.float64], across: npt.NDArray[np.float64]) -> bool:
    """Whether two whole steps go along two different axes of the grid, one voxel each."""
    return bool(np.abs(down).sum() == np.abs(across).sum() == 1 and not (down * across).any())
