"""Pages of resources for a server: rows that encode as the JSON of a `Resource`, without being made into one.

A page is 5,000 rows of thirty fields, so what is done for each field counts: the database writes the fields as JSON
itself, and header facts stay the JSON text that it holds. A row comes as one text instead of thirty.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa

from datamint_like.backends.local.database import Read
from datamint_like.backends.local.schema import resource_tags, resources
from datamint_like.entities import Resource

#: What is no text or number in both databases.
_APART = ("published", "deleted", "metadata")
_plain = [column for column in resources.c if column.name not in ("revision", *_APART)]
#: The fields of a resource that no column has, but for the tags.
_CONSTANT: dict[str, Any] = {"user_info": {}, "slice_axis": None, "slice_index": None, "frame_index": None}
assert {*(column.name for column in _plain), *_APART, "tags", *_CONSTANT} == set(Resource.__struct_fields__)
_END = msgspec.json.encode(_CONSTANT).decode().replace("{", ",", 1)
_FLAGS = ("false", "true")


def listed(read: Read, statement: sa.Select[Any]) -> list[msgspec.Raw]:
    """The resources that a statement over `resources` picks, in its order, each as JSON."""
    tags = _tags_of(read, statement.with_only_columns(resources.c.id))
    found = []
    for resource_id, fields, published, deleted, metadata in read.plain(statement.with_only_columns(*_chosen(read))):
        said = tags.get(resource_id, "[]")
        flags = f'"published":{_FLAGS[published]},"deleted":{_FLAGS[deleted]}'
        found.append(msgspec.Raw(f'{fields[:-1]},{flags},"metadata":{metadata},"tags":{said}{_END}'))
    return found


def _chosen(read: Read) -> list[sa.ColumnElement[Any]]:
    """The id, the fields as one JSON object, and those apart."""
    return [resources.c.id, _fields(read.connection.dialect.name), *(resources.c[name] for name in _APART)]


@cache
def _fields(dialect: str) -> sa.ColumnElement[str]:
    names_and_values: list[sa.ColumnElement[Any]] = []
    for column in _plain:
        names_and_values += [sa.literal_column(f"'{column.name}'"), column]
    made = sa.func.json_build_object if dialect == "postgresql" else sa.func.json_object
    return sa.cast(made(*names_and_values), sa.Text)


def _tags_of(read: Read, page: sa.Select[Any]) -> dict[str, str]:
    """The tags of the resources on a page as JSON, by asking for the page again: thousands of ids would take longer."""
    column, ids = resource_tags.c, page.subquery()
    chosen = sa.select(column.resource_id, column.position, column.tag).join(ids, ids.c.id == column.resource_id)
    placed: dict[str, list[tuple[int, str]]] = {}
    for resource_id, position, tag in read.plain(chosen):
        placed.setdefault(resource_id, []).append((position, tag))
    return {resource_id: _tags_as_json(tuple(sorted(each))) for resource_id, each in placed.items()}


@lru_cache(maxsize=1024)  # many resources have the same
def _tags_as_json(placed: tuple[tuple[int, str], ...]) -> str:
    return msgspec.json.encode([tag for _, tag in placed]).decode()
