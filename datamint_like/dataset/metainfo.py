"""Where an item lies in the patient, and what its header says, without identity."""

from __future__ import annotations

from typing import Any

import numpy as np

from datamint_like.imaging.affine import Affine
from datamint_like.imaging.types import Place


def metainfo_of(place: Place, units: str | None) -> dict[str, Any]:
    """The metainfo of a whole item; `affine` maps array index (d, h, w) to patient RAS+ mm."""
    return _metainfo(place, place.affine, units) | {"plane_origins": place.plane_origins}


def slice_metainfo_of(place: Place, axis: int, index: int, units: str | None) -> dict[str, Any]:
    """The metainfo of one slice; its affine maps (0, h, w), with h and w the slice's own axes.

    Planes of an irregularly spaced series carry their exact position.
    """
    if place.affine is None:
        return _metainfo(place, None, units)
    matrix = place.affine.matrix
    across = [n for n in range(3) if n != axis]
    sliced = np.eye(4)
    sliced[:3, :3] = matrix[:3, [axis, *across]]
    sliced[:3, 3] = matrix[:3, 3] + index * matrix[:3, axis]
    if place.plane_origins is not None and axis == place.frame_axis:
        sliced[:3, 3] = place.plane_origins[index]
    return _metainfo(place, Affine(sliced), units)


def _metainfo(place: Place, affine: Affine | None, units: str | None) -> dict[str, Any]:
    facts = place.facts
    return {
        "affine": None if affine is None else affine.matrix.copy(),
        "spacing": None if affine is None else affine.spacing,
        "orientation": None if affine is None else affine.orientation,
        "stored_shape": (facts.channels, *facts.shape),
        "frame_axis": place.frame_axis,
        "frame_flipped": place.frame_flipped,
        "irregularity": facts.irregularity,
        "units": units,
        "modality": facts.modality,
        "kind": facts.kind,
        "format": facts.format,
        "header": dict(facts.details),
    }
