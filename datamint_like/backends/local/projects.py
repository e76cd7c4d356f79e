"""Rows of projects, their members and how far the work on each member is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from datamint_like.backends.base import NewProject, NewWorklist
from datamint_like.backends.local import history
from datamint_like.backends.local import members as member_rows
from datamint_like.backends.local import resources as resource_rows
from datamint_like.backends.local import splits as split_rows
from datamint_like.backends.local import worklists as worklist_rows
from datamint_like.backends.local.annotation_rows import complete
from datamint_like.backends.local.changes import name, need_live_resources, need_project, need_resources, one_of, only
from datamint_like.backends.local.database import Read, Write, batches, id_list, new_id
from datamint_like.backends.local.schema import annotation_table, project_resources, projects, resources, work_statuses
from datamint_like.entities import WORK_STATUSES, Project, Resource, WorkStatus
from datamint_like.exceptions import EntityAlreadyExistsError, ValidationError

_CHANGEABLE = frozenset({"name", "description", "most_recent_experiment"})
_member = project_resources.c


def listing(read: Read, *, include_archived: bool) -> list[Project]:
    """Projects by time of creation."""
    statement = sa.select(projects).where(*member_rows.visible_projects(read.acting))
    statement = statement.order_by(projects.c.created_at, projects.c.id)
    if not include_archived:
        statement = statement.where(projects.c.archived.is_(False))
    return _projects(read, read.rows(statement))


def get(read: Read, project_id: str) -> Project:
    """The project with this id, archived or not."""
    return _projects(read, [_row(read, project_id)])[0]


def find(read: Read, wanted: str) -> Project | None:
    """The project with this name, archived or not."""
    row = read.row(sa.select(projects).where(projects.c.name == wanted, *member_rows.visible_projects(read.acting)))
    return None if row is None else _projects(read, [row])[0]


def revision(read: Read, project_id: str) -> str:
    """Number and random id of the last write that changed what a dataset of this project reads."""
    row = _row(read, project_id)
    return f"{row['revision']}-{row['write_id']}"


def create(write: Write, new: NewProject) -> Project:
    """Add a project with its default worklist and first members."""
    _need_free_name(write, new.name)
    project_id = new_id()
    row = {"id": project_id, "name": new.name, "description": new.description, "archived": False}
    row |= {"created_at": write.stamp(), "created_by": write.user, "dataset_id": new_id()}
    write.insert(projects, [row])
    member_rows.admit(write, project_id, [write.user], "PROJECT_OWNER")
    worklist = worklist_rows.create(
        write,
        NewWorklist(
            name=worklist_rows.DEFAULT_NAME,
            project_id=project_id,
            annotations=new.annotations,
            annotators=new.annotators,
            segmentation_group=new.segmentation_group,
            segmentation_type=new.segmentation_type,
        ),
    )
    write.change(projects, projects.c.id == project_id, worklist_id=worklist.id)
    add_resources(write, project_id, new.resource_ids)
    return get(write, project_id)


def update(write: Write, project_id: str, changes: Mapping[str, Any]) -> Project:
    """Change a project's own fields."""
    need_project(write, project_id)
    values = only(changes, _CHANGEABLE, "a project")
    if "name" in values:
        _need_free_name(write, values["name"], own_id=project_id)
    write.change(projects, projects.c.id == project_id, **values)
    return get(write, project_id)


def set_archived(write: Write, project_id: str, archived: bool) -> Project:
    """Archive or restore a project; nothing happens when it is so already."""
    if _row(write, project_id)["archived"] != archived:
        write.change(projects, projects.c.id == project_id, archived=archived)
    return get(write, project_id)


def members(read: Read, project_id: str) -> list[Resource]:
    """The project's resources that are not deleted, by time of adding."""
    need_project(read, project_id)
    statement = (
        sa.select(resources)
        .join(project_resources, _member.resource_id == resources.c.id)
        .where(_member.project_id == project_id, resources.c.deleted.is_(False))
        .order_by(_member.added_at)
    )
    return resource_rows.fetch(read, statement)


