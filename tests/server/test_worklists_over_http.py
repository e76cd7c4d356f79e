"""Worklists as published clients and ours make, change and work through them."""

from __future__ import annotations

import json
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from datamint_like.backends.base import NewAnnotation
from datamint_like.entities import Project, Resource
from datamint_like.testing.contents import whole
from datamint_like.testing.samples import XRAY_MASK, label, project_of, upload
from tests.serving import Served

UNKNOWN = "00000000-0000-0000-0000-000000000000"
CLASSES = {
    "segmentationValueType": "multi_label",
    "definitions": [
        {"identifier": "lesion", "color": [255, 0, 0], "index": 2},
        {"identifier": "organ", "color": [0, 255, 0]},
    ],
}
GROUPS = {
    "lesion": {"color": [255, 0, 0, 255], "index": 2},
    "organ": {"color": [0, 255, 0, 255], "index": 1},
}


@pytest.fixture
def resource(server: Served) -> Resource:
    return upload(server.store)


@pytest.fixture
def project(server: Served, resource: Resource) -> Project:
    return project_of(server.store, resource)


@pytest.fixture
def place(project: Project) -> str:
    """Path of the project's default worklist."""
    return f"/annotationsets/{project.worklist_id}"


def test_a_worklist_has_what_it_was_made_with(admin: httpx.Client, project: Project, resource: Resource) -> None:
    body = {
        "name": "Second reading",
        "project_id": project.id,
        "description": "d",
        "resource_ids": [resource.id],
        "annotations": [{"type": "category", "identifier": "view", "scope": "image", "values": ["pa", "lat"]}],
        "annotators": ["a@lab.example", {"email": "b@lab.example", "expertise_level": "expert"}],
        "frame_labels": ["motion"],
        "image_labels": ["benign"],
        "segmentation_data": CLASSES,
        "viewable_ai_segmentations": ["lesion"],
        "return_url": "https://lab.example",
    }
    made = admin.post("/annotationsets", json=body)
    assert made.status_code == 201, made.text
    found = admin.get(f"/annotationsets/{made.json()['id']}").json()
    assert found == made.json()
    assert [(each["type"], each["scope"], each["identifier"]) for each in found["annotations"]] == [
        ("category", "image", "view"),
        ("label", "image", "benign"),
        ("label", "frame", "motion"),
    ]
    assert (found["segmentation_type"], found["segmentation_group"]) == ("multi_label", GROUPS)
    assert [each["expertise_level"] for each in found["annotators"]] == ["trained", "expert"]
    assert found["resource_ids"] == [resource.id]
    assert len(admin.get(f"/projects/{project.id}/worklists").json()) == 2
    again = admin.post("/annotationsets", json=body)
    assert (again.status_code, again.json()["id"]) == (409, found["id"])


def test_a_worklist_is_made_with_the_fields_of_ours_too(admin: httpx.Client) -> None:
    body = {
        "name": "Ours",
        "project_id": None,
        "annotations": [{"type": "label", "identifier": "x", "scope": "image", "required": False, "color": None}],
        "segmentation_group": {"lesion": {"color": [1, 2, 3], "index": 1}},
        "segmentation_type": "multi_label",
    }
    made = admin.post("/annotationsets", json=body).json()
    assert made["segmentation_group"] == body["segmentation_group"]
    assert made["segmentation_type"] == "multi_label"
    changed = admin.patch(f"/annotationsets/{made['id']}", json={"name": "Mine", "segmentation_group": {}}).json()
    assert (changed["name"], changed["segmentation_group"]) == ("Mine", {})


def test_a_worklist_changes_in_the_words_of_published_clients(admin: httpx.Client, place: str) -> None:
    specs = [{"type": "segmentation", "identifier": "lesion", "scope": "frame", "required": False}]
    found = admin.patch(place, json={"annotations": specs, "segmentation_data": CLASSES}).json()
    assert found["segmentation_group"] == GROUPS
    assert found["annotations"][0]["identifier"] == "lesion"
    assert admin.patch(place, json={"editable_ai_segmentations": ["lesion"]}).json() == found
    assert admin.patch(place, json={"annotators": ["a@lab.example"]}).json()["annotators"][0]["status"] == "active"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"colour": 1},
        {"annotators": 5},
        {"annotations": 5},
        {"annotations": [{"type": "guess", "identifier": "x"}]},
        {"segmentation_data": {"definitions": 5}},
        {"segmentation_data": {"definitions": [{"identifier": "a"}, {"identifier": "a"}]}},
        {"segmentation_data": {**CLASSES, "segmentationValueType": "float"}},
        {"segmentation_group": {"a": {"color": [1, 2, 3], "index": 0}}},
        {"resource_ids": 5},
    ],
)
def test_a_change_that_cannot_be_is_refused(admin: httpx.Client, place: str, changes: dict[str, Any]) -> None:
    before = admin.get(place).json()
    assert admin.patch(place, json=changes).status_code == 422
    assert admin.get(place).json() == before


