"""Rows of resources, their parts and tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from datamint_like.backends.base import ResourceQuery
from datamint_like.backends.local import clock
from datamint_like.backends.local.changes import given_texts, need_live_resources, need_resources, one_of, page
from datamint_like.backends.local.database import Read, Write, batches, id_list
from datamint_like.backends.local.listed_resources import listed
from datamint_like.backends.local.members import visible_projects, visible_resources
from datamint_like.backends.local.schema import (
    annotation_table,
    parts,
    project_resources,
    projects,
    resource_tags,
    resources,
)
from datamint_like.entities import Part, Resource
from datamint_like.exceptions import ValidationError

_ORDER_FIELDS = ("modality", "created_by", "published_by", "published_on", "filename", "created_at")
_row = resources.c
_tag = resource_tags.c
_part_columns = [column for column in parts.c if column.name != "resource_id"]
_part_names = [str(column.name) for column in _part_columns]


@dataclass(frozen=True)
class Files:
    """The original files of a resource, with its name and media type."""

    filename: str
    mimetype: str
    parts: list[Part]


def fetch(read: Read, statement: sa.Select[Any]) -> list[Resource]:
    """The resources that `statement` picks, in its order, with their tags."""
    rows = read.rows(statement)
    tags = _tags_of(read, [row["id"] for row in rows])
    return [_resource(row, tags.get(row["id"], ())) for row in rows]


def get_many(read: Read, resource_ids: Sequence[str]) -> list[Resource]:
    """The resources with these ids, in their order, deleted or not."""
    wanted = id_list(resource_ids, "resource_ids")
    need_resources(read, wanted)
    found = {
        resource.id: resource
        for batch in batches(wanted)
        for resource in fetch(read, sa.select(resources).where(_row.id.in_(batch)))
    }
    return [found[resource_id] for resource_id in resource_ids]


def get(read: Read, resource_id: str) -> Resource:
    """The resource with this id, deleted or not."""
    found = fetch(read, sa.select(resources).where(_row.id == resource_id))
    if not found:
        raise read.missing("Resource", resource_id)
    return found[0]


def listing(read: Read, query: ResourceQuery) -> list[Resource]:
    """The resources that `query` asks for."""
    return fetch(read, _chosen(query, _conditions(read, query)))


def page_of(read: Read, query: ResourceQuery, *, not_annotated: bool = False) -> tuple[list[Any], int]:
    """A page of a listing as rows that encode as resources do, and how many there are on all pages."""
    conditions = _conditions(read, query)
    if not_annotated:
        said = sa.select(annotation_table.c.resource_id).where(annotation_table.c.deleted.is_(False))
        conditions.append(_row.id.not_in(said))
    total = sa.select(sa.func.count()).select_from(resources).where(*conditions)
    return listed(read, _chosen(query, conditions)), int(read.connection.execute(total).scalar_one())


def channels(read: Read) -> list[tuple[str, list[Resource]]]:
    """Each channel and its resources that are not deleted, by name, then by time."""
    chosen = sa.select(resources).where(*visible_resources(read.acting), _row.deleted.is_(False))
    found: dict[str, list[Resource]] = {}
    for row in read.rows(chosen.order_by(_row.upload_channel, _row.created_at, _row.id)):
        found.setdefault(row["upload_channel"], []).append(_resource(row, ()))
    return list(found.items())


def insert(write: Write, new: Sequence[tuple[dict[str, Any], Sequence[str], Sequence[Part]]]) -> None:
    """Add resources, each with its tags and parts."""
    write.insert(resources, [row for row, _, _ in new])
    write.insert(
        parts, [{**part.to_dict(), "resource_id": row["id"]} for row, _, part_rows in new for part in part_rows]
    )
    write.insert(resource_tags, [each for row, tags, _ in new for each in _tag_rows(row["id"], 0, checked_tags(tags))])


def parts_of(read: Read, resource_ids: Sequence[str]) -> dict[str, list[Part]]:
    """The parts of each resource, in order."""
    wanted = id_list(resource_ids, "resource_ids")
    need_resources(read, wanted)
    result: dict[str, list[Part]] = {resource_id: [] for resource_id in wanted}
    for batch in batches(wanted):
        chosen = sa.select(parts).where(parts.c.resource_id.in_(batch)).order_by(parts.c.resource_id, parts.c.index)
        for row in read.rows(chosen):
            result[row["resource_id"]].append(Part(**{k: v for k, v in row.items() if k != "resource_id"}))
    return result


def files_of(read: Read, resource_id: str) -> Files:
    """What serving the files of a resource needs, in one question."""
    chosen = sa.select(*_part_columns, _row.filename.label("called"), _row.mimetype)
    rows = read.connection.execute(
        chosen.join(resources, _row.id == parts.c.resource_id)
        .where(parts.c.resource_id == resource_id)
        .order_by(parts.c.index)
    ).all()
    if not rows:
        raise read.missing("Resource", resource_id)
    found = [Part(**dict(zip(_part_names, row, strict=False))) for row in rows]
    return Files(rows[0].called, rows[0].mimetype, found)


def of_bytes(read: Read, project_id: str, part_rows: Sequence[Part]) -> Resource | None:
    """The resource of a project, not deleted, that has parts of these bytes in any order; the first where several."""
    wanted = sorted(part.sha256 for part in part_rows)
    member = project_resources.c
    holders = (
        sa.select(member.resource_id)
        .join(parts, parts.c.resource_id == member.resource_id)
        .join(resources, _row.id == member.resource_id)
        .where(parts.c.sha256 == wanted[0], member.project_id == project_id, _row.deleted.is_(False))
        .order_by(member.added_at, member.resource_id)
    )
    for resource_id in dict.fromkeys(row["resource_id"] for row in read.rows(holders)):
        held = parts_of(read, [resource_id])[resource_id]
        if sorted(part.sha256 for part in held) == wanted:
            return get(read, resource_id)
    return None


def set_tags(write: Write, resource_ids: Sequence[str], tags: Sequence[str]) -> None:
    """Replace the tags of each resource."""
    wanted, new = id_list(resource_ids, "resource_ids"), checked_tags(tags)
    need_resources(write, wanted)
    for batch in batches(wanted):
        write.connection.execute(sa.delete(resource_tags).where(_tag.resource_id.in_(batch)))
    write.insert(resource_tags, [row for resource_id in wanted for row in _tag_rows(resource_id, 0, new)])
    _touch(write, wanted)


def add_tags(write: Write, resource_ids: Sequence[str], tags: Sequence[str]) -> None:
    """Add tags after those that each resource has."""
    wanted, new = id_list(resource_ids, "resource_ids"), checked_tags(tags)
    need_resources(write, wanted)
    present = _tags_of(write, wanted)
    rows = []
    for resource_id in wanted:
        old = present.get(resource_id, ())
        rows += _tag_rows(resource_id, len(old), [tag for tag in new if tag not in old])
    write.insert(resource_tags, rows)
    _touch(write, wanted)


def publish(write: Write, resource_ids: Sequence[str]) -> None:
    """Publish those that are not yet."""
    wanted = id_list(resource_ids, "resource_ids")
    need_live_resources(write, wanted)
    waiting = sorted(write.found(_row.id, wanted, _row.published.is_(False)))
    if waiting:
        write.change_each(resources, _row.id, waiting, **published(write.stamp(), write.user))
        write.touch_projects_of(waiting)


def published(now: str, user: str) -> dict[str, Any]:
    """Columns of a resource published at `now`."""
    return {"status": "published", "published": True, "published_on": now, "published_by": user}


def delete(write: Write, resource_ids: Sequence[str]) -> None:
    """Mark as deleted those that are not yet; nothing of them is lost."""
    wanted = id_list(resource_ids, "resource_ids")
    need_resources(write, wanted)
    live = sorted(write.found(_row.id, wanted, _row.deleted.is_(False)))
    if live:
        mark = {"deleted": True, "status": "deleted", "deleted_at": write.stamp(), "deleted_by": write.user}
        write.change_each(resources, _row.id, live, **mark)
        write.touch_projects_of(live)


def restore(write: Write, resource_ids: Sequence[str]) -> list[Resource]:
    """Undo the deletion of those that are deleted; memberships were kept."""
    wanted = id_list(resource_ids, "resource_ids")
    need_resources(write, wanted)
    gone = sorted(write.found(_row.id, wanted, _row.deleted.is_(True)))
    status = sa.case((_row.published, "published"), else_="inbox")
    write.change_each(resources, _row.id, gone, deleted=False, deleted_at=None, deleted_by=None, status=status)
    write.touch_projects_of(gone)
    return get_many(write, wanted)


def checked_tags(tags: Sequence[str]) -> list[str]:
    """`tags` without repetitions and surrounding blanks.

    Raises:
        ValidationError: One is empty.
    """
    cleaned = [tag.strip() for tag in id_list(tags, "tags")]
    if not all(cleaned) or any("\0" in tag for tag in cleaned):
        raise ValidationError("A tag must not be empty, nor hold the character NUL.")
    return list(dict.fromkeys(cleaned))


def _chosen(query: ResourceQuery, conditions: list[sa.ColumnElement[bool]]) -> sa.Select[Any]:
    """The statement that picks the query's page of the rows that meet these conditions, in its order."""
    part = page(query.offset, query.limit)
    field = one_of(query.order_field or "created_at", _ORDER_FIELDS, "order_field")
    first = _row[field].asc() if query.order_ascending else _row[field].desc()
    if _row[field].nullable:  # databases differ: no value is less than any, as in SQLite
        first = first.nulls_first() if query.order_ascending else first.nulls_last()
    then = (_row.id,) if field == "created_at" else (_row.created_at, _row.id)
    statement = sa.select(resources).where(*conditions).order_by(first, *then)
    return statement.slice(part.start, part.stop) if part.stop is not None else statement.offset(part.start)


