"""The seam to a database: what a store asks of SQLite and of PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import sqlalchemy as sa

#: How long a call waits for another one's write, in seconds.
BUSY_S = 60


class Connections(Protocol):
    """The connections to the database of one store, in any number of threads and processes."""

    @property
    def read_only(self) -> bool:
        """Whether this user may read the database and not write it."""

    def begin(self, *, write: bool = False) -> AbstractContextManager[sa.Connection]:
        """A connection inside one transaction: committed when the block ends well, else rolled back.

        A transaction that only reads sees one instant. One that writes is alone from its first `UPDATE` of
        `store_meta` on, and durable once the block has ended.

        Raises:
            StorageError: The database cannot be read or written; the message says why.
            ValidationError: An argument cannot be stored.
        """

    def prepare(self, fill: Callable[[sa.Connection], None]) -> None:
        """Make the tables of a new store (then `fill` it) or bring an older one to this version.

        Any number of processes may do so at once.

        Raises:
            StorageError: A newer version of this package wrote the store, or it is no store.
        """

    def close(self) -> None:
        """Close this process's idle connections; the next use opens new ones."""
