"""Everything that a dataset reads, from one read transaction, row by row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager

import msgspec

from datamint_like.backends.base import Changes, ProjectContent
from datamint_like.backends.local import content_rows, history, projects, resources, worklists
from datamint_like.backends.local.changes import need_resources
from datamint_like.backends.local.database import Read
from datamint_like.backends.local.schema import resources as resource_table
from datamint_like.exceptions import ItemNotFoundError


@contextmanager
def of_project(read: Read, project_id: str) -> Iterator[ProjectContent]:
    """A project, its schemas, members that are not deleted, their files and annotations."""
    project = projects.get(read, project_id)
    members = projects.member_ids(read, project_id, content_rows.AT_ONCE)
    with closing(content_rows.of_batches(read, members)) as rows:
        yield ProjectContent(
            revision=revision(read, project_id),
            project=project,
            worklists=tuple(worklists.of_project(read, project_id)),
            count=project.resource_count,
            rows=rows,
        )


@contextmanager
def changes_of_project(read: Read, project_id: str, since: str) -> Iterator[ProjectContent]:
    """What changed in a project after one of its revisions; all of it where that is not known, or is no less."""
    store, project = f"{read.store_id()}-", projects.get(read, project_id)
    known = since.startswith(store)
    moved = history.moved(read, project_id, since.removeprefix(store), project.resource_count) if known else None
    if moved is None:
        with of_project(read, project_id) as content:
            yield content
        return
    with closing(content_rows.of_ids(read, [resource_id for resource_id, _ in moved.places])) as rows:
        yield ProjectContent(
            revision=revision(read, project_id),
            project=project,
            worklists=tuple(worklists.of_project(read, project_id)),
            count=len(moved.places),
            rows=rows,
            changes=Changes(since, moved.gone, moved.places, project.resource_count),
        )


@contextmanager
def of_resources(read: Read, resource_ids: list[str]) -> Iterator[ProjectContent]:
    """Resources with their files and annotations; the revision is a digest of all that, so it is read twice.

    Raises:
        ItemNotFoundError: One is unknown or deleted.
    """
    _need_live(read, resource_ids)
    digest = hashlib.sha256()
    for row in content_rows.of_ids(read, resource_ids):
        digest.update(msgspec.json.encode(row))
    with closing(content_rows.of_ids(read, resource_ids)) as rows:
        yield ProjectContent(
            revision=f"{read.store_id()}-{digest.hexdigest()}",
            project=None,
            worklists=(),
            count=len(resource_ids),
            rows=rows,
        )


def revision(read: Read, project_id: str) -> str:
    """A token that changes whenever anything of `of_project` changes, and that no other store gives.

    Nor does another copy of this store that went its own way, such as the state after a backup was put back.
    """
    return f"{read.store_id()}-{projects.revision(read, project_id)}"


def _need_live(read: Read, resource_ids: list[str]) -> None:
    need_resources(read, resource_ids)
    gone = read.found(resource_table.c.id, resource_ids, resource_table.c.deleted.is_(True))
    for resource_id in resource_ids:
        if resource_id in gone:
            raise ItemNotFoundError(
                f"Resource {resource_id} ({resources.get(read, resource_id).filename!r}) is deleted from the store "
                f"{read.store}. Api().resources.restore({resource_id!r}) brings it back."
            )
