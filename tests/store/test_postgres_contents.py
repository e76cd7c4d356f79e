"""Many rows from PostgreSQL: more than one batch of them, in order and at one instant."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamint_like.backends.local import content_rows
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.options import StoreOptions, open_store
from datamint_like.catalog import sync_project
from datamint_like.testing.contents import whole
from datamint_like.testing.samples import label, project_of
from tests.store.test_bulk_loads import made_up
from tests.store.test_postgres import options, pg_store

__all__ = ["options", "pg_store"]
COUNT = 2 * content_rows.AT_ONCE + 7


def test_batches_are_read_in_order_at_one_instant_and_loaded_once(
    pg_store: LocalBackend, options: StoreOptions, tmp_path: Path
) -> None:
    project = project_of(pg_store, name="p")
    made = pg_store.create_resources(project.id, list(made_up(COUNT)))
    assert None not in made
    assert pg_store.create_resources(project.id, list(made_up(3))) == [None] * 3
    other = open_store(options)
    with pg_store.read_project(project.id) as content:
        rows = [next(content.rows)]
        other.create_annotations(str(made[-1]), [label("later")])
        other.delete_resources([str(made[-2])])
        rows += content.rows
    other.close()
    assert [row.resource.id for row in rows] == made
    assert [len(row.annotations) for row in rows] == [1] * COUNT
    after = whole(pg_store.read_project(project.id))
    assert len(after.resources) == COUNT - 1
    assert len(after.annotations[str(made[-1])]) == 2
    assert len(sync_project(pg_store, "p", tmp_path / "cache")) == COUNT - 1


def test_a_reader_that_leaves_in_the_middle_leaves_its_connection_whole(pg_store: LocalBackend) -> None:
    project = project_of(pg_store)
    pg_store.create_resources(project.id, list(made_up(COUNT)))
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            read_one(pg_store, project.id)
    assert len(whole(pg_store.read_project(project.id)).resources) == COUNT


def read_one(store: LocalBackend, project_id: str) -> None:
    with store.read_project(project_id) as content:
        next(content.rows)
        raise KeyboardInterrupt
