"""Turns: processes of one machine that would do the same work wait for the one that does it.

Turns save work alone. Where locks do not work, or always succeed, everybody's turn is at once, and that is right too.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # no such locks on this system
    fcntl = None  # type: ignore[assignment]

_GLANCE_S, _LONGEST_GLANCE_S = 0.005, 0.1
_HELD = (errno.EAGAIN, errno.EACCES, errno.EINTR)


@contextmanager
def turn(path: Path, patience_s: float | None) -> Iterator[bool]:
    """A block with the lock of the file at `path`; False where another process holds it for longer than patience.

    The file is made, and removed by whoever had the turn. The lock of a process that dies is free at once.

    Args:
        path: A file for the lock alone, in a folder that is there.
        patience_s: How long to wait (s); None for ever.

    Raises:
        OSError: The file cannot be made.
    """
    handle = _opened(path)
    try:
        mine = _locked(handle, patience_s)
        try:
            yield mine
        finally:
            if mine:
                with suppress(OSError):
                    path.unlink()
                _unlock(handle)
    finally:
        os.close(handle)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    except PermissionError:  # another user of a shared cache made it
        return os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))


def _locked(handle: int, patience_s: float | None) -> bool:
    """Whether this is our turn, after waiting; it is where the file system has no locks."""
    end, glance = time.monotonic() + (patience_s or 0.0), _GLANCE_S
    while fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _HELD:
                return True
        else:
            return True
        if patience_s is not None and time.monotonic() > end:
            return False
        time.sleep(glance)
        glance = min(2 * glance, _LONGEST_GLANCE_S)
    return True


def _unlock(handle: int) -> None:
    """Give the lock up, which a forked child holds as well."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
