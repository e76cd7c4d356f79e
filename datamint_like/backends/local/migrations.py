"""What brings an older store to the tables of `schema.py`, one version a step.

A step runs on SQLite and on PostgreSQL; text that it adds to PostgreSQL gets the order of code points afterwards.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import sqlalchemy as sa

from datamint_like.backends.local import schema


def _add_write_ids(connection: sa.Connection) -> None:
    """Version 2: `projects.write_id`. Two copies of one store may have parted already, so each gets ids of its own."""
    connection.exec_driver_sql("ALTER TABLE projects ADD COLUMN write_id TEXT NOT NULL DEFAULT ''")
    projects = sa.table("projects", sa.column("id"), sa.column("write_id"))
    for project_id in connection.execute(sa.select(projects.c.id)).scalars().all():
        own = projects.c.id == project_id
        connection.execute(sa.update(projects).where(own).values(write_id=secrets.token_hex(16)))


def _index_digests(connection: sa.Connection) -> None:
    """Version 3: parts are found by their digests."""
    connection.exec_driver_sql("CREATE INDEX parts_by_sha256 ON parts (sha256)")


def _add_server_tables(connection: sa.Connection) -> None:
    """Version 4: keys, members of projects, creates under a name, review messages."""
    for table in (schema.api_keys, schema.project_members, schema.idempotency, schema.review_messages):
        table.create(connection)
    project, member = schema.projects.c, schema.project_members
    creators = sa.select(project.id, project.created_by, sa.literal('["PROJECT_OWNER"]'), sa.literal(3))
    columns = ["project_id", "user_id", "roles", "level", "added_at", "added_by"]
    whole = creators.add_columns(project.created_at, project.created_by)
    connection.execute(sa.insert(member).from_select(columns, whole))


def _index_listing(connection: sa.Connection) -> None:
    """Version 5: pages of resources are counted and found by an index alone."""
    connection.exec_driver_sql("CREATE INDEX resources_in_order ON resources (deleted, created_at, id)")


def _add_history(connection: sa.Connection) -> None:
    """Version 6: what changed in a project since one of its latest writes; as it is now is the first state known."""
    for table in (schema.project_writes, schema.departures):
        table.create(connection)
    connection.exec_driver_sql("CREATE INDEX projects_by_revision ON projects (revision)")
    of_members = "ON project_resources (project_id,"
    connection.exec_driver_sql(f"CREATE INDEX project_resources_by_revision {of_members} revision)")
    connection.exec_driver_sql(f"CREATE INDEX project_resources_in_order {of_members} added_at, resource_id)")
    project = schema.projects.c
    states = sa.select(project.id, sa.literal(1), project.revision, project.write_id)
    columns = ["project_id", "n", "revision", "write_id"]
    connection.execute(sa.insert(schema.project_writes).from_select(columns, states))


#: Function n (from 0) brings a store of version n + 1 to version n + 2; a new store is made at the newest version.
MIGRATIONS: list[Callable[[sa.Connection], None]] = [
    _add_write_ids,
    _index_digests,
    _add_server_tables,
    _index_listing,
    _add_history,
]
