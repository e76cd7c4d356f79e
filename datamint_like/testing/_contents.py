"""Contents of projects, compared byte for byte."""

from __future__ import annotations

from typing import Any

import msgspec

from datamint_like.backends.base import Backend, ProjectContent


def rows_of(content: ProjectContent) -> list[tuple[Any, ...]]:
    """The rows of a content in order: each record with its files and annotations."""
    return [(each, list(content.parts[each.id]), list(content.annotations[each.id])) for each in content.resources]


def after(before: ProjectContent, later: ProjectContent) -> bytes:
    """What `before` becomes by the changes that `later` holds, encoded as `encoded` does the content itself."""
    changes = later.changes
    assert changes is not None
    new = {row[0].id: row for row in rows_of(later)}
    assert list(new) == [resource_id for resource_id, _ in changes.places]
    rows = {row[0].id: row for row in rows_of(before)}
    order = [each for each in rows if each not in {*changes.gone, *new}]
    for resource_id, previous in changes.places:
        order.insert(0 if previous is None else order.index(previous) + 1, resource_id)
    assert len(order) == changes.total
    found = [({**rows, **new})[each] for each in order]
    return msgspec.json.encode((later.revision, later.project, later.worklists, found))


def encoded(content: ProjectContent) -> bytes:
    """All of a content."""
    return msgspec.json.encode((content.revision, content.project, content.worklists, rows_of(content)))


def changes_since(backend: Backend, before: ProjectContent) -> ProjectContent:
    """What changed since `before`, which must make of it what the project is now."""
    assert before.project is not None
    later = backend.read_changes(before.project.id, before.revision)
    assert later.changes is not None
    assert later.changes.since == before.revision
    assert after(before, later) == encoded(backend.read_project(before.project.id))
    return later
