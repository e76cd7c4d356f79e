"""How much a cache holds: by kind, and by project."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from datamint_like._cache.entries import KINDS, Entry, Kind, entries
from datamint_like._cache.use import no_use
from datamint_like.catalog import Snapshot
from datamint_like.exceptions import CacheError


@dataclass(frozen=True)
class Amount:
    """A number of entries, and their bytes."""

    entries: int = 0
    size: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.entries + other.entries, self.size + other.size)


@dataclass(frozen=True)
class ProjectUsage:
    """What a cache holds of one project.

    Attributes:
        store_url: Its store.
        project: Its name; None for lists of resources.
        snapshots: All its snapshots.
        files: The files that its newest snapshot names; what two projects share counts for both.
    """

    store_url: str
    project: str | None
    snapshots: Amount
    files: Amount


@dataclass(frozen=True)
class Usage:
    """What a cache holds.

    Attributes:
        kinds: By kind of entry: `file` (of a server), `pack` (of slices), `snapshot`, `partial` (under way, or left by
            a killed process), `lease` and `other`.
        projects: By project, the largest first.
    """

    kinds: Mapping[Kind, Amount]
    projects: tuple[ProjectUsage, ...]

    @property
    def size(self) -> int:
        """All bytes.

        Example:
            >>> from datamint_like.cache import Cache
            >>> Cache().usage().size
            0
        """
        return sum(amount.size for amount in self.kinds.values())


def usage_of(cache: Path) -> Usage:
    """What the cache in a folder holds."""
    kinds: dict[Kind, Amount] = dict.fromkeys(KINDS, Amount())
    files: dict[str, int] = {}
    snapshots: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries(cache):
        kinds[entry.kind] += Amount(1, entry.size)
        if entry.kind == "file":
            files[entry.name.rpartition("/")[2]] = entry.size
        elif entry.kind == "snapshot":
            snapshots[entry.name.rpartition("/")[0]].append(entry)
    with no_use():
        projects = [found for own in snapshots.values() for found in _projects(cache, own, files)]
    return Usage(kinds, tuple(sorted(projects, key=lambda each: -each.snapshots.size - each.files.size)))


def _projects(cache: Path, own: list[Entry], files: Mapping[str, int]) -> Iterator[ProjectUsage]:
    """What there is of the project whose snapshots these are, where one of them can be opened."""
    for entry in sorted(own, key=lambda each: -each.used):
        try:
            snapshot = Snapshot(cache / entry.name)
            named = snapshot.file_names()
        except CacheError:
            continue
        project = snapshot.meta.project
        here = [files[name] for name in named if name in files]
        yield ProjectUsage(
            snapshot.meta.store_url,
            None if project is None else project.name,
            sum((Amount(1, each.size) for each in own), Amount()),
            Amount(len(here), sum(here)),
        )
        return
