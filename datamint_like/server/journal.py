"""What the server writes down of each request: a line of its log, and a line of who read or wrote what.

Both are JSON, one object a line, and hold ids only: no names, no file names, no keys, no texts of requests.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_log = logging.getLogger("datamint_like.server")


@dataclass(frozen=True)
class Seen:
    """One request that was answered.

    Attributes:
        route: With the names of ids in braces, not the path as it came.
        ids: What the path and the body were about.
        key: The public prefix of the key.
        took_s: From its arrival to the start of its answer.
    """

    method: str
    route: str
    status: int
    took_s: float
    user: str | None = None
    key: str | None = None
    ids: tuple[str, ...] = ()


class AuditLog:
    """A file that only grows: one line a request of somebody with a key, on the disk's cache before the answer leaves.

    Several processes may write one file: each line is one write.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, seen: Seen) -> None:
        """Add a line.

        Raises:
            OSError: The disk is full.
        """
        line = {"at": _now(), "user": seen.user, "key": seen.key, "method": seen.method, "route": seen.route}
        text = json.dumps({**line, "ids": seen.ids, "status": seen.status})
        os.write(self._file, f"{text}\n".encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def tell(seen: Seen) -> None:
    """A line of the server's log."""
    fields = {"method": seen.method, "route": seen.route, "status": seen.status, "user": seen.user}
    level = logging.WARNING if seen.status >= 500 else logging.INFO
    _log.log(level, "request", extra={"fields": {**fields, "ms": round(seen.took_s * 1000, 1)}})


def tell_failure(route: str, error: BaseException) -> None:
    """A line about an error that is a defect: its type and where it arose, not its message, which may quote a file."""
    frames = [
        f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in traceback.extract_tb(error.__traceback__)
    ]
    fields = {"route": route, "error": type(error).__name__, "frames": frames[-12:]}
    _log.error("failure", extra={"fields": fields})


class JsonLines(logging.Formatter):
    """Log records as JSON, one object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        fields: dict[str, Any] = getattr(record, "fields", {})
        return json.dumps({"at": _now(), "level": record.levelname, "event": record.getMessage(), **fields})


def log_to_stderr(level: int) -> None:
    """Send the server's log, and uvicorn's, to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("datamint_like.server", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level if name != "uvicorn" else max(level, logging.WARNING))


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
