"""What lies in a cache folder, by kind: the files of its own folders, and no others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from datamint_like._cache.folder import TAG, CacheFolder, is_own
from datamint_like._cache.leases import SUFFIX as LEASE
from datamint_like._files import PARTIAL_SUFFIX

Kind = Literal["file", "pack", "snapshot", "partial", "lease", "other"]
KINDS: tuple[Kind, ...] = ("file", "pack", "snapshot", "partial", "lease", "other")
#: The file beside the snapshots of a project that names the newest.
CURRENT = "current"
SNAPSHOT_SUFFIX = ".sqlite"
PACK_SUFFIXES = (".npy.gz", ".npy")


class Entry(NamedTuple):
    """One file of a cache, or one folder under way.

    Attributes:
        kind: What it is: a file of a server, a pack of slices, a snapshot of a project; what is under way or was left
            by a killed process; a lease; what helps (locks, pointers).
        name: Its path in the cache, with slashes.
        size: Bytes that it holds.
        used: When it was used last, in seconds since 1970.
    """

    kind: Kind
    name: str
    size: int
    used: float


def entries(cache: Path) -> Iterator[Entry]:
    """All that lies in a cache; what comes or goes meanwhile may be missed."""
    for top in CacheFolder(cache).own:
        for name, found in _files_of(str(top), f"{top.name}/"):
            with suppress(FileNotFoundError):
                if name != f"{top.name}/{TAG}":
                    facts = found.stat(follow_symlinks=False)
                    size = _size_of(found.path) if found.is_dir(follow_symlinks=False) else facts.st_size
                    yield Entry(kind_of(name), name, size, facts.st_mtime)


def _files_of(folder: str, before: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """The files below a folder, and its private folders as one each, with their names in the cache."""
    try:
        listed = list(os.scandir(folder))
    except OSError:  # it was removed meanwhile, or is closed to us
        return
    for found in listed:
        if found.is_dir(follow_symlinks=False) and PARTIAL_SUFFIX not in found.name:
            yield from _files_of(found.path, f"{before}{found.name}/")
        else:
            yield before + found.name, found


def _size_of(folder: str) -> int:
    return sum(found.stat(follow_symlinks=False).st_size for _, found in _files_of(folder))


def kind_of(name: str) -> Kind:
    """The kind of an entry of this name."""
    top, _, rest = name.partition("/")
    file = rest.rpartition("/")[2]
    if PARTIAL_SUFFIX in file:
        return "partial"
    if top == "packs" and file.endswith(PACK_SUFFIXES):
        return "pack"
    if top == "catalog" and file.endswith(SNAPSHOT_SUFFIX):
        return "snapshot"
    if top == "leases" and file.endswith(LEASE):
        return "lease"
    return "file" if top == "blobs" else "other"


def current_snapshots(cache: Path) -> frozenset[str]:
    """The names of the newest snapshots of all projects: what works without network."""
    catalog = cache / "catalog"
    found = set()
    for pointer in catalog.glob(f"*/*/{CURRENT}") if is_own(catalog) else ():
        name, _ = pointed_at(pointer.parent)
        found.add(f"{pointer.parent.relative_to(cache).as_posix()}/{name}")
    return frozenset(found)


def pointed_at(folder: Path) -> tuple[str, str]:
    """Name and SHA-256 of the newest snapshot of a project's folder; each empty where it is not known.

    Raises:
        OSError: It cannot be read.
    """
    try:
        name, _, digest = (folder / CURRENT).read_text(encoding="utf-8", errors="replace").strip().partition(" ")
    except FileNotFoundError:
        return "", ""
    return name, digest
