"""From a store to a snapshot on this machine.

Promises: an unchanged project costs one question to the store and no copy; a sync that is killed leaves the last
good snapshot in place; without `auto_update` the store is not asked at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from datamint_like._files import make_dirs, write_bytes
from datamint_like.backends.base import Backend
from datamint_like.catalog.snapshot import Snapshot, write_snapshot
from datamint_like.entities import Project
from datamint_like.exceptions import CacheError, ItemNotFoundError

_CURRENT = "current"


def sync_project(backend: Backend, project: str | Project, cache_dir: Path) -> Snapshot:
    """The snapshot of the project as it is now; built only when the store has changed.

    Args:
        backend: The store to ask.
        project: A name, an id, or a project.
        cache_dir: Where snapshots lie.

    Raises:
        ItemNotFoundError: The store has no such project.
    """
    found = project if isinstance(project, Project) else find_project(backend, project)
    folder = _store_folder(cache_dir, backend.url) / found.id
    revision = backend.project_revision(found.id)
    target = folder / _file_name(revision)
    if not target.exists():
        content = backend.read_project(found.id)
        target = folder / _file_name(content.revision)
        make_dirs(folder)
        write_snapshot(target, content, backend.url)
    if _current(folder) != target:
        write_bytes(folder / _CURRENT, target.name.encode())
    return Snapshot(target)


def sync_resources(backend: Backend, resource_ids: Sequence[str], cache_dir: Path) -> Snapshot:
    """The snapshot of a list of resources, in that order, as they are now."""
    content = backend.read_resources(resource_ids)
    folder = _store_folder(cache_dir, backend.url) / "resources"
    target = folder / _file_name(content.revision)
    if not target.exists():
        make_dirs(folder)
        write_snapshot(target, content, backend.url)
    return Snapshot(target)


def newest_snapshot(store_url: str, project: str | Project, cache_dir: Path) -> Snapshot:
    """The last snapshot synced of a project, without asking the store.

    Raises:
        CacheError: None was synced on this machine.
    """
    wanted = {project.id, project.name} if isinstance(project, Project) else {project}
    for pointer in sorted(_store_folder(cache_dir, store_url).glob(f"*/{_CURRENT}")):
        target = _current(pointer.parent)
        if target is None or not target.exists():
            continue
        snapshot = Snapshot(target)
        known = snapshot.meta.project
        if known is not None and wanted & {known.id, known.name}:
            return snapshot
    name = project.name if isinstance(project, Project) else project
    raise CacheError(
        f"No snapshot of project {name!r} of {store_url} is on this machine. Build the dataset once with "
        "auto_update=True while the store can be reached."
    )


def find_project(backend: Backend, name_or_id: str) -> Project:
    """The project with this name, or else this id.

    Raises:
        ItemNotFoundError: There is none; the message names the store and what it has.
    """
    found = backend.find_project(name_or_id)
    if found is not None:
        return found
    projects = backend.list_projects()
    for project in projects:
        if project.id == name_or_id:
            return project
    names = ", ".join(repr(project.name) for project in projects[:10]) or "none"
    raise ItemNotFoundError(
        f"Project {name_or_id!r} not found in {backend.url}. It has these projects: {names}"
        f"{' and more' if len(projects) > 10 else ''}. Check the name, or the store (server_url, DATAMINT_LIKE_HOME)."
    )


def _store_folder(cache_dir: Path, store_url: str) -> Path:
    return cache_dir / "catalog" / hashlib.sha256(store_url.encode()).hexdigest()[:16]


def _file_name(revision: str) -> str:
    return f"{hashlib.sha256(revision.encode()).hexdigest()[:32]}.sqlite"


def _current(folder: Path) -> Path | None:
    try:
        return folder / (folder / _CURRENT).read_text()
    except FileNotFoundError:
        return None
