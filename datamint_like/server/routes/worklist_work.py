"""The work on the resources of a worklist: how far it is, and what was said."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool

from datamint_like.backends.base import AnnotationQuery, NewAnnotation
from datamint_like.backends.local.members import Level
from datamint_like.backends.local.reviews import VERDICTS
from datamint_like.entities import Annotation
from datamint_like.exceptions import ValidationError
from datamint_like.server import wire
from datamint_like.server.access import ANNOTATES_WORKLIST, OWNS_WORKLIST, READS_WORKLIST, need_resources, need_worklist
from datamint_like.server.annotation_bodies import IMPORTED
from datamint_like.server.call import Call
from datamint_like.server.once import digest_of, made_once
from datamint_like.server.routes.projects import CLOSED, Statuses, statuses_like
from datamint_like.server.routing import Route, parsed_json
from datamint_like.server.small_forms import Form, form_of


class Verdict(msgspec.Struct, frozen=True):
    """How far an annotator's work on a resource is, or what a reviewer says of it."""

    status: str
    annotator: str | None = None
    message: str | None = None
    path: str | None = None


class Marks(msgspec.Struct, frozen=True):
    """Whose annotations: everybody's with `all`, one annotator's, else the caller's own."""

    all: bool = False
    annotator: str | None = None


class Mask(msgspec.Struct, frozen=True):
    """A mask of a frame, whose picture comes in the same place among the `images`."""

    identifier: str
    frame_index: int
    id: str | None = None
    geometry: Any = None


def set_status(call: Call) -> Any:
    """The states of work on the resource, after one was said."""
    body: Verdict = call.body
    project_id, resource_id = _project_of(call), call.path["resource_id"]
    annotator = body.annotator or call.user.email
    if annotator != call.user.email or body.status in (*VERDICTS, CLOSED):
        need_worklist(call, call.path["worklist_id"], Level.OWNER)
    call.administration.set_work_status(project_id, resource_id, annotator, body.status, body.message)
    return statuses_like(Statuses(resource_id=resource_id), call.store.list_work_statuses(project_id))


def annotation_statuses(call: Call) -> Any:
    """States of work on the worklist's resources (the project's, where it names none), oldest first."""
    worklist = call.store.get_worklist(call.path["worklist_id"])
    rows = call.store.list_work_statuses(_project_of(call))
    here = [row for row in rows if not worklist.resource_ids or row.resource_id in worklist.resource_ids]
    return statuses_like(call.query, here)


def reset_status(call: Call) -> Any:
    """Forget how far an annotator's work on a resource is, and delete what they said of it in this worklist."""
    path = call.path
    administration = call.administration
    administration.reset_work_status(
        _project_of(call), path["resource_id"], path["email"], worklist_id=path["worklist_id"]
    )
    return {}


def _project_of(call: Call) -> str:
    worklist = call.store.get_worklist(call.path["worklist_id"])
    if worklist.project_id is None:
        raise ValidationError(f"Worklist {worklist.id} belongs to no project, and work is counted in projects.")
    return worklist.project_id


def list_annotations(call: Call) -> Any:
    """What was said of a resource in this worklist, masks aside."""
    return [wire.annotation(each) for each in _said(call) if not each.is_segmentation()]


def list_segmentations(call: Call) -> Any:
    """The masks of a resource that were made in this worklist."""
    return [wire.annotation(each) for each in _said(call) if each.is_segmentation()]


def list_ai_segmentations(call: Call) -> Any:
    """The masks of a resource that models made."""
    found = call.store.list_annotations(
        AnnotationQuery(resource_ids=(call.path["resource_id"],), annotation_type="segmentation")
    )
    return [wire.annotation(each) for each in found if each.created_by_model is not None]


def _said(call: Call) -> list[Annotation]:
    asked: Marks = call.query
    author = asked.annotator or (None if asked.all else call.user.email)
    query = AnnotationQuery((call.path["resource_id"],), worklist_id=call.path["worklist_id"], author=author)
    return call.store.list_annotations(query)


async def upload_masks(call: Call) -> Any:
    """The ids of the masks that were made of a form's pictures."""
    form = await form_of(call)
    return await run_in_threadpool(_uploaded_masks, call, form)


def _uploaded_masks(call: Call, form: Form) -> Any:
    resource_id = call.path["resource_id"]
    need_resources(call, [resource_id], Level.ANNOTATOR)
    masks = parsed_json(form.text("payload") or "", tuple[Mask, ...], "payload")
    images = form.files.get("images", [])
    if len(masks) != len(images):
        raise ValidationError(f"payload describes {len(masks)} masks; images has {len(images)}. Send one for each.")
    if any(each.id is not None for each in masks):
        raise ValidationError(
            "A mask cannot be replaced: leave its id out, and delete the annotation that it corrects."
        )
    new = [
        NewAnnotation(
            type="segmentation",
            identifier=each.identifier,
            scope="frame",
            frame_index=each.frame_index,
            geometry=each.geometry,
            worklist_id=call.path["worklist_id"],
            source=IMPORTED,
            payload=image.content,
            payload_name=image.filename,
        )
        for each, image in zip(masks, images, strict=True)
    ]

    def create(of: Call) -> list[Annotation]:
        made = of.store.create_annotations(resource_id, new)
        of.touched += [each.id for each in made]
        return made

    return made_once(call, digest_of(form), create, lambda made: {"ids": [each.id for each in made]}, 201)


_W = "/annotationsets/{worklist_id}"
_R = _W + "/resources/{resource_id}"
ROUTES = (
    Route("POST", _R + "/status", set_status, ANNOTATES_WORKLIST, "How far work is", body=Verdict),
    Route("GET", _W + "/annotation-statuses", annotation_statuses, READS_WORKLIST, "States of work", query=Statuses),
    Route("DELETE", _R + "/annotator/{email}/status-reset", reset_status, OWNS_WORKLIST, "Start again"),
    Route("GET", _R + "/annotations", list_annotations, READS_WORKLIST, "What was said of it", query=Marks),
    Route("GET", _R + "/segmentations", list_segmentations, READS_WORKLIST, "Its masks", query=Marks),
    Route("GET", _R + "/ai_segmentations", list_ai_segmentations, READS_WORKLIST, "Its masks by models"),
    Route(
        "POST",
        _R + "/segmentations",
        upload_masks,
        ANNOTATES_WORKLIST,
        "Masks of frames (form parts `payload`, `images`)",
        reads_body=True,
        status=201,
    ),
)
