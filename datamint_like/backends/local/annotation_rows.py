"""Rows of annotations.

A segmentation that was made without its file waits for it: it can be asked for by its id, and is in no listing,
no count and no dataset until the file is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from datamint_like.backends.base import AnnotationQuery, NewAnnotation
from datamint_like.backends.local import annotation_checks as checks
from datamint_like.backends.local import clock
from datamint_like.backends.local.changes import given_texts, name, need_live_resources, one_of, only, page
from datamint_like.backends.local.database import BATCH, Read, Write, batches, id_list, new_id
from datamint_like.backends.local.members import visible_resources
from datamint_like.backends.local.schema import annotation_table, resources, worklists
from datamint_like.entities import FILE_TYPES, Annotation
from datamint_like.exceptions import ItemNotFoundError, ValidationError

STATUSES = ("new", "published")
_VALUES = ("value", "text_value", "numeric_value")
_CHANGEABLE = frozenset({"identifier", *_VALUES, "units", "geometry", "status", "annotation_worklist_id"})
_row = annotation_table.c
_joined = (
    sa.select(
        annotation_table,
        resources.c.filename.label("resource_filename"),
        resources.c.modality.label("resource_modality"),
        worklists.c.name.label("annotation_worklist_name"),
    )
    .join(resources, resources.c.id == _row.resource_id)
    .outerjoin(worklists, worklists.c.id == _row.annotation_worklist_id)
)


def complete() -> sa.ColumnElement[bool]:
    """The condition on annotations that leaves out those that wait for their file."""
    return sa.or_(_row.annotation_type.not_in(FILE_TYPES), _row.sha256.is_not(None))


def get(read: Read, annotation_id: str) -> Annotation:
    """The annotation with this id, deleted or not."""
    row = read.row(_joined.where(_row.id == annotation_id))
    if row is None:
        raise read.missing("Annotation", annotation_id)
    return _annotation(row)


def get_many(read: Read, annotation_ids: Sequence[str]) -> list[Annotation]:
    """The annotations with these ids, in their order."""
    rows = [row for batch in batches(annotation_ids) for row in read.rows(_joined.where(_row.id.in_(batch)))]
    found = {row["id"]: _annotation(row) for row in rows}
    return [found[annotation_id] for annotation_id in annotation_ids]


def owners(read: Read, annotation_ids: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """For each of these annotations its resource and its author; unknown ids are left out."""
    chosen = sa.select(_row.id, _row.resource_id, _row.created_by)
    return {
        row["id"]: (row["resource_id"], row["created_by"])
        for batch in batches(id_list(annotation_ids, "annotation_ids"))
        for row in read.rows(chosen.where(_row.id.in_(batch)))
    }


def listing(read: Read, query: AnnotationQuery) -> list[Annotation]:
    """The annotations that `query` asks for, by (created_at, id)."""
    part = page(query.offset, query.limit)
    statement = _joined.where(*visible_resources(read.acting), *_conditions(query)).order_by(_row.created_at, _row.id)
    wanted = None if query.resource_ids is None else id_list(query.resource_ids, "resource_ids")
    if wanted is None or len(wanted) <= BATCH:
        if wanted is not None:
            statement = statement.where(_row.resource_id.in_(wanted))
        whole = part.stop is None
        statement = statement.offset(part.start) if whole else statement.slice(part.start, part.stop)
        return [_annotation(row) for row in read.rows(statement)]
    rows = [row for batch in batches(wanted) for row in read.rows(statement.where(_row.resource_id.in_(batch)))]
    rows.sort(key=lambda row: (row["created_at"], row["id"]))
    return [_annotation(row) for row in rows[part]]


def count(read: Read, query: AnnotationQuery) -> int:
    """How many annotations `query` asks for, on all its pages."""
    statement = sa.select(sa.func.count()).select_from(annotation_table).join(resources)
    statement = statement.where(*visible_resources(read.acting), *_conditions(query))
    if query.resource_ids is None:
        return int(read.connection.execute(statement).scalar_one())
    wanted = id_list(query.resource_ids, "resource_ids")
    some = (statement.where(_row.resource_id.in_(batch)) for batch in batches(wanted))
    return sum(int(read.connection.execute(each).scalar_one()) for each in some)


def create(write: Write, rows_of: Mapping[str, Sequence[dict[str, Any]]]) -> list[Annotation]:
    """Add checked annotations of each of these resources, in this order."""
    need_live_resources(write, list(rows_of))
    made = insert(write, rows_of)
    write.touch_projects_of(list(rows_of))
    return get_many(write, made)


def insert(write: Write, rows_of: Mapping[str, Sequence[dict[str, Any]]]) -> list[str]:
    """Add checked annotations of each of these resources, which are there, in this order; their ids."""
    rows = [{"resource_id": resource_id, **row} for resource_id, some in rows_of.items() for row in some]
    need_worklists(write, [row["annotation_worklist_id"] for row in rows])
    base = {"status": "new", "deleted": False}
    full = [{**base, **row, **_authors(write, row), "id": new_id(), "created_at": write.stamp()} for row in rows]
    write.insert(annotation_table, full)
    return [row["id"] for row in full]


def attach(write: Write, annotation_id: str, file: str, sha256: str) -> Annotation:
    """Give a segmentation the file that it waits for; the same file once more changes nothing.

    Raises:
        ItemNotFoundError: The annotation is unknown or deleted.
        ValidationError: It has another file, or is of a type that has none.
    """
    old = _live(write, annotation_id)
    if old.annotation_type not in FILE_TYPES:
        raise ValidationError(f"Annotation {annotation_id} is a {old.annotation_type} and takes no file.")
    if old.sha256 not in (None, sha256):
        raise ValidationError(
            f"Annotation {annotation_id} has a file already. Make another annotation of it, and delete this one."
        )
    if old.sha256 is None:
        write.change(annotation_table, _row.id == annotation_id, file=file, associated_file=file, sha256=sha256)
        write.touch_projects_of([old.resource_id])
    return get(write, annotation_id)


def forgotten(read: Read) -> list[str]:
    """Ids of segmentations that have waited for their file for more than a day."""
    chosen = sa.select(_row.id).where(sa.not_(complete()), _row.created_at < clock.a_day_ago())
    return [row["id"] for row in read.rows(chosen)]


def drop_forgotten(write: Write) -> None:
    """Remove the segmentations that have waited for their file for more than a day."""
    for batch in batches(forgotten(write)):
        write.connection.execute(sa.delete(annotation_table).where(_row.id.in_(batch)))


def said_in(read: Read, worklist_id: str, resource_id: str, author: str) -> list[str]:
    """Ids of the annotations that an author made of a resource in a worklist and that are not deleted."""
    place = (_row.annotation_worklist_id == worklist_id, _row.resource_id == resource_id)
    chosen = sa.select(_row.id).where(*place, _row.created_by == author, _row.deleted.is_(False))
    return [row["id"] for row in read.rows(chosen)]


def origins(read: Read, resource_id: str) -> set[str]:
    """Where the annotations of a resource that are not deleted come from, as far as they say."""
    here = (_row.resource_id == resource_id, _row.deleted.is_(False), complete())
    chosen = sa.select(_row.imported_from).where(*here).distinct()
    return {row["imported_from"] for row in read.rows(chosen) if row["imported_from"] is not None}


def row_of(new: NewAnnotation, columns: Mapping[str, Any], sha256: str | None) -> dict[str, Any]:
    """The row of a checked annotation, except who stores it and when."""
    file = None if sha256 is None else checks.payload_name(new)
    return {
        **columns,
        "annotation_worklist_id": new.worklist_id,
        "created_by": new.author,
        "created_by_model": new.model_id,
        "import_author": new.author,
        "imported_from": new.imported_from,
        "source": new.source,
        "file": file,
        "associated_file": file,
        "sha256": sha256,
    }


def _live(read: Read, annotation_id: str) -> Annotation:
    """The annotation with this id, which may be changed.

    Raises:
        ItemNotFoundError: It is unknown, or deleted, or its resource is.
    """
    found = get(read, annotation_id)
    if found.deleted:
        raise ItemNotFoundError(f"Annotation {annotation_id} is deleted and can no longer be changed.")
    if read.found(resources.c.id, [found.resource_id], resources.c.deleted.is_(True)):
        raise ItemNotFoundError(
            f"Resource {found.resource_id} of annotation {annotation_id} is deleted. Restore it first."
        )
    return found


def update(write: Write, annotation_id: str, changes: Mapping[str, Any]) -> Annotation:
    """Change what an annotation says; its type, scope and file stay."""
    old = _live(write, annotation_id)
    values = only(changes, _CHANGEABLE, "an annotation")
    columns = {key: value for key, value in values.items() if key not in _VALUES}
    what = f"annotation {annotation_id}"
    if "identifier" in values:
        name(values["identifier"], f"The identifier of {what}")
    if "status" in values:
        one_of(values["status"], STATUSES, f"The status of {what}")
    columns |= _said(old, values, what)
    need_worklists(write, [columns.get("annotation_worklist_id")])
    write.change(annotation_table, _row.id == annotation_id, **columns)
    write.touch_projects_of([old.resource_id])
    return get(write, annotation_id)


def _said(old: Annotation, values: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The columns of value and geometry that `values` change, which together must be what `create` would take.

    Raises:
        ValidationError: They are not, or several keys give a value, or one of another type.
    """
    keys, kind = [key for key in _VALUES if key in values], old.annotation_type
    if len(keys) > 1:
        raise ValidationError(f"Of {what}, give one of {', '.join(keys)}: they name the same value.")
    columns: dict[str, Any] = {}
    for key in keys:
        text, number = checks.value_columns(kind, values[key], what)
        columns |= {"text_value": text, "numeric_value": number}
        if values[key] is not None and columns.get(key, values[key]) is None:
            raise ValidationError(f"The {what} is a {kind}; {values[key]!r:.80} is no {key} of it. Give it as 'value'.")
    if keys or "geometry" in values:
        number = columns.get("numeric_value", old.numeric_value)
        geometry = checks.geometry_column(kind, values.get("geometry", old.geometry), number, what)
        if "geometry" in values:
            columns |= {"geometry": geometry, "old_geometry": old.geometry or None}
    return columns


