"""Segments of DICOM SEG and RTSTRUCT files as annotations: their names, who made them, and where they come from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from datamint_like.api._annotation_rows import Origin
from datamint_like.api._mask_names import ClassNames
from datamint_like.backends.base import NewAnnotation
from datamint_like.imaging.types import HeaderFacts

if TYPE_CHECKING:
    from datamint_like.imaging import Segment, Segmentation

#: Annotators are named by e-mail; people whom a DICOM file names get one here (RFC 2606: never a real host).
_NOWHERE = "dicom.invalid"
_LONGEST_NAME = 64  # of the part before the @, RFC 5321


def annotations_of(
    found: Segmentation, facts: HeaderFacts, origin: Origin, *, names: Mapping[int, str] | None = None
) -> list[NewAnnotation]:
    """The annotations that the segments come to; those that mark nothing come to none.

    On a volume one a segment (NIfTI, on the grid of the resource), on pictures and videos one a segment and frame.
    Without an author in `origin` each segment's creator is its author.

    Args:
        found: The segments, which may overlap.
        facts: Header facts of the resource.
        origin: Where they come from.
        names: By number of segment, its identifier; without it the file's own.
    """
    made: list[NewAnnotation] = []
    for segment in found.segments:
        name = segment.name if names is None else names[segment.number]
        own = origin
        if origin.author is None and origin.model_id is None and segment.creator is not None:
            own = replace(origin, author=annotator_of(segment.creator))
        made.extend(_annotations(segment, facts, own.annotation("segmentation", name)))
    return made


def _annotations(segment: Segment, facts: HeaderFacts, template: NewAnnotation) -> Iterator[NewAnnotation]:
    from datamint_like.imaging import encode_frame_mask, encode_volume_mask

    if segment.empty:
        return
    array = segment.array
    if facts.kind == "volume":
        yield replace(template, payload=encode_volume_mask(array, facts))
        return
    for plane in segment.planes:
        yield replace(template, scope="frame", frame_index=plane, payload=encode_frame_mask(array[plane]))


def segment_names(found: Segmentation, names: ClassNames, mask: str) -> dict[int, str]:
    """The identifier of each segment: its own, one name for all, or by its number.

    Raises:
        ValidationError: Names are given by number, and one that marks something is missing.
    """
    if names.automatic:
        return {segment.number: segment.name for segment in found.segments}
    if names.single is not None:
        return {segment.number: names.single for segment in found.segments}
    shown = [segment.number for segment in found.segments if not segment.empty]
    return {value[0]: name for value, name in names.of([(n, n, n) for n in shown], mask).items()} | {
        segment.number: segment.name for segment in found.segments if segment.empty
    }


def own_origin(given: Origin, instance_uid: str) -> Origin:
    """`given`, with the file's own UID as what it is imported from where nothing else is said."""
    if given.imported_from is not None or not instance_uid:
        return given
    return replace(given, imported_from=imported_from(instance_uid))


def imported_from(instance_uid: str) -> str:
    """What the annotations of a DICOM file carry as their origin: its SOP Instance UID as a URN (RFC 3061)."""
    return f"urn:oid:{instance_uid}"


def annotator_of(person: str) -> str:
    """The e-mail address that stands for a person whom a DICOM file names: theirs, or one at `dicom.invalid`.

    Example:
        >>> annotator_of("Silva^Ana Maria"), annotator_of("ana@lab.example")
        ('silva.ana-maria@dicom.invalid', 'ana@lab.example')
    """
    person = unicodedata.normalize("NFKC", person.split("=")[0].strip() or person)
    if re.fullmatch(r"[^@\s]+@[^@\s]+", person):
        return person
    parts = [re.sub(r"\W+", "-", part).strip("-_") for part in person.lower().split("^")]
    slug = ".".join(part for part in parts if part)[:_LONGEST_NAME].strip("-._")
    return f"{slug or 'unnamed'}@{_NOWHERE}"
