"""Which resources a segmentation or structure set belongs to, by the UIDs that it references."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from datamint_like.api._uploads import Planned
from datamint_like.backends.base import Backend
from datamint_like.entities import Resource
from datamint_like.exceptions import DatamintException
from datamint_like.imaging.types import AnnotationFile, HeaderFacts

#: The files of a planned resource, or the id of a stored one.
Key: TypeAlias = "tuple[Path, ...] | str"
_NAMED = 3  # series spelled out in one message


@dataclass(frozen=True)
class Target:
    """A resource that is planned (`item`) or stored (`resource`), and the facts that tell what belongs to it."""

    name: str
    facts: HeaderFacts
    item: Planned | None = None
    resource: Resource | None = None

    @property
    def key(self) -> Key:
        """What tells it from other targets."""
        return self.item.group.paths if self.item else self.resource.id if self.resource else self.name

    @property
    def paths(self) -> frozenset[Path]:
        """The files of a planned resource."""
        return frozenset(self.item.group.paths if self.item else ())


def targets_of(items: Sequence[Planned], resources: Sequence[Resource]) -> Iterator[Target]:
    """The DICOM resources among them, which can be referenced by UID."""
    from datamint_like.imaging import facts_of

    for item in items:
        if item.group.facts.format == "dicom":
            yield Target(item.group.filename, item.group.facts, item=item)
    for resource in resources:
        facts = facts_of(resource)
        if facts is not None and facts.format == "dicom":
            yield Target(f"{resource.filename} ({resource.id})", facts, resource=resource)


def bind(file: AnnotationFile, targets: Sequence[Target], backend: Backend) -> list[Target]:
    """The resources that a file was drawn on, as it says: by series, else by image, else by frame of reference.

    Where one series makes several resources, those with an image that the file names come before the others. The
    frame of reference counts only for a file that names neither series nor image, and where one resource of its study
    alone has it.
    """
    wanted = file.references
    by_series = [target for target in targets if target.facts.series_uid in wanted.series_uids]
    by_image = [target for target in by_series or targets if _is_named(file, target)]
    if by_image or by_series:
        return by_image or by_series
    if wanted.series_uids or wanted.instance_uids or not wanted.frames_of_reference:
        return []
    in_study = [target for target in targets if wanted.study_uid and target.facts.study_uid == wanted.study_uid]
    in_frame = [target for target in in_study if _frame_of_reference(target, backend) in wanted.frames_of_reference]
    return in_frame if len(in_frame) == 1 else []


def reason_unbound(file: AnnotationFile) -> str:
    """Why a file is left out whose resource is not there, and what it wants."""
    wanted = file.references
    what = "a segmentation (SEG)" if wanted.kind == "seg" else "a structure set (RTSTRUCT)"
    if wanted.series_uids:
        series = ", ".join(wanted.series_uids[:_NAMED])
        more = f" and {len(wanted.series_uids) - _NAMED} more" if len(wanted.series_uids) > _NAMED else ""
        return (
            f"{file.path.name}: it is {what} of the series {series}{more}, which is neither among the files nor in the "
            "project. Import that series, too."
        )
    if wanted.instance_uids:
        return (
            f"{file.path.name}: it is {what} of the image {min(wanted.instance_uids)} (SOP Instance UID), which is "
            "neither among the files nor in the project. Import that image, too."
        )
    return (
        f"{file.path.name}: it is {what} that names no series and no image, and not exactly one resource of its study "
        "has its frame of reference. Give it with its resource, to annotations.upload_segmentations."
    )


def _is_named(file: AnnotationFile, target: Target) -> bool:
    """Whether the file names an image of the target; of stored series the first image is known."""
    return bool(target.paths & file.images) or target.facts.instance_uid in file.references.instance_uids


def _frame_of_reference(target: Target, backend: Backend) -> str:
    """The Frame of Reference UID of the first file of a target; empty where it has none or cannot be read."""
    from datamint_like.imaging.masks.references import frame_of_reference

    try:
        if target.resource is None:
            return frame_of_reference(min(target.paths))
        part = backend.list_parts([target.resource.id])[target.resource.id][0]
        return frame_of_reference(backend.blobs().part_path(part, target.resource.filename))
    except DatamintException:  # bytes that are gone or changed bind nothing
        return ""
