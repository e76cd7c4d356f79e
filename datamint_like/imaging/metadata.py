"""Header facts as a resource's `metadata`, and back: JSON-ready, without identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datamint_like.entities import Resource
from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging.affine import Affine
from datamint_like.imaging.types import HeaderFacts


def facts_to_metadata(facts: HeaderFacts) -> dict[str, Any]:
    """The facts as JSON-ready builtins.

    `frame_count`, `width`, `height` and `channel_count` are what published clients read. Name, birth date,
    patient id and UIDs are not in it: those a resource needs are fields of the resource.

    Example:
        >>> from datamint_like.imaging import probe
        >>> facts_to_metadata(probe(sorted(Path("ct").iterdir())))["shape"]
        [32, 128, 128]
    """
    planes, rows, columns = facts.shape
    return {
        "frame_count": planes,
        "width": columns,
        "height": rows,
        "channel_count": facts.channels,
        "kind": facts.kind,
        "format": facts.format,
        "mimetype": facts.mimetype,
        "shape": [planes, rows, columns],
        "dtype": facts.dtype,
        "affine": facts.affine.matrix.tolist() if facts.affine else None,
        "spacing": list(facts.affine.spacing) if facts.affine else None,
        "plane_origins": [list(origin) for origin in facts.plane_origins] if facts.plane_origins else None,
        "irregularity": facts.irregularity,
        "units": facts.units,
        "header": dict(facts.details),
    }


def facts_from_metadata(
    metadata: Mapping[str, Any],
    *,
    modality: str | None = None,
    patient_id: str | None = None,
    study_uid: str | None = None,
    series_uid: str | None = None,
    instance_uid: str | None = None,
) -> HeaderFacts | None:
    """The facts that `facts_to_metadata` wrote, or None where the metadata is not (all) ours.

    Example:
        >>> facts_from_metadata(head.metadata, modality=head.modality).units
        'HU'
        >>> facts_from_metadata({"of": "another tool"}) is None
        True
    """
    try:
        planes, rows, columns = (int(extent) for extent in metadata["shape"])
        affine, origins = metadata.get("affine"), metadata.get("plane_origins")
        return HeaderFacts(
            format=str(metadata["format"]),
            kind=metadata["kind"],
            mimetype=str(metadata["mimetype"]),
            channels=int(metadata["channel_count"]),
            shape=(planes, rows, columns),
            dtype=str(metadata["dtype"]),
            affine=Affine(affine) if affine else None,
            plane_origins=tuple((float(x), float(y), float(z)) for x, y, z in origins) if origins else None,
            irregularity=metadata.get("irregularity"),
            units=metadata.get("units"),
            modality=modality,
            patient_id=patient_id,
            study_uid=study_uid,
            series_uid=series_uid,
            instance_uid=instance_uid,
            details=dict(metadata.get("header") or {}),
        )
    except (KeyError, TypeError, ValueError, GeometryError):
        return None


def facts_of(resource: Resource) -> HeaderFacts | None:
    """The header facts that a resource's row holds, or None where the store has none of ours.

    Example:
        >>> facts_of(head).shape
        (32, 128, 128)
    """
    return facts_from_metadata(
        resource.metadata,
        modality=resource.modality,
        patient_id=resource.patient_id,
        study_uid=resource.study_uid,
        series_uid=resource.series_uid,
        instance_uid=resource.instance_uid,
    )


def required_facts(resource: Resource) -> HeaderFacts:
    """The header facts that a resource's row holds.

    Raises:
        DecodeError: The row holds none of ours.

    Example:
        >>> required_facts(xray).dtype
        'uint8'
    """
    facts = facts_of(resource)
    if facts is None:
        raise DecodeError(
            f"Resource {resource.id} ({resource.filename}) has no header facts, so its size and place are unknown. "
            "Import its file again."
        )
    return facts
