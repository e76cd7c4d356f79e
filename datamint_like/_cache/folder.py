"""A cache folder: which of its folders are the cache's own, and how they are made.

    <cache>/blobs, catalog, packs, leases    each with a CACHEDIR.TAG; nothing else in the folder is the cache's

Promises: what carries no tag of ours is never touched; a folder of the cache appears with its tag, never without.
"""

from __future__ import annotations

import errno
import shutil
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datamint_like._cache.use import note_use
from datamint_like._files import fsync_dir, is_disk_full, make_dirs, private_name, reason_of

#: The folders of a cache, each of one kind of content.
TOPS = ("blobs", "catalog", "packs", "leases")
TAG = "CACHEDIR.TAG"
PRIVATE_MODE = 0o700
_TRIES = 5
_ANOTHER = "name another cache folder in DATAMINT_LIKE_CACHE, or as cache_dir=."
#: What to do where a cache has no room.
MORE_ROOM = f"Free space there, or {_ANOTHER}"
_MARK = """\
Signature: 8a477f597d28d172789f06886806bc55
# datamint-like cache, layout 1
"""  # the first line is that of every CACHEDIR.TAG (https://bford.info/cachedir/), which backups look for
_TEXT = f"""{_MARK}\
# All that lies in this folder can be fetched or made again: `datamint-like cache clear` removes it.
"""


class ForeignFolderError(OSError):
    """A folder that has the name of one of the cache's own, and is not."""


def unwritable(folder: Path, error: Exception) -> str:
    """That a cache folder cannot be written, why, and what to do, as two sentences."""
    return f"The cache folder {folder} cannot be written: {reason_of(error)}. {way_out(error)}"


def way_out(error: Exception) -> str:
    """What to do where a cache cannot be written, as a sentence."""
    if isinstance(error, ForeignFolderError):
        return f"Move that folder away, or {_ANOTHER}"
    full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    if full or (isinstance(error, OSError) and is_disk_full(error)):
        return MORE_ROOM
    return f"N{_ANOTHER[1:]}"


@dataclass(frozen=True)
class CacheFolder:
    """One cache folder, and how much it may hold.

    Attributes:
        path: Where it is.
        limit: Bytes that it should hold at most; None is no limit.
        mode: Of the folders in it, when they are made: `0o750` lets the group read.
    """

    path: Path
    limit: int | None = None
    mode: int = PRIVATE_MODE

    @classmethod
    def at(cls, cache: CacheFolder | Path) -> CacheFolder:
        """The cache folder at a path, without limit; one that is given as such as it is."""
        return cache if isinstance(cache, CacheFolder) else cls(cache)

    def name(self, path: Path) -> str:
        """What a file of this cache is called in it: its path from here, with slashes."""
        return path.relative_to(self.path).as_posix()

    def make(self, folder: Path, *, durable: bool = True) -> None:
        """Make a folder in one of the cache's own; each is as open to others as that.

        Args:
            folder: Where.
            durable: Whether its name shall survive a power cut.

        Raises:
            OSError: It cannot be made, or would lie among what is not the cache's.
        """
        top = self.path / folder.relative_to(self.path).parts[0]
        for tries in reversed(range(_TRIES)):
            try:
                if not top.is_dir() or not any(top.iterdir()):
                    self._make_top(top)
                elif not is_own(top):
                    told = f"in {top.name}/ lies what is not this cache's (no {TAG} of ours)"
                    raise ForeignFolderError(errno.EEXIST, told)
                make_dirs(folder, mode=top.stat().st_mode & 0o777, durable=durable)
                note_use(folder)  # an empty folder is removed when it is old
            except FileNotFoundError:  # it was cleared at this instant
                if not tries:
                    raise
            else:
                return

    def _make_top(self, top: Path) -> None:
        make_dirs(self.path, mode=self.mode)
        private = private_name(self.path, top.name)
        try:
            private.mkdir(mode=self.mode)
            private.chmod(self.mode)
            (private / TAG).write_text(_TEXT)
            open_as_its_folder(private / TAG)
            with suppress(FileExistsError):  # another process was first
                _rename_onto_nothing(private, top)
                fsync_dir(self.path)
        finally:
            shutil.rmtree(private, ignore_errors=True)

    @property
    def own(self) -> list[Path]:
        """The folders here that are the cache's."""
        return [top for top in (self.path / name for name in TOPS) if is_own(top)]


def _rename_onto_nothing(folder: Path, target: Path) -> None:
    """Rename a folder to a name that no folder has, or an empty one.

    Raises:
        FileExistsError: There are things at the target.
    """
    try:
        folder.rename(target)
    except OSError:
        if target.is_dir():
            raise FileExistsError(target) from None
        raise


def is_own(top: Path) -> bool:
    """Whether a folder carries our tag, of the layout that this program knows."""
    try:
        with open(top / TAG, "rb") as file:
            return file.read(len(_MARK)) == _MARK.encode()
    except OSError:
        return False


def cache_of(path: Path, top: str) -> CacheFolder | None:
    """The cache folder that a file lies in, under a folder of this name; None where it lies in none."""
    for folder in path.parents:
        if folder.name == top and is_own(folder):
            return CacheFolder(folder.parent, mode=folder.stat().st_mode & 0o777)
    return None


def open_as_its_folder(path: Path) -> None:
    """Let those read a file who may read its folder, although a umask took that away."""
    wanted = path.parent.stat().st_mode & 0o044
    mode = path.stat().st_mode & 0o777
    if mode & wanted != wanted:
        path.chmod(mode | wanted)
