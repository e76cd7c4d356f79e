"""A worklist (annotation set): which labels, categories and masks annotators of a project may give."""

from __future__ import annotations

import msgspec

from datamint_like.entities._record import Record

#: Codes of segmentation classes go from 1 (0 is background) to this: each is one channel of a semantic mask.
MAX_SEGMENTATION_CODE = 65_535


class AnnotationSpec(Record, frozen=True, kw_only=True):
    """One thing that annotators may give: `type` and `scope`, under the name `identifier`.

    `values` are the choices of a category.
    """

    type: str
    identifier: str
    scope: str = "image"
    required: bool = False
    values: tuple[str, ...] = ()
    color: tuple[int, ...] | None = None


class SegmentationClass(Record, frozen=True, kw_only=True):
    """Colour (RGB or RGBA, 0-255) and code (1 to `MAX_SEGMENTATION_CODE`) of one segmentation class."""

    color: tuple[int, ...]
    index: int


class WorklistAnnotator(Record, frozen=True, kw_only=True):
    """One annotator of a worklist."""

    email: str
    status: str = "active"
    expertise_level: str | None = "trained"


class AnnotationWorklist(Record, frozen=True, kw_only=True):
    """The schema of a project's annotations, and who works on which resources."""

    id: str
    name: str
    status: str = "new"
    description: str | None = None
    created_by: str = ""
    created_at: str = ""
    project_id: str | None = None
    resource_ids: tuple[str, ...] = ()
    annotators: tuple[WorklistAnnotator, ...] = ()
    annotations: tuple[AnnotationSpec, ...] = ()
    segmentation_type: str = "single_label"
    segmentation_group: dict[str, SegmentationClass] = msgspec.field(default_factory=dict)
