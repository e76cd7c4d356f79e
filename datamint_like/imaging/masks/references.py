"""What a segmentation or a structure set was drawn on, by its header."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.dicom.elements import Elements
from datamint_like.imaging.dicom.header import DicomFile, annotation_kind, read_header, refuse_cut_elements
from datamint_like.imaging.masks.descriptions import text_of
from datamint_like.imaging.types import SourceFile


@dataclass(frozen=True)
class References:
    """What a DICOM mask refers to, and its own UID.

    Attributes:
        instance_uid: Its own SOP Instance UID; empty where it has none.
        study_uid: The study that it is part of; empty where it names none.
        series_uids: The series that it was drawn on, as it names them.
        instance_uids: The images (SOP Instance UIDs) that it was drawn on, as it names them.
        frames_of_reference: The frames of reference that its positions are in.
    """

    kind: Literal["seg", "rtstruct"]
    instance_uid: str
    study_uid: str
    series_uids: tuple[str, ...]
    instance_uids: frozenset[str]
    frames_of_reference: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """An image that a frame of a segmentation was drawn on, and which frame of it (from 1), or None."""

    instance_uid: str
    frame: int | None


def read_references(source: SourceFile) -> References:
    """What the file was drawn on, by its header alone.

    Raises:
        DecodeError: It is no segmentation or structure set, or is damaged.
    """
    with reading(source):
        return references_of(read_header(source, annotations=True))


def references_of(file: DicomFile) -> References:
    """What an opened file was drawn on.

    Raises:
        DecodeError: It is no segmentation or structure set, or is cut short.
    """
    elements, kind = file.elements, annotation_kind(file.elements)
    if kind is None:
        raise DecodeError("it is neither a segmentation (SEG) nor a structure set (RTSTRUCT).")
    refuse_cut_elements(file)
    if kind == "seg" and not file.element:
        raise DecodeError("it is a segmentation without (whole) pixels. Copy the file again.")
    if kind == "rtstruct" and "ROIContourSequence" not in elements:
        raise DecodeError("it is a structure set without contours: it is empty, or cut short.")
    found = _of_seg(file) if kind == "seg" else _of_rtstruct(elements)
    series, instances, frames = ([text for text in texts if text] for texts in found)
    return References(
        kind=kind,
        instance_uid=text_of(elements, "SOPInstanceUID"),
        study_uid=text_of(elements, "StudyInstanceUID"),
        series_uids=tuple(dict.fromkeys(series)),
        instance_uids=frozenset(instances),
        frames_of_reference=tuple(dict.fromkeys(frames)),
    )


def sources_of_frame(file: DicomFile, frame: int) -> list[Source]:
    """The images that one frame of a segmentation was drawn on; those of all frames where it names none."""
    groups = file.elements.items("PerFrameFunctionalGroupsSequence")
    shared = file.elements.first("SharedFunctionalGroupsSequence")
    for group in (groups[frame] if frame < len(groups) else None, shared):
        found = list(_derived(group)) if group else []
        if found:
            return found
    return [_source(item) for item in file.elements.items("SourceImageSequence")]


def _derived(group: Elements) -> Iterator[Source]:
    for derivation in group.items("DerivationImageSequence"):
        yield from (_source(item) for item in derivation.items("SourceImageSequence"))


def _source(item: Elements) -> Source:
    number = item.get("ReferencedFrameNumber")
    return Source(text_of(item, "ReferencedSOPInstanceUID"), number if isinstance(number, int) else None)


_Found = tuple[Iterable[str], Iterable[str], Iterable[str]]


def _of_seg(file: DicomFile) -> _Found:
    """Series, instances and frames of reference of a segmentation (PS3.3 C.12.4, C.7.6.16.2.6)."""
    elements = file.elements
    series = elements.items("ReferencedSeriesSequence")
    for study in elements.items("StudiesContainingOtherReferencedInstancesSequence"):
        series = [*series, *study.items("ReferencedSeriesSequence")]
    instances = [
        text_of(item, "ReferencedSOPInstanceUID") for one in series for item in one.items("ReferencedInstanceSequence")
    ]
    instances += [text_of(item, "ReferencedSOPInstanceUID") for item in elements.items("SourceImageSequence")]
    if not any(instances):
        frames = elements.items("PerFrameFunctionalGroupsSequence")
        instances = [source.instance_uid for n in range(len(frames)) for source in sources_of_frame(file, n)]
    return (text_of(one, "SeriesInstanceUID") for one in series), instances, [text_of(elements, "FrameOfReferenceUID")]


def _of_rtstruct(elements: Elements) -> _Found:
    """Series, instances and frames of reference of a structure set (PS3.3 C.8.8.5)."""
    frames = elements.items("ReferencedFrameOfReferenceSequence")
    studies = [study for frame in frames for study in frame.items("RTReferencedStudySequence")]
    series = [one for study in studies for one in study.items("RTReferencedSeriesSequence")]
    instances = [
        text_of(item, "ReferencedSOPInstanceUID") for one in series for item in one.items("ContourImageSequence")
    ]
    if not any(instances):
        contours = [c for roi in elements.items("ROIContourSequence") for c in roi.items("ContourSequence")]
        instances = [
            text_of(item, "ReferencedSOPInstanceUID") for c in contours for item in c.items("ContourImageSequence")
        ]
    references = [text_of(frame, "FrameOfReferenceUID") for frame in frames]
    references += [text_of(roi, "ReferencedFrameOfReferenceUID") for roi in elements.items("StructureSetROISequence")]
    return (text_of(one, "SeriesInstanceUID") for one in series), instances, references
