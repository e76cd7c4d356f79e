"""When an entry of the cache was used last: the time of its file, moved on now and then.

The time of reading (atime) cannot tell: most systems keep it coarsely or not at all, and a backup moves it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: An entry in use is noted as used at most this often (s), whichever processes use it.
EVERY_S = 6 * 3600.0
#: How often (s) a process looks whether what it holds open has to be noted.
_LOOK_S = 600.0


_own = threading.local()


@contextmanager
def no_use() -> Iterator[None]:
    """A block in which this thread looks at entries without using them, as a check of all of them does."""
    before = is_looking()
    _own.looks = True
    try:
        yield
    finally:
        _own.looks = before


def is_looking() -> bool:
    """Whether this thread looks at entries without using them: then it removes none either."""
    return bool(getattr(_own, "looks", False))


def note_use(path: Path | str) -> bool:
    """Note that an entry is used now, where that was not done in the last hours; whether it is there.

    In a folder that cannot be written nothing is noted, and nothing is removed either.
    """
    try:
        used = os.stat(path).st_mtime  # noqa: PTH116 -- each item asks; faster than path.stat()
    except OSError:
        return False
    if used < time.time() - EVERY_S and not is_looking():
        with suppress(OSError):
            os.utime(path)
    return True


class InUse:
    """A file that a process holds open, and notes as used while it reads it."""

    __slots__ = ("_next", "_path")

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._next = 0.0

    def note(self) -> None:
        """Note a use; this costs next to nothing but every few minutes."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _LOOK_S
            note_use(self._path)
