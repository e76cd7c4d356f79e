"""Resources of a server and their files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from datamint_like._files import is_disk_full, private_name
from datamint_like.backends.base import Known, NewResource, ProjectContent, ResourceQuery
from datamint_like.backends.bulk_rows import Row, rows_of
from datamint_like.backends.remote import given
from datamint_like.backends.remote.answers import in_batches, path
from datamint_like.backends.remote.base import STORING_S, Subject
from datamint_like.backends.remote.blobs import RemoteBlobs
from datamint_like.backends.remote.bulk import load
from datamint_like.backends.remote.content_stream import streamed_content
from datamint_like.backends.remote.downloads import Wanted, download
from datamint_like.backends.remote.located import located
from datamint_like.backends.remote.transport import Call
from datamint_like.backends.remote.uploads import files_of, forget, upload_files
from datamint_like.backends.values import id_list, page
from datamint_like.entities import Part, Resource
from datamint_like.exceptions import ItemNotFoundError, StorageError

_DELETED_AT_ONCE = 200  # ids that the query of one request holds


class Resources(Subject):
    """The calls about resources."""

    _blobs: RemoteBlobs

    @property
    def takes_links(self) -> bool:
        """No: a server has no access to files of this machine."""
        return False

    def create_resource(self, new: NewResource) -> Resource:
        """Upload the files of one resource, and all it has; the server stores it in one step."""
        return self._stored(new, once=False)[0]

    def create_resource_once(self, new: NewResource) -> tuple[Resource, bool]:
        """The resource of the project with these bytes, and whether this call made it."""
        return self._stored(new, once=True)

    def create_resources(
        self, project_id: str, new: Sequence[NewResource], *, numbers: Sequence[int] | None = None
    ) -> list[str | None]:
        """Upload the files of many resources that the project lacks; the server stores all in one step.

        A server of ours that has no such step yet stores them one by one: what it stored stays when one fails.
        """
        rows = rows_of(project_id, new, numbers)
        self._calls.get(path("projects", project_id))  # before a byte is sent
        if self._takes_many:
            create = partial(self._created, packed=True, read_s=STORING_S)
            return load(self._calls, create, project_id, rows, new)
        return [self._id_once(project_id, row, each) for row, each in zip(rows, new, strict=True)]

    def _id_once(self, project_id: str, row: Row, new: NewResource) -> str | None:
        with row.named():
            made, fresh = self.create_resource_once(replace(new, project_id=project_id, publish=True))
        return made.id if fresh else None

    def _stored(self, new: NewResource, *, once: bool) -> tuple[Resource, bool]:
        fields, files = given.resource(new), files_of(new)
        if new.project_id is not None:
            self._calls.get(path("projects", new.project_id))  # before a byte is sent
        uploads = upload_files(self._calls, files)
        body = {"uploads": uploads, "new": fields, "once": once}
        try:
            answer = self._created("/resources/from-uploads", body, packed=True, read_s=STORING_S)
        except BaseException:  # also on KeyboardInterrupt: what was uploaded is of no use any more
            forget(self._calls, uploads)
            raise
        made = self._calls.field(answer, "made", bool)
        return self._calls.record(Resource, self._calls.field(answer, "resource", dict)), made

    def list_resources(self, query: ResourceQuery) -> list[Resource]:
        """The resources that `query` asks for."""
        whole = page(query.offset, query.limit)
        given.plain(query)
        found = self._listed("resources", "/resources", query_params(query), offset=whole.start, limit=query.limit)
        return self._calls.records(Resource, found)

    def get_resource(self, resource_id: str) -> Resource:
        """The resource with this id, deleted or not."""
        return self._calls.record(Resource, self._calls.get(path("resources", resource_id)))

    def get_resources(self, resource_ids: Sequence[str]) -> list[Resource]:
        """The resources with these ids, in their order."""
        id_list(resource_ids, "resource_ids")
        found: list[Resource] = []
        for batch in in_batches(list(resource_ids), self._page_size):
            answer = self._read_by_post("/resources/by-ids", {"resource_ids": list(batch)})
            found += self._calls.records(Resource, answer)
        return found

    def read_project(self, project_id: str) -> AbstractContextManager[ProjectContent]:
        """A block in which everything of a project that a dataset reads comes, as it is at one instant."""
        call = Call("GET", path("projects", project_id, "content"), read_s=STORING_S)
        return streamed_content(self._transport, call)

    def read_changes(
        self, project_id: str, since: str, known: Known | None = None
    ) -> AbstractContextManager[ProjectContent]:
        """A block in which what changed in a project after one of its revisions comes; all where it cannot be told."""
        if not self._tells_changes:
            return self.read_project(project_id)
        place, params = path("projects", project_id, "content"), {"since": given.text(since, "since")}
        return streamed_content(self._transport, Call("GET", place, params=params, read_s=STORING_S))

    def read_resources(self, resource_ids: Sequence[str]) -> AbstractContextManager[ProjectContent]:
        """A block in which everything of these resources that a dataset reads comes, as it is at one instant."""
        body = json.dumps({"resource_ids": id_list(resource_ids, "resource_ids")}).encode()
        kind = {"Content-Type": "application/json"}
        call = Call("POST", "/resources/content", content=body, headers=kind, repeat=True, read_s=STORING_S)
        return streamed_content(self._transport, call)

    def set_tags(self, resource_ids: Sequence[str], tags: Sequence[str]) -> None:
        """Replace the tags of resources."""
        self._calls.send("PUT", "/resources/tags", _tagging(resource_ids, tags), repeat=True)

    def add_tags(self, resource_ids: Sequence[str], tags: Sequence[str]) -> None:
        """Add tags to resources; tags that others add at the same time stay."""
        self._calls.send("POST", "/resources/tags/add", _tagging(resource_ids, tags), repeat=True)

    def publish_resources(self, resource_ids: Sequence[str]) -> None:
        """Publish resources; those that are published stay as they are."""
        body = {"resource_ids": id_list(resource_ids, "resource_ids")}
        self._calls.send("POST", "/resources/bulk-publish", body, repeat=True)

    def delete_resources(self, resource_ids: Sequence[str]) -> None:
        """Mark resources as deleted; `restore_resources` brings them back."""
        wanted = id_list(resource_ids, "resource_ids")
        if len(wanted) > _DELETED_AT_ONCE:
            self.get_resources(wanted)  # all are known, or none is deleted
        for batch in in_batches(wanted, _DELETED_AT_ONCE):
            place = "/resources?resource_ids=" + ",".join(path(each)[1:] for each in batch)
            self._calls.send("DELETE", place, repeat=True)

    def restore_resources(self, resource_ids: Sequence[str]) -> list[Resource]:
        """Undo the deletion of resources."""
        wanted = id_list(resource_ids, "resource_ids")
        self.get_resources(wanted)  # all are known, or none is restored
        answer = self._calls.send("POST", "/resources/restore", {"ids": wanted}, repeat=True)
        for skipped in self._calls.field(answer, "skipped", list):
            if self._calls.field(skipped, "reason", str) == "not_found":
                raise ItemNotFoundError(f"Resource {skipped.get('id')} not found in the store {self._transport.url}.")
        return self.get_resources(wanted)

    def list_parts(self, resource_ids: Sequence[str]) -> dict[str, list[Part]]:
        """The original files of each resource, in order."""
        wanted = id_list(resource_ids, "resource_ids")
        parts: dict[str, list[Part]] = {}
        for batch in in_batches(wanted, self._page_size):
            answer = self._read_by_post("/resources/parts", {"resource_ids": list(batch)})
            for each in batch:
                parts[each] = located(self._calls.records(Part, self._calls.field(answer, each, list)), each)
        return parts

    def open_resource_file(self, resource_id: str) -> BinaryIO:
        """One file that holds the whole resource: the part itself, or one derived (multi-frame DICOM, .nii)."""
        parts = self.list_parts([resource_id])[resource_id]
        if len(parts) == 1:
            name = self.get_resource(resource_id).filename
            return open(self._blobs.part_path(parts[0], name), "rb")
        return self._derived_file(resource_id)

    def _derived_file(self, resource_id: str) -> BinaryIO:
        """The file that the server makes of several parts; it is gone from this machine when it is closed."""
        wanted = Wanted(path("resources", resource_id, "file"), f"the file of resource {resource_id}", "derived")
        try:
            with tempfile.TemporaryDirectory(prefix="datamint-like-") as folder:
                target = Path(folder) / "whole"
                download(self._transport, wanted, target, private_name(Path(folder), wanted.stem))
                return open(target, "rb")
        except OSError as error:
            if isinstance(error, StorageError) or not is_disk_full(error):
                raise
            raise StorageError(f"Resource {resource_id} cannot be opened: the temporary folder is full.") from error


def query_params(query: ResourceQuery) -> dict[str, str]:
    """A query in the words of the protocol; the page is not among them."""
    plain: Mapping[str, Any] = {
        "from": query.from_date,
        "to": query.to_date,
        "modality": query.modality,
        "mimetype": query.mimetype,
        "channel_name": query.channel,
        "filename": query.filename,
        "order_field": query.order_field,
    }
    params = {key: given.text(value, key) for key, value in plain.items() if value is not None}
    params |= {"status": query.status or "", "deleted": query.deleted}
    params["order_by_asc"] = "true" if query.order_ascending else "false"
    if query.tags:
        params["tags"] = json.dumps({"items": list(query.tags), "filterType": query.tags_mode})
    if query.project_names:
        params["project"] = json.dumps({"items": list(query.project_names), "filterType": "intersection"})
    return params


def _tagging(resource_ids: Sequence[str], tags: Sequence[str]) -> dict[str, list[str]]:
    return {"resource_ids": id_list(resource_ids, "resource_ids"), "tags": id_list(tags, "tags")}
