"""Calls that make annotations without a file: labels, categories, numbers, text and geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, overload

from datamint_like.api._annotation_rows import Frames, Origin, numeric_type, on_frames, rows_of
from datamint_like.api._endpoint import Endpoint, ResourceRef, id_of, several
from datamint_like.backends.base import NewAnnotation
from datamint_like.entities import Annotation, Resource

FrameRange = tuple[int, int]


class AnnotationMakers(Endpoint):
    """The calls of `annotations` that make rows without a file.

    `frame_index` ties an annotation to one frame, `frame_range` (start, end), end left out, to each of several:
    such a call makes one annotation a frame and returns their ids. Without either it is about the whole resource.
    Every call takes `author_email` (else the current user is the author), `worklist_id`, `imported_from`,
    `model_id` (the author when a model made it) and `source`: `"imported"`, `"manual"`, `"model_pipeline"` or
    `"model_deploy"`.
    """

    def create(
        self,
        resource: ResourceRef,
        annotation_dto: Annotation | Mapping[str, Any] | Sequence[Annotation | Mapping[str, Any]],
    ) -> list[str]:
        """The ids of new annotations, given as `Annotation`s or dicts; all are stored, or none.

        A dict has `type`, `identifier` and what belongs to the type: `scope`, `frame_index` or `frame_range`,
        `value`, `units`, `geometry`.

        Example:
            >>> view = {"type": "category", "identifier": "position", "value": "supine"}
            >>> len(api.annotations.create(xray, [{"type": "label", "identifier": "blurred"}, view]))
            2
        """
        if annotation_dto is None or isinstance(annotation_dto, Annotation | Mapping):
            annotation_dto = [annotation_dto]
        given = several(annotation_dto, "annotation_dto", "[{'type': 'label', 'identifier': 'normal'}]")
        frames = partial(self._frames_of, resource)
        return self._create(resource, [row for each in given for row in rows_of(each, frames)])

    def _create(self, resource: ResourceRef, rows: Sequence[NewAnnotation]) -> list[str]:
        made = self._backend.create_annotations(id_of(resource, Resource), rows)
        return [annotation.id for annotation in made]

    def _frames_of(self, resource: ResourceRef) -> Frames:
        from datamint_like.imaging import required_facts

        found = self._backend.get_resource(id_of(resource, Resource))
        return Frames(f"{found.filename} ({found.id})", required_facts(found).shape[0])

    def _one_or_range(
        self, resource: ResourceRef, new: NewAnnotation, frame_index: int | None, frame_range: FrameRange | None
    ) -> str | list[str]:
        rows = on_frames(new, frame_index, frame_range, partial(self._frames_of, resource))
        ids = self._create(resource, rows)
        return ids[0] if frame_range is None else ids

    # -- labels, categories, numbers, text

    @overload
    def add_label_annotation(
        self,
        resource: ResourceRef,
        identifier: str,
        frame_index: int | None = ...,
        frame_range: None = ...,
        worklist_id: str | None = ...,
        author_email: str | None = ...,
        imported_from: str | None = ...,
        model_id: str | None = ...,
        source: str | None = ...,
    ) -> str: ...
    @overload
    def add_label_annotation(
        self,
        resource: ResourceRef,
        identifier: str,
        frame_index: None = ...,
        *,
        frame_range: FrameRange,
        worklist_id: str | None = ...,
        author_email: str | None = ...,
        imported_from: str | None = ...,
        model_id: str | None = ...,
        source: str | None = ...,
    ) -> list[str]: ...
    def add_label_annotation(
        self,
        resource: ResourceRef,
        identifier: str,
        frame_index: int | None = None,
        frame_range: FrameRange | None = None,
        worklist_id: str | None = None,
        author_email: str | None = None,
        imported_from: str | None = None,
        model_id: str | None = None,
        source: str | None = "imported",
    ) -> str | list[str]:
        """The id of a new label (the ids, one a frame, with `frame_range`).

        Example:
            >>> id = api.annotations.add_label_annotation(xray, "blurred")
            >>> ids = api.annotations.add_label_annotation(echo, "systole", frame_range=(4, 7))
            >>> [each.frame_index for each in api.annotations.get_list(echo, "label")]
            [4, 5, 6]
        """
        origin = Origin(worklist_id, imported_from, author_email, model_id, source)
        new = origin.annotation("label", identifier)
        return self._one_or_range(resource, new, frame_index, frame_range)

    @overload
    def add_category_annotation(
        self,
        resource: ResourceRef,
        identifier: str,
        value: str,
        frame_index: int | None = ...,
        frame_range: None = ...,
        worklist_id: str | None = ...,
        author_email: str | None = ...,
        imported_from: str | None = ...,
        model_id: str | None = ...,
        source: str | None = ...,
    ) -> str: ...
    @overload
    def add_category_annotation(
        self,
        resource: ResourceRef,
        identifier: str,
        value: str,
        frame_index: None = ...,
        *,
        frame_range: FrameRange,
        worklist_id: str | None = ...,
        author_email: str | None = ...,
        imported_from: str | None = ...,
        model_id: str | None = ...,
        source: str | None = ...,
    ) -> list[str]: ...
    def add_category_annotation(
        self,
        resource: ResourceRef,
        identifier: str,
        value: str,
        frame_index: int | None = None,
        frame_range: FrameRange | None = None,
        worklist_id: str | None = None,
        author_email: str | None = None,
        imported_from: str | None = None,
        model_id: str | None = None,
        source: str | None = "imported",
    ) -> str | list[str]:
        """The id of a new category `identifier` = `value` (the ids, one a frame, with `frame_range`).

        Example:
            >>> id = api.annotations.add_category_annotation(echo, "phase", "systole", frame_index=4)
            >>> api.annotations.get_by_id(id).value
            'systole'
        """
        origin = Origin(worklist_id, imported_from, author_email, model_id, source)
        new = origin.annotation("category", identifier, value)
        return self._one_or_range(resource, new, frame_index, frame_range)

    def create_image_classification(
        self,
        resource: ResourceRef,
        identifier: str,
        value: str,
        imported_from: str | None = None,
        model_id: str | None = None,
        *,
        worklist_id: str | None = None,
        author_email: str | None = None,
        source: str | None = "imported",
    ) -> str:
        """The id of a new category of the whole resource.

        Example:
            >>> id = api.annotations.create_image_classification(xray, "quality", "good")
            >>> api.annotations.get_by_id(id).value
            'good'
        """
        origin = Origin(worklist_id, imported_from, author_email, model_id, source)
        new = origin.annotation("category", identifier, value)
        return self._create(resource, [new])[0]

    add_image_category_annotation = create_image_classification

    @overload
    def add_text_annotation(
        self,
        resource: ResourceRef,
        identifier: str,
        value: str,
        frame_index: int | None = ...,
        frame_range: None = ...,
        worklist_id: str | None = ...,
        author_email: str | None = ...,
        imported_from: str | None = ...,
        model_id: str | None = ...,
        source: str | None = ...,
    ) -> str: ...
    @overload
    def add_text_annotation(
        self,
        resource: ResourceRef,
        identifier: str,
        value: str,
        frame_index: None = ...,
        *,
        frame_range: FrameRange,
        worklist_id: str | None = ...,
        author_email: str | None = ...,
        imported_from: str | None = ...,
        model_id: str | None = ...,
        source: str | None = ...,
    ) -> list[str]: ...
    def add_text_annotation(
        self,
        resource: ResourceRef,
        identifier: str,
        value: str,
        frame_index: int | None = None,
        frame_range: FrameRange | None = None,
        worklist_id: str | None = None,
        author_email: str | None = None,
        imported_from: str | None = None,
        model_id: str | None = None,
        source: str | None = "imported",
    ) -> str | list[str]:
        """The id of a new text (the ids, one a frame, with `frame_range`).

        Example:
            >>> id = api.annotations.add_text_annotation(xray, "report", "No finding.")
            >>> api.annotations.get_by_id(id).text_value
            'No finding.'
        """
        origin = Origin(worklist_id, imported_from, author_email, model_id, source)
        new = origin.annotation("text", identifier, value)
        return self._one_or_range(resource, new, frame_index, frame_range)

    def create_numeric_annotation(
        self,
        resource: ResourceRef,
        identifier: str,
        value: float,
        units: str | None = None,
        worklist_id: str | None = None,
        author_email: str | None = None,
        imported_from: str | None = None,
        model_id: str | None = None,
        source: str | None = "imported",
    ) -> str:
        """The id of a new number of the whole resource: an int is an integer, a float a float.

        Example:
            >>> id = api.annotations.create_numeric_annotation(echo, "ejection fraction", 61.5, units="%")
            >>> api.annotations.get_by_id(id).numeric_value, api.annotations.get_by_id(id).annotation_type
            (61.5, 'float')
        """
        origin = Origin(worklist_id, imported_from, author_email, model_id, source)
        new = origin.annotation(numeric_type(value), identifier, value, units)
        return self._create(resource, [new])[0]

    add_numeric_annotation = create_numeric_annotation
