"""Worklists ("annotation sets"): what annotators of a project may give, and how far they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from starlette.concurrency import run_in_threadpool

from datamint_like.backends.base import NewWorklist
from datamint_like.backends.local.members import Level
from datamint_like.entities import AnnotationWorklist, WorklistAnnotator
from datamint_like.exceptions import EntityAlreadyExistsError, ItemNotFoundError, ValidationError
from datamint_like.server import wire
from datamint_like.server.access import (
    KEY,
    OWNS_WORKLIST,
    READS_WORKLIST,
    need_project,
    need_resources,
)
from datamint_like.server.call import Call
from datamint_like.server.errors import Existing
from datamint_like.server.routing import Route
from datamint_like.server.schemas import SegmentationData, annotators_of, as_changes, labels_of, specs_of
from datamint_like.server.segmentation_files import classes_of
from datamint_like.server.small_forms import Form, form_of

Json = dict[str, Any]
_PASSED_OVER = frozenset(
    {
        *("viewable_ai_annotations", "editable_ai_annotations"),
        *("viewable_ai_segmentations", "editable_ai_segmentations", "return_url"),
    }
)


class WorklistBody(msgspec.Struct, frozen=True, kw_only=True):
    """A worklist to create; its classes in Datamint's form, or in ours."""

    name: str
    project_id: str | None = None
    description: str | None = None
    resource_ids: tuple[str, ...] = ()
    annotations: tuple[Json, ...] = ()
    annotators: tuple[str | Json, ...] = ()
    frame_labels: tuple[str, ...] = ()
    image_labels: tuple[str, ...] = ()
    segmentation_data: SegmentationData | None = None
    segmentation_group: Json = {}
    segmentation_type: str = "single_label"


class Group(msgspec.Struct, frozen=True):
    """The segmentation classes that replace those of a worklist."""

    segmentation_data: SegmentationData = msgspec.field(name="segmentationData")
    renames: tuple[Any, ...] | None = None


class Change(msgspec.Struct, frozen=True):
    """Resources to put on a worklist, and to take off."""

    resource_ids_to_add: tuple[str, ...] = ()
    resource_ids_to_delete: tuple[str, ...] = ()


class Part(msgspec.Struct, frozen=True):
    """An annotator's part in a worklist."""

    status: Literal["active", "frozen"] = "active"
    expertise_level: Literal["learner", "trained", "expert"] = "trained"


def get_worklist(call: Call) -> Any:
    """One worklist with its schema."""
    return wire.worklist(call.store.get_worklist(call.path["worklist_id"]))


def create_worklist(call: Call) -> AnnotationWorklist:
    """The new worklist."""
    body: WorklistBody = call.body
    if body.project_id is not None:
        need_project(call, body.project_id, Level.OWNER)
    need_resources(call, body.resource_ids, Level.READER)
    data = body.segmentation_data
    new = NewWorklist(
        name=body.name,
        project_id=body.project_id,
        description=body.description,
        resource_ids=body.resource_ids,
        annotations=(*specs_of(body.annotations), *labels_of(body.frame_labels, body.image_labels)),
        annotators=annotators_of(body.annotators),
        segmentation_group=body.segmentation_group if data is None else data.group(),
        segmentation_type=body.segmentation_type if data is None else data.segmentation_value_type,
    )
    try:
        return call.store.create_worklist(new)
    except EntityAlreadyExistsError as error:
        found = [each for each in call.store.list_worklists(body.project_id or "") if each.name == body.name]
        raise Existing(error, found[0]) from error


def update_worklist(call: Call) -> Any:
    """The changed worklist; what Datamint has and we have not is passed over."""
    worklist_id, given = call.path["worklist_id"], call.body
    changes = {key: _named(key, value) for key, value in given.items() if key not in _PASSED_OVER}
    if given and not changes:
        return get_worklist(call)
    if "segmentation_data" in changes:
        changes |= as_changes(_converted(changes.pop("segmentation_data"), SegmentationData))
    if "resource_ids" in changes:
        need_resources(call, _converted(changes["resource_ids"], tuple[str, ...]), Level.READER)
    return wire.worklist(call.store.update_worklist(worklist_id, changes))


def _named(key: str, value: Any) -> Any:
    """A value as the store takes it: annotators by e-mail alone become objects, nulls of specs go."""
    if key == "annotators" and isinstance(value, list):
        return [WorklistAnnotator(email=each) if isinstance(each, str) else each for each in value]
    if key == "annotations" and isinstance(value, list):
        return [{k: v for k, v in each.items() if v is not None} if isinstance(each, dict) else each for each in value]
    return value


