"""The content of a project held whole, as tests compare it; a catalog reads it row by row."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from datamint_like.backends.base import ProjectContent
from datamint_like.entities import Annotation, AnnotationWorklist, Part, Project, Resource


@dataclass(frozen=True)
class WholeContent:
    """All that was read; parts and annotations by resource id."""

    revision: str
    project: Project | None
    worklists: tuple[AnnotationWorklist, ...]
    resources: list[Resource]
    parts: dict[str, list[Part]]
    annotations: dict[str, list[Annotation]]


def whole(reading: AbstractContextManager[ProjectContent]) -> WholeContent:
    """What `read_project` or `read_resources` gives, to its end.

    Example:
        >>> content = whole(api.backend.read_resources([xray.id]))
        >>> [each.filename for each in content.resources], len(content.annotations[xray.id])
        (['nih_00000001_000.png'], 3)
    """
    with reading as content:
        rows = list(content.rows)
        assert len(rows) == content.count
        return WholeContent(
            content.revision,
            content.project,
            content.worklists,
            [row.resource for row in rows],
            {row.resource.id: row.parts for row in rows},
            {row.resource.id: row.annotations for row in rows},
        )
