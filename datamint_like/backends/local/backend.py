"""The embedded store as a `Backend`: one call, one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from datamint_like.backends.base import (
    AnnotationQuery,
    Known,
    NewAnnotation,
    NewProject,
    NewResource,
    NewVolumeMask,
    NewWorklist,
    ProjectContent,
    ResourceQuery,
)
from datamint_like.backends.local import (
    annotation_rows,
    bulk,
    contents,
    idempotency,
    projects,
    resources,
    splits,
    users,
    verify,
    worklists,
)
from datamint_like.backends.local.administration import Administration
from datamint_like.backends.local.byte_store import ByteStore
from datamint_like.backends.local.changes import name, need_project
from datamint_like.backends.local.database import Acting, Database, batches, id_list
from datamint_like.backends.local.idempotency import Answer, Once
from datamint_like.backends.local.options import StoreOptions
from datamint_like.backends.local.pending import PendingUploads
from datamint_like.backends.local.resources import Files
from datamint_like.backends.local.storing import Storing
from datamint_like.backends.local.whole_file import opened
from datamint_like.entities import (
    Annotation,
    AnnotationWorklist,
    Part,
    Project,
    ProjectResourceSplit,
    Resource,
    User,
    WorkStatus,
)
from datamint_like.exceptions import ValidationError


class LocalBackend:
    """A store in one folder of this machine: SQLite for rows, content-addressed files for bytes.

    Opening makes a new store where there is none. Any number of threads and processes may use one store at once,
    on a local disk; it pickles as its URL and survives a fork. `StoreOptions` name other places for rows and bytes.

    Attributes:
        url: `file://` URL of the folder, or of the rows without user and password.

    Raises:
        ValidationError: The folder holds other things than a store.
        StorageError: The store cannot be read or made, or a newer version wrote it.
    """

    def __init__(self, where: str | StoreOptions) -> None:
        self._where = where
        options = where if isinstance(where, StoreOptions) else StoreOptions(url=where)
        self.url = options.name
        self._files = options.bytes()
        self._database = Database(options.connections(), self.url)
        self._storing = Storing(self._database, self._files)
        if options.apart:
            self._claim()
        self._files.sweep()

    def _claim(self) -> None:
        try:
            with self._database.read() as read:
                store_id = read.store_id()
            self._files.claim(store_id)
        except BaseException:  # whatever it is goes on; only no connection must stay
            self.close()
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened_as, (self._where, self._database.acting)

    def __copy__(self) -> LocalBackend:
        """One more handle on the same connections; by `__reduce__` a copy would open the store anew."""
        other = object.__new__(LocalBackend)
        other.__dict__.update({name: value for name, value in self.__dict__.items() if name != "administration"})
        return other

    def acting_as(self, email: str, *, sees_all: bool = True) -> LocalBackend:
        """The same store, written in the name of another user; it shares this one's connections.

        Args:
            email: The user; it is not looked up.
            sees_all: Whether listings hold everything, or only what the user uploaded and what their projects hold.
        """
        return self._over(self._database.acting_as(Acting(email, sees_all)))

    def called(self, name: str) -> LocalBackend:
        """The same store under another name in messages, as for people who are not to learn its place."""
        return self._over(self._database.called(name))

    def creating_once(self, once: Once) -> LocalBackend:
        """The same store, whose next create is this one: it raises AlreadyMade where it has happened before."""
        return self._over(self._database.creating_once(once))

    def earlier_answer(self, once: Once) -> Answer | None:
        """What a create was answered within the last day; None where it has not happened.

        Raises:
            ValidationError: Its name was used for something else.
        """
        return self._database.earlier_answer(once)

    def _over(self, database: Database) -> LocalBackend:
        other = object.__new__(LocalBackend)  # `copy` would open the store anew, as unpickling does
        other.url, other._files, other._database = self.url, self._files, database
        other._storing = Storing(database, self._files)
        return other

    @property
    def administration(self) -> Administration:
        """Keys, members and the rest that only a server needs, in the name of the same user."""
        return Administration(self._database, self._storing)

    @property
    def pending(self) -> PendingUploads:
        """Files that come in pieces."""
        return PendingUploads(self._files.incoming)

    def tidy(self) -> None:
        """Remove what is older than a day of files that came in part, of killed writers, and of names of creates."""
        self._files.sweep()
        self.pending.sweep()
        with self._database.write() as write:
            idempotency.forget_old(write.connection)

    def __repr__(self) -> str:
        return f"LocalBackend({self.url!r})"

    def now(self) -> str:
        """An instant of this store: whatever it wrote is before, whatever it will write is after."""
        return self._database.now()

    def close(self) -> None:
        """Close the connections of this process; the next call opens new ones."""
        self._database.close()

    def blobs(self) -> ByteStore:
        """The store's bytes."""
        return self._files

    def verify(self) -> list[str]:
        """One sentence for each file that is missing or differs from what was stored; empty when all is well.

        What killed uploads left behind more than a day ago is counted in one sentence; `sweep` removes it.
        """
        with self._database.read() as read:
            return verify.problems(read, self._files)

    def sweep(self) -> int:
        """Remove stored files that nothing names and that are older than a day; how many there were.

        A process that is killed at the last moment of an upload leaves such files. Segmentations that have waited for
        their file for more than a day go too.
        """
        with self._database.read() as read:
            left = verify.unnamed(read, self._files)
            forgotten = annotation_rows.forgotten(read)
        if forgotten:
            with self._database.write() as write:
                annotation_rows.drop_forgotten(write)
        for batch in batches(left):
            with self._database.write() as write:
                verify.drop_unnamed(write, self._files, batch)
        return len(left)

    # users

    def current_user(self) -> User:
        """The user that this store writes as."""
        with self._database.read() as read:
            return users.current(read)

    def list_users(self) -> list[User]:
        """All users."""
        with self._database.read() as read:
            return users.listing(read)

    def get_user(self, email: str) -> User:
        """The user with this e-mail."""
        with self._database.read() as read:
            return users.get(read, email)

    def create_user(self, user: User) -> User:
        """Add a user."""
        with self._database.write(creates=True) as write:
            return write.made(users.create(write, user))

    def update_user(self, email: str, changes: Mapping[str, Any]) -> User:
        """Change names or roles of a user."""
        with self._database.write() as write:
            return users.update(write, email, changes)

    def delete_user(self, email: str) -> None:
        """Remove a user."""
        with self._database.write() as write:
            users.delete(write, email)

    # projects

    def list_projects(self, *, include_archived: bool = False) -> list[Project]:
        """Projects by time of creation."""
        with self._database.read() as read:
            return projects.listing(read, include_archived=include_archived)

    def get_project(self, project_id: str) -> Project:
        """The project with this id."""
        with self._database.read() as read:
            return projects.get(read, project_id)

    def find_project(self, name: str) -> Project | None:
        """The project with this name, archived or not, or None."""
        with self._database.read() as read:
            return projects.find(read, name)

    def create_project(self, new: NewProject) -> Project:
        """Add a project and its default worklist."""
        with self._database.write(creates=True) as write:
            return write.made(projects.create(write, new))

    def update_project(self, project_id: str, changes: Mapping[str, Any]) -> Project:
        """Change a project's own fields."""
        with self._database.write() as write:
            return projects.update(write, project_id, changes)

    def archive_project(self, project_id: str) -> None:
        """Hide a project from listings; `restore_project` brings it back."""
        with self._database.write() as write:
            projects.set_archived(write, project_id, archived=True)

    def restore_project(self, project_id: str) -> Project:
        """Bring an archived project back."""
        with self._database.write() as write:
            return projects.set_archived(write, project_id, archived=False)

    def list_project_resources(self, project_id: str) -> list[Resource]:
        """The project's resources that are not deleted, by time of adding."""
        with self._database.read() as read:
            return projects.members(read, project_id)

    def add_project_resources(self, project_id: str, resource_ids: Sequence[str]) -> None:
        """Add resources to a project, publishing them."""
        with self._database.write() as write:
            projects.add_resources(write, project_id, resource_ids)

    def remove_project_resources(self, project_id: str, resource_ids: Sequence[str]) -> None:
        """Take resources out of a project."""
        with self._database.write() as write:
            projects.remove_resources(write, project_id, resource_ids)

    def set_work_status(self, project_id: str, resource_id: str, status: str) -> None:
        """Say how far the work on a resource of a project is."""
        with self._database.write() as write:
            projects.set_work_status(write, project_id, resource_id, status)

    def count_annotated(self, project_ids: Sequence[str]) -> dict[str, int]:
        """For each of these projects how many of its resources have an annotation, neither being deleted."""
        with self._database.read() as read:
            return projects.annotated(read, id_list(project_ids, "project_ids"))

    def list_work_statuses(self, project_id: str) -> list[WorkStatus]:
        """Statuses of work, oldest first."""
        with self._database.read() as read:
            return projects.statuses(read, project_id)

    def project_revision(self, project_id: str) -> str:
        """A token that changes whenever anything that a dataset of this project reads changes."""
        with self._database.read() as read:
            return contents.revision(read, project_id)

    @contextmanager
    def read_project(self, project_id: str) -> Iterator[ProjectContent]:
        """A block in which everything of a project that a dataset reads is read, as it is at one instant."""
        with self._database.read() as read, contents.of_project(read, project_id) as content:
            yield content

    @contextmanager
    def read_changes(self, project_id: str, since: str, known: Known | None = None) -> Iterator[ProjectContent]:
        """A block in which what changed in a project after one of its revisions is read; all where that is no less."""
        with self._database.read() as read, contents.changes_of_project(read, project_id, since) as content:
            yield content

    @contextmanager
    def read_resources(self, resource_ids: Sequence[str]) -> Iterator[ProjectContent]:
        """A block in which everything of these resources that a dataset reads is read, as it is at one instant."""
        wanted = id_list(resource_ids, "resource_ids")
        with self._database.read() as read, contents.of_resources(read, wanted) as content:
            yield content

    # splits

    def assign_split(self, project_id: str, resource_ids: Sequence[str], split_name: str) -> None:
        """Put resources of a project into a split, all at one instant."""
        wanted = id_list(resource_ids, "resource_ids")
        name(split_name, "The name of a split")
        with self._database.write(creates=True) as write:
            need_project(write, project_id)
            projects.need_members(write, project_id, wanted)
            splits.assign(write, project_id, wanted, split_name)
            write.made(None)

    def assign_splits(self, project_id: str, names: Mapping[str, str | None]) -> str:
        """Put each of these resources into the split named, or (None) into none, all at one instant: this one."""
        if not isinstance(names, Mapping):
            raise ValidationError(f"names must be a dict of resource id to split, not {names!r:.80}.")
        wanted = id_list(list(names), "resource_ids")
        for each in names.values():
            if each is not None:
                name(each, "The name of a split")
        with self._database.write(creates=True) as write:
            need_project(write, project_id)
            projects.need_members(write, project_id, wanted)
            return write.made(splits.assign_each(write, project_id, names))

    def list_splits(
        self, project_id: str, *, split_name: str | None = None, as_of: str | None = None
    ) -> list[ProjectResourceSplit]:
        """The assignments that hold now, or held at `as_of` (ISO 8601; UTC where it names no zone)."""
        with self._database.read() as read:
            need_project(read, project_id)
            return splits.listing(read, project_id, split_name=split_name, as_of=as_of)

    # resources

    @property
    def takes_links(self) -> bool:
        """Whether files may stay where they lie."""
        return self._files.can_link

    def create_resource(self, new: NewResource) -> Resource:
        """Store (or link) the files of one resource, and all it has; when this returns, they survive a power cut."""
        return self._storing.resource(new)[0]

    def create_resource_once(self, new: NewResource) -> tuple[Resource, bool]:
        """The resource of the project with these bytes, and whether this call made it."""
        return self._storing.resource(new, once=True)

    def create_resources(
        self, project_id: str, new: Sequence[NewResource], *, numbers: Sequence[int] | None = None
    ) -> list[str | None]:
        """Store many resources of a project, all or none; None for each that the project holds already."""
        return self._storing.resources(project_id, new, numbers)

    def are_held(self, project_id: str, digests: Sequence[Sequence[str]]) -> list[bool]:
        """Of each set of SHA-256 digests, whether the project holds a resource of just these files."""
        with self._database.read() as read:
            need_project(read, project_id)
            return bulk.are_held(read, project_id, digests)

    def list_resources(self, query: ResourceQuery) -> list[Resource]:
        """The resources that `query` asks for."""
        with self._database.read() as read:
            return resources.listing(read, query)

    def page_of_resources(self, query: ResourceQuery, *, not_annotated: bool = False) -> tuple[list[Any], int]:
        """One page of `list_resources`, and how many resources all pages hold.

        Args:
            query: Which resources.
            not_annotated: Leave out those that have an annotation.

        Returns:
            Rows that encode as the JSON of a `Resource`, and the total.
        """
        with self._database.read() as read:
            return resources.page_of(read, query, not_annotated=not_annotated)

    def list_channels(self) -> list[tuple[str, list[Resource]]]:
        """Each channel and its resources that are not deleted, by name."""
        with self._database.read() as read:
            return resources.channels(read)

    def get_resource(self, resource_id: str) -> Resource:
        """The resource with this id, deleted or not."""
        with self._database.read() as read:
            return resources.get(read, resource_id)

    def get_resources(self, resource_ids: Sequence[str]) -> list[Resource]:
        """The resources with these ids, in their order."""
        with self._database.read() as read:
            return resources.get_many(read, resource_ids)

    def set_tags(self, resource_ids: Sequence[str], tags: Sequence[str]) -> None:
        """Replace the tags of resources."""
        with self._database.write() as write:
            resources.set_tags(write, resource_ids, tags)

    def add_tags(self, resource_ids: Sequence[str], tags: Sequence[str]) -> None:
        """Add tags to resources; tags that others add at the same time stay."""
        with self._database.write() as write:
            resources.add_tags(write, resource_ids, tags)

    def publish_resources(self, resource_ids: Sequence[str]) -> None:
        """Publish resources; those that are published stay as they are."""
        with self._database.write() as write:
            resources.publish(write, resource_ids)

    def delete_resources(self, resource_ids: Sequence[str]) -> None:
        """Mark resources as deleted; `restore_resources` brings them back."""
        with self._database.write() as write:
            resources.delete(write, resource_ids)

    def restore_resources(self, resource_ids: Sequence[str]) -> list[Resource]:
        """Undo the deletion of resources."""
        with self._database.write() as write:
            return resources.restore(write, resource_ids)

    def list_parts(self, resource_ids: Sequence[str]) -> dict[str, list[Part]]:
        """The original files of each resource, in order."""
        with self._database.read() as read:
            return resources.parts_of(read, resource_ids)

    def resource_and_parts(self, resource_id: str) -> tuple[Resource, list[Part]]:
        """A resource and its original files, as they are at one instant."""
        with self._database.read() as read:
            return resources.get(read, resource_id), resources.parts_of(read, [resource_id])[resource_id]

    def files_of(self, resource_id: str) -> Files:
        """The original files of a resource, with its name and media type."""
        with self._database.read() as read:
            return resources.files_of(read, resource_id)

    def open_resource_file(self, resource_id: str) -> BinaryIO:
        """One file that holds the whole resource: the part itself, or one derived (multi-frame DICOM, .nii)."""
        resource, parts = self.resource_and_parts(resource_id)
        return opened(resource, parts, [self._files.part_path(part, resource.filename) for part in parts])

    # annotations

    def create_annotations(self, resource_id: str, new: Sequence[NewAnnotation]) -> list[Annotation]:
        """Store annotations of one resource: all of them, or none."""
        return self._storing.annotations(resource_id, new)

    def create_annotations_once(self, resource_id: str, new: Sequence[NewAnnotation]) -> list[Annotation]:
        """Store those annotations whose origin (`imported_from`) the resource lacks: all of them, or none."""
        return self._storing.annotations(resource_id, new, once=True)

    def upload_volume_mask(
        self, resource_id: str, payload: bytes, names: Mapping[int, str], template: NewAnnotation
    ) -> list[Annotation]:
        """Store one binary image-scope segmentation for each label that a NIfTI label map holds."""
        return self._storing.annotations(resource_id, (), (NewVolumeMask(payload, names, template),))

    def list_annotations(self, query: AnnotationQuery) -> list[Annotation]:
        """The annotations that `query` asks for, by (created_at, id)."""
        with self._database.read() as read:
            return annotation_rows.listing(read, query)

    def get_annotation(self, annotation_id: str) -> Annotation:
        """The annotation with this id, deleted or not."""
        with self._database.read() as read:
            return annotation_rows.get(read, annotation_id)

    def update_annotation(self, annotation_id: str, changes: Mapping[str, Any]) -> Annotation:
        """Change what an annotation says."""
        with self._database.write() as write:
            return annotation_rows.update(write, annotation_id, changes)

    def approve_annotation(self, annotation_id: str) -> None:
        """Publish an annotation."""
        with self._database.write() as write:
            annotation_rows.approve(write, annotation_id)

    def delete_annotations(self, annotation_ids: Sequence[str]) -> None:
        """Mark annotations as deleted."""
        with self._database.write() as write:
            annotation_rows.delete(write, annotation_ids)

    # worklists

    def list_worklists(self, project_id: str) -> list[AnnotationWorklist]:
        """A project's worklists, by time of creation."""
        with self._database.read() as read:
            need_project(read, project_id)
            return worklists.of_project(read, project_id)

    def get_worklist(self, worklist_id: str) -> AnnotationWorklist:
        """The worklist with this id."""
        with self._database.read() as read:
            return worklists.get(read, worklist_id)

    def create_worklist(self, new: NewWorklist) -> AnnotationWorklist:
        """Add a worklist."""
        with self._database.write(creates=True) as write:
            return write.made(worklists.create(write, new))

    def update_worklist(self, worklist_id: str, changes: Mapping[str, Any]) -> AnnotationWorklist:
        """Replace fields of a worklist."""
        with self._database.write() as write:
            return worklists.update(write, worklist_id, changes)


def _opened_as(where: str | StoreOptions, acting: Acting) -> LocalBackend:
    """The store that is there, used by someone; what a pickled store becomes."""
    store = LocalBackend(where)
    return store.acting_as(acting.email, sees_all=acting.sees_all) if acting.email else store
