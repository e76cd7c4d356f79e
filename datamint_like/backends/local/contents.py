"""Everything that a dataset reads, from one read transaction."""

from __future__ import annotations

import hashlib

import msgspec

from datamint_like.backends.base import AnnotationQuery, Changes, ProjectContent
from datamint_like.backends.local import annotation_rows, history, projects, resources, worklists
from datamint_like.backends.local.database import Read
from datamint_like.entities import Annotation, Resource
from datamint_like.exceptions import ItemNotFoundError


def of_project(read: Read, project_id: str) -> ProjectContent:
    """A project, its schemas, members that are not deleted, their files and annotations."""
    members = tuple(projects.members(read, project_id))
    return ProjectContent(
        revision=revision(read, project_id),
        project=projects.get(read, project_id),
        worklists=tuple(worklists.of_project(read, project_id)),
        resources=members,
        parts=resources.parts_of(read, [each.id for each in members]),
        annotations=_annotations(read, members),
    )


def changes_of_project(read: Read, project_id: str, since: str) -> ProjectContent:
    """What changed in a project after one of its revisions; all of it where that is not known, or is no less."""
    store, project = f"{read.store_id()}-", projects.get(read, project_id)
    known = since.startswith(store)
    moved = history.moved(read, project_id, since.removeprefix(store), project.resource_count) if known else None
    if moved is None:
        return of_project(read, project_id)
    ids = [resource_id for resource_id, _ in moved.places]
    changed = tuple(resources.get_many(read, ids))
    return ProjectContent(
        revision=revision(read, project_id),
        project=project,
        worklists=tuple(worklists.of_project(read, project_id)),
        resources=changed,
        parts=resources.parts_of(read, ids),
        annotations=_annotations(read, changed),
        changes=Changes(since, moved.gone, moved.places, project.resource_count),
    )


def of_resources(read: Read, resource_ids: list[str]) -> ProjectContent:
    """Resources with their files and annotations; the revision is a digest of all that.

    Raises:
        ItemNotFoundError: One is unknown or deleted.
    """
    chosen = tuple(resources.get_many(read, resource_ids))
    for resource in chosen:
        if resource.deleted:
            raise ItemNotFoundError(
                f"Resource {resource.id} ({resource.filename!r}) is deleted from the store {read.store}. "
                f"Api().resources.restore({resource.id!r}) brings it back."
            )
    parts = resources.parts_of(read, resource_ids)
    annotations_of = _annotations(read, chosen)
    content = msgspec.json.encode((chosen, parts, annotations_of))
    return ProjectContent(
        revision=f"{read.store_id()}-{hashlib.sha256(content).hexdigest()}",
        project=None,
        worklists=(),
        resources=chosen,
        parts=parts,
        annotations=annotations_of,
    )


def revision(read: Read, project_id: str) -> str:
    """A token that changes whenever anything of `of_project` changes, and that no other store gives.

    Nor does another copy of this store that went its own way, such as the state after a backup was put back.
    """
    return f"{read.store_id()}-{projects.revision(read, project_id)}"


def _annotations(read: Read, chosen: tuple[Resource, ...]) -> dict[str, list[Annotation]]:
    result: dict[str, list[Annotation]] = {resource.id: [] for resource in chosen}
    for annotation in annotation_rows.listing(read, AnnotationQuery(resource_ids=tuple(result))):
        result[annotation.resource_id].append(annotation)
    return result
