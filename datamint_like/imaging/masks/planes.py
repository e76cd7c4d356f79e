"""The planes of a resource in patient space: which index (k, j, i) a point has, evenly spaced planes or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from datamint_like.exceptions import GeometryError
from datamint_like.imaging.affine import Affine
from datamint_like.imaging.masks.labels import SAME_GRID
from datamint_like.imaging.types import HeaderFacts

Vectors = npt.NDArray[np.float64]

#: A plane of a regular series may lie this share of a step from its even place (`dicom.geometry.REGULAR`).
_JITTER = 0.05
#: How far in voxels along k, j, i a mask's grid may lie from the image's.
TOLERANCE = np.array([SAME_GRID + _JITTER, SAME_GRID, SAME_GRID])
LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Planes:
    """Where the stored planes of a resource lie.

    Attributes:
        shape: Stored planes, rows, columns (k, j, i).
        affine: Array index (k, j, i) to patient RAS+ mm.
        origins: (K, 3) RAS+ mm of pixel (0, 0) of each plane.
        normal: Unit normal of the planes, to the patient's right, front or head (mm along it as people count them).
        positions: (K,) mm of each plane along the normal.
        even: Whether `affine` places every plane.
    """

    shape: tuple[int, int, int]
    affine: Affine
    origins: Vectors
    normal: Vectors
    positions: Vectors
    even: bool

    @classmethod
    def of(cls, facts: HeaderFacts) -> Planes | None:
        """The planes of a resource, or None where its file carries no geometry."""
        if facts.affine is None:
            return None
        matrix = facts.affine.matrix
        normal = np.cross(matrix[:3, 1], matrix[:3, 2])
        normal = normal / np.linalg.norm(normal)
        normal *= np.sign(normal[np.argmax(np.abs(normal))])
        if facts.plane_origins is None:
            origins = facts.affine.points([(k, 0, 0) for k in range(facts.shape[0])])
        else:
            origins = np.array(facts.plane_origins, dtype=np.float64)
        return cls(facts.shape, facts.affine, origins, normal, origins @ normal, facts.plane_origins is None)

    def index(self, points: npt.ArrayLike) -> Vectors:
        """(n, 3) fractional index (k, j, i) of points in patient RAS+ mm (n, 3).

        Between uneven planes k counts on from the nearest one, in shares of the gap that the point lies in.
        """
        points = np.asarray(points, dtype=np.float64)
        if self.even:
            inverse = np.linalg.inv(self.affine.matrix)
            even: Vectors = points @ inverse[:3, :3].T + inverse[:3, 3]
            return even
        along = points @ self.normal
        nearest = self._nearest(along)
        k = nearest + (along - self.positions[nearest]) / self._gaps(nearest, along)
        uneven: Vectors = np.c_[k, (points - self.origins[nearest]) @ self._in_plane().T]
        return uneven

    def step(self, vector: npt.ArrayLike) -> Vectors:
        """(3,) change of the index (k, j, i) along a vector in RAS+ mm; uneven planes count by their mean step."""
        if self.even:
            inverse = np.linalg.inv(self.affine.matrix[:3, :3])
            even: Vectors = np.asarray(vector, dtype=np.float64) @ inverse.T
            return even
        vector = np.asarray(vector, dtype=np.float64)
        mean = (self.positions[-1] - self.positions[0]) / (len(self.positions) - 1)
        uneven: Vectors = np.r_[vector @ self.normal / mean, self._in_plane() @ vector]
        return uneven

    @property
    def mean_gap(self) -> float:
        """The mm between planes, on average."""
        if len(self.positions) > 1:
            return abs(float(self.positions[-1] - self.positions[0])) / (len(self.positions) - 1)
        return abs(float(self.affine.matrix[:3, 0] @ self.normal))

    def told(self, point: npt.ArrayLike) -> str:
        """Where a point that lies on no plane lies, in words: mm along the normal, and the nearest planes."""
        at = float(np.asarray(point, dtype=np.float64) @ self.normal)
        order = np.argsort(self.positions)
        above = int(np.searchsorted(self.positions[order], at))
        near = [int(order[n]) for n in (above - 1, above) if 0 <= n < len(order)]
        names = " and ".join(f"plane {k} ({self.positions[k]:.2f} mm)" for k in sorted(near))
        off = min(abs(float(self.positions[k]) - at) for k in near)
        if len(near) == 2:
            return f"at {at:.2f} mm along the normal, between {names} of the image, {off:.2f} mm from the nearest"
        return f"at {at:.2f} mm along the normal, {off:.2f} mm from {names}, the nearest of the image's {self.shape[0]}"

    def _in_plane(self) -> Vectors:
        """(2, 3) map from a vector in the plane to steps along j and i."""
        result: Vectors = np.linalg.pinv(self.affine.matrix[:3, 1:3]).astype(np.float64)
        return result

    def _nearest(self, along: Vectors) -> npt.NDArray[np.int64]:
        order = np.argsort(self.positions)
        ranked = self.positions[order]
        middles = (ranked[1:] + ranked[:-1]) / 2
        nearest: npt.NDArray[np.int64] = order[np.searchsorted(middles, along)]
        return nearest

    def _gaps(self, nearest: npt.NDArray[np.int64], along: Vectors) -> Vectors:
        """The signed mm from one index to the next in the gap that each point lies in."""
        gaps = np.diff(self.positions)
        towards_next = (along - self.positions[nearest]) * gaps[0] >= 0
        result: Vectors = gaps[np.clip(np.where(towards_next, nearest, nearest - 1), 0, len(gaps) - 1)]
        return result


def required_planes(facts: HeaderFacts, what: str) -> Planes:
    """The planes of a resource.

    Raises:
        GeometryError: Its file carries no geometry; `what` says what is to be placed on it.
    """
    planes = Planes.of(facts)
    if planes is None:
        raise GeometryError(f"{what}, but the image has no place in patient space. Give the image as DICOM or NIfTI.")
    return planes
