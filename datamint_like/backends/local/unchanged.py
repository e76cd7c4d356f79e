"""Digests of files, and whether one still has the bytes that a part names: hashed once a process, and when touched."""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path

from datamint_like._files import sha256_of
from datamint_like.entities import Part

_KEPT = 1 << 16  # digests a process remembers, about 40 MB when full
#: Two changes within one tick of the file system's clock leave the same times; ticks are 10 ms at most on Linux.
_TICK_NS = 50_000_000


def fault_of(path: Path, part: Part) -> str | None:
    """What is wrong with the file, as the end of a sentence; None when its bytes are those of the part.

    The size is compared first, then the SHA-256, which is remembered for the file's identity, size and times.
    The kernel sets the time of change (ctime) at every write, so an edit that restores size and mtime shows.
    """
    try:
        facts = os.stat(path)  # noqa: PTH116 (each item of a dataset asks, and this is faster than path.stat())
        if facts.st_size != part.size:
            return f"changed: it has {facts.st_size} bytes, {part.size} were registered"
        same = _digest(path, facts) == part.sha256
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if same else "changed: its bytes are not those that were registered"


def digest_of(path: Path) -> str:
    """SHA-256 of the file, hashed once a process, and again when it was touched.

    Raises:
        OSError: It cannot be read.
    """
    return _digest(path, path.stat())


def _digest(path: Path, facts: os.stat_result) -> str:
    """SHA-256 of the file, remembered unless it was touched just now."""
    if abs(time.time_ns() - facts.st_ctime_ns) < _TICK_NS:
        return sha256_of(path)
    return _remembered(str(path), facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


@functools.lru_cache(maxsize=_KEPT)  # safe between threads, and holds no lock that a fork could leave taken
def _remembered(path: str, _dev: int, _ino: int, _size: int, _mtime_ns: int, _ctime_ns: int) -> str:
    return sha256_of(Path(path))
