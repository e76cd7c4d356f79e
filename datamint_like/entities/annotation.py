"""An annotation: what one person (or model) said about a resource or one frame of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from datamint_like.entities._record import Record
from datamint_like.exceptions import ValidationError

#: Types whose payload is a file; the others are rows only.
FILE_TYPES = frozenset({"segmentation"})
NUMERIC_TYPES = frozenset({"integer", "float"})
ANNOTATION_TYPES = frozenset(
    [
        "segmentation",
        "area",
        "distance",
        "angle",
        "point",
        "line",
        "region",
        "square",
        "circle",
        "category",
        "label",
        "integer",
        "float",
        "text",
        "spline",
    ]
)
_ALIASES = {"type": "annotation_type", "name": "identifier", "added_by": "created_by", "index": "frame_index"}


class Annotation(Record, frozen=True):
    """One annotation; attribute names and their order are those of the published class.

    `scope` is `"image"` or `"frame"`; `frame_index` counts stored planes of the acquisition axis.

    Example:
        >>> annotation = dataset.resource_annotations[0][1]
        >>> annotation.name, annotation.type, annotation.value, annotation.index
        ('view', 'category', 'frontal', None)
        >>> annotation.author, annotation.added_by
        ('annotator.a@demo.example', 'annotator.a@demo.example')
    """

    id: str
    identifier: str
    scope: str
    annotation_type: str
    resource_id: str
    created_by: str | None = None
    annotation_worklist_id: str | None = None
    status: str | None = None
    frame_index: int | None = None
    text_value: str | None = None
    numeric_value: float | None = None
    units: str | None = None
    geometry: Any = msgspec.field(default_factory=list)
    created_at: str | None = None
    approved_at: str | None = None
    approved_by: str | None = None
    associated_file: str | None = None
    file: str | None = None
    deleted: bool = False
    deleted_at: str | None = None
    deleted_by: str | None = None
    created_by_model: str | None = None
    old_geometry: Any | None = None
    set_name: str | None = None
    resource_filename: str | None = None
    resource_modality: str | None = None
    annotation_worklist_name: str | None = None
    user_info: dict[str, str] | None = None
    values: Any | None = None
    source: str | None = None
    imported_from: str | None = None
    import_author: str | None = None
    sha256: str | None = None

    @classmethod
    def _wire_names(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Aliases of the wire become our names; a value goes where its type belongs."""
        named = {_ALIASES.get(key, key): value for key, value in data.items() if key != "value"}
        value = data.get("value")
        if value is not None:
            slot = "numeric_value" if named.get("annotation_type") in NUMERIC_TYPES else "text_value"
            named.setdefault(slot, value if slot == "numeric_value" else str(value))
        if named.get("scope") is None:
            named["scope"] = "image" if named.get("frame_index") is None else "frame"
        if named.get("user_info") is not None:
            named["user_info"] = cls._texts(named["user_info"])
        return named

    def __repr__(self) -> str:
        frame = "" if self.frame_index is None else f", frame {self.frame_index}"
        return f"Annotation({self.id}, {self.annotation_type} {self.identifier!r}, {self.scope}{frame})"

    @property
    def name(self) -> str:
        """The identifier, under its other name."""
        return self.identifier

    @property
    def type(self) -> str:
        """The annotation type, under its other name."""
        return self.annotation_type

    @property
    def index(self) -> int | None:
        """The frame index, under its other name."""
        return self.frame_index

    @property
    def value(self) -> str | None:
        """The text value (of a category)."""
        return self.text_value

    @property
    def added_by(self) -> str | None:
        """The creator's e-mail, under its other name."""
        return self.created_by

    @property
    def author(self) -> str:
        """The key under which items group annotations: creator, else model, else `"unknown"`."""
        return self.created_by or self.created_by_model or "unknown"

    def get_created_datetime(self) -> datetime | None:
        """When it was created, aware of its zone where `created_at` is, or None where the store does not say.

        Raises:
            ValidationError: `created_at` is no ISO 8601 instant.

        Example:
            >>> dataset.resource_annotations[0][0].get_created_datetime().tzinfo
            datetime.timezone.utc
        """
        try:
            return datetime.fromisoformat(self.created_at) if self.created_at else None
        except ValueError:
            raise ValidationError(
                f"Annotation {self.id} was created at {self.created_at!r}; expected an instant as ISO 8601."
            ) from None

    def is_segmentation(self) -> bool:
        """Whether this is a mask.

        Example:
            >>> [each.is_segmentation() for each in dataset.resource_annotations[0]]
            [False, False, True]
        """
        return self.annotation_type == "segmentation"

    def is_label(self) -> bool:
        """Whether this is a label.

        Example:
            >>> [each.is_label() for each in dataset.resource_annotations[0]]
            [True, False, False]
        """
        return self.annotation_type == "label"

    def is_category(self) -> bool:
        """Whether this is a category.

        Example:
            >>> [each.is_category() for each in dataset.resource_annotations[0]]
            [False, True, False]
        """
        return self.annotation_type == "category"

    def is_frame_scoped(self) -> bool:
        """Whether it applies to one frame.

        Example:
            >>> [each.is_frame_scoped() for each in dataset.resource_annotations[0]]
            [False, False, True]
        """
        return self.scope == "frame"

    def is_image_scoped(self) -> bool:
        """Whether it applies to the whole image, volume or video.

        Example:
            >>> [each.is_image_scoped() for each in dataset.resource_annotations[0]]
            [True, True, False]
        """
        return self.scope == "image"


def is_of_one_frame(annotation: Annotation) -> bool:
    """Whether the annotation is about one frame: not of image scope, and the frame is known.

    Example:
        >>> [is_of_one_frame(each) for each in dataset.resource_annotations[0]]
        [False, False, True]
    """
    return annotation.scope != "image" and annotation.frame_index is not None


class AnnotationTally(Record, frozen=True, kw_only=True):
    """How many annotations (`total`) of one type and identifier one author made of a resource."""

    resource_id: str
    author: str | None
    annotation_type: str
    identifier: str
    scope: str
    total: int
