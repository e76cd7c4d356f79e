"""Where an item lies in the patient, and what its header says, without identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from datamint_like.imaging.types import Place


def metainfo_of(place: Place, units: str | None) -> dict[str, Any]:
    """The metainfo of a whole item; `affine` maps array index (d, h, w) to patient RAS+ mm."""
    affine = None if place.affine is None else place.affine.matrix.copy()
    return _metainfo(place, affine, (0, 1, 2), units) | {"plane_origins": place.plane_origins}


def slice_metainfo_of(place: Place, axis: int, index: int, units: str | None) -> dict[str, Any]:
    """The metainfo of one slice; its affine maps (0, h, w), with h and w the slice's own axes.

    Planes of an irregularly spaced series carry their exact position.
    """
    axes = (axis, *(n for n in range(3) if n != axis))
    if place.affine is None:
        return _metainfo(place, None, axes, units)
    matrix = place.affine.matrix
    sliced = matrix.take((*axes, 3), axis=1)
    if place.plane_origins is not None and axis == place.frame_axis:
        sliced[:3, 3] = place.plane_origins[index]
    else:
        sliced[:3, 3] += index * matrix[:3, axis]
    return _metainfo(place, sliced, axes, units)


def patch_metainfo_of(place: Place, location: Sequence[tuple[int, int]], units: str | None) -> dict[str, Any]:
    """The metainfo of a patch; `affine` maps its own index (d, h, w), `plane_origins` are NaN beyond the volume."""
    starts = np.array([start for start, _ in location], dtype=np.float64)
    affine = None if place.affine is None else place.affine.matrix.copy()
    if affine is not None:
        affine[:3, 3] += affine[:3, :3] @ starts
    origins = None
    if place.plane_origins is not None and affine is not None:
        axis, known = place.frame_axis, place.plane_origins
        numbers = np.arange(*location[axis])
        there = (numbers >= 0) & (numbers < len(known))
        starts[axis] = 0
        origins = np.full((len(numbers), 3), np.nan)
        origins[there] = known[numbers[there]] + affine[:3, :3] @ starts
    return _metainfo(place, affine, (0, 1, 2), units) | {"plane_origins": origins}


def _metainfo(
    place: Place, affine: npt.NDArray[np.float64] | None, axes: tuple[int, ...], units: str | None
) -> dict[str, Any]:
    """The metainfo of an item whose axes are these of the whole item."""
    facts, spacing, letters = place.facts, place.spacing, place.orientation
    return {
        "affine": affine,
        "spacing": None if spacing is None else tuple(spacing[axis] for axis in axes),
        "orientation": None if letters is None else "".join(letters[axis] for axis in axes),
        "stored_shape": (facts.channels, *facts.shape),
        "frame_axis": place.frame_axis,
        "frame_flipped": place.frame_flipped,
        "irregularity": facts.irregularity,
        "units": units,
        "modality": facts.modality,
        "kind": facts.kind,
        "format": facts.format,
        "header": {key: list(value) if isinstance(value, list) else value for key, value in facts.details.items()},
    }
