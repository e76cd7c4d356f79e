"""Leases: entries of a cache that eviction leaves alone while somebody needs them, whether they are there yet or not.

    <cache>/leases/<host>.<pid>.<start>.<random>.lease    a line that says what it is, then a name a line

A lease is in force while the process that made it runs on this machine, or was renewed within the last hour: so one of
another machine counts, too, and none stays for ever. Where the process could be seen from here and is gone, the lease
has ended: numbers of processes are compared within one start of a machine, and one container, alone.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
import time
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from datamint_like._cache.folder import CacheFolder, cache_of, open_as_its_folder
from datamint_like._files import has_gone, of_this_machine, process_name, runs
from datamint_like._sizes import size_text
from datamint_like.exceptions import CacheError

SUFFIX = ".lease"
_FIRST_LINE = "datamint-like lease 1\n"
#: Begins the second line: where the process can be seen.
_SEEN_IN = "# seen in "
#: How long (s) a lease counts after it was renewed, and how often it is.
LASTS_S, _RENEWED_S = 3600.0, 600.0
#: Two changes of a folder within one tick of the file system's clock leave the same time.
_TICK_NS = 50_000_000
_swept: set[tuple[int, Path]] = set()


class Lease:
    """Names of entries that stay while this is held; `end`, or letting it go, gives them up.

    In a folder that cannot be written it does nothing, since nothing is removed there by this process.
    """

    def __init__(self, cache: CacheFolder, paths: Iterable[Path] = (), *, renewed: bool = True) -> None:
        """Hold these entries of a cache; a thread renews that unless only this machine has to know."""
        self._cache = cache
        self._file: Path | None = None
        ended = threading.Event()
        with suppress(OSError):
            cache.make(cache.path / "leases")
            _sweep(cache.path / "leases")
            self._file = cache.path / "leases" / f"{process_name()}{SUFFIX}"
            self._append(f"{_FIRST_LINE}{_seen_in()}")
            open_as_its_folder(self._file)
        self.end = weakref.finalize(self, _end, self._file, ended, os.getpid())
        self.add(paths)
        if renewed and self._file is not None:
            threading.Thread(target=_renew, args=(self._file, ended), daemon=True, name="datamint-like-lease").start()

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def add(self, paths: Iterable[Path]) -> None:
        """Hold these entries, too."""
        with suppress(OSError):
            self._append("".join(f"{self._cache.name(path)}\n" for path in paths))
            os.utime(self._cache.path / "leases")  # by which others notice

    def _append(self, lines: str) -> None:
        if lines and self._file is not None:
            with open(self._file, "ab") as file:
                file.write(lines.encode())


def lease(cache: CacheFolder, paths: Iterable[Path], *, size: int, what: str) -> Lease:
    """Hold the entries that a piece of work needs, until it ends; they need not be there yet.

    Args:
        cache: The cache folder.
        paths: Where the entries lie, or will.
        size: Bytes that they take in all, as far as that is known.
        what: What messages call them ("The prefetch of 12 resources").

    Raises:
        CacheError: They take more than the cache may hold.
    """
    if cache.limit is not None and size > cache.limit:
        raise CacheError(
            f"{what} takes {size_text(size)} ({size} bytes), the cache {cache.path} may hold {size_text(cache.limit)} "
            f"({cache.limit} bytes). Nothing was fetched. Ask for less, or raise the limit (cache_limit=, "
            "DATAMINT_LIKE_CACHE_LIMIT)."
        )
    return Lease(cache, paths)


def pinned(path: Path, top: str) -> Lease | None:
    """A hold on one file of a cache while this process runs, or lets it go; None where it lies in no cache."""
    cache = cache_of(path, top)
    return None if cache is None else Lease(cache, [path], renewed=False)


class Leased:
    """The names that are leased now, looked up again whenever a lease was made."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "leases"
        self._stamp = -1
        self._names: frozenset[str] = frozenset()

    def __contains__(self, name: str) -> bool:
        self._look()
        return name in self._names

    def _look(self) -> None:
        try:
            stamp = self._folder.stat().st_mtime_ns
        except OSError:
            return  # nobody ever leased anything
        if stamp != self._stamp or abs(time.time_ns() - stamp) < _TICK_NS:
            self._stamp = stamp
            self._names = frozenset(
                name for path in _in(self._folder) if _is_in_force(path) for name in _names_of(path)
            )


def _is_in_force(path: Path) -> bool:
    """Whether a lease counts: its process runs here, or renewed it a short while ago."""
    if runs(path.name):
        return True
    with suppress(OSError):
        return path.stat().st_mtime > time.time() - LASTS_S and not has_ended(path)
    return False


def has_ended(path: Path) -> bool:
    """Whether the process that made a lease could be seen from here, and is gone."""
    if not (has_gone(path.name) and _seen_in()):
        return False
    with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return [file.readline(), file.readline()] == [_FIRST_LINE, _seen_in()]
    return False


@functools.cache
def _seen_in() -> str:
    """The line of a lease for what process numbers are numbers of here; empty where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        numbers = Path("/proc/self/ns/pid").readlink()  # containers of one machine, and one name, have their own
    except OSError:
        return ""
    return f"{_SEEN_IN}{hashlib.sha256(f'{boot}{numbers}'.encode()).hexdigest()[:16]}\n"


def _in(folder: Path) -> list[Path]:
    with suppress(OSError):
        return [path for path in folder.iterdir() if path.name.endswith(SUFFIX)]
    return []


def _names_of(path: Path) -> list[str]:
    with suppress(OSError):  # it ended this instant
        first, _, names = path.read_text(encoding="utf-8", errors="replace").partition("\n")
        return names.split("\n") if f"{first}\n" == _FIRST_LINE else []
    return []


def _sweep(folder: Path) -> None:
    """Remove, once a process, the leases of processes of this machine that were killed, or ended without tidying."""
    if (os.getpid(), folder) in _swept:
        return
    _swept.add((os.getpid(), folder))
    for path in _in(folder):
        with suppress(OSError):  # another process sweeps, too
            if of_this_machine(path.name) and not _is_in_force(path):
                path.unlink()


def _renew(path: Path, ended: threading.Event) -> None:
    while not ended.wait(_RENEWED_S):
        with suppress(OSError):
            os.utime(path)


def _end(path: Path | None, ended: threading.Event, pid: int) -> None:
    """End a lease, in the process that made it; a forked child only forgets it."""
    if pid == os.getpid():
        ended.set()
        with suppress(OSError):
            if path is not None:
                path.unlink()
