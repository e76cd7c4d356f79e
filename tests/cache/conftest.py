"""A cache folder with entries of any age, and what lies in it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from datamint_like._cache import CacheFolder

HOUR_S = 3600.0


class Shelf:
    """A cache folder whose entries are made by hand, each as old as it is said to be."""

    def __init__(self, path: Path, limit: int | None = None) -> None:
        self.cache = CacheFolder(path, limit)
        self.path = path

    def put(self, name: str, size: int = 1000, *, hours: float = 0.0) -> Path:
        """An entry of so many bytes that was used last so many hours ago."""
        path = self.path / name
        self.cache.make(path.parent)
        path.write_bytes(b"x" * size)
        self.age(path, hours)
        return path

    def file(self, n: int, size: int = 1000, *, hours: float = 0.0) -> Path:
        """A file of a server."""
        stem = f"{n:064x}"
        return self.put(f"blobs/{stem[:2]}/{stem}", size, hours=hours)

    def pack(self, n: int, size: int = 1000, *, hours: float = 0.0) -> Path:
        """A pack of slices."""
        name = f"{n:040x}"
        return self.put(f"packs/{name[:2]}/{name}/axial.npy.gz", size, hours=hours)

    @staticmethod
    def age(path: Path, hours: float) -> None:
        then = time.time() - hours * HOUR_S
        os.utime(path, (then, then))

    @property
    def names(self) -> set[str]:
        """What lies in the cache, but for the tags."""
        found = (path for path in self.path.rglob("*") if path.is_file() and path.name != "CACHEDIR.TAG")
        return {path.relative_to(self.path).as_posix() for path in found}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "cache")