def _conditions(read: Read, query: ResourceQuery) -> list[sa.ColumnElement[bool]]:
    found = visible_resources(read.acting)
    one_of(query.deleted, ("exclude", "include", "only"), "deleted")
    if query.deleted != "include":
        found.append(_row.deleted.is_(query.deleted == "only"))
    equal = given_texts(status=query.status, modality=query.modality, mimetype=query.mimetype, channel=query.channel)
    found += [_row["upload_channel" if field == "channel" else field] == value for field, value in equal.items()]
    for part in given_texts(filename=query.filename).values():
        found.append(_row.filename.icontains(part, autoescape=True))  # of letters, A-Z and a-z are the same
    if query.from_date:
        found.append(_row.created_at >= clock.parse(query.from_date))
    if query.to_date:
        found.append(_row.created_at < clock.parse(query.to_date))
    if query.tags:
        found.append(_tagged(query))
    held = [_row.id.in_(_members_of(read, wanted)) for wanted in id_list(query.project_names, "project_names")]
    one_of(query.projects_mode, ("union", "intersection"), "projects_mode")
    if held:
        found.append(sa.or_(*held) if query.projects_mode == "union" else sa.and_(*held))
    return found


def _tagged(query: ResourceQuery) -> sa.ColumnElement[bool]:
    one_of(query.tags_mode, ("union", "intersection"), "tags_mode")
    each = [_row.id.in_(sa.select(_tag.resource_id).where(_tag.tag == tag)) for tag in id_list(query.tags, "tags")]
    return sa.or_(*each) if query.tags_mode == "union" else sa.and_(*each)


