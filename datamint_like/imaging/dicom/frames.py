"""The frames of a DICOM file: where each lies, how it is rescaled, what orders it among others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom.header import DicomFile, number, numbers

#: SOP classes whose frames are time: ultrasound, XA, RF, and visible-light video.
_VIDEO_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.3",
    "1.2.840.10008.5.1.4.1.1.12.1",
    "1.2.840.10008.5.1.4.1.1.12.2",
    "1.2.840.10008.5.1.4.1.1.77.1.1.1",
    "1.2.840.10008.5.1.4.1.1.77.1.2.1",
    "1.2.840.10008.5.1.4.1.1.77.1.4.1",
)
_NO_VIDEO_CLASSES = ("1.2.840.10008.5.1.4.1.1.3.1.1",)
#: Smallest sine between rows and columns.
_SPANS_A_PLANE = 0.1
_FRAME_TIME_TAGS = (0x00181063, 0x00181065)


@dataclass(frozen=True, slots=True)
class Frame:
    """One plane of pixels.

    Attributes:
        part: Index of its file in the resource.
        number: Index of the frame in the file.
        position: Patient LPS mm of the centre of its first pixel (Image Position Patient), or None.
        orientation: Direction of rows, then of columns, in LPS (Image Orientation Patient), or None.
        spacing: mm between rows, between columns, or None.
        slope, intercept: Rescale; 1 and 0 where the header has none.
        scale: Rescale Type of a frame that is rescaled (empty where not named), None of one that is not.
        order: What sorts frames at one position: time point, acquisition time, echo, diffusion, dimension index.
        instance: Instance number, else frame number.
    """

    part: int
    number: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    slope: float
    intercept: float
    scale: str | None
    order: tuple[Any, ...]
    instance: int


def frames_of(file: DicomFile, part: int) -> list[Frame]:
    """The frames of a file in the order of its pixels.

    Raises:
        DecodeError: A geometry or rescale element is malformed, or functional groups are too few.
    """
    dataset, count = file.dataset, file.pixels.frames
    groups = _sequence(dataset, "PerFrameFunctionalGroupsSequence")
    shared = _first(dataset, "SharedFunctionalGroupsSequence")
    if groups and len(groups) < count:
        raise DecodeError(f"its header claims {count} frames but describes {len(groups)}.")
    if groups or shared is not None:
        return [_enhanced(file, part, n, groups[n] if groups else None, shared) for n in range(count)]
    frame = _classic(dataset, part)
    if count == 1:
        return [frame]
    return list(_repeated(frame, dataset, count))


def is_video(file: DicomFile) -> bool:
    """Whether the frames of this file are moments, not places."""
    if file.pixels.frames < 2:
        return False
    sop_class = str(file.dataset.get("SOPClassUID") or "")
    if sop_class in _NO_VIDEO_CLASSES:
        return False
    if any(sop_class == known or sop_class.startswith(f"{known}.") for known in _VIDEO_CLASSES):
        return True
    pointer = file.dataset.get("FrameIncrementPointer")
    pointers = pointer if isinstance(pointer, Sequence) and not isinstance(pointer, str) else [pointer]
    return any(tag in _FRAME_TIME_TAGS for tag in pointers if tag is not None)


def _classic(dataset: Dataset, part: int) -> Frame:
    """The frame of a file that describes it in its root."""
    position, orientation = numbers(dataset, "ImagePositionPatient", 3), _orientation(dataset)
    slope, intercept = _rescale(dataset)
    echo = number(dataset, "EchoTime")
    return Frame(
        part=part,
        number=0,
        position=position if orientation else None,
        orientation=orientation if position else None,
        spacing=_spacing(dataset),
        slope=slope,
        intercept=intercept,
        scale=_scale(dataset),
        order=(
            number(dataset, "TemporalPositionIdentifier") or 0.0,
            str(dataset.get("AcquisitionTime") or ""),
            echo or 0.0,
            number(dataset, "DiffusionBValue") or 0.0,
        ),
        instance=int(number(dataset, "InstanceNumber") or 0),
    )


def _repeated(frame: Frame, dataset: Dataset, count: int) -> Iterator[Frame]:
    """Frames of a multi-frame file without functional groups: placed only by RT Dose's frame offsets."""
    offsets = numbers(dataset, "GridFrameOffsetVector", count)
    placed = frame.position is not None and frame.orientation is not None and offsets is not None
    for index in range(count):
        position = None
        if placed and frame.position and frame.orientation and offsets:
            row, column = np.array(frame.orientation[:3]), np.array(frame.orientation[3:])
            relative = offsets[index] - offsets[0] if offsets[0] == 0 else offsets[index] - frame.position[2]
            position = tuple(float(v) for v in np.array(frame.position) + np.cross(row, column) * relative)
        yield Frame(
            part=frame.part,
            number=index,
            position=position,
            orientation=frame.orientation if placed else None,
            spacing=frame.spacing,
            slope=frame.slope,
            intercept=frame.intercept,
            scale=frame.scale,
            order=(),
            instance=index,
        )