def _converted(value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ValidationError(f"The body of this request cannot be used: {error}.") from None


def get_group(call: Call) -> Any:
    """The segmentation classes by name."""
    return _groups(call.store.get_worklist(call.path["worklist_id"]))


def put_group(call: Call) -> Any:
    """Replace the segmentation classes."""
    body: Group = call.body
    if body.renames:
        raise ValidationError("renames cannot be used here: masks keep their names. Change their identifiers instead.")
    return _groups(call.store.update_worklist(call.path["worklist_id"], as_changes(body.segmentation_data)))


def delete_class(call: Call) -> Any:
    """Take one segmentation class out; the others keep their codes."""
    name = call.path["identifier"]

    def without(old: AnnotationWorklist) -> Json:
        if name not in old.segmentation_group:
            raise ItemNotFoundError(f"Segmentation class {name!r:.80} not found in worklist {old.id}.")
        return {"segmentation_group": {key: each for key, each in old.segmentation_group.items() if key != name}}

    return _groups(call.administration.change_worklist(call.path["worklist_id"], without))


async def upload_group(call: Call) -> Any:
    """The segmentation classes after those of a file were put in."""
    form = await form_of(call)
    return await run_in_threadpool(_uploaded_group, call, form)


def _uploaded_group(call: Call, form: Form) -> Any:
    file = form.file("file")
    data = classes_of(file.filename, file.content)
    replace = (form.text("replace_existing") or "true").lower() != "false"

    def merged(old: AnnotationWorklist) -> Json:
        if replace:
            return as_changes(data)
        return {"segmentation_group": {**old.segmentation_group, **data.group()}}

    return _groups(call.administration.change_worklist(call.path["worklist_id"], merged))


def _groups(worklist: AnnotationWorklist) -> Json:
    return {"groups": worklist.segmentation_group, "segmentation_type": worklist.segmentation_type}


def change_resources(call: Call) -> Any:
    """Put resources on the worklist, take others off."""
    body: Change = call.body
    need_resources(call, body.resource_ids_to_add, Level.READER)

    def changed(old: AnnotationWorklist) -> Json:
        gone = set(body.resource_ids_to_delete)
        kept = [each for each in (*old.resource_ids, *body.resource_ids_to_add) if each not in gone]
        return {"resource_ids": kept}

    return {"resource_ids": call.administration.change_worklist(call.path["worklist_id"], changed).resource_ids}


def put_annotator(call: Call) -> Any:
    """Make a user an annotator of the worklist, or change their part in it."""
    part: Part = call.body
    email = call.store.get_user(call.path["user_id"]).email
    new = WorklistAnnotator(email=email, status=part.status, expertise_level=part.expertise_level)

    def put(old: AnnotationWorklist) -> Json:
        kept = {each.email: each for each in old.annotators}
        return {"annotators": list({**kept, email: new}.values())}

    return _annotator(call.administration.change_worklist(call.path["worklist_id"], put), email)


def remove_annotator(call: Call) -> Any:
    """Take an annotator off the worklist; they stay a member of its project."""
    email = call.path["user_id"]

    def removed(old: AnnotationWorklist) -> Json:
        _annotator(old, email)
        return {"annotators": [each for each in old.annotators if each.email != email]}

    call.administration.change_worklist(call.path["worklist_id"], removed)
    return {}


def _annotator(worklist: AnnotationWorklist, email: str) -> Mapping[str, Any]:
    for each in worklist.annotators:
        if each.email == email:
            return {**each.to_dict(), "expertise_level": each.expertise_level or "trained"}
    raise ItemNotFoundError(f"Annotator {email} not found in worklist {worklist.id}.")


_W = "/annotationsets/{worklist_id}"
_NEW = {"name": "Second reading", "annotations": [{"type": "label", "identifier": "benign", "scope": "image"}]}
ROUTES = (
    Route(
        "POST",
        "/annotationsets",
        create_worklist,
        KEY,
        "Add a worklist",
        body=WorklistBody,
        example=_NEW,
        status=201,
        answer=wire.worklist,
    ),
    Route("GET", _W, get_worklist, READS_WORKLIST, "One worklist with its schema"),
    Route("PATCH", _W, update_worklist, OWNS_WORKLIST, "Change a worklist", body=Json),
    Route("GET", _W + "/segmentation-group", get_group, READS_WORKLIST, "Its segmentation classes"),
    Route("PUT", _W + "/segmentation-group", put_group, OWNS_WORKLIST, "Replace them", body=Group),
    Route(
        "POST",
        _W + "/segmentation-group/upload",
        upload_group,
        OWNS_WORKLIST,
        "Segmentation classes from a file (form parts `file`, `replace_existing`)",
        reads_body=True,
    ),
    Route("DELETE", _W + "/segmentation-group/{identifier:path}", delete_class, OWNS_WORKLIST, "Take one out"),
    Route("POST", _W + "/resources", change_resources, OWNS_WORKLIST, "Put resources on or off", body=Change),
    Route("POST", _W + "/annotators/{user_id}", put_annotator, OWNS_WORKLIST, "Set an annotator's part", body=Part),
    Route("DELETE", _W + "/annotators/{user_id}", remove_annotator, OWNS_WORKLIST, "Take an annotator off"),
)
