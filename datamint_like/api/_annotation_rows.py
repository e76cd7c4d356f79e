"""Annotations without a file as the store takes them: plain dicts of the wire, and ranges of frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from datamint_like.backends.base import NewAnnotation
from datamint_like.entities import Annotation
from datamint_like.exceptions import ValidationError

_NAMES = {
    "annotation_type": "type",
    "name": "identifier",
    "index": "frame_index",
    "annotation_worklist_id": "worklist_id",
    "import_author": "author",
    "author_email": "author",
    "created_by": "author",
    "created_by_model": "model_id",
    "text_value": "value",
    "numeric_value": "value",
}
_FIELDS = frozenset(
    {
        *("type", "identifier", "scope", "frame_index", "value", "units", "geometry", "worklist_id"),
        *("author", "model_id", "imported_from", "source", "frame_range"),
    }
)
_FROM_ANNOTATION = (
    *("annotation_type", "identifier", "scope", "frame_index", "text_value", "numeric_value", "units", "geometry"),
    *("annotation_worklist_id", "created_by", "created_by_model", "imported_from", "source"),
)
_IGNORED = frozenset({"is_model"})  # says what model_id says


def rows_of(given: Annotation | Mapping[str, Any]) -> list[NewAnnotation]:
    """The rows that one annotation or dict comes to: one, or one a frame of its `frame_range`.

    Raises:
        ValidationError: A field is unknown, or the range is empty.
    """
    if isinstance(given, Annotation):
        given = {key: getattr(given, key) for key in _FROM_ANNOTATION}
    if not isinstance(given, Mapping):
        raise ValidationError(f"An annotation is an Annotation or a dict, not a {type(given).__name__}.")
    fields = {_NAMES.get(key, key): value for key, value in given.items() if value is not None and key not in _IGNORED}
    unknown = sorted(set(fields) - _FIELDS)
    if unknown:
        raise ValidationError(f"An annotation has no field {unknown[0]!r}.")
    for needed in ("type", "identifier"):
        if needed not in fields:
            raise ValidationError(f"An annotation needs {needed!r}.")
    frame_range = fields.pop("frame_range", None)
    fields.setdefault("scope", "image" if frame_range is None and fields.get("frame_index") is None else "frame")
    fields["geometry"] = fields.get("geometry") or None
    return on_frames(NewAnnotation(**fields), None, frame_range)


def on_frames(new: NewAnnotation, frame_index: int | None, frame_range: Sequence[int] | None) -> list[NewAnnotation]:
    """The annotation for the whole resource, for one frame, or once for each frame of [start, end).

    Raises:
        ValidationError: Both are given, or the range is not two ascending whole numbers.
    """
    if frame_range is None:
        return [new] if frame_index is None else [replace(new, scope="frame", frame_index=frame_index)]
    if frame_index is not None or new.frame_index is not None:
        raise ValidationError(f"{new.identifier!r}: give frame_index or frame_range, not both.")
    bounds = list(frame_range)
    if len(bounds) != 2 or not all(isinstance(n, int) and not isinstance(n, bool) for n in bounds):
        raise ValidationError(f"{new.identifier!r}: frame_range is (start, end) with the end left out.")
    start, end = bounds
    if not 0 <= start < end:
        raise ValidationError(
            f"{new.identifier!r}: frame_range ({start}, {end}) holds no frame; the end is left out, as in range()."
        )
    return [replace(new, scope="frame", frame_index=index) for index in range(start, end)]


def numeric_type(value: object) -> str:
    """`"integer"` for whole numbers given as such, else `"float"`.

    Raises:
        ValidationError: It is no number.
    """
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValidationError(f"A numeric annotation needs a number, not {value!r}.")
    return "integer" if isinstance(value, int) else "float"
