"""A label map, taken apart into one binary segmentation a label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from datamint_like import imaging
from datamint_like.backends.base import NewAnnotation, NewVolumeMask
from datamint_like.backends.local.annotation_checks import mask_of
from datamint_like.exceptions import ValidationError
from datamint_like.imaging.types import HeaderFacts


def taken_apart(mask: NewVolumeMask, facts: HeaderFacts, filename: str) -> list[NewAnnotation]:
    """One image-scope segmentation for each named label that the map holds, in the order of the names.

    Each file is a NIfTI with the resource's own affine.

    Raises:
        ValidationError: The map holds labels that have no name, or none at all.
        GeometryError: The map lies on another grid than the resource.
    """
    names = mask.names
    if not isinstance(names, Mapping) or not isinstance(mask.payload, bytes):
        raise ValidationError(
            f"A label map for resource {filename!r} is given as bytes, its names as a mapping from label to text."
        )
    labels = mask_of(mask.payload, facts, None, f"label map for resource {filename!r}")
    present = [int(value) for value in np.unique(labels) if value != 0]
    unnamed = [value for value in present if value not in names]
    if unnamed:
        raise ValidationError(
            f"The label map for resource {filename!r} holds labels without a name: {', '.join(map(str, unnamed))}. "
            f"Named are {', '.join(f'{code} ({label})' for code, label in names.items()) or 'none'}."
        )
    if not present:
        raise ValidationError(f"The label map for resource {filename!r} holds background only.")
    return [
        replace(
            mask.template,
            type="segmentation",
            identifier=label,
            scope="image",
            frame_index=None,
            payload=imaging.encode_volume_mask((labels == code).astype(np.uint8), facts),
            payload_name=None,
        )
        for code, label in names.items()
        if code in present
    ]