def member_ids(read: Read, project_id: str, at_once: int) -> Iterator[list[str]]:
    """The ids of `members`, some at a time."""
    statement = (
        sa.select(_member.resource_id)
        .join(resources, _member.resource_id == resources.c.id)
        .where(_member.project_id == project_id, resources.c.deleted.is_(False))
        .order_by(_member.added_at)
    )
    return ([resource_id for (resource_id,) in some] for some in read.batches_of(statement, at_once))


def add_resources(write: Write, project_id: str, resource_ids: Sequence[str]) -> None:
    """Add resources in this order, publishing them; members stay where they are."""
    need_project(write, project_id)
    wanted = id_list(resource_ids, "resource_ids")
    need_live_resources(write, wanted)
    present = _members_among(write, project_id, wanted)
    new = [resource_id for resource_id in wanted if resource_id not in present]
    admit(write, project_id, new)
    resource_rows.publish(write, new)
    if new:
        write.touch_projects([project_id])


def admit(write: Write, project_id: str, resource_ids: Sequence[str]) -> None:
    """Add the rows of new members, in this order."""
    base = {"project_id": project_id, "added_by": write.user}
    write.insert(project_resources, [{**base, "resource_id": each, "added_at": write.stamp()} for each in resource_ids])
    history.came(write, project_id, resource_ids)


def remove_resources(write: Write, project_id: str, resource_ids: Sequence[str]) -> None:
    """Take resources out of a project, closing their splits there; the resources stay in the store."""
    need_project(write, project_id)
    wanted = id_list(resource_ids, "resource_ids")
    need_resources(write, wanted)
    known = _members_among(write, project_id, wanted)
    present = [each for each in wanted if each in known]
    split_rows.close(write, project_id, present, write.stamp())
    for table in (project_resources, work_statuses):
        for batch in batches(present):
            rows = sa.and_(table.c.project_id == project_id, table.c.resource_id.in_(batch))
            write.connection.execute(sa.delete(table).where(rows))
    if present:
        history.left(write, project_id, present)
        write.touch_projects([project_id])


def set_work_status(write: Write, project_id: str, resource_id: str, status: str, user: str | None = None) -> None:
    """Say how far the work of a user (this one, if None) on a member is."""
    need_project(write, project_id)
    one_of(status, WORK_STATUSES, "The status of work")
    need_members(write, project_id, [resource_id])
    worker = user or write.user
    write.connection.execute(sa.delete(work_statuses).where(_work_of(project_id, resource_id, worker)))
    keys = {"project_id": project_id, "resource_id": resource_id, "user_id": worker}
    write.insert(work_statuses, [{**keys, "status": status, "updated_at": write.stamp()}])
    write.touch_projects([project_id])


def reset_work_status(write: Write, project_id: str, resource_id: str, user: str) -> None:
    """Forget how far the work of a user on a member is."""
    need_project(write, project_id)
    need_members(write, project_id, [resource_id])
    write.connection.execute(sa.delete(work_statuses).where(_work_of(project_id, resource_id, user)))
    write.touch_projects([project_id])


def annotated(read: Read, project_ids: Sequence[str]) -> dict[str, int]:
    """For each project how many members have an annotation, neither being deleted."""
    counts = dict.fromkeys(project_ids, 0)
    for batch in batches(project_ids):
        live = _live().where(_member.project_id.in_(batch)).subquery()
        said = annotation_table.c
        has_one = sa.exists().where(said.resource_id == live.c.resource_id, said.deleted.is_(False), complete())
        total = sa.select(live.c.project_id, sa.func.count().label("total")).where(has_one).group_by(live.c.project_id)
        counts |= {row["project_id"]: row["total"] for row in read.rows(total)}
    return counts


def statuses(read: Read, project_id: str) -> list[WorkStatus]:
    """Statuses of work, oldest first; of one resource the latest counts."""
    need_project(read, project_id)
    row = work_statuses.c
    columns = (row.resource_id, row.status, row.user_id, row.updated_at)
    found = read.rows(sa.select(*columns).where(row.project_id == project_id).order_by(row.updated_at))
    return [WorkStatus(**each) for each in found]


