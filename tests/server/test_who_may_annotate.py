"""What readers, annotators and owners of a project may do with annotations."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from datamint_like.entities import Project, Resource
from datamint_like.testing.samples import label, project_of, upload
from tests.serving import Served

LABEL = [{"type": "label", "identifier": "benign", "scope": "image"}]


@pytest.fixture
def resource(server: Served) -> Resource:
    return upload(server.store)


@pytest.fixture
def project(server: Served, resource: Resource) -> Project:
    return project_of(server.store, resource)


@pytest.fixture
def people(server: Served, project: Project) -> Iterator[dict[str, httpx.Client]]:
    """A client for each role, and for somebody who has no part in the project."""
    clients = {}
    for role in ("reader", "annotator", "owner", "stranger"):
        clients[role] = server.client(server.user(f"{role}@lab.example"))
        if role != "stranger":
            server.store.administration.put_member(project.id, f"{role}@lab.example", [f"PROJECT_{role.upper()}"])
    yield clients
    for client in clients.values():
        client.close()


def codes(people: dict[str, httpx.Client], method: str, path: str, **body: object) -> dict[str, int]:
    return {role: client.request(method, path, **body).status_code for role, client in people.items()}  # type: ignore[arg-type]


def test_annotators_say_things_and_readers_read_them(people: dict[str, httpx.Client], resource: Resource) -> None:
    place = f"/annotations/{resource.id}/annotations"
    expected = {"reader": 403, "annotator": 201, "owner": 201, "stranger": 403}
    assert codes(people, "POST", place, json=LABEL) == expected
    ours = {"annotations": LABEL}
    assert codes(people, "POST", f"/resources/{resource.id}/annotations", json=ours) == expected
    batch = {"annotations": {resource.id: LABEL}}
    assert codes(people, "POST", "/annotations/batch", json=batch) == expected
    track = {"identifier": "m", "type": "label", "values": [{"frame_ranges": [{"start": 0, "end": 1}]}]}
    assert set(codes(people, "PUT", f"/annotations/{resource.id}/frame-ranges", json=track).values()) == {200, 403}
    ranges = codes(people, "GET", f"/annotations/{resource.id}/frame-ranges")
    assert ranges == {"reader": 200, "annotator": 200, "owner": 200, "stranger": 403}


def test_a_search_holds_only_what_the_caller_may_see(
    server: Served, people: dict[str, httpx.Client], resource: Resource
) -> None:
    server.store.create_annotations(resource.id, [label()])
    counts = {
        role: client.post("/annotations/search", json={"resource_ids": [resource.id]}).json()["totalCount"]
        for role, client in people.items()
    }
    assert counts == {"reader": 1, "annotator": 1, "owner": 1, "stranger": 0}


def test_only_owners_and_admins_speak_in_the_name_of_others(
    people: dict[str, httpx.Client], admin: httpx.Client, resource: Resource
) -> None:
    place = f"/annotations/{resource.id}/annotations"
    for_another = [{**LABEL[0], "import_author": "b@lab.example"}]
    expected = {"reader": 403, "annotator": 403, "owner": 201, "stranger": 403}
    assert codes(people, "POST", place, json=for_another) == expected
    ours = {"annotations": [{**LABEL[0], "author": "b@lab.example"}]}
    assert codes(people, "POST", f"/resources/{resource.id}/annotations", json=ours) == expected
    assert admin.post(place, json=for_another).status_code == 201
    own = [{**LABEL[0], "import_author": "annotator@lab.example"}]
    assert people["annotator"].post(place, json=own).status_code == 201


def test_annotators_change_their_own_and_owners_everybodys(
    server: Served, people: dict[str, httpx.Client], resource: Resource
) -> None:
    mine, theirs = server.store.create_annotations(
        resource.id, [label(author="annotator@lab.example"), label(author="owner@lab.example")]
    )
    annotator, owner = people["annotator"], people["owner"]
    assert annotator.patch(f"/annotations/{mine.id}", json={"identifier": "x"}).status_code == 200
    assert annotator.patch(f"/annotations/{theirs.id}", json={"identifier": "x"}).status_code == 403
    assert annotator.post("/annotations/delete-batch", json={"ids": [mine.id, theirs.id]}).status_code == 403
    assert owner.patch(f"/annotations/{mine.id}", json={"identifier": "y"}).status_code == 200
    assert annotator.delete(f"/annotations/{mine.id}").status_code == 200


def test_nobody_approves_their_own_work_by_being_its_author(
    server: Served, people: dict[str, httpx.Client], resource: Resource
) -> None:
    (mine,) = server.store.create_annotations(resource.id, [label(author="annotator@lab.example")])
    assert people["annotator"].patch(f"/annotations/{mine.id}/approve").status_code == 403
    assert people["annotator"].patch(f"/annotations/{mine.id}", json={"status": "published"}).status_code == 403
    assert people["owner"].patch(f"/annotations/{mine.id}/approve").status_code == 200


def test_nobody_annotates_into_a_worklist_of_a_project_that_is_not_theirs(
    server: Served, people: dict[str, httpx.Client], resource: Resource
) -> None:
    foreign = project_of(server.store, name="Another").worklist_id
    item = [{**LABEL[0], "annotation_worklist_id": foreign}]
    assert people["annotator"].post(f"/annotations/{resource.id}/annotations", json=item).status_code == 403
