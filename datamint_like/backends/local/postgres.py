"""All that knows PostgreSQL: connections, transactions, the schema's version.

A write takes the row of `store_meta` first (every writer updates it), so writes are one after another and each sees
all before it; a transaction that only reads sees one instant (REPEATABLE READ). Text is compared and ordered by
code point (`COLLATE "C"`), as SQLite does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from datamint_like._optional import need
from datamint_like.backends.local import migrations, schema
from datamint_like.backends.local.connections import BUSY_S
from datamint_like.backends.local.per_process import PerProcess
from datamint_like.backends.local.postgres_errors import Translated, is_lost, translated, unstorable
from datamint_like.backends.local.postgres_url import PostgresUrl
from datamint_like.exceptions import StorageError

STATEMENT_S = 300
_POOL, _MORE = 5, 15  # connections that a process keeps, and how many more it may open
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# a writer that hangs must not hold up all others
_WRITE = (
    "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; "
    f"SET LOCAL idle_in_transaction_session_timeout = '{STATEMENT_S}s'"
)
_SETTINGS = {
    "statement_timeout": f"{STATEMENT_S}s",
    "lock_timeout": f"{BUSY_S}s",
    "idle_in_transaction_session_timeout": "0",  # a read may take its time, as `verify` does
    "TimeZone": "UTC",
}
_SET_UP_LOCK = int.from_bytes(b"datamint")  # advisory locks have numbers
_VERSION = sa.table("store_schema", sa.column("version", sa.Integer))


class PostgresDatabase:
    """The connections to the tables of one store in a PostgreSQL database: an engine a process."""

    def __init__(self, url: PostgresUrl) -> None:
        need("pg8000", extra="server")
        self.url = url
        self._own = PerProcess(lambda: _new_engine(url))

    @property
    def read_only(self) -> bool:
        """False: whether this user may write shows when it does."""
        return False

    @contextmanager
    def begin(self, *, write: bool = False) -> Iterator[sa.Connection]:
        """A connection inside one transaction: committed when the block ends well, else rolled back.

        Raises:
            StorageError: The database cannot be read or written; the message says why.
            ValidationError: An argument cannot be stored.
        """
        with (
            _told(self.url),
            self._own.engine().connect() as connection,
            connection.execution_options(how=_WRITE if write else _READ).begin(),
        ):
            yield connection

    def prepare(self, fill: Callable[[sa.Connection], None]) -> None:
        """Make the tables of a new store (then `fill` it) or bring an older one to this version.

        Any number of processes may do so at once.

        Raises:
            StorageError: A newer version of this package wrote the store, or the schema holds other tables.
        """
        with self.begin() as connection:
            version = self._version(connection)
        if version == _newest():
            return
        with self.begin(write=True) as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SET_UP_LOCK)))
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            version = self._version(connection)
            if version == 0:
                self._make(connection)
                fill(connection)
            else:
                for step in migrations.MIGRATIONS[version - 1 :]:
                    step(connection)
                _order_by_code_point(connection)
            connection.execute(sa.update(_VERSION).values(version=_newest()))

    def close(self) -> None:
        """Close this process's idle connections; the next use opens new ones."""
        self._own.close()

    def _version(self, connection: sa.Connection) -> int:
        """The version of the tables; 0 where there are none."""
        if not _holds(connection, "pg_tables", schemaname=self.url.schema, tablename="store_schema"):
            return 0
        version = int(connection.execute(sa.select(_VERSION.c.version)).scalar_one())
        if version > _newest():
            raise StorageError(
                f"The store in {self.url.shown} has schema version {version}, made by a newer datamint_like; "
                f"this one knows versions up to {_newest()}. Upgrade the package to open it."
            )
        return version

    def _make(self, connection: sa.Connection) -> None:
        """The tables of a new store."""
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise StorageError(
                f"The database of {self.url.shown} has the encoding {encoding}, and a store needs UTF8: "
                "createdb --encoding=UTF8 --template=template0 makes one."
            )
        if not _holds(connection, "pg_namespace", nspname=self.url.schema):
            connection.execute(sa.schema.CreateSchema(self.url.schema))
        taken = set(sa.inspect(connection).get_table_names(schema=self.url.schema)) & set(schema.metadata.tables)
        if taken:
            raise StorageError(
                f"The schema {self.url.schema} of {self.url.shown} holds tables of something else "
                f"({', '.join(sorted(taken)[:3])}). Choose another schema: add ?schema=NAME to the URL."
            )
        _tables().create_all(connection, checkfirst=False)
        connection.exec_driver_sql("CREATE TABLE store_schema (version INTEGER NOT NULL)")
        connection.execute(sa.insert(_VERSION).values(version=0))


