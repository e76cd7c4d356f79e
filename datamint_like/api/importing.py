"""Import of files into a project: what the store has already is not added twice, what is no image is reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datamint_like._files import sha256_of
from datamint_like.api._files_given import on_disk
from datamint_like.api._uploads import OnError, Planned, UploadOptions, UploadPlan, plan, store
from datamint_like.api.client import Api
from datamint_like.backends.base import Backend
from datamint_like.entities import Project, Resource
from datamint_like.exceptions import DecodeError, EntityAlreadyExistsError, ValidationError
from datamint_like.imaging.types import Group, Skipped

Digests = tuple[str, ...]


@dataclass(frozen=True)
class ImportOptions:
    """How files are imported; see `resources.upload_resources` for what the fields mean."""

    tags: tuple[str, ...] = ()
    link: bool = False
    on_error: OnError = "skip"
    progress_bar: bool = False


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        project: Where the resources are now.
        project_created: Whether it is new.
        imported: The new resources, with the number of files of each.
        already_there: Groups of files that the project holds, byte for byte.
        skipped: Files that became no resource, with the reason.
    """

    project: Project
    project_created: bool
    imported: tuple[tuple[Resource, int], ...]
    already_there: tuple[Group, ...]
    skipped: tuple[Skipped, ...]


def import_files(api: Api, paths: Sequence[str | Path], project: str, options: ImportOptions) -> ImportReport:
    """Bring files, folders and glob patterns into the project, made when it is missing.

    Every header is read before anything is stored, also before the project is made.

    Raises:
        ValidationError: A path is missing, a folder is empty, or the project is archived.
        DecodeError: No file is an image; or one is not and `options.on_error` is `"raise"`.
        StorageError: The disk is full; what was stored before stays, and a new run goes on from there.
    """
    backend = api.backend
    upload = UploadOptions(
        tags=options.tags,
        link=options.link,
        on_error=options.on_error,
        publish=True,
        progress_bar=options.progress_bar,
    )
    with on_disk(list(paths)) as given:
        planned = plan(given, upload)
        target, created = _target(api, project)
        known = _Known(backend, target)
        there = [known.holds(item) for item in planned.items]
        new = tuple(item for item, held in zip(planned.items, there, strict=True) if not held)
        old = tuple(item.group for item, held in zip(planned.items, there, strict=True) if held)

        def after(item: Planned, resource: Resource) -> None:
            backend.add_project_resources(target.id, [resource.id])

        made = store(backend, UploadPlan(new, planned.skipped), upload, after)
    if not made and not old and made.skipped:
        raise DecodeError(f"Nothing was imported: {made.skipped[0].reason}")
    parts = backend.list_parts(made)
    return ImportReport(
        project=backend.get_project(target.id),
        project_created=created,
        imported=tuple((resource, len(parts[resource.id])) for resource in backend.get_resources(made)),
        already_there=old,
        skipped=made.skipped,
    )


def _target(api: Api, name: str) -> tuple[Project, bool]:
    """The project of this name, and whether it had to be made."""
    found = api.projects.get_by_name(name)
    if found is None:
        try:
            return api.backend.get_project(api.projects.create(name).id), True
        except EntityAlreadyExistsError:  # another process was first
            return api.projects.create(name, exists_ok=True), False
    if found.archived:
        raise ValidationError(
            f"The project {name!r} is archived. Bring it back with Api().projects.restore({name!r}), "
            "or import into another project."
        )
    return found, False


class _Known:
    """What a project holds already, by the digests of its files; files are hashed only where lengths agree."""

    def __init__(self, backend: Backend, project: Project) -> None:
        self._entries: dict[tuple[int, ...], list[Digests | tuple[Path, ...]]] = {}
        ids = [resource.id for resource in backend.list_project_resources(project.id)]
        for parts in backend.list_parts(ids).values():
            sizes = tuple(sorted(part.size for part in parts))
            self._entries.setdefault(sizes, []).append(tuple(sorted(part.sha256 for part in parts)))

    def holds(self, item: Planned) -> bool:
        """Whether these bytes are known; from now on they are."""
        paths = item.group.paths
        entries = self._entries.setdefault(tuple(sorted(path.stat().st_size for path in paths)), [])
        for n, entry in enumerate(entries):
            entries[n] = _digests(entry)
        if not entries:
            entries.append(paths)
            return False
        digests = _digests(paths)
        if digests in entries:
            return True
        entries.append(digests)
        return False


def _digests(entry: Digests | tuple[Path, ...]) -> Digests:
    return tuple(sorted(sha256_of(each) if isinstance(each, Path) else each for each in entry))
