"""All that knows SQLite: connections, transactions, the schema's version, and the database's errors.

SQLite runs in write-ahead mode, flushes every commit (`synchronous=FULL`), and checks foreign keys. A writer takes
the write lock when it begins, so no transaction fails half-way because another one was first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy import event, exc

from datamint_like.backends.local import read_only, schema
from datamint_like.backends.local.connections import BUSY_S
from datamint_like.backends.local.migrations import MIGRATIONS
from datamint_like.backends.local.per_process import PerProcess
from datamint_like.exceptions import StorageError, ValidationError


class SqliteDatabase:
    """The connections to one SQLite file: an engine a process, opened when first used there."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._own = PerProcess(lambda: _new_engine(file))

    @property
    def read_only(self) -> bool:
        """Whether this user may read the database and not write it."""
        return read_only.is_read_only(self.file)

    @contextmanager
    def begin(self, *, write: bool = False) -> Iterator[sa.Connection]:
        """A connection inside one transaction: committed when the block ends well, else rolled back.

        Raises:
            StorageError: The database cannot be read or written; the message says why.
        """
        if write and self.read_only:
            raise StorageError(
                f"The store in {self.file.parent} is read-only: this user may not write its folder or its database. "
                "It can be listed and trained from; to change it, get the permission or work on a copy."
            )
        with (
            _translated(self.file),
            self._connection(write=write) as connection,
            connection.execution_options(immediate=write).begin(),
        ):
            yield connection

    def _connection(self, *, write: bool) -> sa.Connection:
        """A connection; where there is no room for SQLite's files beside the database, one that only reads."""
        try:
            return self._own.engine().connect()
        except exc.OperationalError as error:
            if write or not lacks_room(error):
                raise
            with suppress(exc.OperationalError):  # what failed first says more
                return _new_engine(self.file, only_read=True).connect()
            raise

    def prepare(self, fill: Callable[[sa.Connection], None]) -> None:
        """Make the tables of a new store (then `fill` it) or bring an older one to this version.

        Any number of processes may do so at once.

        Raises:
            StorageError: A newer version of this package wrote the store, or it is no store.
        """
        version = self._version()
        if version == _newest():
            return
        if version and self.read_only:
            raise StorageError(
                f"The store in {self.file.parent} has schema version {version}, which must become {_newest()}, and "
                "this user may not write it. Let a user who may write it open it once, or open a copy."
            )
        with _translated(self.file), _set_up_alone(self.file):
            with self._own.engine().connect() as connection:
                raw: Any = connection.connection.dbapi_connection
                raw.execute("PRAGMA journal_mode=WAL")  # kept in the file; not possible inside a transaction
            with self.begin(write=True) as connection:
                _migrate(connection, fill)

    def close(self) -> None:
        """Close this process's idle connections; the next use opens new ones."""
        self._own.close()

    def _version(self) -> int:
        with self.begin() as connection:
            version = _user_version(connection)
        if version > _newest():
            raise StorageError(
                f"The store in {self.file.parent} has schema version {version}, made by a newer datamint_like; "
                f"this one knows versions up to {_newest()}. Upgrade the package to open it."
            )
        return version


def lacks_room(error: BaseException | None) -> bool:
    """Whether SQLite failed in a way that a full disk makes it fail."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def _new_engine(file: Path, *, only_read: bool = False) -> sa.Engine:
    url = sa.URL.create("sqlite", database=str(file))
    # every thread may hold a connection: waiting belongs to SQLite's own lock, not to the pool
    pool: dict[str, Any] = {"max_overflow": -1, "pool_size": 2}
    # what a failing statement would have stored is the patients' and no part of an error
    if only_read or read_only.is_read_only(file):
        pool = {"poolclass": sa.NullPool, "creator": lambda: read_only.connect(file, BUSY_S)}
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_S}, hide_parameters=True, **pool)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver starts no transaction by itself; `_begin` does
    try:
        for pragma in ("foreign_keys=ON", "synchronous=FULL", "schema_version"):  # the last one opens the files
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except sqlite3.Error:
        connection.close()
        raise


def _begin(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _newest() -> int:
    return 1 + len(MIGRATIONS)


def _user_version(connection: sa.Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def _migrate(connection: sa.Connection, fill: Callable[[sa.Connection], None]) -> None:
    """Bring the tables to the newest version, in the transaction of `connection`."""
    version = _user_version(connection)
    if version == 0:
        if sa.inspect(connection).get_table_names():
            raise StorageError(
                "The file store.sqlite is a database of something else, not a store. Choose another folder."
            )
        schema.metadata.create_all(connection)
        fill(connection)
    else:
        for step in MIGRATIONS[version - 1 :]:
            step(connection)
    connection.exec_driver_sql(f"PRAGMA user_version = {_newest()}")


@contextmanager
def _translated(file: Path) -> Iterator[None]:
    """Errors of the database, as errors of this package."""
    try:
        yield
    except (exc.InterfaceError, exc.ProgrammingError, UnicodeEncodeError, OverflowError) as error:
        raise ValidationError(
            "An argument cannot be stored: text must be valid Unicode, numbers 64-bit, and ids text."
        ) from error
    except exc.SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error)
        raise StorageError(f"The database of the store in {file.parent} failed: {reason}.{_advice(reason)}") from error


@contextmanager
def _set_up_alone(file: Path) -> Iterator[None]:
    """A block that one process at a time runs for the store in `file`'s folder.

    Raises:
        StorageError: Another process has been in it for too long, or the folder cannot be locked.
    """
    lock = FileLock(file.with_suffix(".lock"), timeout=BUSY_S)
    try:
        lock.acquire()
    except TimeoutError as error:
        raise StorageError(f"The store in {file.parent} was being set up by another process for {BUSY_S} s.") from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(
            f"The store's folder {file.parent} cannot be locked: {reason}. "
            "It must lie on a local disk and be writable for this user."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _advice(reason: str) -> str:
    for sign, advice in {
        "full": " Free some space there and try again; nothing of this call was stored.",
        "disk I/O": " The disk may be full or failing; nothing of this call was stored.",
        "locked": f" Another process held it for more than {BUSY_S} s; try again.",
        "readonly": " The folder is not writable for this user.",
        "unable to open": " The folder must exist and be writable for this user; a store on a read-only disk can be "
        "read once its last writer has closed it.",
    }.items():
        if sign in reason:
            return advice
    return ""
