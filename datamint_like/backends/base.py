"""The seam between datasets and where projects live: which rows, and which bytes.

`LocalBackend` (the embedded store) and `HttpBackend` (a server) keep the same promises; the conformance kit in
`datamint_like.testing` holds both to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import msgspec

from datamint_like.entities import (
    Annotation,
    AnnotationSpec,
    AnnotationWorklist,
    Part,
    Project,
    ProjectResourceSplit,
    Resource,
    SegmentationClass,
    User,
    WorklistAnnotator,
    WorkStatus,
)
from datamint_like.imaging.types import HeaderFacts

DeletedRows = Literal["exclude", "include", "only"]


@dataclass(frozen=True)
class NewProject:
    """A project to create; its default worklist gets the annotators and the schema.

    Attributes:
        segmentation_type: `"single_label"` (a voxel has one class) or `"multi_label"`.
    """

    name: str
    description: str = ""
    resource_ids: tuple[str, ...] = ()
    annotations: tuple[AnnotationSpec, ...] = ()
    segmentation_group: Mapping[str, SegmentationClass] = field(default_factory=dict)
    annotators: tuple[WorklistAnnotator, ...] = ()
    segmentation_type: str = "single_label"


@dataclass(frozen=True)
class NewAnnotation:
    """An annotation to create; `payload` (a PNG or NIfTI file) belongs to segmentations.

    Attributes:
        value: A text of a category or text, a number of others. Numbers are kept, and come back, as float64 in
            `numeric_value`: that of an integer is integral, and beyond 2**53 it is refused.
        author: E-mail of who made it; without it, and without `model_id`, the store's user.
    """

    type: str
    identifier: str
    scope: Literal["image", "frame"] = "image"
    frame_index: int | None = None
    value: str | float | None = None
    units: str | None = None
    geometry: Mapping[str, Any] | None = None
    worklist_id: str | None = None
    author: str | None = None
    model_id: str | None = None
    imported_from: str | None = None
    source: str | None = "imported"
    payload: bytes | None = field(default=None, repr=False)
    payload_name: str | None = None


@dataclass(frozen=True)
class NewVolumeMask:
    """A label map of a whole volume, to become one binary image-scope segmentation a label.

    Attributes:
        payload: A NIfTI file.
        names: For each label its identifier.
        template: What the segmentations carry besides identifier, place and payload.
    """

    payload: bytes = field(repr=False)
    names: Mapping[int, str]
    template: NewAnnotation


@dataclass(frozen=True)
class NewResource:
    """A resource to create from files on this machine, or from files that are known already.

    Attributes:
        paths: The original files in part order (in any order when `facts` is None); none where `parts` are given.
        filename: Name of the resource.
        facts: Header facts, when the caller has probed already; None lets the backend assemble and probe.
        link: Register the files in place instead of copying them.
        metadata: What the uploader adds to the header facts.
        project_id: The project that the resource joins (which publishes it).
        annotations: What is said about the resource from the start.
        volume_masks: Masks of the volume that it has from the start; their segmentations come after `annotations`.
        parts: In place of `paths` (and with `facts`): files of which size and SHA-256 are known, so that none is read.
            One with a `linked_path` stays where it is (a server gets its bytes, and checks them); the bytes of the
            others are in the store, which only an embedded one takes anyone's word for. Their `index` counts from 0.

    The resource is there with its project, annotations and masks, or not at all.
    """

    paths: tuple[Path, ...]
    filename: str
    facts: HeaderFacts | None = None
    link: bool = False
    mimetype: str | None = None
    modality: str | None = None
    tags: tuple[str, ...] = ()
    channel: str | None = None
    publish: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    upload_mechanism: str = "api"
    project_id: str | None = None
    annotations: tuple[NewAnnotation, ...] = ()
    volume_masks: tuple[NewVolumeMask, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class ResourceQuery:
    """Which resources a listing holds; None means any. Dates are ISO, from inclusive, to exclusive."""

    status: str | None = None
    from_date: str | None = None
    to_date: str | None = None
    tags: tuple[str, ...] = ()
    tags_mode: Literal["union", "intersection"] = "union"
    modality: str | None = None
    mimetype: str | None = None
    channel: str | None = None
    filename: str | None = None
    project_names: tuple[str, ...] = ()
    projects_mode: Literal["union", "intersection"] = "intersection"
    deleted: DeletedRows = "exclude"
    order_field: str | None = None
    order_ascending: bool = True
    offset: int = 0
    limit: int | None = None


@dataclass(frozen=True)
class AnnotationQuery:
    """Which annotations a listing holds; None means any.

    Dates are ISO, both inclusive: a bare `to_date` covers its whole day (a resource's `to_date` is exclusive).
    """

    resource_ids: tuple[str, ...] | None = None
    annotation_type: str | None = None
    author: str | None = None
    from_date: str | None = None
    to_date: str | None = None
    worklist_id: str | None = None
    status: str | None = None
    source: str | None = None
    deleted: DeletedRows = "exclude"
    offset: int = 0
    limit: int | None = None


@dataclass(frozen=True)
class NewWorklist:
    """A worklist to create."""

    name: str
    project_id: str | None = None
    description: str | None = None
    resource_ids: tuple[str, ...] = ()
    annotations: tuple[AnnotationSpec, ...] = ()
    annotators: tuple[WorklistAnnotator, ...] = ()
    segmentation_group: Mapping[str, SegmentationClass] = field(default_factory=dict)
    segmentation_type: str = "single_label"


class Changes(msgspec.Struct, frozen=True):
    """What makes the resources of a project at an earlier revision those of now, beside the rows that changed.

    Attributes:
        since: The earlier revision.
        gone: Ids of resources that the project holds no more; it need not have held them all.
        places: For each row its id and the id of the one before it now (None for the first), in dataset order. All
            others keep their order; put behind what it names, one after another, each row stands where it does now.
        total: How many resources there are now.
    """

    since: str
    gone: tuple[str, ...]
    places: tuple[tuple[str, str | None], ...]
    total: int


class ContentRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All that a dataset reads of one resource.

    Attributes:
        resource: Its record.
        parts: Its files, in order.
        annotations: All that are not deleted, by (created_at, id).
    """

    resource: Resource
    parts: list[Part]
    annotations: list[Annotation]


@dataclass(frozen=True)
class ProjectContent:
    """All that a dataset reads of a project (or of a list of resources), as it was at one instant.

    It is open while it is read: nothing holds all of it.

    Attributes:
        revision: Equal revisions mean equal content; for a project, its `project_revision`.
        project: None for a list of resources.
        worklists: The project's schemas.
        count: How many rows there are.
        rows: In dataset order, each once. What is wrong on the way is raised here; then nothing of it counts.
        changes: Where only what changed since an earlier revision was asked for and could be told: what changed. Then
            the rows are those that are new, or not as they were.
    """

    revision: str
    project: Project | None
    worklists: tuple[AnnotationWorklist, ...]
    count: int
    rows: Iterator[ContentRow]
    changes: Changes | None = None


#: The record that the caller has of a resource, by id; None where it has none.
Known = Callable[[str], Resource | None]


#: Is told how many bytes of a file are on this machine by now; what it raises ends the fetching, which can be gone on
#: with.
Arrived = Callable[[int], None]


class Blobs(Protocol):
    """Where the bytes of parts and annotation files lie on this machine; light enough for every worker.

    Of a server's store the methods may also raise the errors of a request, and `CacheError`: `NotHereError` where the
    server may not be asked.
    """

    def part_path(self, part: Part, resource_name: str, arrived: Arrived | None = None) -> Path:
        """A readable file with the part's bytes; `arrived` is told how many of them are here while it is fetched.

        Raises:
            StorageError: It is gone, or its bytes are not those stored or registered.
        """

    def part_paths(self, parts: Sequence[Part], resource_name: str) -> list[Path]:
        """The files of several parts of one resource, in order; what is missing here is fetched at once.

        Raises:
            StorageError: As `part_path`.
        """

    def annotation_bytes(self, annotation: Annotation) -> bytes:
        """The payload of a segmentation.

        Raises:
            StorageError: It is gone, or its bytes are not those stored.
        """

    def kept_path(self, of: Part | Annotation) -> Path | None:
        """Where in the cache folder the file of a part or segmentation lies, or will; None: it is read in place."""


class Backend(Protocol):
    """Everything a store can do.

    Promises:
        * What a call returned from survives a kill; what it did not, is not visible.
        * Unknown ids raise `ItemNotFoundError`; a bad argument raises `ValidationError`; nothing of such a call
          is stored.
        * Listings are ordered and stable: projects by creation, a project's resources by time of adding,
          annotations by (created_at, id).
        * Time stamps are ISO 8601 in UTC with microseconds and `Z`.
        * Any number of threads and processes may call at once; a backend pickles as its URL.
    """

    url: str

    def now(self) -> str: ...
    def close(self) -> None: ...
    def blobs(self) -> Blobs: ...

    # users
    def current_user(self) -> User: ...
    def list_users(self) -> list[User]: ...
    def get_user(self, email: str) -> User: ...
    def create_user(self, user: User) -> User: ...
    def update_user(self, email: str, changes: Mapping[str, Any]) -> User: ...
    def delete_user(self, email: str) -> None: ...

    # projects
    def list_projects(self, *, include_archived: bool = False) -> list[Project]: ...
    def get_project(self, project_id: str) -> Project: ...
    def find_project(self, name: str) -> Project | None: ...
    def create_project(self, new: NewProject) -> Project: ...
    def update_project(self, project_id: str, changes: Mapping[str, Any]) -> Project: ...
    def archive_project(self, project_id: str) -> None: ...
    def restore_project(self, project_id: str) -> Project: ...
    def list_project_resources(self, project_id: str) -> list[Resource]: ...
    def add_project_resources(self, project_id: str, resource_ids: Sequence[str]) -> None: ...
    def remove_project_resources(self, project_id: str, resource_ids: Sequence[str]) -> None: ...
    def set_work_status(self, project_id: str, resource_id: str, status: str) -> None: ...
    def count_annotated(self, project_ids: Sequence[str]) -> dict[str, int]:
        """For each of these projects how many of its resources have an annotation, neither being deleted."""

    def list_work_statuses(self, project_id: str) -> list[WorkStatus]: ...
    def project_revision(self, project_id: str) -> str:
        """A token that changes whenever anything that a dataset of this project reads changes."""

    def read_project(self, project_id: str) -> AbstractContextManager[ProjectContent]:
        """A block in which everything of a project is read, in one read transaction."""

    def read_changes(
        self, project_id: str, since: str, known: Known | None = None
    ) -> AbstractContextManager[ProjectContent]:
        """A block in which what changed in a project after one of its revisions is read, in one read transaction.

        Everything (without `changes`) where the store does not know the revision, or so much changed that it is no
        less. What a store cannot tell of a file but by reading it, it takes from the record of that revision that
        `known` gives, where the file is the same.
        """

    def read_resources(self, resource_ids: Sequence[str]) -> AbstractContextManager[ProjectContent]:
        """A block in which everything of these resources is read, in one read transaction, in the order asked for.

        Raises:
            ItemNotFoundError: One is unknown or deleted.
        """

    # splits
    def assign_split(self, project_id: str, resource_ids: Sequence[str], split_name: str) -> None: ...
    def assign_splits(self, project_id: str, names: Mapping[str, str | None]) -> str:
        """Put each of these resources of the project into the split named, or (None) into none, in one step.

        Returns:
            An instant at which all of it holds, for `list_splits(as_of=...)`.
        """

    def list_splits(
        self, project_id: str, *, split_name: str | None = None, as_of: str | None = None
    ) -> list[ProjectResourceSplit]: ...

    # resources
    @property
    def takes_links(self) -> bool:
        """Whether files may stay where they lie (`link`, and parts with a `linked_path`), so that none is moved."""

    def create_resource(self, new: NewResource) -> Resource:
        """The new resource, stored in one step with all that `new` says it has.

        Raises:
            ValidationError: The files are not exactly one resource, or an annotation does not fit it.
            DecodeError: A file cannot be read as an image.
            GeometryError: A mask lies on another grid than the resource.
            ItemNotFoundError: The project or a worklist is unknown.
            StorageError: The disk is full.
        """

    def create_resource_once(self, new: NewResource) -> tuple[Resource, bool]:
        """The resource of the project `new.project_id` with the bytes of these files, and whether this call made it.

        One that the project holds already (not deleted; as many parts, of equal digests, in any order) comes back as
        it is, and nothing of `new` is stored: no tag, no annotation. Asked for by many at once, one makes it and all
        get it.

        Raises:
            ValidationError: `new` names no project; else as `create_resource`.
        """

    def create_resources(
        self, project_id: str, new: Sequence[NewResource], *, numbers: Sequence[int] | None = None
    ) -> list[str | None]:
        """The ids of many new resources of a project, published, stored in one step: all of them, or none.

        As with `create_resource_once`, what the project holds already (and what is given twice) is not stored again:
        None stands in its place. An embedded store reads no header where `facts` are given; a server reads them all.

        Args:
            project_id: The project.
            new: The resources.
            numbers: What errors call them (`Row 7 ('x.png'): ...`); None counts from 0.

        Raises:
            As `create_resource_once`; the message begins with the row.
            NotImplementedError: The store lies behind a server of Datamint's protocol alone.
        """

    def list_resources(self, query: ResourceQuery) -> list[Resource]: ...
    def get_resource(self, resource_id: str) -> Resource: ...
    def get_resources(self, resource_ids: Sequence[str]) -> list[Resource]: ...
    def set_tags(self, resource_ids: Sequence[str], tags: Sequence[str]) -> None: ...
    def add_tags(self, resource_ids: Sequence[str], tags: Sequence[str]) -> None: ...
    def publish_resources(self, resource_ids: Sequence[str]) -> None: ...
    def delete_resources(self, resource_ids: Sequence[str]) -> None: ...
    def restore_resources(self, resource_ids: Sequence[str]) -> list[Resource]: ...
    def list_parts(self, resource_ids: Sequence[str]) -> dict[str, list[Part]]: ...
    def open_resource_file(self, resource_id: str) -> BinaryIO:
        """One file that holds the whole resource: the part itself, or one derived (multi-frame DICOM, .nii)."""

    # annotations
    def create_annotations(self, resource_id: str, new: Sequence[NewAnnotation]) -> list[Annotation]: ...
    def create_annotations_once(self, resource_id: str, new: Sequence[NewAnnotation]) -> list[Annotation]:
        """Those of `new`, stored, whose origin (`imported_from`) no annotation of the resource had before.

        Deleted annotations do not count, and one without origin is always stored. Asked for by many at once with one
        origin, one stores them and the others get none.
        """

    def upload_volume_mask(
        self, resource_id: str, payload: bytes, names: Mapping[int, str], template: NewAnnotation
    ) -> list[Annotation]:
        """One binary image-scope segmentation a label of a NIfTI label map; the rest comes from `template`."""

    def list_annotations(self, query: AnnotationQuery) -> list[Annotation]: ...
    def get_annotation(self, annotation_id: str) -> Annotation: ...
    def update_annotation(self, annotation_id: str, changes: Mapping[str, Any]) -> Annotation: ...
    def approve_annotation(self, annotation_id: str) -> None: ...
    def delete_annotations(self, annotation_ids: Sequence[str]) -> None: ...

    # worklists
    def list_worklists(self, project_id: str) -> list[AnnotationWorklist]: ...
    def get_worklist(self, worklist_id: str) -> AnnotationWorklist: ...
    def create_worklist(self, new: NewWorklist) -> AnnotationWorklist: ...
    def update_worklist(self, worklist_id: str, changes: Mapping[str, Any]) -> AnnotationWorklist: ...
