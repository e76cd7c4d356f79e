"""Resources with their files, tags and annotations, some hundred at a time, in any order asked for.

A project may hold millions of annotations of thirty fields, so what is done for each counts: rows come as plain
tuples in the order of the record's fields, and what the resource tells already is not asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from operator import itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa

from datamint_like.backends.base import ContentRow
from datamint_like.backends.local.annotation_rows import complete
from datamint_like.backends.local.database import Read
from datamint_like.backends.local.schema import annotation_table, parts, resource_tags, resources, worklists
from datamint_like.entities import Annotation, Part, Resource

#: Resources that are read together.
AT_ONCE = 200

_said, _part, _tag = annotation_table.c, parts.c, resource_tags.c
_decode = msgspec.json.decode
_made_of: Callable[..., Annotation] = Annotation  # by position, which costs half as much as by name


_RESOURCE = [str(column.name) for column in resources.c if column.name not in ("revision", "metadata")]
_PART = [str(column.name) for column in parts.c if column.name != "resource_id"]
_BEFORE = Annotation.__struct_fields__[: Annotation.__struct_fields__.index("geometry")]
_BETWEEN = ("created_at", "approved_at", "approved_by", "associated_file", "file")
_DELETED = ("deleted", "deleted_at", "deleted_by")
_AFTER = ("source", "imported_from", "import_author", "sha256")
_chosen_resources = sa.select(*(resources.c[name] for name in (*_RESOURCE, "metadata")))
_chosen_parts = sa.select(_part.resource_id, *(_part[name] for name in _PART)).order_by(_part.resource_id, _part.index)
_chosen_tags = sa.select(_tag.resource_id, _tag.tag).order_by(_tag.resource_id, _tag.position)
_chosen_annotations = sa.select(
    *(_said[name] for name in (*_BEFORE, *_BETWEEN, *_AFTER, "created_by_model", "geometry", "old_geometry"))
).where(_said.deleted.is_(False), complete())
_ID, _OF, _LIST, _CREATED = (
    _BEFORE.index("id"),
    _BEFORE.index("resource_id"),
    *((*_BEFORE, *_BETWEEN).index(name) for name in ("annotation_worklist_id", "created_at")),
)


def of_ids(read: Read, resource_ids: Sequence[str]) -> Generator[ContentRow]:
    """The rows of these resources, in this order."""
    return of_batches(read, (resource_ids[n : n + AT_ONCE] for n in range(0, len(resource_ids), AT_ONCE)))


def of_batches(read: Read, batches: Iterable[Sequence[str]]) -> Generator[ContentRow]:
    """The rows of the resources of each batch of ids, in this order."""
    names = {row.id: row.name for row in read.connection.execute(sa.select(worklists.c.id, worklists.c.name))}
    for ids in batches:
        found, files, said = _resources(read, ids), _parts(read, ids), _annotations(read, ids)
        for resource_id in ids:
            resource = found[resource_id]
            annotations = [_annotation(row, resource, names) for row in said.get(resource_id, ())]
            yield ContentRow(resource, files.get(resource_id, []), annotations)


def _resources(read: Read, ids: Sequence[str]) -> dict[str, Resource]:
    tags: dict[str, list[str]] = {}
    for resource_id, tag in read.plain(_chosen_tags.where(_tag.resource_id.in_(ids))):
        tags.setdefault(resource_id, []).append(tag)
    found = {}
    for *values, metadata in read.plain(_chosen_resources.where(resources.c.id.in_(ids))):
        columns = dict(zip(_RESOURCE, values, strict=True))
        columns |= {"published": bool(columns["published"]), "deleted": bool(columns["deleted"])}
        own = tuple(tags.get(columns["id"], ()))
        found[columns["id"]] = Resource(**columns, metadata=_decode(metadata), tags=own)
    return found


def _parts(read: Read, ids: Sequence[str]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for resource_id, *values in read.plain(_chosen_parts.where(_part.resource_id.in_(ids))):
        found.setdefault(resource_id, []).append(Part(**dict(zip(_PART, values, strict=True))))
    return found


def _annotations(read: Read, ids: Sequence[str]) -> dict[str, list[Any]]:
    """The rows of each resource that has some, by (created_at, id)."""
    found: dict[str, list[Any]] = {}
    rows = read.plain(_chosen_annotations.where(_said.resource_id.in_(ids)))
    for row in sorted(rows, key=itemgetter(_CREATED, _ID)):
        found.setdefault(row[_OF], []).append(row)
    return found


_B, _M, _A = len(_BEFORE), len(_BEFORE) + len(_BETWEEN), len(_BEFORE) + len(_BETWEEN) + len(_AFTER)
assert Annotation.__struct_fields__ == (
    *(*_BEFORE, "geometry", *_BETWEEN, *_DELETED, "created_by_model", "old_geometry", "set_name"),
    *("resource_filename", "resource_modality", "annotation_worklist_name", "user_info", "values", *_AFTER),
)


def _annotation(row: Any, resource: Resource, names: dict[str, str]) -> Annotation:
    geometry, old = row[-2], row[-1]
    return _made_of(
        *row[:_B],
        _decode(geometry) or [] if geometry else [],
        *row[_B:_M],
        False,
        None,
        None,
        row[-3],
        _decode(old) if old else None,
        None,
        resource.filename,
        resource.modality,
        names.get(row[_LIST]),
        None,
        None,
        *row[_M:_A],
    )
