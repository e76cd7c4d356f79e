"""Projects, their resources, members and states of work."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import chain
from typing import Annotated, Any

import msgspec
from starlette.responses import StreamingResponse

from datamint_like.backends.base import NewProject, ProjectContent
from datamint_like.backends.local.members import Level
from datamint_like.entities import WorkStatus
from datamint_like.exceptions import EntityAlreadyExistsError
from datamint_like.server import wire
from datamint_like.server.access import (
    ANNOTATES_PROJECT,
    KEY,
    OWNS_PROJECT,
    READS_PROJECT,
    READS_RESOURCES,
    need_project,
    need_resources,
)
from datamint_like.server.call import Call
from datamint_like.server.contents import STREAM, content_stream
from datamint_like.server.errors import Existing
from datamint_like.server.pages import Page, paged
from datamint_like.server.routing import Route
from datamint_like.server.schemas import ResourceIds, SegmentationData, annotators_of, specs_of

Json = dict[str, Any]
_TOKEN = msgspec.Meta(
    description="A revision that was told before: the stream then holds what changed since, where that can be told.",
    examples=["2f3c9d9e-6f2b-4d5a-9f0e-1a7c5b8e4d21-41-b0d6c1de-88a4-4f6f-a3d1-9c4be2a57f10"],
)
CLOSED = "closed"


class ProjectPage(Page, frozen=True, kw_only=True):
    """Which projects: by exact name, archived ones too."""

    name: str | None = None
    include_archived: bool = msgspec.field(default=False, name="includeArchived")


class AnnotationSet(msgspec.Struct, frozen=True):
    """The worklist that comes with a new project."""

    resource_ids: tuple[str, ...] = ()
    annotations: tuple[Json, ...] = ()
    annotators: tuple[Any, ...] = ()


class ProjectBody(msgspec.Struct, frozen=True):
    """A project to create."""

    name: str
    description: str | None = None
    resource_ids: tuple[str, ...] = ()
    segmentation_data: SegmentationData = msgspec.field(default=SegmentationData(), name="segmentationData")
    annotation_set: AnnotationSet = AnnotationSet()


class Membership(msgspec.Struct, frozen=True):
    """Resources to put into a project, and to take out."""

    resource_ids_to_add: tuple[str, ...] = ()
    resource_ids_to_delete: tuple[str, ...] = ()
    all_files_selected: bool = False


class ProjectIds(msgspec.Struct, frozen=True):
    """Some projects."""

    project_ids: tuple[str, ...]


class State(msgspec.Struct, frozen=True):
    """How far work is."""

    status: str


class Since(msgspec.Struct, frozen=True):
    """From which revision on."""

    since: Annotated[str | None, _TOKEN] = None


class Roles(msgspec.Struct, frozen=True):
    """What a member may do."""

    roles: tuple[str, ...]
    expertise_level: str | None = None


class Statuses(msgspec.Struct, frozen=True):
    """Which states of work."""

    status: str | None = None
    user_id: str | None = None
    resource_id: str | None = None


def list_projects(call: Call) -> Any:
    """The projects that the user may see."""
    query: ProjectPage = call.query
    if query.name is not None:
        found = call.store.find_project(query.name)
        some = [found] if found is not None and (query.include_archived or not found.archived) else []
    else:
        some = call.store.list_projects(include_archived=query.include_archived)
    return paged("projects", [wire.project(each) for each in some], query)


def get_project(call: Call) -> Any:
    """One project."""
    return wire.project(call.store.get_project(call.path["project_id"]))


def create_project(call: Call) -> Any:
    """The new project, with its default worklist."""
    body: ProjectBody = call.body
    need_resources(call, body.resource_ids, Level.OWNER)  # whoever is let into the project may use them
    new = NewProject(
        name=body.name,
        description=body.description or "",
        resource_ids=body.resource_ids,
        annotations=specs_of(body.annotation_set.annotations),
        segmentation_group=body.segmentation_data.group(),
        annotators=annotators_of(body.annotation_set.annotators),
        segmentation_type=body.segmentation_data.segmentation_value_type,
    )
    try:
        return call.store.create_project(new)
    except EntityAlreadyExistsError as error:
        found = call.store.find_project(body.name)
        if found is None:
            raise EntityAlreadyExistsError(
                f"The name {body.name!r:.200} is taken by a project that you are no member of. "
                "Choose another, or ask an admin to make you a member."
            ) from error
        raise Existing(error, found) from error


def update_project(call: Call) -> Any:
    """The changed project; fields of Datamint that play no role here are passed over."""
    known = ("name", "description", "most_recent_experiment")
    changes = {key: value for key, value in call.body.items() if key in known}
    project_id = call.path["project_id"]
    if not changes and call.body:
        return wire.project(call.store.get_project(project_id))
    return wire.project(call.store.update_project(project_id, changes))


def archive_project(call: Call) -> Any:
    """Hide the project; restoring brings it back."""
    call.store.archive_project(call.path["project_id"])
    return {}


def restore_project(call: Call) -> Any:
    """The project that was archived."""
    return wire.project(call.store.restore_project(call.path["project_id"]))


def list_resources(call: Call) -> Any:
    """The project's resources, in dataset order."""
    return call.store.list_project_resources(call.path["project_id"])


