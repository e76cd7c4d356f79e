"""Annotations on their way into the store: checked against their resource first, then their files, then the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from datamint_like.backends.base import NewAnnotation, NewVolumeMask
from datamint_like.backends.local import annotation_checks, annotation_rows, volume_masks
from datamint_like.backends.local.files import Intake
from datamint_like.entities import FILE_TYPES, Annotation
from datamint_like.exceptions import ValidationError
from datamint_like.imaging.types import HeaderFacts


@dataclass(frozen=True)
class Checked:
    """An annotation that fits its resource, and the columns that describe it."""

    new: NewAnnotation
    columns: dict[str, Any]


def prepare(
    new: Sequence[NewAnnotation],
    masks: Sequence[NewVolumeMask],
    facts: HeaderFacts,
    filename: str,
    *,
    files_come_later: bool = False,
) -> list[Checked]:
    """`new` and then the segmentations of the label maps, checked against the resource named `filename`.

    Raises:
        ValidationError: One does not fit, or is no annotation.
        GeometryError: A mask lies on another grid than the resource.
    """
    _need(new, NewAnnotation, f"The annotations of {filename!r}")
    _need(masks, NewVolumeMask, f"The volume masks of {filename!r}")
    made = [each for mask in masks for each in volume_masks.taken_apart(mask, facts, filename)]
    return [
        Checked(each, annotation_checks.columns_of(each, facts, filename, file_comes_later=files_come_later))
        for each in [*new, *made]
    ]


def check_file(annotation: Annotation, payload: bytes, facts: HeaderFacts, filename: str) -> None:
    """Raise unless `payload` can be the file of this annotation of the resource named `filename`.

    Raises:
        ValidationError: It is no mask, or the annotation takes none.
        GeometryError: It lies on another grid than the resource.
    """
    if annotation.annotation_type in FILE_TYPES:
        what = f"annotation {annotation.identifier!r} of resource {filename!r}"
        annotation_checks.mask_of(payload, facts, annotation.frame_index, what)


def name_of_file(annotation: Annotation, payload: bytes, given: str | None) -> str:
    """Base name of the file of an annotation."""
    new = NewAnnotation(annotation.annotation_type, annotation.identifier, payload=payload, payload_name=given)
    return annotation_checks.payload_name(new)


def size_of(checked: Iterable[Checked]) -> int:
    """Length in bytes of all their files."""
    return sum(len(each.new.payload or b"") for each in checked)


def take_in(checked: Iterable[Checked], intake: Intake) -> list[dict[str, Any]]:
    """The rows of the annotations, whose files are staged.

    Raises:
        StorageError: The disk is full.
    """
    rows = []
    for each in checked:
        payload = each.new.payload
        digest = None if payload is None else intake.add([payload]).sha256
        rows.append(annotation_rows.row_of(each.new, each.columns, digest))
    return rows


def _need(given: Any, kind: type, what: str) -> None:
    if not isinstance(given, (list, tuple)) or not all(isinstance(each, kind) for each in given):
        raise ValidationError(f"{what} must be a list of {kind.__name__}, not of {type(given).__name__}.")
