"""What is said of single frames, as half-open ranges of a track."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from datamint_like.backends.base import AnnotationQuery
from datamint_like.entities import Resource
from datamint_like.testing.samples import CT_FILES, project_of, upload
from tests.serving import Served


@pytest.fixture
def volume(server: Served) -> Resource:
    return upload(server.store, *CT_FILES)


def track(*values: tuple[Any, list[tuple[int, int]]], kind: str = "category", **more: Any) -> dict[str, Any]:
    some = [
        {"value": value, "frame_ranges": [{"start": start, "end": end} for start, end in ranges]}
        for value, ranges in values
    ]
    return {"identifier": "position", "type": kind, "values": some, **more}


def put(client: httpx.Client, volume: Resource, body: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    answer = client.put(f"/annotations/{volume.id}/frame-ranges", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, list[dict[str, Any]]] = answer.json()
    return found


def test_a_track_comes_back_as_it_was_put(server: Served, admin: httpx.Client, volume: Resource) -> None:
    made = put(admin, volume, track(("displaced", [(0, 10), (20, 28)]), ("normal", [(10, 20)])))
    assert len(made["created"]) == 28
    author = server.store.current_user().email
    named = {"identifier": "position", "type": "category", "created_by": author}
    displaced = [{"start": 0, "end": 10}, {"start": 20, "end": 28}]
    assert admin.get(f"/annotations/{volume.id}/frame-ranges").json() == [
        {**named, "value": "displaced", "frame_ranges": displaced},
        {**named, "value": "normal", "frame_ranges": [{"start": 10, "end": 20}]},
    ]


def test_putting_a_track_again_keeps_the_rows_that_stay(admin: httpx.Client, volume: Resource) -> None:
    first = put(admin, volume, track(("displaced", [(0, 10)])))
    assert put(admin, volume, track(("displaced", [(0, 10)]))) == {"created": [], "deleted": []}
    second = put(admin, volume, track(("displaced", [(2, 12)])))
    assert [each["frame_index"] for each in second["created"]] == [10, 11]
    assert [each["id"] for each in second["deleted"]] == [each["id"] for each in first["created"][:2]]
    cleared = put(admin, volume, track())
    assert len(cleared["deleted"]) == 10
    assert admin.get(f"/annotations/{volume.id}/frame-ranges").json() == []


def test_tracks_of_others_of_models_and_of_worklists_are_their_own(
    server: Served, admin: httpx.Client, volume: Resource
) -> None:
    project = project_of(server.store, volume)
    key = server.user("ana@lab.example")
    server.store.administration.put_member(project.id, "ana@lab.example", ["PROJECT_ANNOTATOR"])
    put(admin, volume, track((None, [(0, 3)]), kind="label"))
    put(admin, volume, track((None, [(0, 4)]), kind="label", model_id="net"))
    put(admin, volume, track((None, [(0, 5)]), kind="label", annotation_worklist_id=project.worklist_id))
    with server.client(key) as ana:
        put(ana, volume, track((None, [(0, 6)]), kind="label"))
    lengths = sorted(each["frame_ranges"][0]["end"] for each in admin.get(_ranges(volume)).json())
    assert lengths == [4, 5, 6]  # the two of the admin have the same author, so they are listed as one
    only = admin.get(_ranges(volume), params={"annotation_worklist_id": project.worklist_id}).json()
    assert [each["frame_ranges"] for each in only] == [[{"start": 0, "end": 5}]]
    by_model = admin.get(_ranges(volume), params={"created_by": "net"}).json()
    assert [each["created_by"] for each in by_model] == ["net"]


def _ranges(volume: Resource) -> str:
    return f"/annotations/{volume.id}/frame-ranges"


@pytest.mark.parametrize(
    "body",
    [
        track(("x", [(0, 29)])),
        track(("x", [(-1, 2)])),
        track(("x", [(3, 3)])),
        track(("x", [(0, 28)] * 40_000)),
        track((None, [(0, 2)])),
        track(("x", [(0, 2)]), kind="label"),
        track(("x", [(0, 2)]), kind="square"),
    ],
)
def test_a_track_that_cannot_be_changes_nothing(
    server: Served, admin: httpx.Client, volume: Resource, body: dict[str, Any]
) -> None:
    put(admin, volume, track(("before", [(0, 2)])))
    assert admin.put(_ranges(volume), json=body).status_code == 422
    assert len(server.store.list_annotations(AnnotationQuery())) == 2
