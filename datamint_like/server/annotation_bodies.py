"""Annotations as bodies of requests write them: in Datamint's words, and in ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from datamint_like.backends.base import AnnotationQuery, DeletedRows, NewAnnotation
from datamint_like.exceptions import ValidationError
from datamint_like.server.pages import Page

IMPORTED = "imported"
#: Annotations that one request may make: a range of frames is a few bytes, and a row a frame.
MOST_ROWS = 1_000_000


class Search(Page, frozen=True, kw_only=True):
    """Which annotations; `load_ai_segmentations` changes nothing, those of models are always among them."""

    resource_id: str | None = None
    resource_ids: tuple[str, ...] | None = None
    annotation_type: str | None = None
    annotator: str | None = msgspec.field(default=None, name="annotatorEmail")
    from_date: str | None = msgspec.field(default=None, name="from")
    to_date: str | None = msgspec.field(default=None, name="to")
    dataset_id: str | None = None
    annotation_worklist_id: str | None = None
    status: str | None = None
    source: str | None = None
    deleted: DeletedRows = "exclude"
    load_ai_segmentations: bool | None = None

    def query(self, also: Sequence[str] | None = None) -> AnnotationQuery:
        """The query of the store.

        Args:
            also: The resources of the data set that was asked for; None where none was.
        """
        named = None if self.resource_id is None and self.resource_ids is None else [*(self.resource_ids or ())]
        if named is not None and self.resource_id is not None:
            named.append(self.resource_id)
        if also is not None:
            named = [each for each in also if named is None or each in set(named)]
        return AnnotationQuery(
            resource_ids=None if named is None else tuple(named),
            annotation_type=self.annotation_type,
            author=self.annotator,
            from_date=self.from_date,
            to_date=self.to_date,
            worklist_id=self.annotation_worklist_id,
            status=self.status,
            source=self.source,
            deleted=self.deleted,
            offset=self.offset,
            limit=self.size,
        )


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One annotation as published clients create it; `frame_range` includes its last frame."""

    type: str
    identifier: str
    scope: str | None = None
    frame_index: int | None = None
    frame_range: tuple[int, int] | None = None
    value: Any = None
    units: str | None = None
    geometry: Any = None
    annotation_worklist_id: str | None = None
    imported_from: str | None = None
    import_author: str | None = None
    model_id: str | None = None
    is_model: bool | None = None
    source: str | None = None

    @property
    def rows(self) -> int:
        """How many annotations it makes."""
        return 1 if self.frame_range is None else self.frame_range[1] - self.frame_range[0] + 1

    def new(self, frames: int) -> list[NewAnnotation]:
        """What it says: one annotation, or one a frame of the range.

        Args:
            frames: How many the resource has.

        Raises:
            ValidationError: The range is not within the resource, or belongs to a mask.
        """
        if self.frame_range is None:
            return [self._at(self.frame_index)]
        if self.type == "segmentation" or self.frame_index is not None:
            raise ValidationError(f"Annotation {self.identifier!r:.80} takes one frame_index, and no frame_range.")
        first, last = self.frame_range
        return [self._at(frame) for frame in frames_within(first, last + 1, frames, self.identifier)]

    def _at(self, frame: int | None) -> NewAnnotation:
        scope: Any = self.scope or ("image" if frame is None else "frame")  # the store refuses other texts
        return NewAnnotation(
            type=self.type,
            identifier=self.identifier,
            scope=scope,
            frame_index=frame,
            value=self.value,
            units=self.units,
            geometry=self.geometry,
            worklist_id=self.annotation_worklist_id,
            author=self.import_author,
            model_id=self.model_id,
            imported_from=self.imported_from,
            source=self.source or IMPORTED,
        )


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of `NewAnnotation`."""

    type: str
    identifier: str
    scope: Literal["image", "frame"] = "image"
    frame_index: int | None = None
    value: Any = None
    units: str | None = None
    geometry: Any = None
    worklist_id: str | None = None
    author: str | None = None
    model_id: str | None = None
    imported_from: str | None = None
    source: str | None = IMPORTED
    payload: bytes | None = None
    payload_name: str | None = None

    def new(self) -> NewAnnotation:
        """The annotation."""
        return NewAnnotation(**msgspec.structs.asdict(self))


class FrameRange(msgspec.Struct, frozen=True):
    """Frames from `start`, up to `end` and without it."""

    start: int
    end: int


class TrackValue(msgspec.Struct, frozen=True):
    """The frames that have one value."""

    frame_ranges: tuple[FrameRange, ...] = ()
    value: Any = None


class TrackBody(msgspec.Struct, frozen=True, kw_only=True):
    """All that the caller (or a model) says of the frames of a resource under one identifier."""

    identifier: str
    type: str
    values: tuple[TrackValue, ...]
    annotation_worklist_id: str | None = None
    source: str | None = None
    model_id: str | None = None

    def new(self, frames: int) -> list[NewAnnotation]:
        """One annotation a frame and value.

        Raises:
            ValidationError: A range is not within the resource's frames.
        """
        need_few(some.end - some.start for each in self.values for some in each.frame_ranges)
        return [
            NewAnnotation(
                type=self.type,
                identifier=self.identifier,
                scope="frame",
                frame_index=frame,
                value=each.value,
                worklist_id=self.annotation_worklist_id,
                model_id=self.model_id,
                source=self.source or IMPORTED,
            )
            for each in self.values
            for some in each.frame_ranges
            for frame in frames_within(some.start, some.end, frames, self.identifier)
        ]


def need_few(rows: Iterable[int]) -> None:
    """Raise unless so many rows, summed up, may be made in one request.

    Raises:
        ValidationError: They are too many.
    """
    total = sum(max(some, 0) for some in rows)
    if total > MOST_ROWS:
        raise ValidationError(f"This request makes {total} annotations; at most {MOST_ROWS} fit in one. Send several.")


def frames_within(start: int, end: int, frames: int, identifier: str) -> range:
    """The frames from `start`, up to `end` and without it.

    Raises:
        ValidationError: There are none, or the resource, which has `frames`, lacks some.
    """
    if not 0 <= start < end <= frames:
        raise ValidationError(
            f"Annotation {identifier!r:.80} is to have frames {start} to {end - 1}; the resource has 0 to {frames - 1}."
        )
    return range(start, end)


def authors_of(new: Iterable[NewAnnotation]) -> set[str]:
    """In whose names these annotations are, as far as they say."""
    return {each.author for each in new if each.author is not None}
