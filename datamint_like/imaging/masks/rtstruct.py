"""RTSTRUCT (PS3.3 C.8.8.5, C.8.8.6): contours in patient space to masks on the planes of an image.

Every ROI is a segment. All closed contours that it has on one plane are filled together by the even-odd rule, so that
inner contours are holes, whether they are contours of their own, keyholes, or CLOSEDPLANAR_XOR.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataelem import RawDataElement

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging.dicom.elements import Elements
from datamint_like.imaging.dicom.header import DicomFile
from datamint_like.imaging.masks.descriptions import code_of, person_of, text_of
from datamint_like.imaging.masks.planes import LPS_TO_RAS, TOLERANCE, Planes, required_planes
from datamint_like.imaging.masks.polygons import fill
from datamint_like.imaging.masks.segments import Patch, Segment, Segmentation, patch_of_plane
from datamint_like.imaging.types import HeaderFacts

_CLOSED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})
_CONTOUR_DATA = 0x30060050
#: Points of all contours of one file; large clinical ones have a tenth of that.
MAX_POINTS = 5_000_000
#: No coordinate of a patient is farther from the origin of its frame of reference, mm.
_FARTHEST = 1e6

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Contour:
    """One closed contour: its points in RAS+ mm (n, 3), and what messages call it."""

    points: Points
    name: str


def decode_rtstruct(file: DicomFile, facts: HeaderFacts) -> Segmentation:
    """The ROIs of a structure set on the planes of an image.

    Raises:
        DecodeError: It holds no contours, or they are damaged.
        GeometryError: A contour lies between the planes of the image, beyond them, or across them.
    """
    planes = required_planes(facts, "its contours lie in patient space")
    contours = {_number(item, "ReferencedROINumber"): item for item in file.elements.items("ROIContourSequence")}
    if not contours:
        raise DecodeError("it holds no contours (ROI Contour Sequence): it is empty, or cut short.")
    observed = {_number(item, "ReferencedROINumber"): item for item in file.elements.items("RTROIObservationsSequence")}
    operator = person_of(file.elements, "OperatorsName")
    segments, left_out, points = [], Counter[tuple[str, str]](), 0
    for item in file.elements.items("StructureSetROISequence"):
        number = _number(item, "ROINumber")
        name = text_of(item, "ROIName") or f"segment_{number}"
        own = contours.get(number)
        closed, others, count = _contours_of(own, name, MAX_POINTS - points)
        points += count
        left_out.update({(name, kind): found for kind, found in others.items()})
        segments.append(_segment(item, name, number, own, observed, operator, _patches(closed, planes), planes))
    if not segments:
        raise DecodeError("it names no regions (Structure Set ROI Sequence): it is empty, or cut short.")
    return Segmentation(tuple(segments), tuple(_note(name, kind, n) for (name, kind), n in left_out.items()))


def _segment(
    item: Elements,
    name: str,
    number: int,
    contours: Elements | None,
    observed: Mapping[int, Elements],
    operator: str | None,
    patches: tuple[Patch, ...],
    planes: Planes,
) -> Segment:
    observation = observed.get(number)
    interpreter = person_of(observation, "ROIInterpreter") if observation else None
    return Segment(
        name=name,
        number=number,
        shape=planes.shape,
        patches=patches,
        colour=_colour(contours),
        code=code_of(observation, "RTROIIdentificationCodeSequence") if observation else None,
        creator=interpreter or operator,
        algorithm=text_of(item, "ROIGenerationAlgorithm") or None,
    )


def _contours_of(roi: Elements | None, name: str, left: int) -> tuple[list[_Contour], Counter[str], int]:
    """The closed contours of an ROI, how many others it has by type, and how many points they have together."""
    closed: list[_Contour] = []
    others: Counter[str] = Counter()
    total = 0
    for index, item in enumerate(roi.items("ContourSequence") if roi else ()):
        kind = text_of(item, "ContourGeometricType")
        if kind not in _CLOSED:
            others[kind or "of no type"] += 1
            continue
        called = f"contour {index + 1} of {name!r}"
        points = _points(item, called, left - total)
        total += len(points)
        if len(points):
            closed.append(_Contour(points * LPS_TO_RAS, called))
    return closed, others, total


def _points(item: Elements, called: str, left: int) -> Points:
    """The points of one contour (n, 3) in LPS mm.

    Raises:
        DecodeError: There are too many, not as many as the file says, or they are not finite numbers.
    """
    element = item.dataset.get_item(_CONTOUR_DATA)
    raw = element.value if element is not None else None
    if isinstance(element, RawDataElement) and isinstance(raw, bytes):
        text = raw.rstrip(b" \0")
        count = text.count(b"\\") + 1 if text else 0
        _refuse_too_many(count // 3, left)
        values = _numbers(text, called)
    else:
        _refuse_too_many(len(raw or ()) // 3, left)
        values = np.array([float(value) for value in raw or ()], dtype=np.float64)
    claimed = _number(item, "NumberOfContourPoints", default=values.size // 3)
    if values.size != 3 * claimed:
        raise DecodeError(f"{called} claims {claimed:,} points, but holds {values.size:,} coordinates, not 3 a point.")
    if not np.isfinite(values).all() or (np.abs(values) > _FARTHEST).any():
        raise DecodeError(f"{called} has coordinates that are no places in a patient (not finite, or beyond 1 km).")
    return values.reshape(-1, 3)


def _numbers(text: bytes, called: str) -> npt.NDArray[np.float64]:
    try:
        return np.array(text.split(b"\\") if text else [], dtype="S").astype(np.float64)
    except ValueError as error:
        raise DecodeError(f"{called} has coordinates that are no numbers.") from error


def _refuse_too_many(points: int, left: int) -> None:
    if points > left:
        raise DecodeError(f"its contours have more than {MAX_POINTS:,} points, the limit for one file.")


def _patches(contours: list[_Contour], planes: Planes) -> tuple[Patch, ...]:
    """The filled contours, a patch a plane."""
    on_plane: dict[int, list[Points]] = defaultdict(list)
    for contour in contours:
        index = planes.index(contour.points)
        on_plane[_plane_of(contour, index, planes)].append(index[:, 1:])
    return tuple(_filled(on_plane, planes.shape))


def _filled(on_plane: Mapping[int, list[Points]], shape: tuple[int, int, int]) -> Iterator[Patch]:
    for plane in sorted(on_plane):
        patch = patch_of_plane(fill(on_plane[plane], shape[1:]), plane)
        if patch is not None:
            yield patch


def _plane_of(contour: _Contour, index: Points, planes: Planes) -> int:
    """The stored plane that a contour lies on.

    Raises:
        GeometryError: It lies between planes, beyond them, or across them.
    """
    along, gap = contour.points @ planes.normal, planes.mean_gap
    if float(np.ptp(along)) > 2 * TOLERANCE[0] * gap:
        raise GeometryError(
            f"{contour.name} does not lie in the planes of the image: it reaches over {np.ptp(along):.2f} mm along "
            "their normal. It was drawn on another orientation; give the series that it was drawn on."
        )
    middle = float(np.mean(index[:, 0]))
    plane = round(middle)
    if abs(middle - plane) > TOLERANCE[0] or not 0 <= plane < planes.shape[0]:
        raise GeometryError(
            f"{contour.name} lies {planes.told(contour.points.mean(axis=0))}. "
            "Contours are not carried to other planes; give the series that it was drawn on."
        )
    return plane


def _number(item: Elements, keyword: str, default: int | None = None) -> int:
    value = item.get(keyword)
    if value is None and default is None:
        raise DecodeError(f"a region has no {keyword}.")
    return int(default if value is None else value)  # type: ignore[arg-type]


def _colour(contours: Elements | None) -> tuple[int, int, int] | None:
    """ROI Display Color, or None where it is absent or none."""
    found = contours.get("ROIDisplayColor") if contours else None
    if found is None or isinstance(found, (int, str)):
        return None
    parts = [int(part) for part in found]
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 and all(0 <= part < 256 for part in parts) else None


def _note(name: str, kind: str, count: int) -> str:
    contours = "1 contour" if count == 1 else f"{count} contours"
    return f"{contours} of {name!r} ({kind}) left out: they enclose nothing."
