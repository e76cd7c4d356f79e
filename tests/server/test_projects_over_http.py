from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from datamint_like.backends.base import NewWorklist
from tests.serving import ADMIN_KEY, Served, served


def test_a_new_project_has_a_worklist_with_the_schema_asked_for(admin: httpx.Client) -> None:
    body = {
        "name": "Chest pilot",
        "description": "d",
        "is_active_learning": False,
        "resource_ids": [],
        "segmentationData": {
            "segmentationValueType": "single_label",
            "definitions": [{"identifier": "lesion", "color": [255, 0, 0], "index": 1}],
        },
        "annotation_set": {"resource_ids": [], "annotations": [{"type": "label", "identifier": "benign"}]},
    }
    made = admin.post("/projects", json=body).json()
    (worklist,) = admin.get(f"/projects/{made['id']}/worklists").json()
    assert worklist["segmentation_group"] == {"lesion": {"color": [255, 0, 0, 255], "index": 1}}
    assert worklist["annotations"][0]["identifier"] == "benign"


def test_a_taken_name_answers_409_with_the_project_that_has_it(admin: httpx.Client) -> None:
    made = admin.post("/projects", json={"name": "a"}).json()
    again = admin.post("/projects", json={"name": "a"})
    assert again.status_code == 409
    assert again.json()["id"] == made["id"]
    assert again.json()["kind"] == "EntityAlreadyExistsError"


def test_a_user_sees_only_projects_that_they_are_a_member_of(server: Served, admin: httpx.Client) -> None:
    project = admin.post("/projects", json={"name": "a"}).json()["id"]
    with server.client(server.user("ana@lab.example")) as ana:
        assert ana.get("/projects").json() == {"data": [{"projects": []}], "totalCount": 0}
        assert ana.get(f"/projects/{project}").status_code == 403
        admin.post(f"/projects/{project}/members/ana@lab.example", json={"roles": ["PROJECT_ANNOTATOR"]})
        assert ana.get(f"/projects/{project}").json()["name"] == "a"
        assert ana.patch(f"/projects/{project}", json={"description": "x"}).status_code == 403
        admin.post(f"/projects/{project}/members/ana@lab.example", json={"roles": ["PROJECT_OWNER"]})
        assert ana.patch(f"/projects/{project}", json={"description": "x"}).status_code == 200


def test_who_makes_a_project_owns_it(server: Served) -> None:
    with server.client(server.user("ana@lab.example")) as ana:
        project = ana.post("/projects", json={"name": "hers"}).json()
        assert project["created_by"] == "ana@lab.example"
        (member,) = ana.get(f"/projects/{project['id']}/members").json()
        assert (member["user_id"], member["roles"]) == ("ana@lab.example", ["PROJECT_OWNER"])


def test_a_slash_too_many_is_no_redirect(admin: httpx.Client) -> None:
    answer = admin.get("/projects/")
    assert answer.status_code == 404
    assert "not found" in answer.json()["message"]


def test_a_body_of_another_form_names_the_field(admin: httpx.Client) -> None:
    answer = admin.post("/projects", json={"name": 5})
    assert answer.status_code == 422
    assert "$.name" in answer.json()["message"]


def test_a_body_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    with served(tmp_path / "patient", patience_s=0.2) as running:
        host, _, port = running.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as line:
            head = f"POST /projects HTTP/1.1\r\nHost: x\r\napikey: {ADMIN_KEY}\r\nContent-Length: 30\r\n\r\n"
            line.sendall(head.encode() + b'{"name":')
            assert line.recv(1000).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("number", [2**70, -(2**64), 10**30])
def test_a_number_of_more_than_64_bits_is_refused(server: Served, admin: httpx.Client, number: int) -> None:
    group = {"lesion": {"color": [255, 0, 0], "index": number}}
    worklist = server.store.create_worklist(NewWorklist("w"))
    assert admin.patch(f"/annotationsets/{worklist.id}", json={"segmentation_group": group}).status_code == 422


@pytest.mark.parametrize("name", ["annotators", "annotations"])
@pytest.mark.parametrize("bad", [None, 5, ["a"]], ids=repr)
def test_what_is_no_object_in_a_schema_is_refused(admin: httpx.Client, name: str, bad: Any) -> None:
    body = {"name": "p", "annotation_set": {name: [bad]}}
    answer = admin.post("/projects", json=body)
    assert answer.status_code == 422, answer.text
    assert admin.get("/projects").json()["totalCount"] == 0
