"""The content of a project held whole, as tests compare it; a catalog reads it row by row."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import msgspec

from datamint_like.backends.base import Backend, Changes, ContentRow, ProjectContent
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
    changes: Changes | None = None


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
            content.changes,
        )


def rows_of(content: WholeContent) -> list[ContentRow]:
    """The rows of a content, in order.

    Example:
        >>> [row.resource.filename for row in rows_of(whole(api.backend.read_resources([xray.id])))]
        ['nih_00000001_000.png']
    """
    return [ContentRow(each, content.parts[each.id], content.annotations[each.id]) for each in content.resources]


def encoded(content: WholeContent) -> bytes:
    """All of a content, as bytes that are equal where it is.

    Example:
        >>> encoded(whole(api.backend.read_resources([xray.id])))[:1]
        b'['
    """
    return msgspec.json.encode((content.revision, content.project, content.worklists, rows_of(content)))


def after(before: WholeContent, later: WholeContent) -> bytes:
    """What `before` becomes by the changes that `later` holds: bytes as `encoded` makes them of the whole.

    Example:
        >>> project_id = api.projects.get_by_name("chest").id
        >>> before = whole(api.backend.read_project(project_id))
        >>> after(before, whole(api.backend.read_changes(project_id, before.revision))) == encoded(before)
        True
    """
    changes = later.changes
    assert changes is not None
    assert [each.id for each in later.resources] == [resource_id for resource_id, _ in changes.places]
    new = {row.resource.id: row for row in rows_of(later)}
    rows = {row.resource.id: row for row in rows_of(before)}
    order = [each for each in rows if each not in {*changes.gone, *new}]
    for resource_id, previous in changes.places:
        order.insert(0 if previous is None else order.index(previous) + 1, resource_id)
    assert len(order) == changes.total
    found = [({**rows, **new})[each] for each in order]
    return msgspec.json.encode((later.revision, later.project, later.worklists, found))


def changes_since(backend: Backend, before: WholeContent) -> WholeContent:
    """What changed since `before`, which must make of it what the project is now.

    Example:
        >>> before = whole(api.backend.read_project(api.projects.get_by_name("chest").id))
        >>> changes_since(api.backend, before).resources
        []
    """
    assert before.project is not None
    later = whole(backend.read_changes(before.project.id, before.revision))
    assert later.changes is not None
    assert later.changes.since == before.revision
    assert after(before, later) == encoded(whole(backend.read_project(before.project.id)))
    return later
