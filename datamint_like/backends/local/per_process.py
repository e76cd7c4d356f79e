"""Database connections that belong to one process: made when first used there, never shared across a fork."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable

import sqlalchemy as sa

_open: weakref.WeakSet[PerProcess] = weakref.WeakSet()
_inherited: list[sa.Engine] = []  # connections of a parent process; closing them here would harm it
_lock = threading.RLock()  # held while engines come and go; a forked child gets a new one


class PerProcess:
    """One engine a process."""

    def __init__(self, make: Callable[[], sa.Engine]) -> None:
        self._make = make
        self._engines: dict[int, sa.Engine] = {}
        with _lock:
            _open.add(self)

    def engine(self) -> sa.Engine:
        """This process's engine."""
        pid = os.getpid()
        with _lock:
            if pid not in self._engines:
                _inherited.extend(self._engines.values())
                self._engines = {pid: self._make()}
            return self._engines[pid]

    def close(self) -> None:
        """Close this process's idle connections; the next use opens new ones."""
        with _lock:
            engine = self._engines.pop(os.getpid(), None)
        if engine is not None:
            engine.dispose()


def _before_fork() -> None:
    """Close idle connections, so that a child process inherits none: databases forbid sharing them."""
    with _lock:
        engines = list(_open)
    for each in engines:
        each.close()


def _after_fork_in_child() -> None:
    """A lock of the child's own: the inherited one may be held by a thread that is not here."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