def approve(write: Write, annotation_id: str) -> None:
    """Publish an annotation; one that is published stays as it is."""
    old = _live(write, annotation_id)
    if old.approved_at is None:
        mark = {"status": "published", "approved_at": write.stamp(), "approved_by": write.user}
        write.change(annotation_table, _row.id == annotation_id, **mark)
        write.touch_projects_of([old.resource_id])


def delete(write: Write, annotation_ids: Sequence[str]) -> None:
    """Mark as deleted those that are not yet."""
    wanted = id_list(annotation_ids, "annotation_ids")
    known = write.found(_row.id, wanted)
    for annotation_id in wanted:
        if annotation_id not in known:
            raise write.missing("Annotation", annotation_id)
    live = sorted(write.found(_row.id, wanted, _row.deleted.is_(False)))
    if live:
        mark = {"deleted": True, "deleted_at": write.stamp(), "deleted_by": write.user}
        write.change_each(annotation_table, _row.id, live, **mark)
        write.touch_projects_of(sorted({each.resource_id for each in get_many(write, live)}))


def _conditions(query: AnnotationQuery) -> list[sa.ColumnElement[bool]]:
    one_of(query.deleted, ("exclude", "include", "only"), "deleted")
    found: list[sa.ColumnElement[bool]] = [complete()]
    if query.deleted == "exclude":
        found += [_row.deleted.is_(False), resources.c.deleted.is_(False)]
    if query.deleted == "only":
        found.append(_row.deleted.is_(True))
    columns = {
        "annotation_type": _row.annotation_type,
        "worklist_id": _row.annotation_worklist_id,
        "status": _row.status,
        "source": _row.source,
        "author": sa.func.coalesce(_row.created_by, _row.created_by_model),
    }
    given = given_texts(**{field: getattr(query, field) for field in columns})
    found += [columns[field] == value for field, value in given.items()]
    if query.from_date:
        found.append(_row.created_at >= clock.parse(query.from_date))
    if query.to_date:
        found.append(_row.created_at <= clock.end_of(query.to_date))
    return found


def _authors(write: Write, row: Mapping[str, Any]) -> dict[str, Any]:
    """Who made it: the author given, else the model alone, else this user."""
    if row["created_by"] or row["created_by_model"]:
        return {}
    return {"created_by": write.user}


def need_worklists(read: Read, ids: Sequence[str | None]) -> None:
    """Raise unless there are these worklists.

    Raises:
        ItemNotFoundError: One is unknown.
    """
    wanted = id_list([worklist_id for worklist_id in ids if worklist_id is not None], "The ids of worklists")
    known = read.found(worklists.c.id, wanted)
    for worklist_id in wanted:
        if worklist_id not in known:
            raise read.missing("Worklist", worklist_id)


def _annotation(row: Any) -> Annotation:
    fields = {key: value for key, value in row.items() if key != "revision"}
    return Annotation(**{**fields, "geometry": fields["geometry"] or []})
