"""Between files and rows: which files make one resource, and header facts as a resource's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from datamint_like import imaging
from datamint_like.backends.base import NewResource
from datamint_like.backends.local.changes import json_ready
from datamint_like.backends.local.files import plain_name
from datamint_like.exceptions import ValidationError
from datamint_like.imaging.types import Assembly, HeaderFacts

#: Class names by which clients tell resources apart.
_STORAGE = {"dicom": "DicomResource", "nifti": "NiftiResource"}
_MODALITY = ("modality", "Modality")
_PATIENT = ("patient_id", "PatientID")


def parts_and_facts(new: NewResource) -> tuple[tuple[Path, ...], HeaderFacts]:
    """The files of a resource in part order, and what their headers tell.

    Raises:
        ValidationError: There are no files, or they are not exactly one resource.
        DecodeError, GeometryError: The files cannot be read as an image.
    """
    if not new.paths:
        raise ValidationError(f"Resource {new.filename!r} has no files: give at least one path.")
    if new.facts is not None:
        return new.paths, new.facts
    found = imaging.assemble(new.paths)
    if len(found.groups) != 1 or len(found.groups[0].paths) != len(new.paths):
        raise ValidationError(_not_one(new, found))
    return found.groups[0].paths, found.groups[0].facts


def described(new: NewResource, facts: HeaderFacts) -> HeaderFacts:
    """`facts` with the modality and patient that the uploader states, whose word counts before the file's."""
    modality = new.modality or _stated(new.metadata, _MODALITY) or facts.modality
    return replace(facts, modality=modality, patient_id=_stated(new.metadata, _PATIENT) or facts.patient_id)


def metadata_of(facts: HeaderFacts, given: Mapping[str, Any]) -> dict[str, Any]:
    """Header facts as metadata, with what the uploader adds.

    A key that the header facts have already keeps their value; the uploader's goes under `"user"`. The modality
    and the patient's id are fields of the resource and left out.

    Raises:
        ValidationError: What the uploader adds is not JSON-ready.
    """
    own: dict[str, Any] = dict(imaging.facts_to_metadata(facts))
    given = json_ready(dict(given), "metadata")
    added = {key: value for key, value in given.items() if key not in (*_MODALITY, *_PATIENT)}
    taken = {*own, "user"} if own.keys() & added.keys() else set()
    clashes = {key: value for key, value in added.items() if key in taken}
    free = {key: value for key, value in added.items() if key not in taken}
    return {**own, **free, **({"user": clashes} if clashes else {})}


def storage_class(facts: HeaderFacts) -> str:
    """Name of the class that clients take for the resource."""
    return _STORAGE.get(facts.format) or ("VideoResource" if facts.kind == "video" else "ImageResource")


def _stated(metadata: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    values = [str(metadata[key]) for key in keys if metadata.get(key)]
    return values[0] if values else None


def _not_one(new: NewResource, found: Assembly) -> str:
    """The message for files that are not exactly one resource."""
    reasons = [f"{plain_name(each.path)}: {each.reason}" for each in found.skipped]
    reasons += [f"{plain_name(each.path)}: it is no image, but annotates one" for each in found.annotations]
    groups = [f"{group.filename} ({len(group.paths)} file(s))" for group in found.groups]
    lines = [
        f"The {len(new.paths)} file(s) given for resource {new.filename!r} must be one image or one series; "
        f"found {len(groups)}{': ' + _some(groups) if groups else ''}."
    ]
    if reasons:
        lines.append(f"Left out {len(reasons)}: {_some(reasons)}.")
    if len(groups) > 1:
        lines.append("Upload each group as a resource of its own.")
    return " ".join(lines)


def _some(items: list[str]) -> str:
    more = f"; and {len(items) - 5} more" if len(items) > 5 else ""
    return "; ".join(items[:5]) + more
