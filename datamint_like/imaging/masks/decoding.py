"""Mask files of several classes, whichever kind they are, on the grid of their resource."""

from __future__ import annotations

from dataclasses import replace

from datamint_like.config import DEFAULT_MAX_VOXELS
from datamint_like.exceptions import GeometryError
from datamint_like.imaging._reading_errors import reading, refuse_oversized
from datamint_like.imaging.dicom.objects import read_object
from datamint_like.imaging.masks.references import references_of
from datamint_like.imaging.masks.rtstruct import decode_rtstruct
from datamint_like.imaging.masks.seg import decode_seg
from datamint_like.imaging.masks.segments import Segmentation
from datamint_like.imaging.types import HeaderFacts, References


def decode_segments(
    payload: bytes,
    facts: HeaderFacts,
    *,
    name: str,
    threshold: float = 0.5,
    max_voxels: int = DEFAULT_MAX_VOXELS,
) -> Segmentation:
    """The classes of a DICOM SEG or RTSTRUCT, each on the grid of the resource in its stored orientation.

    Classes may overlap. Nothing is resampled: frames and contours must lie on the planes of the resource.

    Args:
        payload: The bytes of the file.
        facts: Header facts of the resource.
        name: What the file is called in errors.
        threshold: The fraction (probability or occupancy) from which on a voxel of a FRACTIONAL SEG counts.
        max_voxels: Refuse a header that claims more.

    Raises:
        DecodeError: It is neither, is damaged or too large, or is a kind that is not supported (tiles of a slide).
        GeometryError: It lies on another grid, or on planes that the resource does not have.

    Example:
        >>> from pathlib import Path
        >>> from datamint_like.imaging import decode_segments, probe
        >>> facts = probe(sorted(Path("ct").glob("*.dcm")))
        >>> found = decode_segments(Path("seg.dcm").read_bytes(), facts, name="seg.dcm")
        >>> [(segment.name, segment.array.shape) for segment in found.segments]
        [('Liver', (32, 128, 128))]
    """
    with reading(name):
        refuse_oversized(facts.shape[0] * facts.shape[1] * facts.shape[2], max_voxels)
        file = read_object(payload, name, max_voxels=max_voxels)
        references = references_of(file)
        try:
            is_seg = references.kind == "seg"
            found = decode_seg(file, facts, threshold=threshold) if is_seg else decode_rtstruct(file, facts)
            return replace(found, instance_uid=references.instance_uid)
        except GeometryError as error:
            raise GeometryError(f"{error}{_likely_reason(references, facts)}") from error


def _likely_reason(references: References, facts: HeaderFacts) -> str:
    """Why a mask may not fit: it names another series, or more images than there are here."""
    named = len(references.instance_uids)
    if facts.series_uid and references.series_uids and facts.series_uid not in references.series_uids:
        return (
            f" It was drawn on the series {references.series_uids[0]}; this image is of the series {facts.series_uid}."
        )
    if facts.kind == "volume" and named > facts.shape[0]:
        return f" It references {named} images, of which this series has at most {facts.shape[0]}: some are missing."
    return ""
