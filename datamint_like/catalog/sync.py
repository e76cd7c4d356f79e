"""From a store to a snapshot on this machine.

Promises: an unchanged project costs one question to the store and no copy; a sync that is killed leaves the last
good snapshot in place; without `auto_update` the store is not asked at all.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from datamint_like._files import make_dirs, sweep_partial, write_bytes
from datamint_like.backends.base import Backend, ProjectContent
from datamint_like.backends.finding import find_project
from datamint_like.catalog.lock import Lock
from datamint_like.catalog.snapshot import FORMAT, Snapshot
from datamint_like.catalog.writing import write_snapshot
from datamint_like.entities import Project
from datamint_like.exceptions import CacheError, DatamintException

_CURRENT = "current"


def sync_project(backend: Backend, project: str | Project, cache_dir: Path) -> Snapshot:
    """The snapshot of the project as it is now; built only when the store has changed.

    Args:
        backend: The store to ask.
        project: A name, an id, or a project.
        cache_dir: Where snapshots lie.

    Raises:
        ItemNotFoundError: The store has no such project.
        CacheError: The cache cannot be written.

    Example:
        >>> first = sync_project(api.backend, "chest", Path("cache"))
        >>> sync_project(api.backend, "chest", Path("cache")).path == first.path  # nothing changed, nothing was copied
        True
    """
    found = project if isinstance(project, Project) else find_project(backend, project)
    folder = _store_folder(cache_dir, backend.url) / found.id
    known = _opened(folder / _file_name(backend.project_revision(found.id)))
    snapshot = known or _read(folder, backend, found.id)
    with _cache_errors(folder):
        if _current(folder) != snapshot.path:
            write_bytes(folder / _CURRENT, snapshot.path.name.encode())
    return snapshot


def sync_resources(backend: Backend, resource_ids: Sequence[str], cache_dir: Path) -> Snapshot:
    """The snapshot of a list of resources, in that order, as they are now.

    Raises:
        ItemNotFoundError: The store lacks one.
        CacheError: The cache cannot be written.

    Example:
        >>> len(sync_resources(api.backend, [xray.id, head.id], Path("cache")))
        2
    """
    folder = _store_folder(cache_dir, backend.url) / "resources"
    with backend.read_resources(resource_ids) as content:
        target = folder / _file_name(content.revision)
        return _opened(target) or _built(target, content, backend.url)


def locked_snapshot(lock: Path, store_url: str, cache_dir: Path) -> Snapshot:
    """The snapshot that a lock file holds, with its files to be found at a store; the store is not asked.

    Raises:
        ValidationError: It is no lock file of this version, or not as it was written.
        CacheError: The cache cannot be written.

    Example:
        >>> snapshot.write_lock("chest.lock")
        >>> list(locked_snapshot(Path("chest.lock"), api.server_url, Path("elsewhere")).each_row()) == list(
        ...     snapshot.each_row()
        ... )
        True
    """
    whole = Lock(lock)
    target = _store_folder(cache_dir, store_url) / "locks" / _file_name(whole.digest)
    known = _opened(target)
    if known is not None:
        return known
    with whole.content(store_url) as content:
        return _built(target, content, store_url)


def newest_snapshot(store_url: str, project: str | Project, cache_dir: Path) -> Snapshot:
    """The last snapshot synced of a project, without asking the store.

    An id counts before a name; of several projects that had the name, the one synced last.

    Raises:
        CacheError: None was synced on this machine.

    Example:
        >>> synced = sync_project(api.backend, "chest", Path("cache"))
        >>> newest_snapshot(api.backend.url, "chest", Path("cache")).path == synced.path
        True
    """
    asked = (project.id,) if isinstance(project, Project) else (project,)
    store = _store_folder(cache_dir, store_url)
    pointers = sorted(store.glob(f"*/{_CURRENT}"), key=lambda pointer: pointer.stat().st_mtime_ns, reverse=True)
    by_name = None
    for pointer in pointers:
        snapshot = _opened(_current(pointer.parent))
        if snapshot is None or snapshot.meta.project is None:
            continue
        if snapshot.meta.project.id in asked:
            return snapshot
        if snapshot.meta.project.name in asked and by_name is None:
            by_name = snapshot
    if by_name is not None:
        return by_name
    name = project.name if isinstance(project, Project) else project
    raise CacheError(
        f"No snapshot of project {name!r} of {store_url} is on this machine. Build the dataset once with "
        "auto_update=True while the store can be reached."
    )


def _opened(path: Path | None) -> Snapshot | None:
    """The snapshot at `path`; None where there is none that can be read."""
    try:
        return Snapshot(path) if path is not None and path.exists() else None
    except CacheError:
        return None  # it is built again from the store


def _read(folder: Path, backend: Backend, project_id: str) -> Snapshot:
    with backend.read_project(project_id) as content:
        return _built(folder / _file_name(content.revision), content, backend.url)


def _built(target: Path, content: ProjectContent, store_url: str) -> Snapshot:
    with _cache_errors(target.parent):
        make_dirs(target.parent)
        sweep_partial(target.parent)
        write_snapshot(target, content, store_url)
    return Snapshot(target)


@contextmanager
def _cache_errors(folder: Path) -> Iterator[None]:
    """Disk errors as CacheError: which folder, and what to do."""
    try:
        yield
    except DatamintException:
        raise  # what the store says; some of its errors are errors of the system, too
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CacheError(
            f"The cache folder {folder} cannot be written: {reason}. Free space there, or name another folder in "
            "DATAMINT_LIKE_CACHE."
        ) from error


def _store_folder(cache_dir: Path, store_url: str) -> Path:
    return cache_dir / "catalog" / hashlib.sha256(store_url.encode()).hexdigest()[:16]


def _file_name(revision: str) -> str:
    """The format is in the name, so that a newer version never opens what an older one wrote."""
    return f"{hashlib.sha256(revision.encode()).hexdigest()[:32]}.{FORMAT}.sqlite"


def _current(folder: Path) -> Path | None:
    try:
        return folder / (folder / _CURRENT).read_text()
    except FileNotFoundError:
        return None
