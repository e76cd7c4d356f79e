"""Numbers of the work in a project, annotations as a table, and people who are asked to join."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest

from datamint_like.backends.base import NewAnnotation
from datamint_like.entities import Project, Resource
from datamint_like.testing.contents import whole
from datamint_like.testing.samples import CT_FILES, label, project_of, upload, xray_mask
from tests.serving import Served

ANA, BEN = "ana@lab.example", "ben@lab.example"


@pytest.fixture
def resources(server: Served) -> tuple[Resource, Resource]:
    return upload(server.store), upload(server.store, *CT_FILES)


@pytest.fixture
def project(server: Served, resources: tuple[Resource, Resource]) -> Project:
    """Two resources; Ana annotated and closed the first, Ben only labelled the second, in the default worklist."""
    project = project_of(server.store, *resources)
    server.user(ANA)
    server.user(BEN)
    image, volume = resources
    server.store.create_annotations(image.id, [label(author=ANA), xray_mask(author=ANA)])
    server.store.create_annotations(
        volume.id, [NewAnnotation("label", "benign", author=BEN, worklist_id=project.worklist_id)]
    )
    server.store.administration.set_work_status(project.id, image.id, ANA, "closed")
    return project


def test_each_annotator_is_counted(
    server: Served, admin: httpx.Client, project: Project, resources: tuple[Resource, Resource]
) -> None:
    place = f"/projects/{project.id}"
    rows = {each["email"]: each for each in admin.get(f"{place}/annotators-statistic").json()}
    assert rows[ANA] == {
        "email": ANA,
        "resources": 2,
        "opened": 0,
        "annotated": 0,
        "closed": 1,
        "annotated_resources": 1,
        "annotations": 2,
        "segmentations": 1,
    }
    assert set(rows) == {ANA, BEN, server.store.current_user().email}
    only = admin.get(f"{place}/annotators-statistic", params={"email": BEN}).json()
    assert [each["email"] for each in only] == [BEN]
    assert admin.get(f"{place}/users/{ANA}/status").json() == rows[ANA]
    in_worklist = admin.get(f"/annotationsets/{project.worklist_id}/annotators-statistic", params={"email": BEN})
    assert in_worklist.json()[0]["annotations"] == 1


def test_what_was_said_is_counted(admin: httpx.Client, project: Project) -> None:
    found = admin.get(f"/projects/{project.id}/annotations-statistic").json()
    assert (found["total"], found["types"]) == (3, {"label": 2, "segmentation": 1})
    benign = next(each for each in found["identifiers"] if each["identifier"] == "benign")
    assert benign == {
        "type": "label",
        "identifier": "benign",
        "scope": "image",
        "count": 2,
        "resources": 2,
        "annotators": 2,
    }
    in_worklist = admin.get(f"/annotationsets/{project.worklist_id}/annotations-statistic").json()
    assert [(each["identifier"], each["count"]) for each in in_worklist] == [("benign", 1)]


def test_the_matrix_has_a_row_a_resource(
    admin: httpx.Client, project: Project, resources: tuple[Resource, Resource]
) -> None:
    found = admin.get(f"/projects/{project.id}/files-matrix-statistic").json()
    assert found["annotators"] == [ANA, BEN]
    assert [(row["resource_id"], row["statuses"], row["annotations"]) for row in found["resources"]] == [
        (resources[0].id, {ANA: "closed"}, {ANA: 2}),
        (resources[1].id, {}, {BEN: 1}),
    ]


def test_a_state_of_work_is_forgotten(
    server: Served, admin: httpx.Client, project: Project, resources: tuple[Resource, Resource]
) -> None:
    place = f"/projects/{project.id}/resources/{resources[0].id}/annotator/{ANA}/status-reset"
    assert admin.delete(place).status_code == 200
    assert server.store.list_work_statuses(project.id) == []
    assert len(whole(server.store.read_project(project.id)).annotations[resources[0].id]) == 2


def table(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_annotations_come_as_a_table_in_dataset_order(
    admin: httpx.Client, project: Project, resources: tuple[Resource, Resource]
) -> None:
    place = f"/projects/{project.id}/download-annotations"
    rows = table(admin.get(place, params={"format": "csv"}))
    assert [(row["resource_id"], row["identifier"], row["created_by"]) for row in rows] == [
        (resources[0].id, "benign", ANA),
        (resources[0].id, "lung", ANA),
        (resources[1].id, "benign", BEN),
    ]
    assert len(table(admin.get(place, params={"annotators[]": [ANA]}))) == 2
    assert len(table(admin.get(place, params={"annotations[]": ["benign,other"]}))) == 2
    assert len(table(admin.get(place, params={"annotators[]": [ANA, BEN], "annotations[]": ["benign"]}))) == 2
    assert table(admin.get(place, params={"to": "2020-01-01"})) == []
    in_worklist = f"/annotationsets/{project.worklist_id}/download-annotations"
    assert [row["created_by"] for row in table(admin.get(in_worklist))] == [BEN]


def test_no_text_of_the_table_runs_as_a_formula(
    server: Served, admin: httpx.Client, project: Project, resources: tuple[Resource, Resource]
) -> None:
    attack = '=HYPERLINK("http://evil.example")'
    said: list[Any] = [
        NewAnnotation("category", attack, value="@SUM(1)"),
        NewAnnotation("float", "-change", value=-3.5, units="+mm"),
        NewAnnotation("text", "note", value='a "quoted", text\nof two lines'),
        NewAnnotation("point", "pt", geometry={"points": [[1, 2, 0]]}),
    ]
    server.store.create_annotations(resources[0].id, said)
    rows = {row["identifier"]: row for row in table(admin.get(f"/projects/{project.id}/download-annotations"))}
    assert rows[f"'{attack}"]["text_value"] == "'@SUM(1)"
    assert (rows["'-change"]["numeric_value"], rows["'-change"]["units"]) == ("-3.5", "'+mm")
    assert rows["note"]["text_value"] == 'a "quoted", text\nof two lines'
    assert rows["pt"]["geometry"] == '{"points":[[1,2,0]]}'


@pytest.mark.parametrize(("query", "status"), [("format=xlsx", 404), ("format=excel", 404), ("format=pdf", 422)])
def test_other_tables_are_not_served(admin: httpx.Client, project: Project, query: str, status: int) -> None:
    assert admin.get(f"/projects/{project.id}/download-annotations?{query}").status_code == status
    assert admin.get(f"/annotationsets/{project.worklist_id}/download-annotations?{query}").status_code == status


def test_a_date_that_is_none_is_refused_before_the_table_begins(admin: httpx.Client, project: Project) -> None:
    assert admin.get(f"/projects/{project.id}/download-annotations?from=once").status_code == 422
    assert admin.get(f"/annotationsets/{project.worklist_id}/download-annotations?from=once").status_code == 422


def test_statistics_are_for_members_and_unknown_projects_are_not_found(
    server: Served, admin: httpx.Client, project: Project
) -> None:
    names = ["annotators-statistic", "annotations-statistic", "files-matrix-statistic", "download-annotations"]
    names += ["reviewmessages", f"users/{ANA}/status"]
    with server.client(server.user("eve@lab.example")) as eve:
        assert {eve.get(f"/projects/{project.id}/{name}").status_code for name in names} == {403}
    unknown = "00000000-0000-0000-0000-000000000000"
    assert {admin.get(f"/projects/{unknown}/{name}").status_code for name in names} == {404}


def test_whoever_owns_a_project_brings_others_into_it(server: Served, admin: httpx.Client, project: Project) -> None:
    owner = server.user("olga@lab.example")
    server.store.administration.put_member(project.id, "olga@lab.example", ["PROJECT_OWNER"])
    body = {"email": "new@lab.example", "firstname": "New"}
    made = admin.post("/users/invite", json=body)
    assert (made.status_code, made.json()["firstname"], made.json()["roles"]) == (201, "New", [])
    invitation = {"email": "new@lab.example", "project_id": project.id, "project_roles": ["PROJECT_REVIEWER"]}
    with server.client(owner) as olga:
        assert olga.post("/users/invite", json=invitation).status_code == 201
        assert olga.post("/users/invite", json={"email": "x@lab.example"}).status_code == 403
    roles = {each.user_id: each.roles for each in server.store.administration.list_members(project.id)}
    assert roles["new@lab.example"] == ("PROJECT_REVIEWER",)
    assert admin.post("/users/invite", json={"email": "y@lab.example"}).status_code == 201
    assert admin.get("/users/invitations").json() == []
    assert admin.delete("/users/invitations/y@lab.example/revoke").status_code == 404
