"""What is said of resources under an `Idempotency-Key` is stored once, by every route that annotates."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import nibabel as nib
import numpy as np
import pytest

from datamint_like.backends.base import AnnotationQuery, NewAnnotation, NewProject
from datamint_like.backends.remote.backend import HttpBackend
from datamint_like.server import once
from datamint_like.server.errors import Refused
from datamint_like.testing.samples import CT_FILES, XRAY_MASK, upload
from tests.serving import ADMIN_KEY, Served

_KEY = {"Idempotency-Key": "said-once"}
_LABEL = {"type": "label", "identifier": "benign"}


def label_map() -> bytes:
    array = np.zeros((128, 128, 28), np.uint8)
    array[3:9, 4:20, 5:12] = 1
    return nib.Nifti1Image(array, np.eye(4)).to_bytes()


def masks(name: str) -> dict[str, Any]:
    return {
        "files": {"images": ("m.png", XRAY_MASK.read_bytes(), "image/png")},
        "data": {"payload": json.dumps([{"identifier": name, "frame_index": 0}])},
    }


#: For each route: its path, what a request holds that says `name`, and how many annotations that makes.
ROUTES: dict[str, tuple[str, Callable[[str, str], dict[str, Any]], int]] = {
    "in Datamint's words": (
        "/annotations/{image}/annotations",
        lambda name, _: {"json": [{"type": "label", "identifier": name}, _LABEL]},
        2,
    ),
    "in ours": (
        "/resources/{image}/annotations",
        lambda name, _: {"json": {"annotations": [{"type": "label", "identifier": name}]}},
        1,
    ),
    "of many": (
        "/annotations/batch",
        lambda name, image: {"json": {"annotations": {image: [{"type": "label", "identifier": name}]}}},
        1,
    ),
    "label map as a form": (
        "/annotations/{volume}/segmentations/file",
        lambda name, _: {"files": {"file": ("m.nii", label_map())}, "data": {"segmentation_map": f'{{"1": "{name}"}}'}},
        1,
    ),
    "masks of a worklist": (
        "/annotationsets/{worklist}/resources/{image}/segmentations",
        lambda name, _: masks(name),
        1,
    ),
}


@pytest.mark.parametrize("route", ROUTES)
def test_the_same_request_under_one_key_is_answered_alike_and_stored_once(
    server: Served, admin: httpx.Client, route: str
) -> None:
    image, volume = upload(server.store), upload(server.store, *CT_FILES)
    project = server.store.create_project(NewProject("a", resource_ids=(image.id, volume.id)))
    path, request, count = ROUTES[route]
    place = path.format(image=image.id, volume=volume.id, worklist=project.worklist_id)
    first = admin.post(place, **request("one", image.id), headers=_KEY)
    again = admin.post(place, **request("one", image.id), headers=_KEY)
    assert first.status_code == 201, first.text
    assert (again.status_code, again.content) == (first.status_code, first.content)
    other = admin.post(place, **request("two", image.id), headers=_KEY)
    assert (other.status_code, other.json()["kind"]) == (422, "ValidationError")
    assert len(server.store.list_annotations(AnnotationQuery())) == count


def test_a_worklist_is_made_once(server: Served, admin: httpx.Client) -> None:
    project = server.store.create_project(NewProject("a"))
    body = {"name": "Second reading", "project_id": project.id}
    first, again = (admin.post("/annotationsets", json=body, headers=_KEY) for _ in range(2))
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert len(server.store.list_worklists(project.id)) == 2
    assert admin.post("/annotationsets", json=body).status_code == 409


def test_a_split_asked_for_again_does_not_undo_what_came_in_between(server: Served, admin: httpx.Client) -> None:
    image = upload(server.store)
    project = server.store.create_project(NewProject("a", resource_ids=(image.id,)))
    place = f"/projects/{project.id}/splits"
    first = admin.post(place, json={"assignments": {image.id: "train"}}, headers=_KEY)
    server.store.assign_split(project.id, [image.id], "test")
    again = admin.post(place, json={"assignments": {image.id: "train"}}, headers=_KEY)
    assert (again.status_code, again.content) == (200, first.content)
    assert [each.split_name for each in server.store.list_splits(project.id)] == ["test"]


def _say(store: HttpBackend, image: str, volume: str) -> Any:
    return store.create_annotations(image, [NewAnnotation("label", "benign")])


def _say_once(store: HttpBackend, image: str, volume: str) -> Any:
    return store.create_annotations_once(image, [NewAnnotation("label", "benign", imported_from="here")])


def _take_apart(store: HttpBackend, image: str, volume: str) -> Any:
    return store.upload_volume_mask(volume, label_map(), {1: "lesion"}, NewAnnotation("segmentation", ""))


@pytest.mark.parametrize("create", [_say, _say_once, _take_apart])
def test_our_client_that_was_not_answered_asks_again_and_gets_what_it_made(
    server: Served, monkeypatch: pytest.MonkeyPatch, create: Callable[[HttpBackend, str, str], Any]
) -> None:
    image, volume = upload(server.store), upload(server.store, *CT_FILES)
    answered, asked = once._response, []

    def unreachable_at_first(answer: once.Answer) -> Any:
        asked.append(answer)
        if len(asked) == 1:
            raise Refused(503, "A proxy lost this answer.")
        return answered(answer)

    monkeypatch.setattr(once, "_response", unreachable_at_first)
    monkeypatch.setenv("DATAMINT_LIKE_API_KEY", ADMIN_KEY)
    with closing(HttpBackend(server.url)) as store:
        made = create(store, image.id, volume.id)
    assert len(asked) == 2
    assert made == server.store.list_annotations(AnnotationQuery())
