"""Annotations: what people and models say about resources, and the masks that belong to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool

from datamint_like.backends.base import AnnotationQuery, NewAnnotation
from datamint_like.backends.local.frame_tracks import TYPES, Track
from datamint_like.backends.local.members import Level
from datamint_like.entities import Annotation
from datamint_like.exceptions import ItemNotFoundError, ValidationError
from datamint_like.imaging import required_facts
from datamint_like.server import wire
from datamint_like.server.access import (
    ANNOTATES_RESOURCE,
    APPROVES_ANNOTATION,
    CHANGES_ANNOTATION,
    KEY,
    READS_ANNOTATION,
    READS_RESOURCE,
    Rule,
    need_annotations,
    need_resources,
    need_voice,
    need_worklist,
)
from datamint_like.server.annotation_bodies import IMPORTED, Fields, Item, Search, TrackBody, authors_of, need_few
from datamint_like.server.call import Call
from datamint_like.server.once import digest_of, made_once
from datamint_like.server.routing import Route, parsed_json
from datamint_like.server.small_forms import Form, SmallFile, form_of

Json = dict[str, Any]


class Said(msgspec.Struct, frozen=True):
    """Annotations of one resource; with `once`, only those whose origin it lacks."""

    annotations: tuple[Fields, ...]
    once: bool = False


class Batch(msgspec.Struct, frozen=True):
    """Annotations of many resources, by resource id."""

    annotations: dict[str, tuple[Fields, ...]]


class VolumeMask(msgspec.Struct, frozen=True):
    """A label map of a volume: a NIfTI file, and for each label its identifier."""

    payload: bytes
    names: dict[int, str]
    template: Fields


class AnnotationIds(msgspec.Struct, frozen=True):
    """Some annotations."""

    ids: tuple[str, ...]


class TrackQuery(msgspec.Struct, frozen=True):
    """Which tracks of a resource."""

    annotation_worklist_id: str | None = None
    created_by: str | None = None


def search(call: Call) -> Any:
    """The annotations asked for, by time of creation."""
    asked: Search = call.body
    query = asked.query(_resources_of_dataset(call, asked.dataset_id))
    found = [wire.annotation(each) for each in call.store.list_annotations(query)]
    return wire.envelope("annotations", found, call.administration.count_annotations(query))


def _resources_of_dataset(call: Call, dataset_id: str | None) -> list[str] | None:
    if dataset_id is None:
        return None
    some = [each.id for each in call.store.list_projects(include_archived=True) if each.dataset_id == dataset_id]
    return [resource.id for project_id in some for resource in call.store.list_project_resources(project_id)]


def get_annotation(call: Call) -> Any:
    """One annotation, deleted or not."""
    return wire.annotation(call.store.get_annotation(call.path["annotation_id"]))


def create(call: Call) -> Any:
    """An id for each item; a segmentation waits for its file."""
    resource_id = call.path["resource_id"]
    frames = required_facts(call.store.get_resource(resource_id)).shape[0]
    need_few(item.rows for item in call.body)
    new = [item.new(frames) for item in call.body]
    flat = [each for some in new for each in some]
    _need_say(call, {resource_id: flat})
    firsts = list(accumulate((len(some) for some in new[:-1]), initial=0)) if new else []

    def store(of: Call) -> list[Annotation]:
        made = of.administration.annotate({resource_id: flat}, files_come_later=True)
        of.touched += [made[first].id for first in firsts]
        return made

    return made_once(call, digest_of(call.body), store, lambda made: [made[first].id for first in firsts], 201)


async def attach(call: Call) -> Any:
    """Give a segmentation its file."""
    form = await form_of(call)
    return await run_in_threadpool(_attached, call, form.file("file"))


def _attached(call: Call, file: SmallFile) -> Any:
    resource_id, annotation_id = call.path["resource_id"], call.path["annotation_id"]
    old = call.store.get_annotation(annotation_id)
    if old.resource_id != resource_id:
        raise ItemNotFoundError(f"Annotation {annotation_id} of resource {resource_id} not found on this server.")
    need_voice(call, {resource_id: {old.created_by} if old.created_by else set()})
    return wire.annotation(call.administration.attach_file(annotation_id, file.content, file.filename))


async def volume_segmentations(call: Call) -> Any:
    """The ids of the segmentations that a label map was taken apart into."""
    form = await form_of(call)
    return await run_in_threadpool(_taken_apart, call, form)


def _taken_apart(call: Call, form: Form) -> Any:
    given = parsed_json(form.text("segmentation_map") or "{}", dict[str, Any], "segmentation_map")
    names = {int(label): name for label, name in given.items() if label.isdecimal()}
    if not all(isinstance(name, str) and name.strip() for name in names.values()):
        raise ValidationError("segmentation_map must give a name to each label, as {'1': 'liver'}.")
    template = NewAnnotation(
        type="segmentation",
        identifier="",  # each label has its own
        worklist_id=form.text("annotation_worklist_id"),
        model_id=form.text("model_id"),
        author=form.text("import_author"),
        imported_from=form.text("imported_from"),
        source=form.text("source") or IMPORTED,
    )
    payload = form.file("file").content

    def store(of: Call) -> list[Annotation]:
        return _volume_mask(of, payload, names, template)

    return made_once(call, digest_of(form), store, lambda made: [each.id for each in made], 201)


def volume_mask(call: Call) -> list[Annotation]:
    """The segmentations that a label map was taken apart into."""
    body: VolumeMask = call.body
    return _volume_mask(call, body.payload, body.names, body.template.new())


def _volume_mask(call: Call, payload: bytes, names: Mapping[int, str], template: NewAnnotation) -> list[Annotation]:
    resource_id = call.path["resource_id"]
    _need_say(call, {resource_id: [template]})
    made = call.store.upload_volume_mask(resource_id, payload, names, template)
    call.touched += [each.id for each in made]
    return made


def say(call: Call) -> list[Annotation]:
    """The new annotations of one resource, files and all."""
    body: Said = call.body
    resource_id = call.path["resource_id"]
    new = [each.new() for each in body.annotations]
    _need_say(call, {resource_id: new})
    store = call.store.create_annotations_once if body.once else call.store.create_annotations
    made = store(resource_id, new)
    call.touched += [each.id for each in made]
    return made


def say_of_many(call: Call) -> list[Annotation]:
    """The new annotations of many resources: all of them, or none."""
    body: Batch = call.body
    new = {resource_id: [each.new() for each in some] for resource_id, some in body.annotations.items()}
    need_resources(call, list(new), Level.ANNOTATOR)
    _need_say(call, new)
    made = call.administration.annotate(new)
    call.touched += [each.id for each in made]
    return made


def _annotations(made: Sequence[Annotation]) -> Any:
    return [wire.annotation(each) for each in made]


def _need_say(call: Call, new: Mapping[str, Sequence[NewAnnotation]]) -> None:
    """Raise unless the user may say this in the names, and the worklists, that it has."""
    need_voice(call, {resource_id: authors_of(some) for resource_id, some in new.items()})
    for worklist_id in {each.worklist_id for some in new.values() for each in some if each.worklist_id is not None}:
        need_worklist(call, worklist_id, Level.ANNOTATOR)


def update(call: Call) -> Any:
    """The changed annotation."""
    annotation_id, given = call.path["annotation_id"], call.body
    changes = {key: value for key, value in given.items() if key != "project_id"}
    if given and not changes:
        return wire.annotation(call.store.get_annotation(annotation_id))
    if "status" in changes:
        need_annotations(call, [annotation_id], Level.OWNER)
    if isinstance(changes.get("annotation_worklist_id"), str):
        need_worklist(call, changes["annotation_worklist_id"], Level.ANNOTATOR)
    return wire.annotation(call.store.update_annotation(annotation_id, changes))


def approve(call: Call) -> Any:
    """Publish an annotation."""
    call.store.approve_annotation(call.path["annotation_id"])
    return {}


def delete(call: Call) -> Any:
    """Mark one as deleted."""
    call.store.delete_annotations([call.path["annotation_id"]])
    return {}


def delete_batch(call: Call) -> Any:
    """Mark many as deleted."""
    call.store.delete_annotations(call.body.ids)
    return {}


def frame_ranges(call: Call) -> Any:
    """What was said of single frames, in ranges."""
    asked: TrackQuery = call.query
    found = call.store.list_annotations(
        AnnotationQuery(
            resource_ids=(call.path["resource_id"],),
            worklist_id=asked.annotation_worklist_id,
            author=asked.created_by,
        )
    )
    return wire.tracks(each for each in found if each.is_frame_scoped() and each.annotation_type in TYPES)


def put_frame_ranges(call: Call) -> Any:
    """What was added to a track, and what was deleted from it."""
    body: TrackBody = call.body
    resource_id = call.path["resource_id"]
    if body.model_id is not None:  # its rows are nobody's own, and those that are left out go
        need_resources(call, [resource_id], Level.OWNER)
    new = body.new(required_facts(call.store.get_resource(resource_id)).shape[0])
    if body.annotation_worklist_id is not None:
        need_worklist(call, body.annotation_worklist_id, Level.ANNOTATOR)
    track = Track(resource_id, body.type, body.identifier, body.model_id, body.annotation_worklist_id)
    created, deleted = call.administration.replace_track(track, new)
    call.touched += [each.id for each in (*created, *deleted)]
    return {"created": created, "deleted": deleted}


_A, _OF_RESOURCE = "/annotations/{annotation_id}", "/annotations/{resource_id}"
_ITEMS = [{"type": "label", "identifier": "benign", "scope": "image", "source": "imported"}]
_SAID = {"annotations": [{"type": "category", "identifier": "view", "value": "lat"}]}
_BATCH = {"annotations": {"00000000-0000-0000-0000-000000000000": [{"type": "label", "identifier": "benign"}]}}
_TRACK = {"identifier": "motion", "type": "label", "values": [{"frame_ranges": [{"start": 0, "end": 5}]}]}
CHANGES_THESE = Rule("annotation", Level.ANNOTATOR, field="ids")
ROUTES = (
    Route("POST", "/annotations/search", search, KEY, "The annotations asked for", body=Search),
    Route(
        "POST",
        "/annotations/batch",
        say_of_many,
        KEY,
        "Annotate many",
        body=Batch,
        example=_BATCH,
        status=201,
        answer=_annotations,
    ),
    Route("POST", "/annotations/delete-batch", delete_batch, CHANGES_THESE, "Delete many", body=AnnotationIds),
    Route("GET", _A, get_annotation, READS_ANNOTATION, "One annotation"),
    Route("PATCH", _A, update, CHANGES_ANNOTATION, "Change an annotation", body=Json),
    Route("PATCH", _A + "/approve", approve, APPROVES_ANNOTATION, "Publish an annotation"),
    Route("DELETE", _A, delete, CHANGES_ANNOTATION, "Delete an annotation"),
    Route(
        "POST",
        _OF_RESOURCE + "/annotations",
        create,
        ANNOTATES_RESOURCE,
        "Annotate; segmentations get their files after",
        body=tuple[Item, ...],
        example=_ITEMS,
        status=201,
    ),
    Route(
        "POST",
        _OF_RESOURCE + "/annotations/{annotation_id}/file",
        attach,
        ANNOTATES_RESOURCE,
        "Give a segmentation its file (form part `file`)",
        reads_body=True,
    ),
    Route(
        "POST",
        _OF_RESOURCE + "/segmentations/file",
        volume_segmentations,
        ANNOTATES_RESOURCE,
        "Segmentations of a label map (form parts `file`, `segmentation_map`)",
        reads_body=True,
        status=201,
    ),
    Route("GET", _OF_RESOURCE + "/frame-ranges", frame_ranges, READS_RESOURCE, "Its tracks", query=TrackQuery),
    Route(
        "PUT",
        _OF_RESOURCE + "/frame-ranges",
        put_frame_ranges,
        ANNOTATES_RESOURCE,
        "Replace a track",
        body=TrackBody,
        example=_TRACK,
    ),
    Route(
        "POST",
        "/resources/{resource_id}/annotations",
        say,
        ANNOTATES_RESOURCE,
        "Annotate, with files",
        body=Said,
        example=_SAID,
        status=201,
        answer=_annotations,
    ),
    Route(
        "POST",
        "/resources/{resource_id}/volume-mask",
        volume_mask,
        ANNOTATES_RESOURCE,
        "Segmentations of a label map",
        body=VolumeMask,
        status=201,
        answer=_annotations,
    ),
)