def test_segmentation_classes_are_put_read_and_taken_out(admin: httpx.Client, place: str) -> None:
    assert admin.put(f"{place}/segmentation-group", json={"segmentationData": CLASSES}).status_code == 200
    assert admin.get(f"{place}/segmentation-group").json()["groups"] == GROUPS
    assert admin.delete(f"{place}/segmentation-group/organ").status_code == 200
    assert admin.get(f"{place}/segmentation-group").json()["groups"] == {"lesion": GROUPS["lesion"]}
    assert admin.delete(f"{place}/segmentation-group/organ").status_code == 404
    renamed = {"segmentationData": CLASSES, "renames": ["lesion", "tumour"]}
    assert admin.put(f"{place}/segmentation-group", json=renamed).status_code == 422


def test_a_class_with_a_slash_in_its_name_is_taken_out(admin: httpx.Client, place: str) -> None:
    named = {"definitions": [{"identifier": "left/right", "color": [1, 2, 3], "index": 1}]}
    admin.put(f"{place}/segmentation-group", json={"segmentationData": named})
    assert admin.delete(f"{place}/segmentation-group/left/right").status_code == 200


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("classes.json", json.dumps(CLASSES)),
        ("classes.json", json.dumps(CLASSES["definitions"])),
        ("classes.json", json.dumps({"groups": GROUPS})),
        ("classes.yaml", "definitions:\n- {identifier: lesion, color: [255, 0, 0], index: 2}\n- identifier: organ\n"),
        ("classes.yml", "lesion: {color: [255, 0, 0], index: 2}\norgan: {color: [0, 255, 0], index: 1}\n"),
        ("classes.CSV", "identifier,color,index\nlesion,#ff0000,2\norgan,0 255 0,1\n"),
    ],
)
def test_segmentation_classes_come_from_a_file(admin: httpx.Client, place: str, name: str, content: str) -> None:
    answer = admin.post(f"{place}/segmentation-group/upload", files={"file": (name, content)})
    assert answer.status_code == 200, answer.text
    assert {label: each["index"] for label, each in answer.json()["groups"].items()} == {"lesion": 2, "organ": 1}
    assert answer.json()["groups"]["lesion"] == GROUPS["lesion"]


def test_a_file_of_classes_may_add_to_those_that_are_there(admin: httpx.Client, place: str) -> None:
    admin.put(f"{place}/segmentation-group", json={"segmentationData": CLASSES})
    file = {"file": ("more.csv", "identifier,color,index\nvessel,#0000ff,3\n")}
    answer = admin.post(f"{place}/segmentation-group/upload", files=file, data={"replace_existing": "false"})
    assert list(answer.json()["groups"]) == ["lesion", "organ", "vessel"]
    clash = {"file": ("more.csv", "identifier,index\nbone,3\n")}
    refused = admin.post(f"{place}/segmentation-group/upload", files=clash, data={"replace_existing": "false"})
    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("classes.txt", "x"),
        ("classes.json", "{"),
        ("classes.json", "5"),
        ("classes.yaml", "!!python/object/apply:os.system ['true']"),
        ("classes.yaml", "a: ["),
        ("classes.csv", "name\nlesion\n"),
        ("classes.csv", "identifier,index\nlesion,two\n"),
        ("classes.csv", b"\xff\xfe"),
        ("classes.json", "[" * 100_000),
        ("classes.yaml", "[" * 100_000),
        ("classes.json", " " * (11 << 20)),
    ],
)
def test_a_file_that_defines_no_classes_is_refused(
    admin: httpx.Client, place: str, name: str, content: str | bytes
) -> None:
    answer = admin.post(f"{place}/segmentation-group/upload", files={"file": (name, content)})
    assert answer.status_code == 422, answer.text
    assert admin.get(f"{place}/segmentation-group").json()["groups"] == {}


