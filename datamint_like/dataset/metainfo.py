"""Where an item lies in the patient, and what its header says, without identity."""

from __future__ import annotations

from typing import Any

import numpy as np

from datamint_like.imaging.affine import Affine
from datamint_like.imaging.types import Decoded


def metainfo_of(decoded: Decoded, units: str | None) -> dict[str, Any]:
    """The metainfo of a whole item; `affine` maps array index (d, h, w) to patient RAS+ mm."""
    return _metainfo(decoded, decoded.affine, units) | {"plane_origins": decoded.plane_origins}


def slice_metainfo_of(decoded: Decoded, axis: int, index: int, units: str | None) -> dict[str, Any]:
    """The metainfo of one slice; its affine maps (0, h, w), with h and w the slice's own axes.

    Planes of an irregularly spaced series carry their exact position.
    """
    if decoded.affine is None:
        return _metainfo(decoded, None, units)
    matrix = decoded.affine.matrix
    across = [n for n in range(3) if n != axis]
    sliced = np.eye(4)
    sliced[:3, :3] = matrix[:3, [axis, *across]]
    sliced[:3, 3] = matrix[:3, 3] + index * matrix[:3, axis]
    if decoded.plane_origins is not None and axis == decoded.frame_axis:
        sliced[:3, 3] = decoded.plane_origins[index]
    return _metainfo(decoded, Affine(sliced), units)


def _metainfo(decoded: Decoded, affine: Affine | None, units: str | None) -> dict[str, Any]:
    facts = decoded.facts
    return {
        "affine": None if affine is None else affine.matrix.copy(),
        "spacing": None if affine is None else affine.spacing,
        "orientation": None if affine is None else affine.orientation,
        "stored_shape": (facts.channels, *facts.shape),
        "frame_axis": decoded.frame_axis,
        "frame_flipped": decoded.frame_flipped,
        "irregularity": facts.irregularity,
        "units": units,
        "modality": facts.modality,
        "kind": facts.kind,
        "format": facts.format,
        "header": dict(facts.details),
    }
