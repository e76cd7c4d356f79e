"""Rows of what reviewers say about the work on a resource."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from datamint_like.backends.local.changes import need_project, one_of
from datamint_like.backends.local.database import Read, Write, new_id
from datamint_like.backends.local.projects import set_work_status
from datamint_like.backends.local.schema import review_messages
from datamint_like.entities import WORK_STATUSES, ReviewMessage

#: What a review makes of the work: approved work is closed, work to be revised is open again.
VERDICTS = {"approved": "closed", "revision_request": "opened"}
_row = review_messages.c


def set_status(
    write: Write, project_id: str, resource_id: str, annotator: str, status: str, message: str | None
) -> None:
    """Say how far an annotator's work on a member is; a verdict, and whatever has a message, is kept as a review.

    Raises:
        ItemNotFoundError: The project or the resource is unknown.
        ValidationError: The status is none, or the resource is not in the project.
    """
    one_of(status, (*WORK_STATUSES, *VERDICTS), "The status of work")
    set_work_status(write, project_id, resource_id, VERDICTS.get(status, status), annotator)
    if status in VERDICTS or message:
        said = {"project_id": project_id, "resource_id": resource_id, "author": write.user, "annotator": annotator}
        said |= {"status": status, "message": message or "", "created_at": write.stamp()}
        write.insert(review_messages, [{"id": new_id(), **said}])


def listing(
    read: Read, project_id: str, annotator: str | None, resource_id: str | None, statuses: Sequence[str]
) -> list[ReviewMessage]:
    """Reviews of the work in a project, oldest first; None and an empty list mean any."""
    need_project(read, project_id)
    statement = sa.select(review_messages).where(_row.project_id == project_id)
    if annotator:
        statement = statement.where(_row.annotator == annotator)
    if resource_id:
        statement = statement.where(_row.resource_id == resource_id)
    if statuses:
        statement = statement.where(_row.status.in_(statuses))
    return [ReviewMessage(**row) for row in read.rows(statement.order_by(_row.created_at, _row.id))]
