"""What goes from a cache: what nobody needs any more, then what was used longest ago, until it fits its limit.

Promises: what is leased, or was used within the grace time, stays; the newest snapshot of a project stays; nothing
outside the cache's own folders is touched; work goes on while it runs: who finds a file gone makes it again.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from datamint_like._cache.entries import CURRENT, Entry, current_snapshots, entries, pointed_at
from datamint_like._cache.folder import CacheFolder, is_own
from datamint_like._cache.leases import LASTS_S, Leased, has_ended
from datamint_like._files import DAY_S, runs
from datamint_like._sizes import size_text

_LOG = logging.getLogger(__name__)
#: How long after its last use an entry stays in any case (s).
GRACE_S = DAY_S
#: A process looks how much there is whenever it wrote this part of the limit, and keeps as much of it free.
_PART = 32
#: Entries may lie in the future, where clocks differ.
_ANY_AGE_S = 1e12
_may_write: dict[tuple[int, CacheFolder], int] = {}
_complained: set[Path] = set()


@dataclass(frozen=True)
class Collected:
    """What went from a cache, and what stayed.

    Attributes:
        removed: How many entries went.
        freed: Their bytes.
        held: Bytes that the cache holds now.
        refused: Entries that should have gone and could not be removed.
        limit: What it may hold; None is no limit.
    """

    removed: int
    freed: int
    held: int
    refused: tuple[str, ...] = ()
    limit: int | None = None

    @property
    def is_within_limit(self) -> bool:
        """Whether the cache holds no more than it may."""
        return self.limit is None or self.held <= self.limit


@dataclass
class _Work:
    """One run over a cache."""

    cache: Path
    grace_s: float
    really: bool
    held: int = 0
    removed: int = 0
    freed: int = 0
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.leased = Leased(self.cache)

    def may_go(self, entry: Entry) -> bool:
        """Whether nobody needs the entry."""
        return entry.used < time.time() - self.grace_s and entry.name not in self.leased

    def points_at(self, entry: Entry) -> bool:
        """Whether the entry names a snapshot that is leased."""
        folder, _, file = entry.name.rpartition("/")
        return file == CURRENT and f"{folder}/{pointed_at(self.cache / folder)[0]}" in self.leased

    def remove(self, entry: Entry, *, at_once: bool = False) -> None:
        """Remove an entry, unless somebody began to need it since it was listed; `at_once` however young it is."""
        path = self.cache / entry.name
        try:
            if at_once or self.may_go(entry._replace(used=path.stat(follow_symlinks=False).st_mtime)):
                if self.really:
                    remove_path(path)
                self.removed += 1
                self.freed += entry.size
                self.held -= entry.size
        except FileNotFoundError:  # somebody else removed it
            self.held -= entry.size
        except OSError:
            self.refused.append(entry.name)


def collect(cache: Path, *, limit: int | None = None, grace_s: float = GRACE_S, really: bool = True) -> Collected:
    """Remove what is left over, and, where there is a limit, what was used longest ago until the cache fits.

    Left over are superseded snapshots, what killed processes wrote, ended leases, and locks without a pack.

    Args:
        cache: The cache folder.
        limit: Bytes that it may hold; None removes what is left over alone.
        grace_s: How long after its last use an entry stays in any case (s).
        really: False only tells what would go.
    """
    work, wanted = _Work(cache, grace_s, really), []
    current = current_snapshots(cache)
    for entry in entries(cache):
        work.held += entry.size
        if entry.kind == "lease" and has_ended(cache / entry.name):
            work.remove(entry, at_once=True)
        elif _is_left_over(entry, current):
            work.remove(entry)
        elif limit is not None and entry.kind in ("file", "pack") and work.may_go(entry):
            wanted.append(entry)
    if limit is not None and work.held > limit:
        for entry in sorted(wanted, key=lambda each: (each.used, each.name)):
            if work.held <= limit:
                break
            work.remove(entry)
    if really:
        _remove_empty_folders(cache, grace_s)
    return Collected(work.removed, work.freed, work.held, tuple(work.refused), limit)


def _is_left_over(entry: Entry, current: frozenset[str]) -> bool:
    """Whether an entry is of no use once it is old."""
    file = entry.name.rpartition("/")[2]
    if entry.kind in ("partial", "lease"):  # of a process that is gone, or of another machine and silent
        return not runs(file) and entry.used < time.time() - LASTS_S
    if entry.kind == "snapshot":
        return entry.name not in current
    return entry.name.startswith("packs/") and file.endswith(".lock")


def remove_path(path: Path) -> None:
    """Remove a file, or a folder with all that is in it.

    Raises:
        OSError: It cannot be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def clear(cache: Path) -> Collected:
    """Remove everything but what is leased, or written by a process that runs here; the tagged folders stay."""
    work = _Work(cache, grace_s=-_ANY_AGE_S, really=True)
    for entry in entries(cache):
        work.held += entry.size
        if not ((entry.kind in ("partial", "lease") and runs(entry.name.rpartition("/")[2])) or work.points_at(entry)):
            work.remove(entry)
    _remove_empty_folders(cache, -_ANY_AGE_S)
    return Collected(work.removed, work.freed, work.held, tuple(work.refused))


def _remove_empty_folders(cache: Path, grace_s: float) -> None:
    """Remove folders of packs that have long been empty: there may be many, and who writes a pack bears with it."""
    limit, packs = time.time() - grace_s, cache / "packs"
    if is_own(packs):
        old = [folder for folder, changed in _folders_of(packs) if folder != packs and changed < limit]
        for folder in old:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def _folders_of(top: Path) -> Iterator[tuple[Path, float]]:
    """The folders below one, deepest first, and when something came to them or went."""
    for folder, _, _ in os.walk(top, topdown=False):
        with suppress(OSError):  # it was removed meanwhile
            yield Path(folder), Path(folder).stat().st_mtime


def wrote(cache: CacheFolder, path: Path) -> None:
    """Note that this process put a file into a cache, and keep the cache within its limit.

    Where nothing may go the limit gives way, with one warning in the log: work is never lost or held up for it.
    """
    if cache.limit is None:
        return
    key, part = (os.getpid(), cache), cache.limit // _PART
    try:
        left = _may_write.get(key, 0) - path.stat().st_size
        _may_write[key] = left if left > 0 else part
        if left > 0:
            return
        held = sum(entry.size for entry in entries(cache.path))
        if held + part <= cache.limit:
            return
        held = collect(cache.path, limit=cache.limit - 2 * part).held
    except OSError as error:
        _LOG.warning("The cache %s cannot be kept within its limit: %s.", cache.path, error)
        return
    if held > cache.limit and cache.path not in _complained:
        _complained.add(cache.path)
        _LOG.warning(
            "The cache %s holds %s, more than its limit of %s: the rest was used within a day, or is leased.",
            cache.path,
            size_text(held),
            size_text(cache.limit),
        )
