"""What a segmentation or a structure set was drawn on, by its header."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.dicom.classes import annotation_kind
from datamint_like.imaging.dicom.elements import Elements
from datamint_like.imaging.dicom.header import DicomFile, read_header
from datamint_like.imaging.dicom.objects import refuse_cut_elements
from datamint_like.imaging.masks.descriptions import text_of
from datamint_like.imaging.types import References, SourceFile


@dataclass(frozen=True)
class Source:
    """An image that a frame of a segmentation was drawn on, and which frame of it (from 1), or None."""

    instance_uid: str
    frame: int | None


def read_references(source: SourceFile) -> References:
    """What the file was drawn on, by its header alone.

    Raises:
        DecodeError: It is no segmentation or structure set, or is damaged.

    Example:
        >>> from datamint_like.imaging.types import SourceFile
        >>> references = read_references(SourceFile(Path("seg.dcm"), "seg.dcm"))
        >>> references.kind, len(references.instance_uids)
        ('seg', 32)
    """
    with reading(source):
        return references_of(read_header(source, annotations=True))


def frame_of_reference(path: Path) -> str:
    """The Frame of Reference UID of a DICOM image; empty where it names none.

    Raises:
        DecodeError: It is no DICOM image, or is damaged.
    """
    source = SourceFile(path, path.name)
    with reading(source):
        return text_of(read_header(source).elements, "FrameOfReferenceUID")


def references_of(file: DicomFile) -> References:
    """What an opened file was drawn on.

    Raises:
        DecodeError: It is no segmentation or structure set, is cut short, or has the tiles of a slide for frames.
    """
    elements, kind = file.elements, annotation_kind(file.elements)
    if kind is None:
        raise DecodeError("it is neither a segmentation (SEG) nor a structure set (RTSTRUCT).")
    refuse_cut_elements(file)
    if kind == "seg" and not file.element:
        raise DecodeError("it is a segmentation without (whole) pixels. Copy the file again.")
    if kind == "seg" and _is_tiled(elements):
        raise DecodeError("it is a segmentation of a whole-slide image; its frames are tiles, which are not supported.")
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


def _is_tiled(elements: Elements) -> bool:
    organised = text_of(elements, "DimensionOrganizationType")
    return "TotalPixelMatrixRows" in elements or organised in ("TILED_FULL", "TILED_SPARSE")


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
