"""Access by role, for each route of resources, files and uploads: the table itself is walked."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from datamint_like.backends.base import NewAnnotation, NewResource
from datamint_like.backends.local.members import Level
from datamint_like.server.routes import files, resources, uploads
from datamint_like.server.routing import Route
from tests.serving import Served

_ROUTES = (*files.ROUTES, *resources.ROUTES, *uploads.ROUTES)
_ROLES = {
    "stranger": Level.NONE,
    "PROJECT_READER": Level.READER,
    "PROJECT_ANNOTATOR": Level.ANNOTATOR,
    "PROJECT_OWNER": Level.OWNER,
}


@pytest.fixture
def place(server: Served, admin: httpx.Client, picture: Path) -> dict[str, str]:
    """What the names in braces stand for: things of a project that the admin made."""
    project = admin.post("/projects", json={"name": "p"}).json()["id"]
    made = server.store.create_resource(NewResource((picture,), "p.png", project_id=project))
    payload = admin.get(f"/resources/{made.id}/frames/0").content
    (drawn,) = server.store.create_annotations(
        made.id, [NewAnnotation("segmentation", "x", scope="frame", frame_index=0, payload=payload)]
    )
    ids = {"project_id": project, "resource_id": made.id, "annotation_id": drawn.id}
    return {**ids, "index": "0", "axis": "axial", "upload_id": "00000000-0000-0000-0000-000000000000"}


def _ask(client: httpx.Client, route: Route, place: dict[str, str]) -> int:
    """The status of a request that is right but for who asks."""
    path = route.path.format(**place)
    if route.method == "DELETE" and route.query is not None:
        path += f"?resource_ids={place['resource_id']}"
    ids = [place["resource_id"]]
    body = {"resource_ids": ids, "ids": ids, "tags": ["t"]} if route.method in ("POST", "PUT") else None
    return client.request(route.method, path, json=body).status_code


@pytest.mark.parametrize("role", _ROLES)
def test_each_route_of_a_resource_opens_for_those_with_its_level(
    server: Served, admin: httpx.Client, place: dict[str, str], role: str
) -> None:
    key = server.user("ana@lab.example")
    if role != "stranger":
        admin.post(f"/projects/{place['project_id']}/members/ana@lab.example", json={"roles": [role]})
    with server.client(key) as ana:
        for route in _ROUTES:
            if route.rule.of not in ("resource", "annotation"):
                continue
            status = _ask(ana, route, place)
            admin.post(f"/resources/{place['resource_id']}/restore")
            name = f"{route.method} {route.path} as {role}: {status}"
            assert (status == 403) == (_ROLES[role] < route.rule.level), name
            assert status in (200, 400, 403), name


def test_restoring_many_needs_an_owner(server: Served, admin: httpx.Client, place: dict[str, str]) -> None:
    body = {"ids": [place["resource_id"]]}
    with server.client(server.user("ana@lab.example")) as ana:
        assert ana.post("/resources/restore", json=body).status_code == 403
        admin.post(f"/projects/{place['project_id']}/members/ana@lab.example", json={"roles": ["PROJECT_OWNER"]})
        assert ana.post("/resources/restore", json=body).status_code == 200


@pytest.mark.parametrize("route", _ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_route_needs_a_key(server: Served, place: dict[str, str], route: Route) -> None:
    with server.client(key=None) as nobody, server.client("k" * 20) as somebody:
        assert _ask(nobody, route, place) == 401
        assert _ask(somebody, route, place) == 401


def test_lists_hold_what_the_user_may_see(server: Served, admin: httpx.Client, place: dict[str, str]) -> None:
    with server.client(server.user("ana@lab.example")) as ana:
        for path, nothing in (("/resources", [{"resources": []}]), ("/resources/channels", [])):
            assert ana.get(path).json() == {"data": nothing, "totalCount": 0}
            assert admin.get(path).json()["totalCount"] == 1
