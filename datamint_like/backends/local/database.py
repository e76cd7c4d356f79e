"""Transactions of a store: what a read sees, and the number and time stamps that a write gives.

Writes are one after another. Each takes the next revision of the store and stamps that never run backwards,
even when the machine's clock does: the history of splits rests on that.
"""

from __future__ import annotations

import copy
import getpass
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from datamint_like.backends.local import clock, idempotency
from datamint_like.backends.local.connections import Connections
from datamint_like.backends.local.engine import lacks_room
from datamint_like.backends.local.idempotency import Answer, Once
from datamint_like.backends.local.schema import project_resources, project_writes, projects, store_meta, users
from datamint_like.backends.values import id_list as id_list
from datamint_like.exceptions import ItemNotFoundError, StorageError

#: Databases limit the number of values in one statement; longer lists go in pieces of this size.
BATCH = 5000
#: Of how many writes of a project it can be told what changed since.
STATES_KEPT = 10_000
T = TypeVar("T")


@dataclass(frozen=True)
class Acting:
    """Who uses the store.

    Attributes:
        email: The user; None is the store's owner.
        sees_all: Whether listings hold everything, or only what is theirs and their projects'.
    """

    email: str | None = None
    sees_all: bool = True


@dataclass
class Read:
    """One consistent view of the store.

    Attributes:
        connection: Inside a transaction.
        store: URL of the store, for messages.
        acting: Who reads.
    """

    connection: sa.Connection
    store: str
    acting: Acting

    def rows(self, statement: sa.Select[Any]) -> list[Any]:
        """All rows of `statement`, as mappings of column names."""
        return list(self.connection.execute(statement).mappings())

    def row(self, statement: sa.Select[Any]) -> Any | None:
        """The first row of `statement`, as a mapping, or None."""
        return self.connection.execute(statement).mappings().first()

    def plain(self, statement: sa.Select[Any]) -> Sequence[Any]:
        """All rows of `statement` as the driver gives them, by position: neither JSON nor flags are converted."""
        result, driver = self.connection.execute(statement), self.connection.dialect.loaded_dbapi
        assert result.cursor is not None  # a statement that selects has one
        try:
            rows: Sequence[Any] = result.cursor.fetchall()
        except driver.Error as error:
            raise sa.exc.DBAPIError.instance(None, None, error, driver.Error, hide_parameters=True) from error
        return rows

    def batches_of(self, statement: sa.Select[Any], size: int) -> Iterator[Sequence[Any]]:
        """The rows of `statement`, some at a time; a cursor of the database holds the rest."""
        held = {"stream_results": True, "yield_per": size}
        with self.connection.execute(statement, execution_options=held) as result:
            yield from result.partitions()

    def store_id(self) -> str:
        """The store's random id, which tells its revisions from those of other stores."""
        return str(self.connection.execute(sa.select(store_meta.c.store_id)).scalar_one())

    def missing(self, what: str, name: str) -> ItemNotFoundError:
        """The error for an unknown id or name."""
        return ItemNotFoundError(f"{what} {name} not found in the store {self.store}.")

    def found(self, column: sa.Column[Any], ids: Sequence[str], *where: sa.ColumnElement[bool]) -> set[str]:
        """Those of `ids` that `column` holds in the rows that `where` picks."""
        return {
            value
            for batch in batches(ids)
            for value in self.connection.execute(sa.select(column).where(column.in_(batch), *where)).scalars()
        }