def test_resources_go_on_a_worklist_and_off_it(
    server: Served, admin: httpx.Client, place: str, resource: Resource
) -> None:
    other = upload(server.store)
    both = admin.post(f"{place}/resources", json={"resource_ids_to_add": [resource.id, other.id]}).json()
    assert both == {"resource_ids": [resource.id, other.id]}
    left = admin.post(f"{place}/resources", json={"resource_ids_to_delete": [resource.id]}).json()
    assert left == {"resource_ids": [other.id]}
    assert admin.post(f"{place}/resources", json={"resource_ids_to_add": [UNKNOWN]}).status_code == 404


def test_annotators_are_put_shown_and_taken_off(server: Served, admin: httpx.Client, place: str) -> None:
    server.user("ana@lab.example")
    part = {"status": "active", "expertise_level": "expert"}
    assert admin.post(f"{place}/annotators/ana@lab.example", json=part).json() == {"email": "ana@lab.example", **part}
    admin.post(f"{place}/annotators/ana@lab.example", json={**part, "status": "frozen"})
    shown = admin.get(f"{place}/users/ana@lab.example").json()
    assert (shown["status"], shown["expertise_level"], shown["annotations"]) == ("frozen", "expert", 0)
    assert admin.post(f"{place}/annotators/ana@lab.example", json={"status": "gone"}).status_code == 422
    assert admin.post(f"{place}/annotators/nobody@lab.example", json=part).status_code == 404
    assert admin.delete(f"{place}/annotators/ana@lab.example").status_code == 200
    assert admin.delete(f"{place}/annotators/ana@lab.example").status_code == 404
    assert admin.get(f"{place}/users/ana@lab.example").status_code == 404


def test_work_is_opened_annotated_approved_and_sent_back(
    server: Served, admin: httpx.Client, project: Project, resource: Resource, place: str
) -> None:
    key = server.user("ana@lab.example")
    admin.post(f"{place}/annotators/ana@lab.example", json={})
    status = f"{place}/resources/{resource.id}/status"
    with server.client(key) as ana:
        (row,) = ana.post(status, json={"status": "annotated"}).json()
        assert (row["user_id"], row["status"], row["resource_id"]) == ("ana@lab.example", "annotated", resource.id)
        assert ana.post(status, json={"status": "approved"}).status_code == 403
    sent_back = {"status": "revision_request", "annotator": "ana@lab.example", "message": "the apex is missing"}
    assert admin.post(status, json=sent_back).json()[0]["status"] == "opened"
    assert admin.post(status, json={"status": "approved", "annotator": "ana@lab.example"}).status_code == 200
    (row,) = admin.get(f"{place}/annotation-statuses", params={"user_id": "ana@lab.example"}).json()
    assert row["status"] == "closed"
    assert admin.get(f"{place}/annotation-statuses", params={"status": "opened"}).json() == []
    messages = admin.get(f"/projects/{project.id}/reviewmessages").json()
    assert [(each["status"], each["message"], each["annotator"]) for each in messages] == [
        ("revision_request", "the apex is missing", "ana@lab.example"),
        ("approved", "", "ana@lab.example"),
    ]
    assert messages[0]["author"] == server.store.current_user().email
    only = admin.get(f"/projects/{project.id}/reviewmessages", params={"statuses": ["approved"]}).json()
    assert [each["status"] for each in only] == ["approved"]
    assert admin.post(status, json={"status": "done"}).status_code == 422
    assert admin.post(f"{place}/resources/{UNKNOWN}/status", json={"status": "opened"}).status_code == 404


def test_starting_again_forgets_the_status_and_what_was_said_in_the_worklist(
    server: Served, admin: httpx.Client, project: Project, resource: Resource, place: str
) -> None:
    server.user("ana@lab.example")
    admin.post(f"{place}/resources/{resource.id}/status", json={"status": "closed", "annotator": "ana@lab.example"})
    inside = NewAnnotation("label", "in", author="ana@lab.example", worklist_id=project.worklist_id)
    server.store.create_annotations(resource.id, [inside, label("out", author="ana@lab.example")])
    reset = f"{place}/resources/{resource.id}/annotator/ana@lab.example/status-reset"
    assert admin.delete(reset).status_code == 200
    assert server.store.list_work_statuses(project.id) == []
    (left,) = whole(server.store.read_project(project.id)).annotations[resource.id]
    assert left.identifier == "out"


