"""A label map brought to the grid of a resource by nearest neighbour: no label is mixed, none is made up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from datamint_like.exceptions import GeometryError
from datamint_like.imaging.affine import Affine
from datamint_like.imaging.types import Array, HeaderFacts

#: Voxels whose indices are computed at once.
_AT_ONCE = 1 << 20


def resampled(labels: Array, affine: Affine, facts: HeaderFacts) -> Array:
    """The labels (K, J, I) on the grid of a resource, each of its voxels with the label at its centre.

    A centre in the middle between two voxels of the map takes the one of the higher index; outside the map is
    background, 0. Planes of an irregular series are taken where they really lie.

    Args:
        labels: The label map on its own grid (k, j, i).
        affine: Index of the map (k, j, i) to patient RAS+ mm.
        facts: Header facts of the resource.

    Raises:
        GeometryError: The resource has no place in space.
    """
    if facts.affine is None:
        raise GeometryError("the image has no place in space, so no mask can be resampled to it.")
    out = np.zeros(facts.shape, dtype=labels.dtype)
    to_map = np.linalg.inv(affine.matrix)
    row, column = (to_map[:3, :3] @ facts.affine.matrix[:3, axis] for axis in (1, 2))
    along = column[:, None] * np.arange(facts.shape[2])
    step = max(1, _AT_ONCE // facts.shape[2])
    for plane, origin in enumerate(_plane_origins(facts)):
        start = to_map[:3, :3] @ origin + to_map[:3, 3]
        for first in range(0, facts.shape[1], step):
            rows = np.arange(first, min(first + step, facts.shape[1]))
            index = (start[:, None] + row[:, None] * rows)[:, :, None] + along[:, None, :]
            _take(out[plane, first : first + len(rows)], labels, index)
    return out


def _plane_origins(facts: HeaderFacts) -> npt.NDArray[np.float64]:
    """(planes, 3) patient RAS+ mm of the first pixel of each stored plane."""
    if facts.plane_origins is not None:
        return np.array(facts.plane_origins, dtype=np.float64)
    assert facts.affine is not None
    matrix = facts.affine.matrix
    planes: npt.NDArray[np.float64] = matrix[:3, 3] + np.arange(facts.shape[0])[:, None] * matrix[:3, 0]
    return planes


def _take(out: Array, labels: Array, index: npt.NDArray[np.float64]) -> None:
    """Write the labels at fractional indices (3, rows, columns) that lie in the map to `out` (rows, columns)."""
    nearest = np.floor(index + 0.5)
    extents = np.array(labels.shape, dtype=np.float64)[:, None, None]
    inside = ((nearest >= 0) & (nearest < extents)).all(axis=0)
    k, j, i = nearest[:, inside].astype(np.intp)
    out[inside] = labels[k, j, i]
