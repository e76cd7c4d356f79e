"""DICOM SEG (PS3.3 C.8.20): the segments of a segmentation on the grid of an image.

BINARY, FRACTIONAL and LABELMAP, in every transfer syntax that images are read in. Frames are placed one by one by
their own position, orientation and spacing, so that their order, their direction, and empty ones that were left out
play no role. Frames without a position (on radiographs) are bound by the SOP instance that they reference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from datamint_like.exceptions import DecodeError, ValidationError
from datamint_like.imaging.dicom.elements import Elements
from datamint_like.imaging.dicom.frames import frames_of
from datamint_like.imaging.dicom.header import DicomFile, number
from datamint_like.imaging.dicom.pixels import iter_frames
from datamint_like.imaging.masks.descriptions import code_of, person_of, rgb_of, text_of
from datamint_like.imaging.masks.placement import placement_of
from datamint_like.imaging.masks.segments import Mask, Patch, Segment, Segmentation
from datamint_like.imaging.types import Array, HeaderFacts

#: From the number of a frame and its pixels, the segments that it shows, each with where.
_Shown = Callable[[int, Array], Iterator[tuple[int, Mask]]]


def decode_seg(file: DicomFile, facts: HeaderFacts, *, threshold: float) -> Segmentation:
    """The segments of a segmentation on the grid of an image.

    Args:
        file: The segmentation with its pixels.
        facts: Header facts of the image.
        threshold: The fraction from which on a voxel of a FRACTIONAL segmentation counts, above 0 up to 1.

    Raises:
        DecodeError: Frames are missing or damaged, name segments that there are not, or are tiles of a slide.
        GeometryError: A frame lies on another grid or between the planes of the image, or was drawn on another.
    """
    if not 0 < threshold <= 1:
        raise ValidationError(f"threshold is a fraction above 0 up to 1, not {threshold!r}.")
    frames = frames_of(file)
    described = _described(file.elements, facts.shape)
    shown = _reader(file, frozenset(described), threshold)
    placement = placement_of(file, frames, facts)
    patches: dict[int, list[Patch]] = defaultdict(list)
    for index, pixels in enumerate(iter_frames(file)):
        for segment, mask in shown(index, pixels):
            patch = placement.patch(index, mask)
            if patch is not None:
                patches[segment].append(patch)
    return Segmentation(tuple(replace(segment, patches=tuple(patches[n])) for n, segment in described.items()))


def _described(elements: Elements, shape: tuple[int, int, int]) -> dict[int, Segment]:
    """The segments by number, still empty; the background of a label map is none.

    Raises:
        DecodeError: There is none, or two have one number.
    """
    creator = person_of(elements, "ContentCreatorName") or person_of(elements, "OperatorsName")
    found: dict[int, Segment] = {}
    for item in elements.items("SegmentSequence"):
        count = number(item, "SegmentNumber")
        if count is None or int(count) in found:
            raise DecodeError("a segment has no number, or that of another (Segment Number).")
        if int(count) == 0:
            continue
        found[int(count)] = Segment(
            name=text_of(item, "SegmentLabel") or f"segment_{int(count)}",
            number=int(count),
            shape=shape,
            colour=rgb_of(item),
            code=code_of(item, "SegmentedPropertyTypeCodeSequence"),
            creator=creator,
            algorithm=_algorithm(item),
        )
    if not found:
        raise DecodeError("it describes no segments (Segment Sequence).")
    return found


def _algorithm(item: Elements) -> str | None:
    parts = [text_of(item, keyword) for keyword in ("SegmentAlgorithmType", "SegmentAlgorithmName")]
    return " ".join(part for part in parts if part) or None


def _reader(file: DicomFile, known: frozenset[int], threshold: float) -> _Shown:
    """How the pixels of a frame say which segments are where.

    Raises:
        DecodeError: There is no such type of segmentation.
    """
    kind = text_of(file.elements, "SegmentationType")
    if kind == "LABELMAP":
        return _of_labels(file.elements, known)
    if kind not in ("BINARY", "FRACTIONAL"):
        raise DecodeError(f"it is a segmentation of the type {kind!r}; BINARY, FRACTIONAL and LABELMAP can be read.")
    segments = _segments_of_frames(file, known)
    least = 1.0
    if kind == "FRACTIONAL":
        least = threshold * (number(file.elements, "MaximumFractionalValue") or 255.0)

    def of_one(index: int, pixels: Array) -> Iterator[tuple[int, Mask]]:
        yield segments[index], pixels >= least

    return of_one


def _segments_of_frames(file: DicomFile, known: frozenset[int]) -> list[int]:
    """The segment that each frame is of.

    Raises:
        DecodeError: A frame names none, or one that is not described.
    """
    shared = _identified(file.elements.first("SharedFunctionalGroupsSequence"))
    own = [_identified(group) for group in file.elements.items("PerFrameFunctionalGroupsSequence")]
    found = []
    for index in range(file.pixels.frames):
        segment = own[index] if index < len(own) and own[index] is not None else shared
        if segment is None and len(known) == 1:
            (segment,) = known
        if segment not in known:
            told = "names no segment" if segment is None else f"is of segment {segment}, which is not described"
            raise DecodeError(f"frame {index + 1} {told}. Described are {_listed(known)}.")
        found.append(segment)
    return found


def _identified(group: Elements | None) -> int | None:
    item = group.first("SegmentIdentificationSequence") if group else None
    found = number(item, "ReferencedSegmentNumber")
    return None if found is None else int(found)


def _of_labels(elements: Elements, known: frozenset[int]) -> _Shown:
    """The reader of label maps: 0 is background, Pixel Padding Value is where nothing was looked at."""
    padding = number(elements, "PixelPaddingValue")
    nothing = {0} if padding is None else {0, int(padding)}

    def of_labels(index: int, pixels: Array) -> Iterator[tuple[int, Mask]]:
        for value in np.unique(pixels).tolist():
            if value in nothing:
                continue
            if value not in known:
                raise DecodeError(
                    f"frame {index + 1} holds the label {value}, which no segment has. Described are {_listed(known)}."
                )
            yield value, pixels == value

    return of_labels


def _listed(numbers: frozenset[int]) -> str:
    first = ", ".join(map(str, sorted(numbers)[:10]))
    return f"{first} and {len(numbers) - 10} more" if len(numbers) > 10 else first
