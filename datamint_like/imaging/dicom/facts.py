"""Header facts of DICOM files that make one resource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging.dicom.frames import Frame, frames_of, is_video
from datamint_like.imaging.dicom.geometry import Stack, stack
from datamint_like.imaging.dicom.header import DicomFile, number
from datamint_like.imaging.dicom.values import ValueRule, rules_of, units_of
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


@dataclass(frozen=True)
class Plan:
    """A resource, ready to be decoded: its files' frames in order, and how each file's values are read."""

    facts: HeaderFacts
    frames: tuple[Frame, ...]
    stack: Stack
    rules: tuple[ValueRule, ...]


def plan(files: Sequence[DicomFile]) -> Plan:
    """The plan for the files of one resource, in part order.

    Raises:
        DecodeError: A header is malformed, or files of different size are mixed.
        GeometryError: The frames do not make one volume.
    """
    first = files[0]
    frames = tuple(frame for part, file in enumerate(files) for frame in frames_of(file, part))
    if len({(file.pixels.rows, file.pixels.columns) for file in files}) > 1:
        raise GeometryError("its planes are of several sizes, which one volume cannot hold.")
    rules = tuple(rules_of(files, frames))
    video = is_video(first)
    placed = Stack(grid=(tuple(range(len(frames))),)) if video else stack(frames, _thickness(first))
    if len(placed.grid) > 1 and rules[0].channels > 1:
        raise GeometryError("it holds colour at several time points, which is not supported.")
    kind: Kind = "video" if video else "volume" if len(frames) > 1 and len(placed.grid[0]) > 1 else "image"
    return Plan(_facts(files, frames, placed, rules, kind), frames, placed, rules)


def _facts(
    files: Sequence[DicomFile], frames: Sequence[Frame], placed: Stack, rules: Sequence[ValueRule], kind: Kind
) -> HeaderFacts:
    dataset, pixels = files[0].dataset, files[0].pixels
    return HeaderFacts(
        format="dicom",
        kind=kind,
        mimetype="application/dicom",
        channels=rules[0].channels * len(placed.grid),
        shape=(len(placed.grid[0]), pixels.rows, pixels.columns),
        dtype=rules[0].dtype,
        affine=placed.affine,
        plane_origins=placed.plane_origins,
        irregularity=placed.irregularity,
        units=units_of(files[0], frames),
        modality=_text(dataset, "Modality"),
        patient_id=_text(dataset, "PatientID"),
        study_uid=_text(dataset, "StudyInstanceUID"),
        series_uid=_text(dataset, "SeriesInstanceUID"),
        instance_uid=_text(dataset, "SOPInstanceUID"),
        details=_details(dataset, pixels.syntax),
    )


def _thickness(file: DicomFile) -> float | None:
    """The mm between planes that a single plane stands for: its thickness."""
    value = number(file.dataset, "SliceThickness")
    if value is None:
        shared = file.dataset.get("SharedFunctionalGroupsSequence")
        measures = shared[0].get("PixelMeasuresSequence") if shared else None
        value = number(measures[0], "SliceThickness") if measures else None
    return value if value and value > 0 else None


def _text(dataset: Dataset, keyword: str) -> str | None:
    value = dataset.get(keyword)
    return str(value).strip() or None if value is not None else None


def _details(dataset: Dataset, syntax: str) -> dict[str, Any]:
    result: dict[str, Any] = {"TransferSyntaxUID": str(syntax)}
    for keyword in _DETAILS:
        if keyword in dataset and (value := _json_value(dataset, keyword)) is not None:
            result[keyword] = value
    return result


def _json_value(dataset: Dataset, keyword: str) -> Any:
    """A short value as JSON builtins, or None: what is malformed or long is left out, since nothing rests on it."""
    try:
        value = dataset[keyword].value
        values = list(value) if isinstance(value, MultiValue) else [value]
        plain = [int(v) if isinstance(v, int) else float(v) if isinstance(v, float) else _plain(v) for v in values]
    except (ValueError, TypeError, ArithmeticError, DecodeError):
        return None
    if any(v is None or v == "" or (isinstance(v, str) and len(v) > _LONGEST_DETAIL) for v in plain):
        return None
    return plain if isinstance(value, MultiValue) else plain[0]


def _plain(value: Any) -> Any:
    if value is None:
        return None
    text = str(value)
    try:
        return float(text) if type(value).__name__.startswith("DS") else text
    except ValueError:
        return text
