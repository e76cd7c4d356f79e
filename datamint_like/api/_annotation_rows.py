"""Annotations as the store takes them: their common template, plain dicts of the wire, and ranges of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from datamint_like.api._choices import email_of, source_of
from datamint_like.api._endpoint import one_spelling
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


@dataclass(frozen=True)
class Frames:
    """The resource that annotations are for: its name in messages, and how many frames it has."""

    name: str
    count: int


@dataclass(frozen=True)
class Origin:
    """Where an annotation comes from, and the worklist it belongs to.

    Attributes:
        worklist_id: The worklist.
        imported_from: Name of the tool or data set.
        author: E-mail address of who made it; None is the current user.
        model_id: The author when a model made it.
        source: How it came to be, such as `"imported"` or `"manual"`.

    Raises:
        ValidationError: The author is no e-mail address, or the source is unknown.
    """

    worklist_id: str | None = None
    imported_from: str | None = None
    author: str | None = None
    model_id: str | None = None
    source: str | None = "imported"

    def __post_init__(self) -> None:
        if self.author is not None:
            email_of(self.author, "An author")
        source_of(self.source)

    def annotation(
        self, kind: str, identifier: str, value: str | float | None = None, units: str | None = None
    ) -> NewAnnotation:
        """A new annotation of the whole resource that comes from here."""
        return NewAnnotation(
            type=kind,
            identifier=identifier,
            value=value,
            units=units,
            worklist_id=self.worklist_id,
            imported_from=self.imported_from,
            author=self.author,
            model_id=self.model_id,
            source=self.source,
        )


def rows_of(given: Annotation | Mapping[str, Any], frames: Callable[[], Frames]) -> list[NewAnnotation]:
    """The rows that one annotation or dict comes to: one, or one a frame of its `frame_range`.

    Raises:
        ValidationError: A field is unknown or given under two names that differ, its author or source is none, or the
            range holds no frame or one that the resource lacks.
    """
    if isinstance(given, Annotation):
        given = {key: getattr(given, key) for key in _FROM_ANNOTATION}
    if not isinstance(given, Mapping):
        raise ValidationError(f"An annotation is an Annotation or a dict, not a {type(given).__name__}.")
    fields = _fields_of(given)
    for needed in ("type", "identifier"):
        if needed not in fields:
            raise ValidationError(f"An annotation needs {needed!r}.")
    frame_range = fields.pop("frame_range", None)
    fields.setdefault("scope", "image" if frame_range is None and fields.get("frame_index") is None else "frame")
    fields["geometry"] = fields.get("geometry") or None
    Origin(author=fields.get("author"), source=fields.get("source"))
    return on_frames(NewAnnotation(**fields), None, frame_range, frames)


def _fields_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that a dict gives, under our names."""
    spelled: dict[str, dict[str, Any]] = {}
    for key, value in given.items():
        if value is not None and key not in _IGNORED:
            spelled.setdefault(_NAMES.get(key, key), {})[str(key)] = value
    unknown = [key for key in spelled if key not in _FIELDS]
    if unknown:
        raise ValidationError(f"An annotation has no field {unknown[0]!r}.")
    return {name: one_spelling(**values) for name, values in spelled.items()}


def on_frame(new: NewAnnotation, frame_index: int | None) -> NewAnnotation:
    """The annotation for the whole resource, or for one frame."""
    return new if frame_index is None else replace(new, scope="frame", frame_index=frame_index)


def on_frames(
    new: NewAnnotation, frame_index: int | None, frame_range: Sequence[int] | None, frames: Callable[[], Frames]
) -> list[NewAnnotation]:
    """The annotation for the whole resource, for one frame, or once for each frame of [start, end).

    `frames` is asked only where a range is given.

    Raises:
        ValidationError: Both are given, or the range is not two ascending whole numbers, or goes beyond the last frame.
    """
    if frame_range is None:
        return [on_frame(new, frame_index)]
    if frame_index is not None or new.frame_index is not None:
        raise ValidationError(f"{new.identifier!r}: give frame_index or frame_range, not both.")
    bounds = list(frame_range) if isinstance(frame_range, Iterable) else []
    if len(bounds) != 2 or not all(isinstance(n, int) and not isinstance(n, bool) for n in bounds):
        raise ValidationError(
            f"{new.identifier!r}: frame_range is (start, end) with the end left out, not {frame_range!r:.80}."
        )
    start, end = bounds
    if not 0 <= start < end:
        raise ValidationError(
            f"{new.identifier!r}: frame_range ({start}, {end}) holds no frame; the end is left out, as in range()."
        )
    resource = frames()  # before the first row is made: the end may be any number
    if end > resource.count:
        raise ValidationError(
            f"{new.identifier!r}: frame_range ({start}, {end}) goes beyond the last frame of {resource.name}, which "
            f"has frames 0 to {resource.count - 1}: its end, which is left out, is at most {resource.count}."
        )
    return [replace(new, scope="frame", frame_index=index) for index in range(start, end)]


def numeric_type(value: object) -> str:
    """`"integer"` for whole numbers given as such, else `"float"`.

    Raises:
        ValidationError: It is no number.
    """
    if getattr(value, "ndim", None) == 0:
        value = value.item()  # type: ignore[attr-defined]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValidationError(f"A numeric annotation needs a number, not {value!r}.")
    return "integer" if isinstance(value, int) else "float"
