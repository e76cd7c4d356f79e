from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from datamint_like.backends.base import NewAnnotation, NewResource
from datamint_like.entities import Resource
from tests.serving import Served

_UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def three(server: Served, tmp_path: Path) -> list[Resource]:
    """Three resources that differ: a.png (MR, x), b.png (CT, x and y, published), c.png (CT, published)."""
    made = []
    for n, (name, modality, tags) in enumerate((("a", "MR", ["x"]), ("b", "CT", ["x", "y"]), ("c", "CT", []))):
        path = tmp_path / f"{name}.png"
        cv2.imwrite(str(path), np.full((4, 5), n, np.uint8))
        new = NewResource(
            (path,), f"{name}.png", modality=modality, tags=tuple(tags), publish=n > 0, channel=f"ch{n // 2}"
        )
        made.append(server.store.create_resource(new))
    return made


def _names(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    rows = body["data"][0]["resources"]
    assert body["totalCount"] >= len(rows)
    return "".join(row["filename"][0] for row in rows)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"status": ""}, "abc"),
        ({"status": "inbox"}, ""),  # joining a project publishes
        ({"status": "published"}, "abc"),
        ({"modality": "CT"}, "bc"),
        ({"mimetype": "image/png"}, "abc"),
        ({"mimetype": "image/jpeg"}, ""),
        ({"filename": "b.p"}, "b"),
        ({"channel_name": "ch0"}, "ab"),
        ({"order_field": "filename", "order_by_asc": "false"}, "cba"),
        ({"order_field": "modality", "order_by_asc": "true"}, "bca"),
        ({"from": "2020-01-01"}, "abc"),
        ({"to": "2020-01-01"}, ""),
        ({"from": "2999-01-01"}, ""),
        ({"tags": json.dumps({"items": ["x", "y"], "filterType": "union"})}, "ab"),
        ({"tags": json.dumps({"items": ["x", "y"], "filterType": "intersection"})}, "b"),
        ({"tags": json.dumps({"items": []})}, "abc"),
        ({"project": json.dumps({"items": ["p"], "filterType": "intersection"})}, "ab"),
        ({"project": json.dumps({"items": ["p", "q"], "filterType": "intersection"})}, "b"),
        ({"project": json.dumps({"items": ["p", "q"], "filterType": "union"})}, "abc"),
        ({"offset": "1", "limit": "1"}, "b"),
        ({"offset": "3"}, ""),
        ({"limit": "0"}, ""),
        ({"deleted": "include"}, "abc"),
        ({"deleted": "only"}, ""),
    ],
)
def test_a_listing_holds_what_is_asked_for(
    server: Served, admin: httpx.Client, three: list[Resource], query: dict[str, str], names: str
) -> None:
    a, b, c = (each.id for each in three)
    for project, members in (("p", [a]), ("q", [c])):
        made = admin.post("/projects", json={"name": project, "resource_ids": []}).json()["id"]
        admin.post(f"/projects/{made}/resources", json={"resource_ids_to_add": [b, *members]})
    assert sorted(_names(admin.get("/resources", params=query))) == sorted(names)
    if "order_field" in query:
        assert _names(admin.get("/resources", params=query)) == names


@pytest.mark.parametrize(
    "query", [{"deleted": "maybe"}, {"order_field": "size"}, {"offset": "-1"}, {"tags": "x"}, {"from": "soon"}]
)
def test_a_query_that_means_nothing_is_refused(admin: httpx.Client, query: dict[str, str]) -> None:
    assert admin.get("/resources", params=query).status_code == 422


def test_an_unknown_project_is_not_found(admin: httpx.Client) -> None:
    answer = admin.get("/resources", params={"project": json.dumps({"items": ["nowhere"]})})
    assert answer.status_code == 404


def test_the_total_counts_all_pages(admin: httpx.Client, three: list[Resource]) -> None:
    page = admin.get("/resources", params={"limit": 2}).json()
    assert (len(page["data"][0]["resources"]), page["totalCount"]) == (2, 3)


def test_no_null_stands_where_clients_want_an_object(admin: httpx.Client, three: list[Resource]) -> None:
    for row in admin.get("/resources").json()["data"][0]["resources"]:
        assert isinstance(row["metadata"], dict)
        assert isinstance(row["user_info"], dict)
        assert isinstance(row["size"], int)


def test_one_and_many_come_by_id(admin: httpx.Client, three: list[Resource]) -> None:
    a, b, c = (each.id for each in three)
    assert admin.get(f"/resources/{a}").json()["filename"] == "a.png"
    many = admin.post("/resources/by-ids", json={"resource_ids": [c, a, b]}).json()
    assert [each["id"] for each in many] == [c, a, b]
    missing = admin.get(f"/resources/{_UNKNOWN}")
    assert missing.status_code == 404
    assert "not found" in missing.json()["message"]
    assert admin.post("/resources/by-ids", json={"resource_ids": [a, _UNKNOWN]}).status_code == 404