def test_a_worklist_without_project_has_no_work(admin: httpx.Client, resource: Resource) -> None:
    made = admin.post("/annotationsets", json={"name": "Alone", "resource_ids": [resource.id]}).json()
    answer = admin.post(f"/annotationsets/{made['id']}/resources/{resource.id}/status", json={"status": "opened"})
    assert answer.status_code == 422


def test_what_was_said_of_a_resource_in_a_worklist_is_listed_by_kind_and_annotator(
    server: Served, admin: httpx.Client, project: Project, resource: Resource, place: str
) -> None:
    inside = {"worklist_id": project.worklist_id}
    payload = XRAY_MASK.read_bytes()
    mask = NewAnnotation("segmentation", "lung", scope="frame", frame_index=0, payload=payload, model_id="net")
    said = [
        NewAnnotation("label", "a", author="ana@lab.example", **inside),
        NewAnnotation("label", "b", **inside),
        NewAnnotation("segmentation", "lung", scope="frame", frame_index=0, payload=payload, **inside),
    ]
    server.store.create_annotations(resource.id, [*said, mask, label("outside")])
    of_resource = f"{place}/resources/{resource.id}"

    def names(kind: str, **query: Any) -> list[str]:
        return [each["identifier"] for each in admin.get(f"{of_resource}/{kind}", params=query).json()]

    assert names("annotations", all=True) == ["a", "b"]
    assert names("annotations", all=True, annotator="ana@lab.example") == ["a"]
    assert names("annotations") == ["b"]
    assert names("segmentations", all=True) == ["lung"]
    (by_model,) = admin.get(f"{of_resource}/ai_segmentations").json()
    assert by_model["created_by_model"] == "net"


def test_masks_of_frames_are_uploaded_in_one_form(
    server: Served, admin: httpx.Client, project: Project, resource: Resource, place: str
) -> None:
    items = [{"identifier": "lung", "frame_index": 0, "width": 512, "height": 512, "set_name": None}]
    where = f"{place}/resources/{resource.id}/segmentations"
    images = {"images": ("mask.png", XRAY_MASK.read_bytes(), "image/png")}
    (made,) = admin.post(where, data={"payload": json.dumps(items)}, files=images).json()["ids"]
    row = server.store.get_annotation(made)
    assert (row.annotation_worklist_id, row.identifier, row.frame_index) == (project.worklist_id, "lung", 0)
    small = {"images": ("mask.png", cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes(), "image/png")}
    for payload, files in (
        (json.dumps(items), None),
        (json.dumps(items * 2), images),
        (json.dumps(items), small),
        (json.dumps([{**items[0], "id": UNKNOWN}]), images),
        ("no json", images),
        (None, images),
    ):
        data = {} if payload is None else {"payload": payload}
        assert admin.post(where, data=data, files=files).status_code == 422
    assert len(whole(server.store.read_project(project.id)).annotations[resource.id]) == 1


def test_worklists_are_read_by_members_and_changed_by_owners(
    server: Served, admin: httpx.Client, project: Project, resource: Resource, place: str
) -> None:
    with server.client(server.user("ana@lab.example")) as ana:
        assert ana.get(place).status_code == 403
        admin.post(f"/projects/{project.id}/members/ana@lab.example", json={"roles": ["PROJECT_ANNOTATOR"]})
        assert ana.get(place).status_code == 200
        refused = [
            ana.patch(place, json={"name": "x"}),
            ana.put(f"{place}/segmentation-group", json={"segmentationData": CLASSES}),
            ana.delete(f"{place}/segmentation-group/organ"),
            ana.post(f"{place}/segmentation-group/upload", files={"file": ("x.json", "[]")}),
            ana.post(f"{place}/resources", json={}),
            ana.post(f"{place}/annotators/ana@lab.example", json={}),
            ana.delete(f"{place}/annotators/ana@lab.example"),
            ana.delete(f"{place}/resources/{resource.id}/annotator/ana@lab.example/status-reset"),
            ana.post("/annotationsets", json={"name": "x", "project_id": project.id}),
        ]
        assert [each.status_code for each in refused] == [403] * len(refused)
        own = ana.post("/annotationsets", json={"name": "hers"}).json()
        assert ana.patch(f"/annotationsets/{own['id']}", json={"name": "still hers"}).status_code == 200
    assert admin.get(f"/annotationsets/{UNKNOWN}").status_code == 404
