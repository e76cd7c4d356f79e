"""Header facts of DICOM files that make one resource."""

from __future__ import annotations

from typing import Any

from pydicom.multival import MultiValue

from datamint_like.imaging.dicom.elements import Elements
from datamint_like.imaging.dicom.geometry import Stack
from datamint_like.imaging.dicom.header import DicomFile
from datamint_like.imaging.dicom.values import ValueRule
from datamint_like.imaging.types import HeaderFacts, Kind

#: Header elements kept in `details`: technique, no identity, no free text, no dates.
_DETAILS = (
    "Manufacturer",
    "ManufacturerModelName",
    "ImageType",
    "SOPClassUID",
    "BodyPartExamined",
    "Laterality",
    "ViewPosition",
    "PatientPosition",
    "SeriesNumber",
    "AcquisitionNumber",
    "SliceThickness",
    "SpacingBetweenSlices",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "GantryDetectorTilt",
    "KVP",
    "XRayTubeCurrent",
    "Exposure",
    "ConvolutionKernel",
    "ContrastBolusAgent",
    "MagneticFieldStrength",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "FrameTime",
    "RecommendedDisplayFrameRate",
    "WindowCenter",
    "WindowWidth",
    "RescaleType",
    "PhotometricInterpretation",
    "BitsStored",
    "PixelRepresentation",
    "LossyImageCompression",
    "BurnedInAnnotation",
)
_LONGEST_DETAIL = 64


def facts_of(
    first: DicomFile, placed: Stack, rule: ValueRule, *, size: tuple[int, int], kind: Kind, units: str | None
) -> HeaderFacts:
    """The facts of a resource by its first file, the place and size of its planes, and how its values are read."""
    elements, pixels = first.elements, first.pixels
    return HeaderFacts(
        format="dicom",
        kind=kind,
        mimetype="application/dicom",
        channels=rule.channels * len(placed.grid),
        shape=(len(placed.grid[0]), *size),
        dtype=rule.dtype,
        affine=placed.affine,
        plane_origins=placed.plane_origins,
        irregularity=placed.irregularity,
        units=units,
        modality=_text(elements, "Modality"),
        patient_id=_text(elements, "PatientID"),
        study_uid=_text(elements, "StudyInstanceUID"),
        series_uid=_text(elements, "SeriesInstanceUID"),
        instance_uid=_text(elements, "SOPInstanceUID"),
        details=_details(elements, pixels.syntax),
    )


def _text(elements: Elements, keyword: str) -> str | None:
    value = elements.get(keyword)
    return str(value).strip() or None if value is not None else None


def _details(elements: Elements, syntax: str) -> dict[str, Any]:
    result: dict[str, Any] = {"TransferSyntaxUID": str(syntax)}
    for keyword in _DETAILS:
        if keyword in elements and (value := _json_value(elements, keyword)) is not None:
            result[keyword] = value
    return result


def _json_value(elements: Elements, keyword: str) -> Any:
    """A short value as JSON builtins, or None: what is malformed or long is left out, since nothing rests on it."""
    try:
        value = elements.get(keyword)
    except (ValueError, TypeError, ArithmeticError):
        return None
    if not isinstance(value, (list, MultiValue)):
        return _plain(value)
    values = [_plain(each) for each in value]
    return None if None in values else values


def _plain(value: Any) -> int | float | str | None:
    """The number as a builtin, or the text where it is short and not empty."""
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    text = "" if value is None else str(value)
    return text if 0 < len(text) <= _LONGEST_DETAIL else None
