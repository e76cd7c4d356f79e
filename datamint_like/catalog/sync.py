"""From a store to a snapshot on this machine.

Promises: an unchanged project costs one question to the store and no copy; a sync that is killed leaves the last
good snapshot in place; without `auto_update` the store is not asked at all.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from datamint_like._cache.collecting import wrote
from datamint_like._cache.entries import CURRENT, pointed_at
from datamint_like._cache.folder import CacheFolder, open_as_its_folder, unwritable
from datamint_like._files import sha256_of, sweep_partial, write_bytes
from datamint_like.backends.base import Backend, ProjectContent
from datamint_like.backends.finding import find_project
from datamint_like.backends.local.unchanged import digest_of
from datamint_like.catalog.aside import aside, may_write
from datamint_like.catalog.changing import UnfitBaseError, write_changed
from datamint_like.catalog.lock import Lock
from datamint_like.catalog.snapshot import FORMAT, REBUILD, Snapshot
from datamint_like.catalog.writing import write_snapshot
from datamint_like.entities import Project, Resource
from datamint_like.exceptions import CacheError, DatamintException, ItemNotFoundError, PermissionDeniedError

_LOG = logging.getLogger(__name__)
_LISTS = "resources"  # the folder of snapshots of lists of resources
_LOCKS = "locks"  # the folder of those of lock files


def sync_project(backend: Backend, project: str | Project, cache_dir: CacheFolder | Path) -> Snapshot:
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
    cache = CacheFolder.at(cache_dir)
    last = _last(backend.url, project, cache.path)
    asked = _revision_of(backend, last)
    if last is not None and asked == last.meta.revision:
        return last
    found = project if isinstance(project, Project) else find_project(backend, project)
    folder = store_folder_in(cache.path, backend.url) / found.id
    revision = asked if asked and _project_of(last) == found.id else backend.project_revision(found.id)
    known = _opened(folder / _file_name(revision))
    snapshot = _read(cache, folder, backend, found.id) if known is None else known  # one without rows is false
    if snapshot.path.parent != folder:  # it is kept aside
        return snapshot
    with _cache_errors(folder):
        if known is None or _current(folder) != snapshot.path:
            _point(folder, snapshot.path, just_written=known is None)
    return snapshot


def _point(folder: Path, path: Path, *, just_written: bool) -> None:
    """Name the current snapshot; with its digest where its bytes are surely those that were written."""
    digest = sha256_of(path) if just_written else ""
    write_bytes(folder / CURRENT, f"{path.name} {digest}".strip().encode())
    open_as_its_folder(folder / CURRENT)


def _revision_of(backend: Backend, last: Snapshot | None) -> str | None:
    """The revision now of the project that was synced last, where it still is one that may be read."""
    project_id = _project_of(last)
    try:
        return None if project_id is None else backend.project_revision(project_id)
    except (ItemNotFoundError, PermissionDeniedError):
        return None


def _project_of(snapshot: Snapshot | None) -> str | None:
    return None if snapshot is None or snapshot.meta.project is None else snapshot.meta.project.id


def sync_resources(backend: Backend, resource_ids: Sequence[str], cache_dir: CacheFolder | Path) -> Snapshot:
    """The snapshot of a list of resources, in that order, as they are now.

    In a cache that may not be written it is kept aside until this process ends; so is that of a lock file or project.

    Raises:
        ItemNotFoundError: The store lacks one.
        CacheError: There is no room for it.

    Example:
        >>> len(sync_resources(api.backend, [xray.id, head.id], Path("cache")))
        2
    """
    cache = CacheFolder.at(cache_dir)
    folder = store_folder_in(cache.path, backend.url) / _LISTS
    with backend.read_resources(resource_ids) as content:
        target = folder / _file_name(content.revision)
        known = _opened(target)
        return _built(cache, target, content, backend.url) if known is None else known


def locked_snapshot(lock: Path, store_url: str, cache_dir: CacheFolder | Path) -> Snapshot:
    """The snapshot that a lock file holds, with its files to be found at a store; the store is not asked.

    Raises:
        ValidationError: It is no lock file of this version, or not as it was written.
        CacheError: There is no room for it.

    Example:
        >>> snapshot.write_lock("chest.lock")
        >>> list(locked_snapshot(Path("chest.lock"), api.server_url, Path("elsewhere")).each_row()) == list(
        ...     snapshot.each_row()
        ... )
        True
    """
    whole, cache = Lock(lock), CacheFolder.at(cache_dir)
    target = store_folder_in(cache.path, store_url) / _LOCKS / _file_name(whole.digest)
    known = _opened(target)
    if known is not None:
        return known
    with whole.content(store_url) as content:
        try:
            return _built(cache, target, content, store_url)
        except CacheError as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError):
                whole.refuse_twice()
            raise


def newest_snapshot(store_url: str, project: str | Project, cache_dir: Path) -> Snapshot:
    """The last snapshot synced of a project, without asking the store.

    An id counts before a name; of several projects that had the name, the one synced last. One that is damaged stays.

    Raises:
        CacheError: None was synced on this machine, or it is damaged.

    Example:
        >>> synced = sync_project(api.backend, "chest", Path("cache"))
        >>> newest_snapshot(api.backend.url, "chest", Path("cache")).path == synced.path
        True
    """
    faults: list[CacheError] = []
    found = _last(store_url, project, cache_dir, faults)
    if found is not None:
        return found
    name = project.name if isinstance(project, Project) else project
    kind, one = ("sound snapshot", f" One that is here cannot be used: {faults[0]}") if faults else ("snapshot", "")
    raise CacheError(
        f"No {kind} of project {name!r} of {store_url} is on this machine. Build the dataset once with "
        f"auto_update=True while the store can be reached.{one}"
    )


def known_snapshot(
    store_url: str, project_id: str | None, revision: str, cache_dir: Path, *, stays: bool = False
) -> Snapshot | None:
    """The snapshot of a revision of a project (of a list of resources, where None), if it is on this machine.

    One that `stays` is not removed where it shows damage, as it could not be built again.

    Example:
        >>> synced = sync_project(api.backend, "chest", Path("cache"))
        >>> meta = synced.meta
        >>> known_snapshot(meta.store_url, meta.project.id, meta.revision, Path("cache")).path == synced.path
        True
    """
    path = store_folder_in(cache_dir, store_url) / (project_id or _LISTS) / _file_name(revision)
    return _opened(path, stays=stays)


def _last(
    store_url: str, project: str | Project, cache_dir: Path, faults: list[CacheError] | None = None
) -> Snapshot | None:
    """The last snapshot synced of a project, if any.

    Args:
        store_url: Of its store.
        project: Name, id or record.
        cache_dir: Where snapshots lie.
        faults: Where the store may not be asked: gets what is wrong with those that may be it, and all stay.
    """
    asked = (project.id,) if isinstance(project, Project) else (project,)
    store = store_folder_in(cache_dir, store_url)
    pointers = sorted(store.glob(f"*/{CURRENT}"), key=_written_at, reverse=True)
    by_name = None
    for pointer in pointers:
        heard = faults if pointer.parent.name in asked or not isinstance(project, Project) else None
        snapshot = _opened(_current(pointer.parent), stays=faults is not None, faults=heard)
        if snapshot is None or snapshot.meta.project is None:
            continue
        if snapshot.meta.project.id in asked:
            return _sound(snapshot, faults)
        if snapshot.meta.project.name in asked and by_name is None:
            by_name = snapshot
    return _sound(by_name, faults)


def _written_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # it was cleared meanwhile
        return 0


def _sound(snapshot: Snapshot | None, faults: list[CacheError] | None) -> Snapshot | None:
    """The current snapshot, where its bytes are those that were written; else it is removed, and built again."""
    if snapshot is None:
        return None
    folder, name = snapshot.path.parent, snapshot.path.name
    pointed, digest = pointed_at(folder)
    with suppress(OSError):  # it was removed meanwhile, or cannot be
        if pointed == name and digest and digest_of(snapshot.path) != digest:
            told = f"The snapshot {name} is damaged: its bytes are not those that were written."
            _LOG.warning("%s", told)
            if faults is None:
                snapshot.path.unlink()
            else:
                faults.insert(0, CacheError(f"{told} {REBUILD}"))
            return None
    return snapshot


def _opened(path: Path | None, *, stays: bool = False, faults: list[CacheError] | None = None) -> Snapshot | None:
    """The snapshot at `path`; None where there is none that can be read, and `faults` gets why."""
    try:
        return Snapshot(path, stays=stays) if path is not None and path.exists() else None
    except CacheError as error:
        if faults is not None:
            faults.append(error)
        return None  # it is built again from the store


def _read(cache: CacheFolder, folder: Path, backend: Backend, project_id: str) -> Snapshot:
    """A new snapshot: of what changed since the last one where the store can tell, else of everything."""
    base = _base(folder)
    if base is not None:
        try:
            known = partial(_record_in, base)
            with backend.read_changes(project_id, base.meta.revision, known) as content:
                return _built(cache, folder / _file_name(content.revision), content, backend.url, base)
        except UnfitBaseError as error:
            _LOG.warning("The snapshot %s is not gone on with (%s); all is copied.", base.path.name, error)
    with backend.read_project(project_id) as content:
        return _built(cache, folder / _file_name(content.revision), content, backend.url)


def _record_in(snapshot: Snapshot, resource_id: str) -> Resource | None:
    row = snapshot.rows_of([resource_id]).get(resource_id)
    return None if row is None else snapshot.resource(row)


def _base(folder: Path) -> Snapshot | None:
    """The current snapshot, if every byte of it is as it was written."""
    try:
        name, digest = pointed_at(folder)
        return _opened(folder / name) if digest and digest_of(folder / name) == digest else None
    except OSError:
        return None  # it is not there, or cannot be read


def _built(
    cache: CacheFolder, target: Path, content: ProjectContent, store_url: str, base: Snapshot | None = None
) -> Snapshot:
    """The snapshot of some content, at `target`; for this process alone where it cannot be kept there."""
    if cache.path.is_dir() and not may_write(target.parent):  # what is no cache at all is an error
        with _cache_errors(Path(tempfile.gettempdir())):
            own = aside() / "-".join(target.relative_to(cache.path).parts[1:])
            if not own.exists():
                _LOG.warning("The cache %s cannot be written; a snapshot is kept until this process ends.", cache.path)
                _write(own, content, store_url, base)
        return Snapshot(own)
    with _cache_errors(target.parent):
        cache.make(target.parent)
        sweep_partial(target.parent)
        _write(target, content, store_url, base)
        open_as_its_folder(target)
        wrote(cache, target)
    return Snapshot(target)


def _write(target: Path, content: ProjectContent, store_url: str, base: Snapshot | None) -> None:
    if base is None or content.changes is None:
        write_snapshot(target, content, store_url)
    else:
        write_changed(target, base, content, store_url)


@contextmanager
def _cache_errors(folder: Path) -> Iterator[None]:
    """Disk errors as CacheError: which folder, and what to do."""
    try:
        yield
    except DatamintException:
        raise  # what the store says; some of its errors are errors of the system, too
    except (OSError, sqlite3.Error) as error:
        raise CacheError(unwritable(folder, error)) from error


def store_folder_in(cache_dir: Path, store_url: str) -> Path:
    """Where a cache folder has what is known of the projects of a store.

    Example:
        >>> store_folder_in(Path("cache"), "https://lab.example").as_posix()
        'cache/catalog/e17e1e573b151c2d'
    """
    return cache_dir / "catalog" / hashlib.sha256(store_url.encode()).hexdigest()[:16]


def _file_name(revision: str) -> str:
    """The format is in the name, so that a newer version never opens what an older one wrote."""
    return f"{hashlib.sha256(revision.encode()).hexdigest()[:32]}.{FORMAT}.sqlite"


def _current(folder: Path) -> Path | None:
    name, _ = pointed_at(folder)
    return folder / name if name else None
