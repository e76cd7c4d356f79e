"""What brings an older store to the tables of `schema.py`, one version a step."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa


def _add_write_ids(connection: sa.Connection) -> None:
    """Version 2: `projects.write_id`. Two copies of one store may have parted already, so each gets ids of its own."""
    connection.exec_driver_sql("ALTER TABLE projects ADD COLUMN write_id TEXT NOT NULL DEFAULT ''")
    connection.exec_driver_sql("UPDATE projects SET write_id = lower(hex(randomblob(16)))")


def _index_digests(connection: sa.Connection) -> None:
    """Version 3: parts are found by their digests."""
    connection.exec_driver_sql("CREATE INDEX parts_by_sha256 ON parts (sha256)")


#: Function n (from 0) brings a store of version n + 1 to version n + 2; a new store is made at the newest version.
MIGRATIONS: list[Callable[[sa.Connection], None]] = [_add_write_ids, _index_digests]
