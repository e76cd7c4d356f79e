"""Import of files into a project: what the store has already is not added twice, what is no image is reported."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from datamint_like._files import sha256_of
from datamint_like.api._annotation_files import AnnotationFiles, Attached, store_annotated
from datamint_like.api._binding import reason_unbound
from datamint_like.api._endpoint import open_project
from datamint_like.api._files_given import on_disk
from datamint_like.api._uploads import OnError, UploadOptions, UploadPlan, plan
from datamint_like.api.client import Api
from datamint_like.backends.base import Backend
from datamint_like.entities import Project, Resource
from datamint_like.exceptions import DecodeError, EntityAlreadyExistsError
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
        skipped: Files that became no resource and no annotation, with the reason.
        annotated: Segmentations and structure sets that became annotations of resources of the project.
        annotations_there: Those whose annotations the project has.
    """

    project: Project
    project_created: bool
    imported: tuple[tuple[Resource, int], ...]
    already_there: tuple[Group, ...]
    skipped: tuple[Skipped, ...]
    annotated: tuple[Attached, ...] = ()
    annotations_there: tuple[Path, ...] = ()


def import_files(api: Api, paths: Sequence[str | Path], project: str, options: ImportOptions) -> ImportReport:
    """Bring files, folders and glob patterns into the project, made when it is missing.

    Segmentations and structure sets become annotations of the series that they reference, in these files or in the
    project; one whose series is in neither is left out, and taken by a later import when the series is there.

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
        progress_bar=options.progress_bar,
    )
    with on_disk(list(paths)) as given:
        planned = plan(given, upload)
        _refuse_in_vain(api, planned, project, options)
        target, created = _target(api, project)
        known = _Known(backend, target)
        there = [known.holds(item.group.paths) for item in planned.items]
        new = tuple(item for item, held in zip(planned.items, there, strict=True) if not held)
        old = tuple(item.group for item, held in zip(planned.items, there, strict=True) if held)
        fresh = replace(planned, items=new)
        made, done = store_annotated(backend, fresh, replace(upload, project_id=target.id))
    skipped = made.skipped + done.skipped
    if skipped and not (made or old or done.attached or done.already_there):
        raise DecodeError(f"Nothing was imported: {skipped[0].reason}")
    parts = backend.list_parts(made)
    return ImportReport(
        project=backend.get_project(target.id),
        project_created=created,
        imported=tuple((resource, len(parts[resource.id])) for resource in backend.get_resources(made)),
        already_there=old,
        skipped=skipped,
        annotated=done.attached,
        annotations_there=done.already_there,
    )


def _refuse_in_vain(api: Api, planned: UploadPlan, project: str, options: ImportOptions) -> None:
    """Stop before a project is made for annotation files that cannot be attached to anything in it.

    Raises:
        DecodeError, GeometryError: There are annotation files only; or one does not fit and errors are to be raised.
    """
    if not planned.annotations or api.projects.get_by_name(project) is not None:
        return
    if not planned.items:
        raise DecodeError(f"Nothing was imported: {reason_unbound(planned.annotations[0])}")
    if options.on_error == "raise":
        AnnotationFiles(planned.annotations, planned.items, list, api.backend, "raise")


def _target(api: Api, name: str) -> tuple[Project, bool]:
    """The project of this name, and whether it had to be made."""
    found = api.projects.get_by_name(name)
    if found is None:
        try:
            return api.backend.get_project(api.projects.create(name).id), True
        except EntityAlreadyExistsError:  # another process was first
            return api.projects.create(name, exists_ok=True), False
    return open_project(api.backend, found), False


@dataclass
class _OfOneSize:
    """What is known of groups whose files have the same lengths."""

    digests: set[Digests] = field(default_factory=set)
    not_hashed: list[tuple[Path, ...]] = field(default_factory=list)


class _Known:
    """What a project holds already, by the digests of its files; files are hashed only where lengths agree."""

    def __init__(self, backend: Backend, project: Project) -> None:
        self._by_size: dict[tuple[int, ...], _OfOneSize] = defaultdict(_OfOneSize)
        ids = [resource.id for resource in backend.list_project_resources(project.id)]
        for parts in backend.list_parts(ids).values():
            sizes = tuple(sorted(part.size for part in parts))
            self._by_size[sizes].digests.add(tuple(sorted(part.sha256 for part in parts)))

    def holds(self, paths: tuple[Path, ...]) -> bool:
        """Whether these bytes are known; from now on they are. A file that is gone is for the upload to tell."""
        try:
            same = self._by_size[tuple(sorted(path.stat().st_size for path in paths))]
            if not same.digests and not same.not_hashed:
                same.not_hashed.append(paths)
                return False
            digests = _digests(paths)
        except OSError:
            return False
        while same.not_hashed:
            with suppress(OSError):
                same.digests.add(_digests(same.not_hashed.pop()))
        held = digests in same.digests
        same.digests.add(digests)
        return held


def _digests(paths: tuple[Path, ...]) -> Digests:
    return tuple(sorted(sha256_of(path) for path in paths))
