"""How much was said: numbers of annotations by author, type and identifier."""

from __future__ import annotations

import sqlalchemy as sa

from datamint_like.backends.local.annotation_rows import complete
from datamint_like.backends.local.changes import need_project
from datamint_like.backends.local.database import Read
from datamint_like.backends.local.schema import annotation_table, project_resources, resources
from datamint_like.entities import AnnotationTally

_row = annotation_table.c


def of_project(read: Read, project_id: str) -> list[AnnotationTally]:
    """Of the annotations of a project's resources; neither being deleted."""
    need_project(read, project_id)
    inside = sa.select(project_resources.c.resource_id).where(project_resources.c.project_id == project_id)
    return _tallies(read, _row.resource_id.in_(inside))


def of_worklist(read: Read, worklist_id: str) -> list[AnnotationTally]:
    """Of the annotations that were made in a worklist; neither they nor their resources being deleted."""
    return _tallies(read, _row.annotation_worklist_id == worklist_id)


def _tallies(read: Read, where: sa.ColumnElement[bool]) -> list[AnnotationTally]:
    author = sa.func.coalesce(_row.created_by, _row.created_by_model).label("author")
    groups = (_row.resource_id, author, _row.annotation_type, _row.identifier, _row.scope)
    statement = (
        sa.select(*groups, sa.func.count().label("total"))
        .join(resources, resources.c.id == _row.resource_id)
        .where(where, complete(), _row.deleted.is_(False), resources.c.deleted.is_(False))
        .group_by(*groups)
        .order_by(*groups)
    )
    return [AnnotationTally(**row) for row in read.rows(statement)]
