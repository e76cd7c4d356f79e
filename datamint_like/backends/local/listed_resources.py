"""Pages of resources for a server: rows that encode as the JSON of a `Resource`, without being made into one.

A page is 5,000 rows of thirty fields, so what is done for each field counts: header facts stay the JSON text that the
database holds, and values go from the row to the encoder as they are.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from datamint_like.backends.local.database import Read
from datamint_like.backends.local.schema import resource_tags, resources
from datamint_like.entities import Resource

_APART = ("published", "deleted", "metadata")
_columns = [column for column in resources.c if column.name not in ("revision", *_APART)]
_names = [*(str(column.name) for column in _columns), *_APART]  # plain texts, which a struct asks for
_chosen = [*_columns, *(resources.c[name] for name in _APART)]
_ID = _names.index("id")
#: The fields of a resource that no column has, but for the tags.
_CONSTANT: dict[str, Any] = {"user_info": {}, "slice_axis": None, "slice_index": None, "frame_index": None}

#: Fields in the order of the columns; encodes as a `Resource` does.
ListedResource = msgspec.defstruct(
    "ListedResource",
    [
        *((name, Any) for name in (*_names, "tags")),
        *(
            (name, Any, msgspec.field(default_factory=dict) if value == {} else None)
            for name, value in _CONSTANT.items()
        ),
    ],
    frozen=True,
    gc=False,
)
assert set(ListedResource.__struct_fields__) == set(Resource.__struct_fields__)


def listed(read: Read, statement: sa.Select[Any]) -> list[Any]:
    """The resources that a statement over `resources` picks, in its order."""
    tags = _tags_of(read, statement.with_only_columns(resources.c.id))
    found = []
    for *values, published, deleted, metadata in read.plain(statement.with_only_columns(*_chosen)):
        said = tags.get(values[_ID], ())
        found.append(ListedResource(*values, bool(published), bool(deleted), msgspec.Raw(metadata), said))
    return found


def _tags_of(read: Read, page: sa.Select[Any]) -> dict[str, list[str]]:
    """The tags of the resources on a page, by asking for the page again: thousands of ids would take longer."""
    column, ids = resource_tags.c, page.subquery()
    chosen = sa.select(column.resource_id, column.position, column.tag).join(ids, ids.c.id == column.resource_id)
    placed: dict[str, list[tuple[int, str]]] = {}
    for resource_id, position, tag in read.plain(chosen):
        placed.setdefault(resource_id, []).append((position, tag))
    return {resource_id: [tag for _, tag in sorted(each)] for resource_id, each in placed.items()}
