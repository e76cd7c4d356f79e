"""Import of files into a project: what the store has already is not added twice, what is no image is reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from datamint_like.api._annotation_files import AnnotationFiles, AttachedFiles, store_annotated
from datamint_like.api._binding import reason_unbound
from datamint_like.api._deidentified import Anonymize, without_identity
from datamint_like.api._endpoint import open_project
from datamint_like.api._files_given import Originals, on_disk
from datamint_like.api._import_report import ImportReport as ImportReport
from datamint_like.api._import_report import as_given, incomplete, overlaps, tag
from datamint_like.api._known_files import KnownFiles
from datamint_like.api._superseded import supersede
from datamint_like.api._upload_arguments import tag_list
from datamint_like.api._uploads import OnError, Planned, StoredPlan, UploadOptions, UploadPlan, plan
from datamint_like.api.client import Api
from datamint_like.backends.base import Backend
from datamint_like.entities import Project
from datamint_like.exceptions import DecodeError, EntityAlreadyExistsError
from datamint_like.imaging.types import Skipped

#: A planned resource, and those of the project that have its bytes.
Held: TypeAlias = tuple[Planned, tuple[str, ...]]


@dataclass(frozen=True)
class ImportOptions:
    """How files are imported; see `resources.upload_resources` for what the fields mean."""

    tags: tuple[str, ...] = ()
    link: bool = False
    on_error: OnError = "skip"
    progress_bar: bool = False
    anonymize: bool = False
    anonymize_retain_codes: Sequence[tuple[int, int]] = ()
    allow_burned_in: bool = False


def import_files(api: Api, paths: Sequence[str | Path], project: str, options: ImportOptions) -> ImportReport:
    """Bring files, folders and glob patterns into the project, made when it is missing.

    Segmentations and structure sets become annotations of the series that they reference, in these files or in the
    project; one whose series is in neither is left out, and taken by a later import when the series is there.

    Arguments are checked first, then every header is read, before anything is stored or the project is made.
    Resources that are there already get the tags, too. A series of which the project holds some of the files comes in
    as a resource of its own. Where it has all files of the older one, and that has no annotation, split or status of
    work, the older one is taken out of the project (`superseded`); else both stay, and the report warns of it (with
    `on_error="raise"`, too: no file is at fault).

    Raises:
        ValidationError: A path is missing, a folder is empty, a tag is none, or the project is archived.
        DecodeError: No file is an image; or one is not and `options.on_error` is `"raise"`.
        StorageError: The disk is full; what was stored before stays, and a new run goes on from there.
    """
    backend = api.backend
    upload = UploadOptions(
        tags=tag_list(options.tags),
        link=options.link,
        anonymize=Anonymize.asked(
            options.anonymize, options.anonymize_retain_codes, options.allow_burned_in, options.link
        ),
        on_error=options.on_error,
        progress_bar=options.progress_bar,
        once=True,
    )
    with (
        on_disk(list(paths)) as given,
        without_identity(given, upload.anonymize, backend.url, progress_bar=options.progress_bar) as clean,
    ):
        planned = plan(clean.files, upload, clean.skipped)
        _refuse_in_vain(api, planned, project, options)
        target, created = _target(api, project)
        looked = _look_up(planned, KnownFiles(backend, target.id))
        made, done = store_annotated(backend, looked.fresh, replace(upload, project_id=target.id))
    report = _report(backend, (target, created), looked.there, made, done, upload.tags)
    return report if clean.report is None else as_given(report, Originals(clean.given), clean.report)


def _report(
    backend: Backend,
    project: tuple[Project, bool],
    held: Sequence[Held],
    made: StoredPlan,
    done: AttachedFiles,
    tags: Sequence[str],
) -> ImportReport:
    """What became of all files; resources that were there get their tags.

    Raises:
        DecodeError: Nothing became of any.
    """
    there = [*held, *((each.item, (each.resource_id,)) for each in made.stored if not each.new)]
    skipped = made.skipped + done.skipped
    if skipped and not (made.ids or there or done.attached or done.already_there):
        raise DecodeError(f"Nothing was imported: {skipped[0].reason}")
    old = [(item, resource_id) for item, ids in there for resource_id in ids]
    placed = [*old, *((each.item, each.resource_id) for each in made.stored if each.new)]
    target, created = project
    tagged = tag(backend, [resource_id for _, resource_id in old], tags)
    shared = overlaps(backend, target.id, made.ids, {resource_id for _, resource_id in old})
    superseded, overlapping = supersede(backend, target.id, shared, made.ids)
    parts, new = backend.list_parts(made.ids), backend.get_resources(made.ids)
    return ImportReport(
        project=backend.get_project(target.id),
        project_created=created,
        imported=tuple((resource, len(parts[resource.id])) for resource in new),
        already_there=tuple(item.group for item, _ in there),
        skipped=skipped,
        annotated=done.attached,
        annotations_there=done.already_there,
        tagged=tagged,
        superseded=superseded,
        overlapping=overlapping,
        incomplete=incomplete(backend, placed, skipped),
    )


@dataclass(frozen=True)
class _LookedUp:
    """A plan held against the project: what is new, and the resources that have the bytes of the rest."""

    fresh: UploadPlan
    there: tuple[Held, ...]


def _look_up(planned: UploadPlan, known: KnownFiles) -> _LookedUp:
    """The plan without what the project holds and without copies of what it has already, which are left out."""
    fresh: list[Planned] = []
    there: list[Held] = []
    copies: list[Skipped] = []
    for item in planned.items:
        found = known.look_up(item.group.paths)
        if found.earlier:
            pairs = zip(item.group.paths, found.earlier, strict=True)
            copies += [Skipped(path, f"{path.name}: it has the same bytes as {first.name}.") for path, first in pairs]
        elif found.resource_ids:
            there.append((item, found.resource_ids))
        else:
            fresh.append(item)
    return _LookedUp(replace(planned, items=tuple(fresh), skipped=(*planned.skipped, *copies)), tuple(there))


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