@dataclass
class Write(Read):
    """One write: everything of it is stored, or nothing.

    Attributes:
        revision: Number of this write; rows that it changes carry it.
        write_id: A random text: no other write has it, not even one of the same number in another copy of the store.
        user: E-mail of who writes.
        last_stamp: The latest stamp that the store gave.
        once: The create that this write is, where it was asked for under a name.
        changes_projects: Whether it has changed the row of a project.
    """

    revision: int
    write_id: str
    user: str
    last_stamp: str
    once: Once | None = None
    changes_projects: bool = False

    def stamp(self) -> str:
        """A time stamp later than every other of this store: about now."""
        self.last_stamp = clock.later_than(self.last_stamp, clock.wall_clock())
        return self.last_stamp

    def made(self, value: T) -> T:
        """`value`, what a create made; a create under a name keeps its answer, in this same write."""
        if self.once is not None:
            idempotency.keep(self.connection, self.once, value, clock.wall_clock())
        return value

    def change(self, table: sa.Table, where: sa.ColumnElement[bool], **values: Any) -> None:
        """Set columns of the rows that `where` picks, and their revision."""
        self.connection.execute(sa.update(table).where(where).values(**values, **self._marks(table)))

    def change_each(self, table: sa.Table, column: sa.Column[Any], ids: Sequence[str], **values: Any) -> None:
        """Set columns of the rows whose `column` is one of `ids`, and their revision."""
        for batch in batches(ids):
            self.change(table, column.in_(batch), **values)

    def insert(self, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows; tables with a revision get that of this write."""
        if rows:
            marks = self._marks(table)
            self.connection.execute(sa.insert(table), [{**row, **marks} for row in rows])

    def _marks(self, table: sa.Table) -> dict[str, Any]:
        """The columns that tell which write changed a row, as far as the table has them."""
        self.changes_projects |= table is projects
        marks = {"revision": self.revision, "write_id": self.write_id}
        return {name: value for name, value in marks.items() if name in table.c}

    def touch_projects(self, project_ids: Iterable[str]) -> None:
        """Note that something a dataset of these projects reads has changed."""
        self.change_each(projects, projects.c.id, list(project_ids))

    def touch_projects_of(self, resource_ids: Sequence[str]) -> None:
        """Note that something of these resources, which a dataset of their projects reads, has changed."""
        member = project_resources.c
        for batch in batches(resource_ids):
            self.change(project_resources, member.resource_id.in_(batch))
            holders = sa.select(member.project_id).where(member.resource_id.in_(batch))
            self.change(projects, projects.c.id.in_(holders))

    def keep_history(self) -> None:
        """Add this write to those of the projects that it changed, of each of which the latest `STATES_KEPT` stay."""
        if not self.changes_projects:
            return
        project, state = projects.c, project_writes.c
        latest = sa.select(sa.func.max(state.n)).where(state.project_id == project.id).scalar_subquery()
        changed = sa.select(project.id, sa.func.coalesce(latest, 0) + 1, project.revision, project.write_id)
        columns = ["project_id", "n", "revision", "write_id"]
        added = changed.where(project.revision == self.revision)
        self.connection.execute(sa.insert(project_writes).from_select(columns, added))
        oldest = sa.select(project.id, latest - STATES_KEPT).where(project.revision == self.revision)
        self.connection.execute(sa.delete(project_writes).where(sa.tuple_(state.project_id, state.n).in_(oldest)))


class Database:
    """The database of one store."""

    def __init__(self, connections: Connections, store: str) -> None:
        self._connections = connections
        self.store = store
        self.acting = Acting()
        self._once: Once | None = None
        try:
            connections.prepare(_fill)
        except BaseException:  # whatever it is goes on; only no connection must stay
            connections.close()
            raise

    def called(self, name: str) -> Database:
        """The same database under another name in messages."""
        other = copy.copy(self)
        other.store = name
        return other

    def acting_as(self, acting: Acting) -> Database:
        """The same database, used by someone else."""
        other = copy.copy(self)
        other.acting = acting
        return other

    def creating_once(self, once: Once) -> Database:
        """The same database, whose next create is this one."""
        other = copy.copy(self)
        other._once = once
        return other

    def earlier_answer(self, once: Once) -> Answer | None:
        """What a create was answered before; None where it has not happened."""
        with self.read() as read:
            return idempotency.earlier(read.connection, once)

    @contextmanager
    def read(self) -> Iterator[Read]:
        """A consistent view: nothing that others write meanwhile shows in it."""
        with self._connections.begin() as connection:
            yield Read(connection, self.store, self.acting)

    @contextmanager
    def write(self, *, creates: bool = False) -> Iterator[Write]:
        """The next write, durable once the block has ended.

        Args:
            creates: Whether it is what a create under a name asks for; it then tells what it `made`.

        Raises:
            AlreadyMade: This create has happened before.
        """
        once = self._once if creates else None
        with self._connections.begin(write=True) as connection:
            meta = store_meta.c
            row = connection.execute(
                sa.update(store_meta)
                .values(revision=meta.revision + 1)
                .returning(meta.revision, meta.owner, meta.last_stamp)
            ).one()
            if once is not None:  # from here on this write is alone
                idempotency.refuse_second(connection, once)
            user = self.acting.email or row.owner
            write = Write(connection, self.store, self.acting, row.revision, new_id(), user, row.last_stamp, once)
            yield write
            write.keep_history()
            connection.execute(sa.update(store_meta).values(last_stamp=write.last_stamp))

    def now(self) -> str:
        """An instant after every write so far and, where this user may note it in the store, before every later one."""
        if not self._connections.read_only:
            try:
                with self.write() as write:
                    return write.stamp()
            except StorageError as error:
                if not lacks_room(error.__cause__):
                    raise
        with self.read() as read:
            last = read.connection.execute(sa.select(store_meta.c.last_stamp)).scalar_one()
            return clock.later_than(last, clock.wall_clock())

    def close(self) -> None:
        """Close this process's idle connections."""
        self._connections.close()


def batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """`values` in pieces that fit into one statement."""
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]


def new_id() -> str:
    """A new id, shaped as a UUID (version 7): the time in milliseconds, then 74 random bits.

    What is made together has ids that lie together, so that millions of rows find their places at the end of an index.
    """
    drawn = secrets.randbits(74)
    number = time.time_ns() // 1_000_000 << 80 | 7 << 76 | drawn >> 62 << 64 | 2 << 62 | drawn & (1 << 62) - 1
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _fill(connection: sa.Connection) -> None:
    """The first rows of a new store: who it is, and its one user."""
    now, store_id, owner = clock.wall_clock(), new_id(), f"{_login()}@localhost"
    connection.execute(sa.insert(store_meta).values(id=1, store_id=store_id, owner=owner, last_stamp=now, revision=1))
    connection.execute(
        sa.insert(users).values(email=owner, roles=["admin"], customer_id=store_id, created_at=now, revision=1)
    )


def _login() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        name = ""
    return re.sub(r"[^A-Za-z0-9._-]", "", name) or "user"
