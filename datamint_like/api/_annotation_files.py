"""Segmentations and structure sets among uploaded files, as annotations of the resources that they reference.

Their annotations carry `urn:oid:<SOP Instance UID>` of the file as `imported_from`; a resource that has an annotation
with this origin has the file already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datamint_like.api._annotation_rows import Origin
from datamint_like.api._binding import Key, Target, bind, reason_unbound, targets_of
from datamint_like.api._segments import annotations_of, imported_from
from datamint_like.api._uploads import (
    Complete,
    OnError,
    Planned,
    Stored,
    StoredPlan,
    UploadOptions,
    UploadPlan,
    store,
)
from datamint_like.backends.base import AnnotationQuery, Backend, NewAnnotation, NewResource, ResourceQuery
from datamint_like.entities import Resource
from datamint_like.exceptions import DatamintException, DecodeError, StorageError
from datamint_like.imaging.types import AnnotationFile, Skipped


@dataclass(frozen=True)
class Attached:
    """A file whose classes became annotations of a resource.

    Attributes:
        count: How many annotations it gave.
        notes: What of it was left out on purpose, a sentence each.
    """

    path: Path
    resource_id: str
    count: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AttachedFiles:
    """What became of the annotation files of one upload.

    Attributes:
        attached: Those that gave annotations, once for each resource.
        already_there: Those whose annotations their resource had.
        skipped: Those left out, with the reason.
    """

    attached: tuple[Attached, ...] = ()
    already_there: tuple[Path, ...] = ()
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class _Read:
    """The annotations that a file gives one resource."""

    annotations: list[NewAnnotation]
    notes: tuple[str, ...]


class AnnotationFiles:
    """The annotation files of one upload, bound to planned and stored resources by their headers.

    New resources get theirs in the step that stores them (`add`, then `stored`), stored ones after that (`finish`).

    Args:
        files: The annotation files.
        items: The resources to come.
        known: The stored resources that may be referenced; asked for only where there are files.
        backend: Where annotations go.
        on_error: `"raise"`: every file is read and held against its resource before anything is stored.

    Raises:
        DecodeError: With `on_error="raise"`, a file is damaged or references nothing known.
        GeometryError: With `on_error="raise"`, it lies on another grid than its resource.
    """

    def __init__(
        self,
        files: Sequence[AnnotationFile],
        items: Sequence[Planned],
        known: Callable[[], Sequence[Resource]],
        backend: Backend,
        on_error: OnError,
    ) -> None:
        self._backend = backend
        self._files = files
        self._of_items: dict[tuple[Path, ...], list[tuple[AnnotationFile, Target]]] = defaultdict(list)
        self._of_resources: list[tuple[AnnotationFile, Target]] = []
        self._read: dict[tuple[Path, Key], _Read | None] = {}
        self._pending: dict[tuple[Path, ...], list[tuple[Path, _Read]]] = {}
        self._attached: list[Attached] = []
        self._there: dict[Path, None] = {}
        self._errors: dict[Path, DatamintException] = {}
        if files:
            self._bind(list(targets_of(items, known())))
            if on_error == "raise":
                self._read_all()

    def add(self, item: Planned, new: NewResource) -> NewResource:
        """`new` with the annotations that its files give; what does not fit is left out."""
        has = {each.imported_from for each in new.annotations} | {m.template.imported_from for m in new.volume_masks}
        pending = self._pending[item.group.paths] = []
        for file, target in self._of_items.pop(item.group.paths, []):
            if (origin := _origin_of(file)) is not None and origin in has:
                self._there[file.path] = None
                continue
            read = self._opened(file, target)
            if read is not None:
                new = replace(new, annotations=(*new.annotations, *read.annotations))
                pending.append((file.path, read))
        return new

    def stored(self, done: Stored) -> None:
        """Note that a resource is there with what `add` gave it; annotate it where it was there before."""
        for path, read in self._pending.pop(done.item.group.paths, []):
            if done.new:
                self._attached.append(Attached(path, done.resource_id, len(read.annotations), read.notes))
            else:
                self._attach(path, done.resource_id, read)

    def finish(self) -> AttachedFiles:
        """Annotate the resources that were stored before, each file in one step, and say what became of all files.

        Raises:
            StorageError: The disk is full; what was stored before stays.
        """
        for file, target in self._of_resources:
            if target.resource is None or (read := self._opened(file, target)) is None:
                continue
            self._attach(file.path, target.resource.id, read)
        done = {each.path for each in self._attached} | self._there.keys()
        left_out = [Skipped(file.path, self._reason(file)) for file in self._files if file.path not in done]
        return AttachedFiles(tuple(self._attached), tuple(self._there), tuple(left_out))

    def _attach(self, path: Path, resource_id: str, read: _Read) -> None:
        """Annotate a stored resource in one step, unless it has the file already, by now."""
        try:
            made = self._backend.create_annotations_once(resource_id, read.annotations)
        except StorageError:
            raise
        except DatamintException as error:
            self._errors.setdefault(path, error)
            return
        if made:
            self._attached.append(Attached(path, resource_id, len(made), read.notes))
        elif not any((each.path, each.resource_id) == (path, resource_id) for each in self._attached):
            self._there[path] = None  # not by this call, which knows a resource twice if it was stored meanwhile

    def _bind(self, targets: Sequence[Target]) -> None:
        bound = [(file, target) for file in self._files for target in bind(file, targets, self._backend)]
        stored = [target.resource.id for _, target in bound if target.resource is not None]
        origins = self._origins(list(dict.fromkeys(stored)))
        for file, target in bound:
            if target.item is not None:
                self._of_items[target.item.group.paths].append((file, target))
            elif target.resource is not None and _origin_of(file) in origins[target.resource.id]:
                self._there[file.path] = None  # told without being read
            else:
                self._of_resources.append((file, target))
        named = {file.path for file, _ in bound}
        for file in self._files:
            if file.path not in named:
                self._errors[file.path] = DecodeError(reason_unbound(file))

    def _origins(self, resource_ids: Sequence[str]) -> dict[str, set[str | None]]:
        """For each resource where its annotations come from, as far as they say."""
        origins: dict[str, set[str | None]] = defaultdict(set)
        if resource_ids:
            for each in self._backend.list_annotations(AnnotationQuery(resource_ids=tuple(resource_ids))):
                if each.imported_from is not None:
                    origins[each.resource_id].add(each.imported_from)
        return origins

    def _read_all(self) -> None:
        """Read every file for every resource that it is for, and stop at one that fits none."""
        for file, target in [*(pair for pairs in self._of_items.values() for pair in pairs), *self._of_resources]:
            self._read[file.path, target.key] = self._opened(file, target)
        fit = {path for (path, _), read in self._read.items() if read is not None} | self._there.keys()
        for path, error in self._errors.items():
            if path not in fit:
                raise error

    def _opened(self, file: AnnotationFile, target: Target) -> _Read | None:
        """What a file gives a resource, or None where it does not fit; the first reason is kept."""
        if (file.path, target.key) in self._read:
            return self._read.pop((file.path, target.key))
        try:
            return _read(file, target)
        except DatamintException as error:
            self._errors.setdefault(file.path, error)
            return None

    def _reason(self, file: AnnotationFile) -> str:
        error = self._errors.get(file.path)
        return str(error) if error else f"{file.path.name}: the resource that it was drawn on was not stored."


def store_annotated(
    backend: Backend, plan: UploadPlan, options: UploadOptions, complete: Complete | None = None
) -> tuple[StoredPlan, AttachedFiles]:
    """Store the planned resources, each as `complete` makes it, with the annotations that the plan's files give.

    These may also be of resources that are stored: those of the project, or where none is named, of the store.

    Raises:
        DatamintException: A resource could not be stored, or an annotation file does not fit any, and
            `options.on_error` is `"raise"`; files are held against resources before anything is stored.
    """

    def known() -> list[Resource]:
        if options.project_id is not None:
            return backend.list_project_resources(options.project_id)
        return backend.list_resources(ResourceQuery())

    files = AnnotationFiles(plan.annotations, plan.items, known, backend, options.on_error)

    def add(item: Planned, new: NewResource) -> NewResource:
        return files.add(item, new if complete is None else complete(item, new))

    made = store(backend, plan, options, add, files.stored)
    return made, files.finish()


def _origin_of(file: AnnotationFile) -> str | None:
    return imported_from(file.references.instance_uid) if file.references.instance_uid else None


def _read(file: AnnotationFile, target: Target) -> _Read:
    """The annotations that a file gives a resource.

    Raises:
        DecodeError: It is damaged, or marks nothing.
        GeometryError: It lies on another grid than the resource.
    """
    from datamint_like.imaging import decode_segments

    name = file.path.name
    try:
        payload = file.path.read_bytes()
    except OSError as error:
        raise DecodeError(f"{name}: it cannot be read ({error.strerror}).") from error
    found = decode_segments(payload, target.facts, name=name)
    made = annotations_of(found, target.facts, Origin(imported_from=_origin_of(file)))
    if not made:
        raise DecodeError(f"{name}: none of its segments marks anything.")
    return _Read(made, found.notes)
