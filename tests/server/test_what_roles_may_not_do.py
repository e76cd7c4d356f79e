"""Ways around the roles that were tried, and are closed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from datamint_like.backends.base import NewAnnotation, NewProject, NewResource
from tests.serving import Served

Clients = dict[str, httpx.Client]


@pytest.fixture
def project(server: Served, demo_images: Path) -> tuple[str, str]:
    """A project of the admin's and its one resource."""
    picture = demo_images / "xray" / "nih_00000001_000.png"
    resource = server.store.create_resource(NewResource((picture,), "x.png"))
    made = server.store.create_project(NewProject("theirs", resource_ids=(resource.id,)))
    return made.id, resource.id


@pytest.fixture
def people(server: Served, project: tuple[str, str]) -> Iterator[Clients]:
    """A client of a reader, an annotator and an owner of the project, and of a stranger."""
    clients = {}
    for name in ("reader", "annotator", "owner", "stranger"):
        clients[name] = server.client(server.user(f"{name}@lab.example"))
        if name != "stranger":
            role = f"PROJECT_{name.upper()}"
            server.store.administration.put_member(project[0], f"{name}@lab.example", [role])
    yield clients
    for client in clients.values():
        client.close()


@pytest.mark.parametrize("name", ["reader", "annotator"])
def test_nobody_gains_a_resource_by_putting_it_into_a_project_of_their_own(
    people: Clients, project: tuple[str, str], name: str
) -> None:
    me, resource_id = people[name], project[1]
    assert me.post("/projects", json={"name": "mine", "resource_ids": [resource_id]}).status_code == 403
    mine = me.post("/projects", json={"name": "mine"}).json()["id"]
    body = {"resource_ids_to_add": [resource_id]}
    assert me.post(f"/projects/{mine}/resources", json=body).status_code == 403
    assert me.delete(f"/resources/{resource_id}").status_code == 403


def test_who_is_taken_out_of_a_project_loses_its_resources(
    people: Clients, admin: httpx.Client, project: tuple[str, str]
) -> None:
    file = f"/resources/{project[1]}/file"
    assert people["reader"].get(file).status_code == 200
    assert admin.delete(f"/projects/{project[0]}/members/reader@lab.example").status_code == 200
    assert people["reader"].get(file).status_code == 403


def test_a_model_s_track_is_an_owner_s_to_replace(people: Clients, demo_images: Path, server: Served) -> None:
    clip = next((demo_images / "ultrasound").glob("*"))
    resource = server.store.create_resource(NewResource((clip,), "us.dcm"))
    made = server.store.find_project("theirs")
    assert made is not None
    server.store.add_project_resources(made.id, [resource.id])
    said = [NewAnnotation("label", "motion", scope="frame", frame_index=0, model_id="net")]
    server.store.create_annotations(resource.id, said)
    body = {"identifier": "motion", "type": "label", "model_id": "net", "values": []}
    path = f"/annotations/{resource.id}/frame-ranges"
    assert people["annotator"].put(path, json=body).status_code == 403
    assert len(people["owner"].put(path, json=body).json()["deleted"]) == 1


def test_that_work_is_done_for_good_is_an_owner_s_word(
    people: Clients, admin: httpx.Client, project: tuple[str, str]
) -> None:
    (worklist,) = admin.get(f"/projects/{project[0]}/worklists").json()
    paths = (
        f"/projects/{project[0]}/resources/{project[1]}/status",
        f"/annotationsets/{worklist['id']}/resources/{project[1]}/status",
    )
    for path in paths:
        assert people["annotator"].post(path, json={"status": "closed"}).status_code == 403
        assert people["annotator"].post(path, json={"status": "annotated"}).status_code == 200
        assert people["owner"].post(path, json={"status": "closed"}).status_code == 200


def test_a_frozen_annotator_adds_nothing_to_the_worklist(
    people: Clients, admin: httpx.Client, project: tuple[str, str]
) -> None:
    (worklist,) = admin.get(f"/projects/{project[0]}/worklists").json()
    place, me = f"/annotationsets/{worklist['id']}", people["annotator"]
    said = {"type": "label", "identifier": "benign", "scope": "image", "annotation_worklist_id": worklist["id"]}
    for status, expected in (("frozen", 403), ("active", 201)):
        admin.post(f"{place}/annotators/annotator@lab.example", json={"status": status})
        answer = me.post(f"/annotations/{project[1]}/annotations", json=[said])
        assert answer.status_code == expected, answer.text
        assert me.get(place).status_code == 200


@pytest.mark.parametrize("roles", [["NOT_OWNER"], ["PROJECT_READR"], ["xyz"], []], ids=str)
def test_a_role_that_is_none_is_refused(
    admin: httpx.Client, people: Clients, project: tuple[str, str], roles: list[str]
) -> None:
    answer = admin.post(f"/projects/{project[0]}/members/stranger@lab.example", json={"roles": roles})
    assert answer.status_code == 422
    assert "PROJECT_ANNOTATOR" in answer.json()["message"]


def test_only_an_admin_brings_new_people(people: Clients, admin: httpx.Client, project: tuple[str, str]) -> None:
    new = {"email": "new@lab.example", "project_id": project[0]}
    assert people["owner"].post("/users/invite", json=new).status_code == 403
    assert admin.post("/users/invite", json=new).status_code == 201
    known = {"email": "stranger@lab.example", "project_id": project[0]}
    assert people["owner"].post("/users/invite", json=known).status_code == 201


@pytest.mark.parametrize("email", ["a@b\nroot@localhost", "a b@lab.example", "@", "a@", "a\u202e@b", "a@b@c"], ids=repr)
def test_an_e_mail_that_is_none_is_refused(admin: httpx.Client, email: str) -> None:
    assert admin.post("/users", json={"email": email}).status_code == 422


def test_a_stranger_learns_neither_place_nor_id_of_a_project_whose_name_they_try(
    people: Clients, server: Served, project: tuple[str, str]
) -> None:
    taken = people["stranger"].post("/projects", json={"name": "theirs"})
    assert taken.status_code == 409
    assert project[0] not in taken.text
    for path in ("/users/zz@lab.example", f"/projects/{'0' * 8}-0000-0000-0000-{'0' * 12}"):
        assert server.store.url.removeprefix("file://") not in people["stranger"].get(path).text