def test_parts_do_not_tell_where_the_server_has_them(server: Served, admin: httpx.Client, picture: Path) -> None:
    linked = server.store.create_resource(NewResource((picture,), "picture.png", link=True))
    (part,) = admin.post("/resources/parts", json={"resource_ids": [linked.id]}).json()[linked.id]
    assert (part["filename"], part["linked_path"], part["mtime_ns"]) == ("picture.png", None, None)


def test_tags_are_replaced_and_added(admin: httpx.Client, three: list[Resource]) -> None:
    a, b, c = (each.id for each in three)

    def tags() -> list[Any]:
        found = admin.post("/resources/by-ids", json={"resource_ids": [a, b, c]}).json()
        return [each["tags"] for each in found]

    assert admin.put(f"/resources/{a}/tags", json={"tags": ["one"]}).status_code == 200
    assert admin.put("/resources/tags", json={"resource_ids": [b, c], "tags": ["two"]}).status_code == 200
    assert admin.post("/resources/tags/add", json={"resource_ids": [a, b], "tags": ["two", "three"]}).status_code == 200
    assert tags() == [["one", "two", "three"], ["two", "three"], ["two"]]


def test_publishing_what_is_published_is_told_as_clients_expect(admin: httpx.Client, three: list[Resource]) -> None:
    a, b, _ = (each.id for each in three)
    assert admin.post(f"/resources/{a}/publish").status_code == 200
    assert admin.get(f"/resources/{a}").json()["status"] == "published"
    again = admin.post(f"/resources/{a}/publish")
    assert again.status_code == 400
    assert "Resource must be in inbox status to be approved" in again.json()["message"]
    assert again.json()["kind"] == "ValidationError"
    assert admin.post("/resources/bulk-publish", json={"resource_ids": [a, b]}).status_code == 200


def test_what_is_deleted_comes_back(admin: httpx.Client, three: list[Resource]) -> None:
    a, b, c = (each.id for each in three)
    assert admin.delete(f"/resources/{a}").status_code == 200
    assert admin.delete(f"/resources?resource_ids={b},{c}").status_code == 200
    assert _names(admin.get("/resources")) == ""
    assert _names(admin.get("/resources", params={"deleted": "only"})) == "abc"
    assert admin.post(f"/resources/{a}/restore").json()["status"] == "inbox"
    answer = admin.post("/resources/restore", json={"ids": [a, b, _UNKNOWN]}).json()
    assert answer == {
        "restored": [b],
        "skipped": [{"id": a, "reason": "not_deleted"}, {"id": _UNKNOWN, "reason": "not_found"}],
    }
    assert _names(admin.get("/resources")) == "ab"


def test_those_not_annotated_are_listed(server: Served, admin: httpx.Client, three: list[Resource]) -> None:
    a, b, _ = three
    (kept, dropped) = (
        server.store.create_annotations(each.id, [NewAnnotation("label", "benign")])[0] for each in (a, b)
    )
    server.store.delete_annotations([dropped.id])
    assert kept.id
    answer = admin.get("/resources/not-annotated")
    assert _names(answer) == "bc"
    assert answer.json()["totalCount"] == 2


def test_channels_hold_their_resources(admin: httpx.Client, three: list[Resource]) -> None:
    answer = admin.get("/resources/channels").json()
    assert answer["totalCount"] == 2
    first, second = answer["data"]
    assert (first["channel_name"], first["resource_count"], second["channel_name"]) == ("ch0", 2, "ch1")
    assert first["resource_data"][0]["resource_file_name"] == "a.png"
    only = admin.get("/resources/channels", params={"channel_name": "CH1"}).json()
    assert [each["channel_name"] for each in only["data"]] == ["ch1"]


def test_channels_come_by_pages(admin: httpx.Client, three: list[Resource]) -> None:
    page = admin.get("/resources/channels", params={"offset": 1, "limit": 1}).json()
    assert ([each["channel_name"] for each in page["data"]], page["totalCount"]) == (["ch1"], 2)


def test_a_listing_tells_the_same_of_a_resource_as_asking_for_it(admin: httpx.Client, three: list[Resource]) -> None:
    for query in ({}, {"order_field": "filename"}, {"order_field": "published_on", "order_by_asc": "false"}):
        for row in admin.get("/resources", params=query).json()["data"][0]["resources"]:
            assert row == admin.get(f"/resources/{row['id']}").json()
