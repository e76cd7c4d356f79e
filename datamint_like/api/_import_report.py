"""What an import did, and what of it the user should know: series that are in the project twice, or lack a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from datamint_like.api._annotation_files import Attached
from datamint_like.api._files_given import Originals
from datamint_like.api._uploads import Planned, reason_of
from datamint_like.backends.base import Backend
from datamint_like.entities import Project, Resource
from datamint_like.imaging.types import Group, Skipped

if TYPE_CHECKING:
    from datamint_like.imaging.deidentify import DeidentificationReport

_NAMED = 3  # files spelled out in one sentence


@dataclass(frozen=True)
class Overlap:
    """A new resource that shares files with one that the project held: a series that grew or shrank.

    Attributes:
        resource: The new one, of `files` files.
        held: The other one, of `held_files` files, which has `shared` of them.
        kept_for: What the other one has (annotations, a split, a status) where it would else have been superseded.
    """

    resource: Resource
    files: int
    held: Resource
    shared: int
    held_files: int
    kept_for: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the new one has all files of the other one, and more."""
        return self.shared == self.held_files < self.files

    def __str__(self) -> str:
        kept = f" The old one was kept for its {self.kept_for}, which no import moves." if self.kept_for else ""
        return (
            f"{self.resource.filename} ({self.resource.id}): {self.held.filename} ({self.held.id}) of the project "
            f"already holds {self.shared} of the {self.files} files of this series, so the same slices are in two "
            f'resources.{kept} Delete the old one, api.resources.delete("{self.held.id}"), or the new one, or import '
            "into a new project."
        )


@dataclass(frozen=True)
class Superseded:
    """A resource that an import took out of its project, since a new one holds all its files.

    Attributes:
        held: The one taken out; it stays in the store.
        files: How many it has.
        resource: The new one, which has its tags, too.
    """

    held: Resource
    files: int
    resource: Resource

    def __str__(self) -> str:
        return (
            f"{self.held.filename} ({self.held.id}) was taken out of the project: {self.resource.filename} "
            f"({self.resource.id}) holds all of its {self.files} files and more of the series, and it had no "
            "annotation, split or status here. It stays in the store, and api.projects.add_resources brings it back."
        )


@dataclass(frozen=True)
class Incomplete:
    """A resource of whose series files were left out because they cannot be read."""

    resource: Resource
    left_out: tuple[Skipped, ...]

    def __str__(self) -> str:
        named = "; ".join(reason_of(each) for each in self.left_out[:_NAMED])
        more = f"; and {len(self.left_out) - _NAMED} more" if len(self.left_out) > _NAMED else ""
        files = (
            "1 file of its series was" if len(self.left_out) == 1 else f"{len(self.left_out)} files of its series were"
        )
        return (
            f"{self.resource.filename} ({self.resource.id}) may lack slices: {files} left out as unreadable: "
            f"{named}{more}. Mend the files and import the series again."
        )


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        project: Where the resources are now.
        project_created: Whether it is new.
        imported: The new resources, with the number of files of each.
        already_there: Groups of files that the project holds, byte for byte.
        skipped: Files that became no resource and no annotation, with the reason; one with the same bytes as another
            of the files, too.
        annotated: Segmentations and structure sets that became annotations of resources of the project.
        annotations_there: Those whose annotations the project has.
        tagged: Resources that were already there and got tags of this import that they lacked.
        superseded: Older resources that were taken out of the project, since new ones hold all their files.
        overlapping: New resources that share files with older ones of the project that stay.
        incomplete: Resources of whose series a file was left out because it cannot be read.
        anonymized: What was done to the files where they were to be without identity, else None.
    """

    project: Project
    project_created: bool
    imported: tuple[tuple[Resource, int], ...]
    already_there: tuple[Group, ...]
    skipped: tuple[Skipped, ...]
    annotated: tuple[Attached, ...] = ()
    annotations_there: tuple[Path, ...] = ()
    tagged: tuple[Resource, ...] = ()
    superseded: tuple[Superseded, ...] = ()
    overlapping: tuple[Overlap, ...] = ()
    incomplete: tuple[Incomplete, ...] = ()
    anonymized: DeidentificationReport | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be looked at, a sentence or two each."""
        return tuple(str(each) for each in (*self.overlapping, *self.incomplete))


def as_given(report: ImportReport, originals: Originals, anonymized: DeidentificationReport) -> ImportReport:
    """The report of anonymized files, in which they are called as they were given."""
    return replace(
        report,
        skipped=tuple(map(originals.skipped, report.skipped)),
        annotated=tuple(replace(each, path=originals.path(each.path)) for each in report.annotated),
        annotations_there=tuple(map(originals.path, report.annotations_there)),
        incomplete=tuple(
            replace(each, left_out=tuple(map(originals.skipped, each.left_out))) for each in report.incomplete
        ),
        anonymized=anonymized,
    )


def overlaps(backend: Backend, project_id: str, new: Sequence[str], there: Collection[str] = ()) -> tuple[Overlap, ...]:
    """The new resources that share files, by their digests, with others of their series in the project.

    Of those that were there, the ones that hold whole what the project got before them: an import that was stopped
    between the two leaves such.
    """
    fresh, looked_at = set(new), {*new, *there}
    series: dict[str, list[Resource]] = defaultdict(list)
    for each in backend.list_project_resources(project_id):  # by time of adding
        if each.series_uid:
            series[each.series_uid].append(each)
    several = [own for own in series.values() if len(own) > 1 and any(each.id in looked_at for each in own)]
    parts = backend.list_parts([each.id for own in several for each in own])
    digests = {each: {part.sha256 for part in own} for each, own in parts.items()}
    found = [
        (place < at, Overlap(resource, len(parts[resource.id]), held, shared, len(digests[held.id])))
        for own in several
        for at, resource in enumerate(own)
        if resource.id in looked_at
        for place, held in enumerate(own)
        if held.id not in fresh and held.id != resource.id and (shared := len(digests[resource.id] & digests[held.id]))
    ]
    return tuple(each for before, each in found if each.resource.id in fresh or (before and each.is_whole))


def incomplete(
    backend: Backend, placed: Iterable[tuple[Planned, str]], skipped: Sequence[Skipped]
) -> tuple[Incomplete, ...]:
    """The resources, given with what was planned of them, of whose series unreadable files were left out."""
    lost: dict[str, list[Skipped]] = {}
    for each in skipped:
        if each.series_uid:
            lost.setdefault(each.series_uid, []).append(each)
    hit = {resource_id: lost[uid] for item, resource_id in placed if (uid := item.group.facts.series_uid or "") in lost}
    resources = backend.get_resources(list(hit))
    return tuple(Incomplete(resource, tuple(hit[resource.id])) for resource in resources)


def tag(backend: Backend, resource_ids: Iterable[str], tags: Sequence[str]) -> tuple[Resource, ...]:
    """Give the tags to those of these resources that lack one; the resources that got some, as they are now."""
    found = backend.get_resources(list(dict.fromkeys(resource_ids))) if tags else []
    lacking = [each.id for each in found if not set(tags) <= set(each.tags)]
    if lacking:
        backend.add_tags(lacking, tags)
    return tuple(backend.get_resources(lacking))