def _members_of(read: Read, project_name: str) -> sa.Select[Any]:
    row = read.row(sa.select(projects.c.id).where(projects.c.name == project_name, *visible_projects(read.acting)))
    if row is None:
        raise read.missing("Project", repr(project_name))
    return sa.select(project_resources.c.resource_id).where(project_resources.c.project_id == row["id"])


def _tag_rows(resource_id: str, start: int, tags: Sequence[str]) -> list[dict[str, Any]]:
    return [{"resource_id": resource_id, "tag": tag, "position": start + n} for n, tag in enumerate(tags)]


def _touch(write: Write, resource_ids: Sequence[str]) -> None:
    """Give the resources, and the projects that hold them, the number of this write."""
    write.change_each(resources, _row.id, resource_ids)
    write.touch_projects_of(resource_ids)


def _tags_of(read: Read, resource_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    result: dict[str, tuple[str, ...]] = {}
    for batch in batches(resource_ids):
        chosen = sa.select(resource_tags).where(_tag.resource_id.in_(batch)).order_by(_tag.resource_id, _tag.position)
        for row in read.rows(chosen):
            result[row["resource_id"]] = (*result.get(row["resource_id"], ()), row["tag"])
    return result


def _resource(row: Any, tags: tuple[str, ...]) -> Resource:
    return Resource(**{key: value for key, value in row.items() if key != "revision"}, tags=tags)
