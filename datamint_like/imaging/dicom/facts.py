"""Header facts of DICOM files that make one resource."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.multival import MultiValue

from datamint_like.imaging.dicom.elements import Elements
from datamint_like.imaging.dicom.geometry import Stack
from datamint_like.imaging.dicom.header import DicomFile
from datamint_like.imaging.dicom.texts import text_of, valid_text
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
_NUMBERS = ("DS", "IS", "US", "SS", "UL", "SL", "FL", "FD")


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
        modality=text_of(elements, "Modality"),
        patient_id=text_of(elements, "PatientID"),
        study_uid=text_of(elements, "StudyInstanceUID"),
        series_uid=text_of(elements, "SeriesInstanceUID"),
        instance_uid=text_of(elements, "SOPInstanceUID"),
        details=_details(elements, pixels.syntax),
    )


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
    vr, multiplicity = _described(keyword)
    if not isinstance(value, (list, MultiValue)):
        return _plain(value, vr)
    values = [_plain(each, vr) for each in value]
    return None if None in values or multiplicity == "1" else values


@lru_cache(maxsize=len(_DETAILS))
def _described(keyword: str) -> tuple[str, str]:
    """VR and multiplicity by the dictionary; codes are taken as short texts, since many files write them freely."""
    tag = tag_for_keyword(keyword) or 0
    vr = dictionary_VR(tag)
    return "LO" if vr == "CS" else vr, dictionary_VM(tag)


def _plain(value: Any, vr: str) -> int | float | str | None:
    """The number as a builtin, or the text where it is short, not empty, what its VR allows, and no person's name."""
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    text = None if vr in _NUMBERS else valid_text(value, vr)
    if text is None or len(text) > _LONGEST_DETAIL or "^" in text:  # one flipped bit makes (0010,0010) (0018,0010)
        return None
    return text
