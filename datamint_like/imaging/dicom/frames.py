"""The frames of a DICOM file: where each lies, how it is rescaled, what orders it among others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging.dicom.elements import Elements
from datamint_like.imaging.dicom.header import DicomFile, number, numbers
from datamint_like.imaging.dicom.mosaic import Mosaic, mosaic_of, step_of
from datamint_like.imaging.dicom.traits import Traits, classic_traits, enhanced_traits

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
_NUCLEAR = "1.2.840.10008.5.1.4.1.1.20"
#: Smallest z of the normal of a plane that is axial.
_AXIAL = 0.999
_FRAME_TIME_TAGS = (0x00181063, 0x00181065)


@dataclass(frozen=True, slots=True)
class Frame:
    """One plane of pixels.

    Attributes:
        part: Index of its file in the resource; 0 until the plan of the resource says it.
        number: Index of the frame in the file.
        position: Patient LPS mm of the centre of its first pixel (Image Position Patient), or None.
        orientation: Direction of rows, then of columns, in LPS (Image Orientation Patient), or None.
        spacing: mm between rows, between columns, or None.
        slope, intercept: Rescale; 1 and 0 where the header has none.
        scale: Rescale Type of a frame that is rescaled (empty where not named), None of one that is not.
        traits: What tells frames at one position apart.
        instance: Instance number of the file, then frame number in it.
    """

    part: int
    number: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    slope: float
    intercept: float
    scale: str | None
    traits: Traits
    instance: tuple[int, int]


def frames_of(file: DicomFile) -> list[Frame]:
    """The frames of a file in the order of its pixels.

    Raises:
        DecodeError: A geometry or rescale element is malformed, or functional groups are too few.
        GeometryError: It is a mosaic that cannot be cut into planes.
    """
    elements, count = file.elements, file.pixels.frames
    groups = elements.items("PerFrameFunctionalGroupsSequence", most=count)
    shared = elements.first("SharedFunctionalGroupsSequence")
    if groups and len(groups) < count:
        raise DecodeError(f"its header claims {count} frames but describes {len(groups)}.")
    if groups or shared is not None:
        common = cache(lambda name: None if shared is None else shared.first(name))
        return [_enhanced(file, n, groups[n] if groups else None, common) for n in range(count)]
    frame = _classic(elements)
    if count > 1:
        return list(_repeated(frame, elements, count))
    mosaic = mosaic_of(elements, file.pixels)
    return [frame] if mosaic is None else _tiles(frame, elements, mosaic)


def is_video(file: DicomFile) -> bool:
    """Whether the frames of this file are moments, not places."""
    if file.pixels.frames < 2:
        return False
    sop_class = str(file.elements.get("SOPClassUID") or "")
    if sop_class in _NO_VIDEO_CLASSES:
        return False
    if any(sop_class == known or sop_class.startswith(f"{known}.") for known in _VIDEO_CLASSES):
        return True
    pointer = file.elements.get("FrameIncrementPointer")
    pointers = pointer if isinstance(pointer, Sequence) and not isinstance(pointer, str) else [pointer]
    return any(tag in _FRAME_TIME_TAGS for tag in pointers if tag is not None)


def _classic(elements: Elements) -> Frame:
    """The frame of a file that describes it in its root, a nuclear one in its detector (PS3.3 C.8.4.11)."""
    place: Elements | None = elements
    if elements.get("SOPClassUID") == _NUCLEAR and "ImagePositionPatient" not in elements:
        place = elements.first("DetectorInformationSequence")
    position, orientation = numbers(place, "ImagePositionPatient", 3), _orientation(place)
    slope, intercept = _rescale(elements)
    return Frame(
        part=0,
        number=0,
        position=position if orientation else None,
        orientation=orientation if position else None,
        spacing=_spacing(elements),
        slope=slope,
        intercept=intercept,
        scale=_scale(elements),
        traits=classic_traits(elements),
        instance=(int(number(elements, "InstanceNumber") or 0), 0),
    )


def _tiles(frame: Frame, elements: Elements, mosaic: Mosaic) -> list[Frame]:
    """The planes of a mosaic.

    Raises:
        GeometryError: Nothing says where they lie.
    """
    step = step_of(elements)
    if frame.position is None or frame.orientation is None or frame.spacing is None or step is None:
        raise GeometryError("it is a Siemens mosaic whose header does not say where its planes lie.")
    positions = mosaic.positions(frame.position, frame.orientation, frame.spacing, step)
    return [
        replace(frame, number=index, position=position, instance=(frame.instance[0], index))
        for index, position in enumerate(positions)
    ]


def _repeated(frame: Frame, elements: Elements, count: int) -> Iterator[Frame]:
    """Frames of a multi-frame file without functional groups; dose grids and nuclear volumes place them."""
    positions = _grid_positions(frame, elements, count) or _nuclear_positions(frame, elements, count)
    for index in range(count):
        yield Frame(
            part=frame.part,
            number=index,
            position=None if positions is None else positions[index],
            orientation=None if positions is None else frame.orientation,
            spacing=frame.spacing,
            slope=frame.slope,
            intercept=frame.intercept,
            scale=frame.scale,
            traits=Traits(),
            instance=(frame.instance[0], index),
        )


def _grid_positions(frame: Frame, elements: Elements, count: int) -> list[tuple[float, ...]] | None:
    """Where the planes of a dose grid lie (PS3.3 C.8.8.3.2), or None where the file is none.

    Offsets are mm along the normal from the first plane, or, where the first is not 0 but the z of the header's
    position, the z of each plane.
    """
    offsets = numbers(elements, "GridFrameOffsetVector", count)
    if frame.position is None or frame.orientation is None or offsets is None:
        return None
    normal = cross(frame.orientation[:3], frame.orientation[3:])
    if offsets[0] != 0.0 and offsets[0] == frame.position[2] and abs(normal[2]) > _AXIAL:
        return [(*frame.position[:2], offset) for offset in offsets]
    first = frame.position
    return [
        tuple(at + along * (offset - offsets[0]) for at, along in zip(first, normal, strict=True)) for offset in offsets
    ]


def _nuclear_positions(frame: Frame, elements: Elements, count: int) -> list[tuple[float, ...]] | None:
    """Where the planes of a reconstructed nuclear volume lie (PS3.3 C.8.4.15), or None where the file is none."""
    step = number(elements, "SpacingBetweenSlices")
    if elements.get("SOPClassUID") != _NUCLEAR or "RECON TOMO" not in (elements.get("ImageType") or ()) or not step:
        return None
    if frame.position is None or frame.orientation is None:
        return None
    normal = cross(frame.orientation[:3], frame.orientation[3:])
    first = frame.position
    numbered = elements.get("SliceVector")
    places = [int(n) - 1 for n in numbered] if isinstance(numbered, Sequence) else list(range(count))
    if len(places) != count:
        return None
    return [tuple(at + along * step * n for at, along in zip(first, normal, strict=True)) for n in places]


def _enhanced(file: DicomFile, index: int, own: Elements | None, common: Callable[[str], Elements | None]) -> Frame:
    """A frame that functional groups describe: its own, then the shared ones (PS3.3 C.7.6.16)."""

    def group(name: str) -> Elements | None:
        found = own.first(name) if own is not None and name in own else None
        return common(name) if found is None else found

    position = numbers(group("PlanePositionSequence"), "ImagePositionPatient", 3)
    orientation = _orientation(group("PlaneOrientationSequence"))
    transform = group("PixelValueTransformationSequence")
    slope, intercept = _rescale(file.elements if transform is None else transform)
    return Frame(
        part=0,
        number=index,
        position=position if orientation else None,
        orientation=orientation if position else None,
        spacing=_spacing(group("PixelMeasuresSequence") or file.elements),
        slope=slope,
        intercept=intercept,
        scale=_scale(file.elements if transform is None else transform),
        traits=enhanced_traits(group),
        instance=(int(number(file.elements, "InstanceNumber") or 0), index),
    )


def _rescale(elements: Elements) -> tuple[float, float]:
    """Slope and intercept; RT Dose has a scaling of its own.

    Raises:
        DecodeError: The slope is zero, which would erase the image.
    """
    slope, intercept = number(elements, "RescaleSlope"), number(elements, "RescaleIntercept")
    dose = number(elements, "DoseGridScaling")
    if dose is not None and slope is None:
        slope = dose
    if slope == 0:
        raise DecodeError("its Rescale Slope is 0, which gives every pixel one value.")
    return 1.0 if slope is None else slope, 0.0 if intercept is None else intercept


def _orientation(elements: Elements | None) -> tuple[float, ...] | None:
    """Image Orientation (Patient), or None where rows and columns span no plane (some writers put zeros)."""
    found = numbers(elements, "ImageOrientationPatient", 6)
    return found if found and math.hypot(*cross(found[:3], found[3:])) > _SPANS_A_PLANE else None


def _scale(elements: Elements) -> str | None:
    """The Rescale Type where there is a rescale: empty where it has no name, None where there is no rescale."""
    return str(elements.get("RescaleType") or "") if "RescaleSlope" in elements else None


def _spacing(elements: Elements) -> tuple[float, ...] | None:
    spacing = numbers(elements, "PixelSpacing", 2)
    if spacing is not None and min(spacing) <= 0:
        return None
    return spacing


def cross(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float]:
    """The cross product of two vectors of three numbers."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
