"""Uploads: probe every file first, then store one resource for each image, volume, series or video."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from datamint_like._warn import warn_user
from datamint_like.api._deidentified import Anonymize
from datamint_like.api._files_given import GivenFile, Originals
from datamint_like.api._progress import bar
from datamint_like.backends.base import Backend, NewResource
from datamint_like.exceptions import DatamintException, DatamintWarning, DecodeError, StorageError, ValidationError
from datamint_like.imaging.types import AnnotationFile, Group, Skipped

OnError = Literal["raise", "skip"]
_NAMED = 5  # failures spelled out in one message


@dataclass(frozen=True)
class UploadOptions:
    """What every resource of one upload gets.

    Attributes:
        project_id: The project that each resource joins as it is made, and so is published.
        once: A resource whose bytes that project holds is not made again.
        anonymize: That files are to be without identity.
        metadata: For each argument what is added to the header facts; empty where there is none.
    """

    mimetype: str | None = None
    modality: str | None = None
    tags: tuple[str, ...] = ()
    channel: str | None = None
    publish: bool = False
    project_id: str | None = None
    once: bool = False
    link: bool = False
    anonymize: Anonymize | None = None
    assemble_dicoms: bool = True
    on_error: OnError = "raise"
    progress_bar: bool = False
    metadata: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        """Check what would else be noticed after a file was read."""
        if self.on_error not in ("raise", "skip"):
            raise ValidationError(f'on_error is "raise" or "skip", not {self.on_error!r:.80}.')


@dataclass(frozen=True)
class Planned:
    """One resource to come, and the positions of the arguments that its files came from."""

    group: Group
    sources: tuple[int, ...]


@dataclass(frozen=True)
class UploadPlan:
    """What an upload would make, the files it would leave out, and files that annotate resources."""

    items: tuple[Planned, ...]
    skipped: tuple[Skipped, ...]
    annotations: tuple[AnnotationFile, ...] = ()


#: Gives a planned resource what else it is to have from the start, such as its masks.
Complete: TypeAlias = Callable[[Planned, NewResource], NewResource]


@dataclass(frozen=True)
class Stored:
    """A planned resource that is in the store now; not `new` where the project held its bytes."""

    item: Planned
    resource_id: str
    new: bool = True


@dataclass(frozen=True)
class StoredPlan:
    """What became of a plan: the resources that are there now, and the files left out."""

    stored: tuple[Stored, ...]
    skipped: tuple[Skipped, ...]

    @property
    def ids(self) -> list[str]:
        """The ids of the new resources, in order."""
        return [each.resource_id for each in self.stored if each.new]


#: Is told of each planned resource that is there.
Watch: TypeAlias = Callable[[Stored], None]


def plan(files: Sequence[GivenFile], options: UploadOptions, left_out: Sequence[Skipped] = ()) -> UploadPlan:
    """The resources that the files make, by their headers; nothing is stored. Some may have been left out before.

    Raises:
        DecodeError: No file is an image; or one is not and `on_error` is `"raise"`.
    """
    from datamint_like.imaging import assemble

    sources: dict[Path, list[int]] = defaultdict(list)
    for given in files:
        sources[given.path].append(given.source)
    with bar(len(sources), "reading headers", "file", shown=options.progress_bar) as step:
        assembly = assemble(list(sources), series=options.assemble_dicoms, progress=step)
    groups, skipped = assembly.groups, (*left_out, *map(Originals(files).skipped, assembly.skipped))
    annotations = assembly.annotations
    if skipped and (options.on_error == "raise" or not (groups or annotations)):
        raise DecodeError(_left_out(skipped, len(sources) + len(left_out), nothing=not groups))
    items = [Planned(group, tuple(dict.fromkeys(n for path in group.paths for n in sources[path]))) for group in groups]
    return UploadPlan(tuple(sorted(items, key=lambda item: min(item.sources))), skipped, annotations)


def store(
    backend: Backend,
    plan: UploadPlan,
    options: UploadOptions,
    complete: Complete | None = None,
    watch: Watch | None = None,
) -> StoredPlan:
    """Store the planned resources, each as `complete` makes it, and tell `watch`, where these are given.

    Raises:
        DatamintException: A resource could not be stored and `on_error` is `"raise"`; those before it stay,
            and the message counts them.
    """
    done: list[Stored] = []
    skipped = list(plan.skipped)
    with bar(len(plan.items), "storing", "resource", shown=options.progress_bar) as step:
        for item in plan.items:
            try:
                done.append(_store_one(backend, item, options, complete))
                if watch is not None:
                    watch(done[-1])
            except DatamintException as error:
                if options.on_error == "raise" or isinstance(error, StorageError):
                    raise _told(error, item, len(done), len(plan.items)) from error
                skipped += [Skipped(path, str(error)) for path in item.group.paths]
            step(1)
    return StoredPlan(tuple(done), tuple(skipped))


def warn_of(skipped: Sequence[Skipped]) -> None:
    """One warning that names what was left out; none when nothing was."""
    if skipped:
        warn_user(_left_out(skipped, None, nothing=False), DatamintWarning)


def _store_one(backend: Backend, item: Planned, options: UploadOptions, complete: Complete | None) -> Stored:
    new = NewResource(
        paths=item.group.paths,
        filename=item.group.filename,
        facts=item.group.facts,
        link=options.link,
        mimetype=options.mimetype,
        modality=options.modality,
        tags=options.tags,
        channel=options.channel,
        publish=options.publish,
        project_id=options.project_id,
        metadata=_metadata_of(item, options),
    )
    whole = new if complete is None else complete(item, new)
    if not options.once:
        return Stored(item, backend.create_resource(whole).id)
    resource, made = backend.create_resource_once(whole)
    return Stored(item, resource.id, made)


def _metadata_of(item: Planned, options: UploadOptions) -> Mapping[str, Any]:
    """The metadata of the arguments that a resource came from, which must agree."""
    if not options.metadata:
        return {}
    first = options.metadata[item.sources[0]]
    if any(options.metadata[source] != first for source in item.sources):
        raise ValidationError(
            f"{item.group.filename}: its {len(item.group.paths)} files were given different metadata, "
            "but they make one resource. Give them the same."
        )
    return first


def _left_out(skipped: Sequence[Skipped], total: int | None, *, nothing: bool) -> str:
    """One message for files that are no images: which, why, and what to do."""
    reasons = "; ".join(reason_of(item) for item in skipped[:_NAMED])
    more = f"; and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
    if nothing:
        whole = f"None of the {total} files can" if total != 1 else "The file cannot"
        return f"{whole} be imported, so nothing was stored: {reasons}{more}."
    if total is None:
        return f"{_files(len(skipped))} left out: {reasons}{more}."
    return (
        f"{len(skipped)} of {total} files cannot be imported, so nothing was stored: {reasons}{more}. "
        'Mend them or leave them out, or pass on_error="skip" to import the others.'
    )


def _files(count: int) -> str:
    return "1 file was" if count == 1 else f"{count} files were"


def reason_of(item: Skipped) -> str:
    """`name: reason`, without saying the name twice."""
    reason = item.reason.rstrip(".")
    return reason if Path(item.path).name in reason else f"{item.path.name}: {reason}"


def _told(error: DatamintException, item: Planned, done: int, total: int) -> DatamintException:
    """The same error, saying which resource it is about and how much had been stored before it."""
    name = item.group.filename
    message = str(error) if name in str(error) else f"{name}: {error}"
    before = f" Before that, {done} of {total} resources had been stored; they stay." if done else ""
    return type(error)(message + before)
