"""Pages for a server: JSON that the database writes says what the records say, in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from datamint_like.backends.base import NewAnnotation, NewResource, ResourceQuery
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.options import StoreOptions, open_store
from datamint_like.entities import Resource
from datamint_like.testing.samples import XRAY

NAMES = ('"quoted" \\ back.png', "tab\tand\x1fcontrol.png", "é ß \u2028 \U0001f9e0.png", "</script>.png")
TAGS = ("z first", 'a "second"', "é third", "}", "]")
METADATA = {"nested": {"a": [1, 2.5, None, True, "}"]}, "large": 2**53 + 1, "small": 1e-300, "é": "\x01"}


@pytest.fixture(params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalBackend]:
    if request.param == "sqlite":
        store = LocalBackend((tmp_path / "store").as_uri())
    else:
        url = request.getfixturevalue("postgres_url")
        store = open_store(StoreOptions(database=url, blobs=(tmp_path / "blobs").as_uri()))
    for n, name in enumerate(NAMES):
        options = {"tags": TAGS[n:], "metadata": METADATA if n else {}, "publish": bool(n), "modality": name[:3]}
        store.create_resource(NewResource((XRAY,), name, **options))  # type: ignore[arg-type]
    yield store
    store.close()


@pytest.mark.parametrize(
    "query",
    [
        ResourceQuery(),
        ResourceQuery(deleted="only"),
        ResourceQuery(deleted="include", order_field="filename", order_ascending=False),
        ResourceQuery(offset=1, limit=2),
        ResourceQuery(tags=("}",)),
    ],
)
def test_a_page_encodes_as_the_records_of_the_listing(filled: LocalBackend, query: ResourceQuery) -> None:
    filled.delete_resources([filled.list_resources(ResourceQuery())[1].id])
    rows, total = filled.page_of_resources(query)
    body = msgspec.json.encode(rows)
    assert msgspec.json.decode(body, type=list[Resource]) == filled.list_resources(query)
    assert total >= len(rows)
    for row in msgspec.json.decode(body):
        assert set(row) == set(Resource.__struct_fields__)


def test_those_that_nobody_annotated_are_a_page_too(filled: LocalBackend) -> None:
    first, *others = filled.list_resources(ResourceQuery())
    filled.create_annotations(first.id, [NewAnnotation("label", "x")])
    rows, total = filled.page_of_resources(ResourceQuery(), not_annotated=True)
    assert msgspec.json.decode(msgspec.json.encode(rows), type=list[Resource]) == others
    assert total == len(others)