def need_members(read: Read, project_id: str, resource_ids: Sequence[str]) -> None:
    """Raise unless all these are resources of the project.

    Raises:
        ItemNotFoundError: The store holds no such resource.
        ValidationError: It is none of this project.
    """
    need_resources(read, resource_ids)
    present = _members_among(read, project_id, resource_ids)
    outside = [each for each in resource_ids if each not in present]
    if outside:
        raise ValidationError(
            f"{len(outside)} resource(s) are not in project {project_id}, the first is {outside[0]}. "
            "Add them to the project first."
        )


def _work_of(project_id: str, resource_id: str, user: str) -> sa.ColumnElement[bool]:
    row = work_statuses.c
    return sa.and_(row.project_id == project_id, row.resource_id == resource_id, row.user_id == user)


def _members_among(read: Read, project_id: str, resource_ids: Sequence[str]) -> set[str]:
    return read.found(_member.resource_id, resource_ids, _member.project_id == project_id)


def _row(read: Read, project_id: str) -> Any:
    row = read.row(sa.select(projects).where(projects.c.id == project_id))
    if row is None:
        raise read.missing("Project", project_id)
    return row


def _need_free_name(read: Read, wanted: str, own_id: str | None = None) -> None:
    holder = read.row(sa.select(projects).where(projects.c.name == name(wanted, "The name of a project")))
    if holder is not None and holder["id"] != own_id:
        state = " (archived; restore it, or choose another name)" if holder["archived"] else ""
        raise EntityAlreadyExistsError(
            f"A project named {wanted!r} exists already in the store {read.store}{state}: {holder['id']}."
        )


def _projects(read: Read, rows: Sequence[Any]) -> list[Project]:
    """The projects of these rows, in as few statements for many as for one."""
    ids = [row["id"] for row in rows]
    totals, counts, annotators = _totals(read, ids), _work_counts(read, ids), worklist_rows.annotators_of(read, ids)
    found = []
    for row in rows:
        total, work = totals.get(row["id"], 0), counts.get(row["id"], {})
        closed = work.get("closed", 0)
        annotated = closed + work.get("annotated", 0)
        found.append(
            Project(
                **{key: value for key, value in row.items() if key not in ("revision", "write_id")},
                resource_count=total,
                annotated_resource_count=annotated,
                closed_resources_count=closed,
                resources_to_annotate_count=total - annotated,
                annotators=annotators.get(row["id"], ()),
            )
        )
    return found


def _live() -> sa.Select[Any]:
    """Project and resource of each member that is not deleted."""
    return (
        sa.select(_member.project_id, _member.resource_id)
        .join(resources, resources.c.id == _member.resource_id)
        .where(resources.c.deleted.is_(False))
    )


def _totals(read: Read, project_ids: Sequence[str]) -> dict[str, int]:
    """How many members each project has: all but the deleted, of which there are few to look up."""
    totals: dict[str, int] = {}
    held = sa.select(_member.project_id, sa.func.count().label("total")).group_by(_member.project_id)
    gone = held.where(_member.resource_id.in_(sa.select(resources.c.id).where(resources.c.deleted.is_(True))))
    for batch in batches(project_ids):
        for row in read.rows(held.where(_member.project_id.in_(batch))):
            totals[row["project_id"]] = row["total"]
        for row in read.rows(gone.where(_member.project_id.in_(batch))):
            totals[row["project_id"]] -= row["total"]
    return totals


def _work_counts(read: Read, project_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Of each project, how many members have which status; of a member the latest counts."""
    counts: dict[str, dict[str, int]] = {}
    row = work_statuses.c
    age = sa.func.row_number().over(partition_by=(row.project_id, row.resource_id), order_by=row.updated_at.desc())
    for batch in batches(project_ids):
        live = _live().where(_member.project_id.in_(batch)).subquery()
        same = sa.and_(live.c.project_id == row.project_id, live.c.resource_id == row.resource_id)
        ranked = sa.select(row.project_id, row.status, age.label("age")).join(live, same).subquery()
        groups = (ranked.c.project_id, ranked.c.status)
        latest = sa.select(*groups, sa.func.count().label("total")).where(ranked.c.age == 1).group_by(*groups)
        for found in read.rows(latest):
            counts.setdefault(found["project_id"], {})[found["status"]] = found["total"]
    return counts
