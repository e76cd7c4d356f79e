"""Every route, called by everybody: without a key, by a stranger, and by members of each level."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from datamint_like.backends.base import NewAnnotation, NewProject, NewResource
from datamint_like.backends.local.members import Level
from datamint_like.server.routes import ROUTES
from datamint_like.server.routing import Route
from tests.serving import Served, served

XRAY = Path(__file__).resolve().parents[2] / "datamint_like/demo/images/xray/nih_00000001_000.png"
MEMBERS = {"reader": Level.READER, "annotator": Level.ANNOTATOR, "owner": Level.OWNER}
CALLERS = ("stranger", *MEMBERS, "admin")


class World:
    """A project with one resource, one annotation by the admin and one worklist, and a client for each caller."""

    def __init__(self, server: Served) -> None:
        store = server.store
        resource = store.create_resource(NewResource((XRAY,), "x.png"))
        project = store.create_project(NewProject("a", resource_ids=(resource.id,)))
        (annotation,) = store.create_annotations(resource.id, [NewAnnotation("label", "benign")])
        self.ids = {
            "project_id": project.id,
            "resource_id": resource.id,
            "annotation_id": annotation.id,
            "worklist_id": project.worklist_id or "",
            "email": "reader@lab.example",
            "user_id": "reader@lab.example",
        }
        self.clients = {"nobody": server.client(key=None), "admin": server.client()}
        for name in ("stranger", *MEMBERS):
            self.clients[name] = server.client(server.user(f"{name}@lab.example"))
        for name in MEMBERS:
            role = f"PROJECT_{name.upper()}"
            store.administration.put_member(project.id, f"{name}@lab.example", [role])

    def call(self, route: Route, caller: str) -> httpx.Response:
        path = route.path
        for name in route.ids:
            path = re.sub(rf"{{{name}(:\w+)?}}", self.ids.get(name, "0"), path)
        listed: dict[str, list[str]] = {}
        if route.rule.field:
            listed = {route.rule.field: [self.ids["annotation_id" if route.rule.of == "annotation" else "resource_id"]]}
        client = self.clients[caller]
        if route.body is None:
            return client.request(route.method, path, params=listed)
        example = route.example if route.rule.field and isinstance(route.example, dict) else {}
        return client.request(route.method, path, json={**example, **listed})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with served(tmp_path / "store") as server:
        made = World(server)
        yield made
        for client in made.clients.values():
            client.close()


def may(route: Route, caller: str) -> bool:
    rule = route.rule
    if caller == "admin" or rule.of in ("nobody", "key"):
        return True
    if rule.of == "admin" or caller == "stranger":
        return False
    if rule.of == "annotation" and rule.level > Level.READER:  # it is the admin's: only owners change others' words
        return caller == "owner"
    return MEMBERS[caller] >= rule.level


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_a_route_answers_those_who_may_call_it_and_nobody_else(world: World, route: Route) -> None:
    without = world.call(route, "nobody").status_code
    assert (without == 401) == (route.rule.of != "nobody")
    for caller in CALLERS:
        status = world.call(route, caller).status_code
        assert status != 401
        if not may(route, caller):
            assert status == 403, caller
    # what is allowed may change the world, so it comes last; who may do less was refused before
    for caller in CALLERS:
        if may(route, caller) and route.rule.of != "nobody":
            assert world.call(route, caller).status_code < 500


def test_no_two_routes_have_the_same_method_and_path() -> None:
    assert len({named(route) for route in ROUTES}) == len(ROUTES)