def _holds(connection: sa.Connection, catalog: str, **values: str) -> bool:
    """Whether a catalog has such a row now; functions as `to_regclass` may answer from before a lock was had."""
    where = [sa.column(name) == value for name, value in values.items()]
    found = sa.select(sa.func.count()).select_from(sa.table(catalog)).where(*where)
    return bool(connection.execute(found).scalar_one())


def _newest() -> int:
    return 1 + len(migrations.MIGRATIONS)


def _tables() -> sa.MetaData:
    """The tables of `schema`, whose text has the order of code points whatever the database's own."""
    made = sa.MetaData()
    for table in schema.metadata.sorted_tables:
        for column in table.to_metadata(made).columns:
            if isinstance(column.type, sa.String):
                column.type = sa.Text(collation="C")
    return made


def _order_by_code_point(connection: sa.Connection) -> None:
    """Give columns that a migration added the order of the others."""
    plain = sa.text(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() "
        "AND data_type IN ('text', 'character varying') AND collation_name IS DISTINCT FROM 'C'"
    )
    quote = connection.dialect.identifier_preparer.quote
    for table, column in connection.execute(plain).all():
        if table in schema.metadata.tables:
            change = f'ALTER TABLE {quote(table)} ALTER COLUMN {quote(column)} TYPE TEXT COLLATE "C"'
            connection.exec_driver_sql(change)


def _new_engine(url: PostgresUrl) -> sa.Engine:
    engine = sa.create_engine(
        "postgresql+pg8000://",
        creator=lambda: url.connect(_SETTINGS, STATEMENT_S + 30),
        hide_parameters=True,
        pool_size=_POOL,
        max_overflow=_MORE,
        pool_timeout=BUSY_S,
        pool_pre_ping=True,  # the server may have been started again meanwhile
    )
    engine.dialect.use_insertmanyvalues_wo_returning = True  # else the driver sends each row by itself
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "before_cursor_execute", _check)
    event.listen(engine, "handle_error", lambda context: _handle(context, url.shown))
    return engine


def _set_up(connection: Any, _record: Any) -> None:
    connection.autocommit = True  # the driver starts no transaction by itself; `_begin` does
    durable = (
        "SELECT set_config(name, 'on', false) FROM pg_settings WHERE name = 'synchronous_commit' AND setting = 'off'"
    )
    connection.cursor().execute(durable)


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("how", _READ))


def _check(_connection: Any, _cursor: Any, _statement: str, parameters: Any, *_: Any) -> None:
    """Refuse what PostgreSQL cannot hold, or would hold as something else, before anything of it is on its way."""
    rows = parameters if isinstance(parameters, list) else [parameters]  # a list for several executions of one
    if not all(_is_storable(value) for row in rows for value in row or ()):
        raise Translated(unstorable())


def _is_storable(value: Any) -> bool:
    if not isinstance(value, str):
        return value is None or isinstance(value, (int, float))  # the driver makes text of lists
    try:
        value.isascii() or value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _handle(context: sa.engine.ExceptionContext, shown: str) -> None:
    error = context.original_exception
    if is_lost(error):
        context.is_disconnect = True
    if isinstance(error, Exception) and not isinstance(error, Translated) and not context.is_pre_ping:
        raise Translated(translated(error, shown))


@contextmanager
def _told(url: PostgresUrl) -> Iterator[None]:
    """Errors of the database, as errors of this package; what else the block raises goes on as it is."""
    try:
        yield
    except Translated as carrier:
        raise carrier.error from carrier.error.__cause__  # not the driver's, which may quote what was to be stored
    except exc.TimeoutError:
        raise StorageError(
            f"All {_POOL + _MORE} connections of this process to {url.shown} were busy for {BUSY_S} s; try again."
        ) from None
    except exc.SQLAlchemyError as error:
        told = translated(getattr(error, "orig", None) or error, url.shown)
        raise told from told.__cause__
