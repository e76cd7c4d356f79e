"""Annotations as published clients make, find, change and delete them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from datamint_like.testing.samples import CT_FILES, label, project_of, upload
from tests.serving import Served

UNKNOWN = "00000000-0000-0000-0000-000000000000"
PLAIN = [
    {"type": "label", "identifier": "benign", "scope": "image", "source": "imported"},
    {"type": "category", "identifier": "view", "scope": "image", "value": "lat", "source": "imported"},
    {"type": "float", "identifier": "age", "scope": "image", "value": 3.5, "units": "y"},
    {"type": "label", "identifier": "fr", "scope": "frame", "frame_range": [1, 2]},
    {
        "type": "square",
        "identifier": "b",
        "scope": "image",
        "geometry": {"points": [[1, 2, 0], [11, 2, 0], [1, 22, 0], [11, 22, 0]]},
    },
    {
        "type": "line",
        "identifier": "l",
        "scope": "frame",
        "frame_index": 3,
        "geometry": {"points": [[1, 2, 0], [11, 22, 0]], "viewPlaneNormal": [0, 0, 1], "viewUp": [0, -1, 0]},
    },
    {
        "type": "region",
        "identifier": "p",
        "scope": "image",
        "geometry": {"points": [[0, 0, 0], [3, 4, 0], [5, 1, 0]], "closed": True},
    },
    {
        "type": "point",
        "identifier": "pt",
        "scope": "image",
        "geometry": {"points": [[3, 4, 0]]},
        "value": '{"k": 1}',
        "import_author": "b@lab.example",
    },
]


def found(client: httpx.Client, **body: Any) -> list[dict[str, Any]]:
    """What a search answers."""
    answer = client.post("/annotations/search", json={"offset": "0", "limit": "5000", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"][0]["annotations"]


def test_each_item_of_a_request_gets_one_id_in_its_order(server: Served, admin: httpx.Client) -> None:
    volume = upload(server.store, *CT_FILES)
    ids = admin.post(f"/annotations/{volume.id}/annotations", json=PLAIN).json()
    assert len(ids) == len(PLAIN)
    assert all(isinstance(each, str) for each in ids)
    names = [admin.get(f"/annotations/{each}").json()["identifier"] for each in ids]
    assert names == [item["identifier"] for item in PLAIN]


def test_what_was_sent_comes_back_where_clients_look_for_it(server: Served, admin: httpx.Client) -> None:
    volume = upload(server.store, *CT_FILES)
    admin.post(f"/annotations/{volume.id}/annotations", json=PLAIN)
    rows = {each["identifier"]: each for each in found(admin, resource_id=volume.id)}
    assert (rows["view"]["text_value"], rows["view"]["numeric_value"]) == ("lat", None)
    assert (rows["age"]["text_value"], rows["age"]["numeric_value"], rows["age"]["units"]) == (None, 3.5, "y")
    assert rows["l"]["geometry"] == PLAIN[5]["geometry"]
    assert rows["benign"]["geometry"] is None
    assert rows["pt"]["text_value"] == '{"k": 1}'
    assert rows["pt"]["created_by"] == "b@lab.example"
    assert rows["benign"]["created_by"] == server.store.current_user().email


def test_a_frame_range_is_a_row_a_frame_its_last_frame_too(server: Served, admin: httpx.Client) -> None:
    volume = upload(server.store, *CT_FILES)
    item = {"type": "label", "identifier": "motion", "scope": "frame", "frame_range": [2, 5]}
    (first,) = admin.post(f"/annotations/{volume.id}/annotations", json=[item]).json()
    rows = found(admin, resource_id=volume.id)
    assert [each["frame_index"] for each in rows] == [2, 3, 4, 5]
    assert rows[0]["id"] == first


@pytest.mark.parametrize(
    "item",
    [
        {"type": "guess", "identifier": "x", "scope": "image"},
        {"type": "label", "identifier": "x", "scope": "voxel"},
        {"type": "label", "scope": "image"},
        {"identifier": "x", "scope": "image"},
        {"type": "label", "identifier": "x", "scope": "frame", "frame_range": [0, 10**9]},
        {"type": "label", "identifier": "x", "scope": "frame", "frame_range": [3, 2]},
        {"type": "segmentation", "identifier": "x", "scope": "frame", "frame_range": [0, 1]},
        {"type": "label", "identifier": "x", "scope": "frame", "frame_index": 99},
        {"type": "integer", "identifier": "x", "value": 2**53 + 1},
        {"type": "integer", "identifier": "x", "value": True},
        {"type": "label", "identifier": "x", "annotation_worklist_id": 7},
    ],
)
def test_one_bad_item_refuses_the_request_and_nothing_of_it_is_stored(
    server: Served, admin: httpx.Client, item: dict[str, Any]
) -> None:
    volume = upload(server.store, *CT_FILES)
    answer = admin.post(f"/annotations/{volume.id}/annotations", json=[PLAIN[0], item])
    assert answer.status_code == 422
    assert answer.json()["kind"] == "ValidationError"
    assert found(admin, resource_id=volume.id) == []


def test_an_unknown_resource_worklist_or_annotation_is_not_found(server: Served, admin: httpx.Client) -> None:
    resource = upload(server.store)
    in_no_list = {**PLAIN[0], "annotation_worklist_id": UNKNOWN}
    answers = [
        admin.post(f"/annotations/{UNKNOWN}/annotations", json=[PLAIN[0]]),
        admin.post(f"/annotations/{resource.id}/annotations", json=[in_no_list]),
        admin.get(f"/annotations/{UNKNOWN}"),
        admin.patch(f"/annotations/{UNKNOWN}", json={"identifier": "x"}),
        admin.patch(f"/annotations/{UNKNOWN}/approve"),
        admin.delete(f"/annotations/{UNKNOWN}"),
        admin.post("/annotations/delete-batch", json={"ids": [UNKNOWN]}),
    ]
    assert [each.status_code for each in answers] == [404] * len(answers)
    assert all("not found" in each.json()["message"] for each in answers)


def test_no_items_give_no_ids(server: Served, admin: httpx.Client) -> None:
    assert admin.post(f"/annotations/{upload(server.store).id}/annotations", json=[]).json() == []


def test_a_search_pages_by_texts_in_order_of_creation(server: Served, admin: httpx.Client) -> None:
    resource = upload(server.store)
    server.store.create_annotations(resource.id, [label(str(number)) for number in range(7)])
    pages = [found(admin, resource_ids=[resource.id], offset=str(start), limit="3") for start in (0, 3, 6, 9)]
    assert [[each["identifier"] for each in page] for page in pages] == [["0", "1", "2"], ["3", "4", "5"], ["6"], []]
    answer = admin.post("/annotations/search", json={"offset": "0", "limit": "3"}).json()
    assert answer["totalCount"] == 7


def test_a_search_knows_every_key_of_the_protocol(server: Served, admin: httpx.Client) -> None:
    one, other = upload(server.store), upload(server.store, *CT_FILES)
    project = project_of(server.store, one)
    listed = {"annotation_worklist_id": project.worklist_id, "import_author": "b@lab.example"}
    admin.post(f"/annotations/{one.id}/annotations", json=[PLAIN[0], {**PLAIN[1], **listed, "source": "manual"}])
    (approved,) = admin.post(f"/annotations/{other.id}/annotations", json=[{**PLAIN[2], "model_id": "net"}]).json()
    admin.patch(f"/annotations/{approved}/approve")
    gone = admin.post(f"/annotations/{other.id}/annotations", json=[PLAIN[0]]).json()
    admin.delete(f"/annotations/{gone[0]}")

    def names(**body: Any) -> list[str]:
        return [each["identifier"] for each in found(admin, **body)]

    assert names() == ["benign", "view", "age"]
    assert names(resource_id=other.id) == names(resource_ids=[other.id]) == ["age"]
    assert names(resource_ids=[]) == []
    assert names(annotation_type="category") == ["view"]
    assert names(annotatorEmail="b@lab.example") == ["view"]
    assert names(annotation_worklist_id=project.worklist_id) == ["view"]
    assert names(status="published") == ["age"]
    assert names(source="manual") == ["view"]
    assert names(deleted="only") == ["benign"]
    assert names(deleted="include") == ["benign", "view", "age", "benign"]
    assert names(dataset_id=project.dataset_id) == ["benign", "view"]
    assert names(dataset_id=UNKNOWN) == []
    assert names(load_ai_segmentations=True) == names()
    day = server.store.now()[:10]
    assert names(**{"from": "2020-01-01", "to": day}) == names()
    assert names(to="2020-01-01") == []
    assert admin.post("/annotations/search", json={"from": "once"}).status_code == 422


def test_an_identifier_changes_and_a_project_is_passed_over(server: Served, admin: httpx.Client) -> None:
    (made,) = server.store.create_annotations(upload(server.store).id, [label()])
    assert admin.patch(f"/annotations/{made.id}", json={"project_id": UNKNOWN}).json()["identifier"] == "benign"
    changed = admin.patch(f"/annotations/{made.id}", json={"identifier": "malignant", "project_id": UNKNOWN})
    assert changed.json()["identifier"] == "malignant"
    assert admin.patch(f"/annotations/{made.id}", json={"colour": "red"}).status_code == 422
    assert admin.patch(f"/annotations/{made.id}", json={}).status_code == 422


def test_approving_says_who_and_when(server: Served, admin: httpx.Client) -> None:
    (made,) = server.store.create_annotations(upload(server.store).id, [label()])
    assert admin.patch(f"/annotations/{made.id}/approve").status_code == 200
    row = admin.get(f"/annotations/{made.id}").json()
    assert row["status"] == "published"
    assert row["approved_by"] == server.store.current_user().email
    assert row["approved_at"]


def test_many_are_deleted_in_one_call_or_none_is(server: Served, admin: httpx.Client) -> None:
    resource = upload(server.store)
    ids = [each.id for each in server.store.create_annotations(resource.id, [label("a"), label("b"), label("c")])]
    assert admin.post("/annotations/delete-batch", json={"ids": [ids[0], UNKNOWN]}).status_code == 404
    assert len(found(admin)) == 3
    assert admin.post("/annotations/delete-batch", json={"ids": ids[:2]}).status_code == 200
    assert [each["id"] for each in found(admin)] == ids[2:]
