"""Pages of resources for a server: rows that are the JSON of a `Resource` already.

A page is 5,000 rows of thirty fields, so what is done for each field counts: the database writes the JSON of a row,
header facts stay the JSON text that it holds, and nothing is made into a record on the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import msgspec
import sqlalchemy as sa

from datamint_like.backends.local.database import Read
from datamint_like.backends.local.schema import resource_tags, resources
from datamint_like.entities import Resource

_FACTS = resources.c.metadata
_columns = [column for column in resources.c if column.name not in ("revision", _FACTS.name)]
#: The fields of a resource that no column has, but for the tags.
_CONSTANT: dict[str, Any] = {"user_info": {}, "slice_axis": None, "slice_index": None, "frame_index": None}
_END = msgspec.json.encode(_CONSTANT).decode().removeprefix("{")
assert {*(column.name for column in _columns), _FACTS.name, "tags", *_CONSTANT} == set(Resource.__struct_fields__)


def listed(read: Read, statement: sa.Select[Any]) -> list[msgspec.Raw]:
    """The resources that a statement over `resources` picks, in its order."""
    tags = _tags_of(read, statement.with_only_columns(resources.c.id))
    chosen = (resources.c.id, _json_of_columns(read.connection.dialect.name), _FACTS)
    return [
        msgspec.Raw(f'{row[:-1]},"tags":{tags.get(resource_id, "[]")},"metadata":{facts},{_END}'.encode())
        for resource_id, row, facts in read.plain(statement.with_only_columns(*chosen))
    ]


def _json_of_columns(dialect: str) -> sa.ColumnElement[str]:
    """The text of a JSON object of a row's columns, as this database writes it."""
    if dialect == "sqlite":
        values = [_true_or_false(column) if isinstance(column.type, sa.Boolean) else column for column in _columns]
        return sa.func.json_object(*_pairs(values))
    return sa.cast(sa.func.json_build_object(*_pairs(_columns)), sa.Text)


def _true_or_false(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """A flag as JSON has it: SQLite knows 0 and 1 alone."""
    return sa.func.json(sa.case((column, "true"), else_="false"))


def _pairs(values: Iterable[sa.ColumnElement[Any]]) -> Iterable[sa.ColumnElement[Any]]:
    names: list[sa.ColumnElement[Any]] = [sa.literal_column(f"'{column.name}'") for column in _columns]
    return chain.from_iterable(zip(names, values, strict=True))


def _tags_of(read: Read, page: sa.Select[Any]) -> dict[str, str]:
    """The JSON of the tags of the resources on a page, by asking for the page again: ids would take longer."""
    column, ids = resource_tags.c, page.subquery()
    chosen = sa.select(column.resource_id, column.position, column.tag).join(ids, ids.c.id == column.resource_id)
    placed: dict[str, list[tuple[int, str]]] = {}
    for resource_id, position, tag in read.plain(chosen):
        placed.setdefault(resource_id, []).append((position, tag))
    return {
        resource_id: msgspec.json.encode([tag for _, tag in sorted(each)]).decode()
        for resource_id, each in placed.items()
    }
