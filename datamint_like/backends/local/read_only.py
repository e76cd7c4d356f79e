"""SQLite files that this user may read and not write, as on a shared or read-only disk."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote


def is_read_only(file: Path) -> bool:
    """Whether the database is there, and it or its folder may not be written."""
    return file.exists() and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK))


def connect(file: Path, timeout: float) -> sqlite3.Connection:
    """A connection that only reads, made for one transaction.

    In write-ahead mode SQLite needs files beside the database, which cannot be made where the folder is read-only.
    Without a log of writes under way the database is all there is, and is read as an unchanging file; such a
    connection sees no later write, so the next transaction takes a new one.

    Raises:
        sqlite3.OperationalError: It cannot be opened.
    """
    log = file.with_name(f"{file.name}-wal")
    how = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    return sqlite3.connect(f"file:{quote(str(file))}?{how}", timeout=timeout, uri=True, check_same_thread=False)
