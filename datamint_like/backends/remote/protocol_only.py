"""A server that speaks Datamint's protocol and nothing of ours, as a `Backend`.

A project is read by its listings; its revision is a digest of them. What such a server cannot do is said in a sentence.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from datamint_like.backends.base import (
    AnnotationQuery,
    ContentRow,
    Known,
    NewAnnotation,
    NewProject,
    NewResource,
    NewWorklist,
    ProjectContent,
)
from datamint_like.backends.remote import given
from datamint_like.backends.remote.answers import decoded, in_batches, path
from datamint_like.backends.remote.backend import HttpBackend
from datamint_like.backends.remote.foreign_facts import with_facts
from datamint_like.backends.remote.forms import form_of, new_resource_form, volume_mask_form
from datamint_like.backends.remote.listings import Listing, worklist_of
from datamint_like.backends.remote.projects import worklist_names
from datamint_like.backends.remote.serving import PAGE_SIZE
from datamint_like.backends.remote.transport import Call
from datamint_like.backends.remote.uploads import files_of
from datamint_like.backends.remote.versions import version_of_resource
from datamint_like.backends.values import id_list
from datamint_like.entities import Annotation, AnnotationWorklist, Part, Project, Resource, User, WorkStatus
from datamint_like.exceptions import EntityAlreadyExistsError, ItemNotFoundError, ServerError, ValidationError

_IDS_AT_ONCE = 1000  # resource ids in one search
_NO_SPLITS = (404, 405, 501)  # answers of a server without a route for them
_ONCE = "tell whether it has a file already; upload files with resources.upload_resources"


class ProtocolBackend(HttpBackend):
    """The store behind a server of Datamint's protocol."""

    _read: Listing | None = None  # of the last project whose revision was asked for

    @property
    def _page_size(self) -> int:
        return PAGE_SIZE

    def _can(self, feature: str) -> bool:
        return False

    def now(self) -> str:
        """The server's time by its `Date` header: the second that has begun."""
        answer = self._transport.ask(Call("GET", "/projects", params={"offset": "0", "limit": "1"}))
        try:
            moment = parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
        except ValueError as error:
            raise ServerError(f"The server {self.url} does not tell its time (no Date header).") from error
        return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"

    def current_user(self) -> User:
        """Cannot be told."""
        self._cannot("tell which user a key belongs to")

    # projects

    def find_project(self, name: str) -> Project | None:
        """The project with this name, archived or not, or None; found among all of them."""
        wanted = given.text(name, "The name of a project")
        return next((each for each in self.list_projects(include_archived=True) if each.name == wanted), None)

    def create_project(self, new: NewProject) -> Project:
        """Add a project and its default worklist."""
        given.plain(new)
        if self.find_project(new.name) is not None:
            raise EntityAlreadyExistsError(f"A project named {new.name!r} exists already at the server {self.url}.")
        return super().create_project(new)

    def count_annotated(self, project_ids: Sequence[str]) -> dict[str, int]:
        """For each of these projects how many of its resources have an annotation, neither being deleted."""
        counts = {}
        for project_id in id_list(project_ids, "project_ids"):
            members = [each.id for each in self.list_project_resources(project_id)]
            counts[project_id] = len({each.resource_id for each in self._annotations_of(members)})
        return counts

    def list_work_statuses(self, project_id: str) -> list[WorkStatus]:
        """Statuses of work, oldest first."""
        found = self._calls.get(path("projects", project_id, "annotation-statuses"))
        return self._calls.records(WorkStatus, found)

    def assign_splits(self, project_id: str, names: Mapping[str, str | None]) -> str:
        """Cannot be done in one step: an assignment is replaced, never taken away."""
        if not isinstance(names, Mapping):
            raise ValidationError(f"names must be a dict of resource id to split, not {names!r:.80}.")
        if any(each is None for each in names.values()):
            self._cannot("take resources out of a split")
        for name in dict.fromkeys(names.values()):
            if name is not None:
                self.assign_split(project_id, [key for key, value in names.items() if value == name], name)
        stamps = [each.created_at for each in self.list_splits(project_id)]
        return max(stamps) if stamps else self.now()

    def _split_rows(self, project_id: str, params: Mapping[str, str]) -> Any:
        place = path("projects", project_id, "splits")
        answer = self._transport.ask(Call("GET", place, params=params, accepted=_NO_SPLITS))
        if not answer.is_success:
            self.get_project(project_id)  # the project may be what is not found
            self._cannot("tell the splits of a project")
        return decoded(answer, self.url)

    def list_worklists(self, project_id: str) -> list[AnnotationWorklist]:
        """A project's worklists with their classes."""
        found = self._calls.get(path("projects", project_id, "worklists"))
        named = [worklist_names(each) for each in found] if isinstance(found, list) else []
        return [self._whole_worklist(each) for each in named]

    def get_worklist(self, worklist_id: str) -> AnnotationWorklist:
        """The worklist with this id."""
        return self._whole_worklist({"id": worklist_id})

    def _whole_worklist(self, listed: Mapping[str, Any]) -> AnnotationWorklist:
        place = path("annotationsets", self._calls.field(listed, "id", str))
        own = listed if "annotations" in listed else {**listed, **self._calls.get(place)}
        if "segmentation_group" not in own:
            groups = self._calls.get(f"{place}/segmentation-group")
            own = {**own, "segmentation_group": groups.get("groups") if isinstance(groups, Mapping) else None}
        return self._calls.record(AnnotationWorklist, worklist_of(own))

    def create_worklist(self, new: NewWorklist) -> AnnotationWorklist:
        """Add a worklist."""
        fields = given.plain(new)
        definitions = [{"identifier": name, **each} for name, each in fields.pop("segmentation_group").items()]
        kind = fields.pop("segmentation_type")
        fields["segmentation_data"] = {"segmentationValueType": kind, "definitions": definitions}
        return self.get_worklist(self._calls.field(self._created("/annotationsets", fields), "id", str))

    def update_worklist(self, worklist_id: str, changes: Mapping[str, Any]) -> AnnotationWorklist:
        """Replace fields of a worklist."""
        self._calls.send("PATCH", path("annotationsets", worklist_id), given.changes(changes, "a worklist"))
        return self.get_worklist(worklist_id)

    # reading everything

    def project_revision(self, project_id: str) -> str:
        """A digest of all that the server lists of the project."""
        self._read = self._list(project_id)
        return self._read.revision

    def read_project(self, project_id: str) -> AbstractContextManager[ProjectContent]:
        """A block in which everything of a project is read, by its listings: as it was while they were read."""
        return self._reading(project_id)

    def read_changes(
        self, project_id: str, since: str, known: Known | None = None
    ) -> AbstractContextManager[ProjectContent]:
        """A block in which everything of a project is read; of files that are the same, facts come from `known`."""
        return self._reading(project_id, known)

    @contextmanager
    def _reading(self, project_id: str, known: Known | None = None) -> Iterator[ProjectContent]:
        listing, self._read = self._read, None
        if listing is None or listing.project is None or listing.project.id != project_id:
            listing = self._list(project_id)
        with closing(self._completed(listing, known)) as rows:
            yield self._content(listing, rows)

    @contextmanager
    def read_resources(self, resource_ids: Sequence[str]) -> Iterator[ProjectContent]:
        """A block in which everything of these resources is read, by their listings."""
        found = self.get_resources(resource_ids)
        for each in found:
            if each.deleted:
                raise ItemNotFoundError(
                    f"Resource {each.id} ({each.filename!r}) is deleted at the server {self.url}. "
                    f"Api().resources.restore({each.id!r}) brings it back."
                )
        listing = Listing.of(None, (), found, self._annotations_of([each.id for each in found]))
        with closing(self._completed(listing)) as rows:
            yield self._content(listing, rows)

    def _list(self, project_id: str) -> Listing:
        project, members = self.get_project(project_id), self.list_project_resources(project_id)
        annotations = self._annotations_of([each.id for each in members])
        return Listing.of(project, self.list_worklists(project_id), members, annotations)

    def _content(self, listing: Listing, rows: Iterator[ContentRow]) -> ProjectContent:
        return ProjectContent(listing.revision, listing.project, listing.worklists, len(listing.resources), rows)

    def _completed(self, listing: Listing, known: Known | None = None) -> Generator[ContentRow]:
        """The rows of a listing, with the header facts that it lacks."""
        for resource in with_facts(listing.resources, self._part, self._blobs, known):
            yield ContentRow(resource, [self._part(resource)], list(listing.annotations[resource.id]))

    def _annotations_of(self, resource_ids: Sequence[str]) -> list[Annotation]:
        found: list[Annotation] = []
        for batch in in_batches(resource_ids, _IDS_AT_ONCE):
            found += self.list_annotations(AnnotationQuery(resource_ids=tuple(batch)))
        return found

    def _part(self, resource: Resource) -> Part:
        version = version_of_resource(self.url, resource)
        return Part(index=0, filename=resource.filename, size=resource.size, sha256=version, resource_id=resource.id)

    # resources

    def get_resources(self, resource_ids: Sequence[str]) -> list[Resource]:
        """The resources with these ids, in their order."""
        id_list(resource_ids, "resource_ids")
        return [self.get_resource(each) for each in resource_ids]

    def list_parts(self, resource_ids: Sequence[str]) -> dict[str, list[Part]]:
        """The one file of each resource that such a server knows."""
        return {each.id: [self._part(each)] for each in self.get_resources(id_list(resource_ids, "resource_ids"))}

    def create_resource(self, new: NewResource) -> Resource:
        """Upload the one file of a resource; its annotations follow in requests of their own."""
        fields, files = given.resource(new), files_of(new)
        if len(files) != 1:
            self._cannot("store a resource of several files; upload one multi-frame DICOM or one .nii instead")
        if new.volume_masks:
            self._cannot("store masks with the resource; upload them with annotations.upload_segmentations")
        form = form_of(new_resource_form(fields, files[0].path))
        answer = self._calls.decoded(form.call("/resources", files[0].size))
        resource_id = self._calls.field(answer, "id", str)
        if new.project_id is not None:
            self.add_project_resources(new.project_id, [resource_id])
        if new.annotations:
            self.create_annotations(resource_id, new.annotations)
        return self.get_resource(resource_id)

    def create_resource_once(self, new: NewResource) -> tuple[Resource, bool]:
        """Cannot be done: such a server does not tell the digests of its files."""
        self._cannot(_ONCE)

    def create_resources(
        self, project_id: str, new: Sequence[NewResource], *, numbers: Sequence[int] | None = None
    ) -> list[str | None]:
        """Cannot be done: a load that is started again would store everything twice."""
        self._cannot(_ONCE)

    def add_tags(self, resource_ids: Sequence[str], tags: Sequence[str]) -> None:
        """Add tags to resources, one after another; tags that others add at the same time may be lost."""
        wanted = id_list(tags, "tags")
        for each in self.get_resources(id_list(resource_ids, "resource_ids")):
            self.set_tags([each.id], list(dict.fromkeys((*each.tags, *wanted))))

    # annotations

    def create_annotations(self, resource_id: str, new: Sequence[NewAnnotation]) -> list[Annotation]:
        """Store annotations of one resource; the files of segmentations follow in requests of their own."""
        fields = given.annotation_list(new)
        place = path("annotations", resource_id, "annotations")
        ids = self._calls.send("POST", place, [_item(each) for each in fields])
        if not isinstance(ids, list) or len(ids) != len(fields):
            raise ServerError(f"The server {self.url} did not answer with an id for each annotation.")
        for annotation_id, each in zip(ids, fields, strict=True):
            if each["payload"] is not None:
                name = each["payload_name"] or each["identifier"]
                form = form_of({"file": (name, each["payload"], "application/octet-stream")})
                self._calls.decoded(form.call(f"{place}{path(annotation_id, 'file')}", len(each["payload"])))
        return [self.get_annotation(each) for each in ids]

    def create_annotations_once(self, resource_id: str, new: Sequence[NewAnnotation]) -> list[Annotation]:
        """Those of `new`, stored, whose origin the resource lacks; asked for by many at once, some may be doubled."""
        known = {each.imported_from for each in self._annotations_of([resource_id])} - {None}
        fresh = [each for each in new if each.imported_from not in known]
        return self.create_annotations(resource_id, fresh) if fresh else []

    def upload_volume_mask(
        self, resource_id: str, payload: bytes, names: Mapping[int, str], template: NewAnnotation
    ) -> list[Annotation]:
        """Store a NIfTI label map, of which the server makes one segmentation a label."""
        form = form_of(volume_mask_form(payload, names, given.annotation(template)))
        place = path("annotations", resource_id, "segmentations", "file")
        ids = self._calls.decoded(form.call(place, len(payload)))
        return [self.get_annotation(each) for each in _texts(ids, self.url)]

    def update_annotation(self, annotation_id: str, changes: Mapping[str, Any]) -> Annotation:
        """Change the identifier of an annotation."""
        wanted = given.changes(changes, "an annotation")
        if wanted.keys() - {"identifier"}:
            self._cannot("change more of an annotation than its identifier")
        self._calls.send("PATCH", path("annotations", annotation_id), wanted)
        return self.get_annotation(annotation_id)

    def _cannot(self, what: str) -> NoReturn:
        raise NotImplementedError(f"The server {self.url} speaks Datamint's protocol alone and cannot {what}.")


def _item(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A new annotation in the words of the protocol, without what is not given."""
    wanted = {key: fields[key] for key in ("type", "identifier", "scope", "frame_index", "value", "units", "geometry")}
    wanted |= {key: fields[key] for key in ("imported_from", "source", "model_id")}
    wanted |= {"annotation_worklist_id": fields["worklist_id"], "import_author": fields["author"]}
    wanted |= {"is_model": True if fields["model_id"] else None}
    return {key: value for key, value in wanted.items() if value is not None}


def _texts(values: Iterable[Any], url: str) -> list[str]:
    found = [each.get("id") if isinstance(each, Mapping) else each for each in values]
    texts = [each for each in found if isinstance(each, str)]
    if len(texts) != len(found):
        raise ServerError(f"The server {url} should have answered ids and did not.")
    return texts