def _enhanced(file: DicomFile, part: int, index: int, own: Dataset | None, shared: Dataset | None) -> Frame:
    """A frame that functional groups describe: its own, then the shared ones (PS3.3 C.7.6.16)."""

    def group(name: str) -> Dataset | None:
        found = _first(own, name)
        return _first(shared, name) if found is None else found

    position = numbers(group("PlanePositionSequence"), "ImagePositionPatient", 3)
    orientation = _orientation(group("PlaneOrientationSequence"))
    transform = group("PixelValueTransformationSequence")
    slope, intercept = _rescale(file.dataset if transform is None else transform)
    content, diffusion = group("FrameContentSequence"), group("MRDiffusionSequence")
    dimensions = () if content is None else content.get("DimensionIndexValues") or ()
    dimensions = (dimensions,) if isinstance(dimensions, int) else tuple(dimensions)
    return Frame(
        part=part,
        number=index,
        position=position if orientation else None,
        orientation=orientation if position else None,
        spacing=_spacing(group("PixelMeasuresSequence") or file.dataset),
        slope=slope,
        intercept=intercept,
        scale=_scale(file.dataset if transform is None else transform),
        order=(
            number(content, "TemporalPositionIndex") or 0.0,
            str("" if content is None else content.get("FrameAcquisitionDateTime") or ""),
            number(group("MREchoSequence"), "EffectiveEchoTime") or 0.0,
            number(diffusion, "DiffusionBValue") or 0.0,
            tuple(int(value) for value in dimensions),
        ),
        instance=index,
    )


def _rescale(dataset: Dataset) -> tuple[float, float]:
    """Slope and intercept; RT Dose has a scaling of its own.

    Raises:
        DecodeError: The slope is zero, which would erase the image.
    """
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
    dose = number(dataset, "DoseGridScaling")
    if dose is not None and slope is None:
        slope = dose
    if slope == 0:
        raise DecodeError("its Rescale Slope is 0, which gives every pixel one value.")
    return 1.0 if slope is None else slope, 0.0 if intercept is None else intercept


def _orientation(dataset: Dataset | None) -> tuple[float, ...] | None:
    """Image Orientation (Patient), or None where rows and columns span no plane (some writers put zeros)."""
    found = numbers(dataset, "ImageOrientationPatient", 6)
    return found if found and float(np.linalg.norm(np.cross(found[:3], found[3:]))) > _SPANS_A_PLANE else None


def _scale(dataset: Dataset) -> str | None:
    """The Rescale Type where there is a rescale: empty where it has no name, None where there is no rescale."""
    return str(dataset.get("RescaleType") or "") if "RescaleSlope" in dataset else None


def _spacing(dataset: Dataset) -> tuple[float, ...] | None:
    spacing = numbers(dataset, "PixelSpacing", 2)
    if spacing is not None and min(spacing) <= 0:
        return None
    return spacing


def _sequence(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    value = dataset.get(keyword)
    return value if value is not None else ()


def _first(dataset: Dataset | None, keyword: str) -> Dataset | None:
    if dataset is None:
        return None
    value = dataset.get(keyword)
    return value[0] if value else None