def change_resources(call: Call) -> Any:
    """Put resources in, take others out."""
    body: Membership = call.body
    project_id = call.path["project_id"]
    need_resources(call, body.resource_ids_to_add, Level.OWNER)  # whoever is in the project may use them
    call.store.get_project(project_id)
    if body.resource_ids_to_add:
        call.store.add_project_resources(project_id, body.resource_ids_to_add)
    if body.resource_ids_to_delete:
        call.store.remove_project_resources(project_id, body.resource_ids_to_delete)
    return {}


def annotated_counts(call: Call) -> Any:
    """Of each project, how many resources have an annotation."""
    for project_id in call.body.project_ids:
        need_project(call, project_id, Level.READER)
    return call.store.count_annotated(call.body.project_ids)


def set_work_status(call: Call) -> Any:
    """Say how far the work on a resource is; that it is done for good is an owner's word."""
    if call.body.status == CLOSED:
        need_project(call, call.path["project_id"], Level.OWNER)
    call.store.set_work_status(call.path["project_id"], call.path["resource_id"], call.body.status)
    return {}


def work_statuses(call: Call) -> Any:
    """States of work, oldest first."""
    return call.store.list_work_statuses(call.path["project_id"])


def annotation_statuses(call: Call) -> Any:
    """States of work, oldest first, of one user or resource where asked."""
    return statuses_like(call.query, call.store.list_work_statuses(call.path["project_id"]))


def statuses_like(query: Statuses, rows: Sequence[WorkStatus]) -> list[WorkStatus]:
    """Those of the states of work that a query asks for."""
    wanted = {key: value for key, value in msgspec.structs.asdict(query).items() if value is not None}
    return [row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())]


def list_worklists(call: Call) -> Any:
    """The project's worklists with their schemas."""
    return [wire.worklist(each) for each in call.store.list_worklists(call.path["project_id"])]


def list_members(call: Call) -> Any:
    """Who works on the project."""
    return call.administration.list_members(call.path["project_id"])


def put_member(call: Call) -> Any:
    """Make a user a member, or give a member other roles."""
    roles: Roles = call.body
    path = call.path
    call.administration.put_member(path["project_id"], path["user_id"], roles.roles, roles.expertise_level)
    return {}


def remove_member(call: Call) -> Any:
    """Take a user out of the project."""
    call.administration.remove_member(call.path["project_id"], call.path["user_id"])
    return {}


def revision(call: Call) -> Any:
    """A token that changes whenever anything that a dataset reads of the project changes."""
    return {"revision": call.store.project_revision(call.path["project_id"])}


def project_content(call: Call) -> Any:
    """Everything that a dataset reads of the project, or what of it changed since a revision, as a stream."""
    project_id, query = call.path["project_id"], call.query
    whole = query.since is None
    return _streamed(call.store.read_project(project_id) if whole else call.store.read_changes(project_id, query.since))


def resources_content(call: Call) -> Any:
    """Everything that a dataset reads of some resources, as a stream."""
    return _streamed(call.store.read_resources(call.body.resource_ids))


def _streamed(reading: AbstractContextManager[ProjectContent]) -> StreamingResponse:
    """The content as it is read; reading has begun before the answer does, so that an error is one."""
    stream = content_stream(reading)
    return StreamingResponse(chain([next(stream)], stream), media_type=STREAM)


_EXAMPLE = {"name": "Chest pilot", "description": "Radiographs of 2026", "resource_ids": []}
_P = "/projects/{project_id}"
ROUTES = (
    Route("GET", "/projects", list_projects, KEY, "Projects that the user may see", query=ProjectPage),
    Route(
        "POST",
        "/projects",
        create_project,
        KEY,
        "Add a project",
        body=ProjectBody,
        example=_EXAMPLE,
        status=201,
        answer=wire.project,
    ),
    Route("POST", "/projects/annotated-counts", annotated_counts, KEY, "Annotated resources", body=ProjectIds),
    Route("GET", _P, get_project, READS_PROJECT, "One project"),
    Route("PATCH", _P, update_project, OWNS_PROJECT, "Change a project", body=Json),
    Route("DELETE", _P, archive_project, OWNS_PROJECT, "Archive a project"),
    Route("POST", _P + "/restore", restore_project, OWNS_PROJECT, "Bring an archived project back"),
    Route("GET", _P + "/resources", list_resources, READS_PROJECT, "Its resources in dataset order"),
    Route("POST", _P + "/resources", change_resources, OWNS_PROJECT, "Put resources in or out", body=Membership),
    Route(
        "POST",
        _P + "/resources/{resource_id}/status",
        set_work_status,
        ANNOTATES_PROJECT,
        "How far work is",
        body=State,
    ),
    Route("GET", _P + "/work-statuses", work_statuses, READS_PROJECT, "States of work, oldest first"),
    Route("GET", _P + "/annotation-statuses", annotation_statuses, READS_PROJECT, "States of work", query=Statuses),
    Route("GET", _P + "/worklists", list_worklists, READS_PROJECT, "Its worklists with their schemas"),
    Route("GET", _P + "/members", list_members, READS_PROJECT, "Who works on it"),
    Route("POST", _P + "/members/{user_id}", put_member, OWNS_PROJECT, "Make a user a member", body=Roles),
    Route("DELETE", _P + "/members/{user_id}", remove_member, OWNS_PROJECT, "Take a member out"),
    Route("GET", _P + "/revision", revision, READS_PROJECT, "A token of its content"),
    Route("GET", _P + "/content", project_content, READS_PROJECT, "All that a dataset reads of it", query=Since),
    Route(
        "POST",
        "/resources/content",
        resources_content,
        READS_RESOURCES,
        "All that a dataset reads of these",
        body=ResourceIds,
    ),
)
