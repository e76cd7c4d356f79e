"""Every route of `/openapi.json`, asked what its description allows and what it does not: never broken by it.

The store is this run's own. The requests follow from fixed seeds; routes that delete come last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.options import StoreOptions
from datamint_like.server.app import create_app
from datamint_like.server.options import ServerOptions
from datamint_like.server.routes import ROUTES
from datamint_like.server.routing import Route
from tests.server.test_each_route_and_role import World, named
from tests.serving import ADMIN_KEY, served

#: Requests of each kind for each route.
FEW, MANY = 5, 60
DEPTHS = [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.soak)]
KINDS = ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/octet-stream", "")


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What OpenAPI says of each route, by method and path."""
    store = LocalBackend((tmp_path_factory.mktemp("described") / "store").as_uri())
    schema = schemathesis.openapi.from_dict(create_app(store, ServerOptions(store=StoreOptions(store.url))).openapi())
    store.close()
    found = [each.ok() for each in schema.get_all_operations()]
    return {f"{each.method.upper()} {each.path}": each for each in found}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with served(tmp_path_factory.mktemp("asked") / "store") as server:
        made = World(server)
        yield made
        for client in made.clients.values():
            client.close()


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as connections:
        yield connections


def described(route: Route) -> str:
    """The route's method and path as OpenAPI has them."""
    return named(route).replace(":path", "")


def asked(some: st.SearchStrategy[Any], count: int, ask: Callable[[Any], None]) -> None:
    """Call `ask` with so many different requests, the same each time."""
    quiet = settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # the store remembers, so what failed once need not fail again
        suppress_health_check=list(HealthCheck),
    )
    seed(0)(quiet(given(some)(lambda drawn: ask(drawn))))()


def need_refused(route: Route, answer: Any, *, also: tuple[int, ...] = ()) -> None:
    """Assert that a request without a key got what it may."""
    if route.rule.of != "nobody":
        assert answer.status_code in (401, *also), answer.text


@pytest.mark.parametrize("count", DEPTHS)
@pytest.mark.parametrize("route", sorted(ROUTES, key=lambda each: each.method == "DELETE"), ids=named)
def test_a_route_breaks_on_no_request_and_answers_none_without_a_key(
    operations: dict[str, Any], world: World, session: requests.Session, route: Route, count: int
) -> None:
    operation = operations[described(route)]
    ids = {name: world.ids.get(name, "0") for name in route.ids}
    where = {"base_url": str(world.clients["nobody"].base_url), "session": session, "timeout": 60}

    def ask(case: Any, *, also: tuple[int, ...] = ()) -> None:
        answer = case.call(headers={"apikey": ADMIN_KEY}, **where)
        assert answer.status_code < 500, case.as_curl_command()
        need_refused(route, case.call(**where), also=also)

    asked(operation.as_strategy(path_parameters=ids), count, ask)
    if ids:  # a made-up id may hold a slash, and so name no route
        asked(operation.as_strategy(), count, lambda case: ask(case, also=(404, 405)))
    if route.body is not None or route.query is not None:
        unfit = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE, path_parameters=ids)
        asked(unfit, count, ask)


@pytest.mark.parametrize("count", DEPTHS)
@pytest.mark.parametrize("route", [each for each in ROUTES if each.reads_body], ids=named)
def test_a_route_that_reads_its_body_itself_breaks_on_no_bytes(world: World, route: Route, count: int) -> None:
    path = route.path
    for name in route.ids:
        path = path.replace(f"{{{name}}}", world.ids.get(name, "0"))

    def ask(drawn: tuple[bytes, str]) -> None:
        body, kind = drawn
        headers = {"Content-Type": kind} if kind else {}
        answer = world.clients["admin"].request(route.method, path, content=body, headers=headers)
        assert answer.status_code < 500, answer.text
        need_refused(route, world.clients["nobody"].request(route.method, path, content=body, headers=headers))

    names = st.sampled_from([b"file", b"payload", b"resource", b"metadata", b"segmentation_map", b"images", b"x"])
    part = st.builds(
        lambda name, file, data: (
            b'--x\r\nContent-Disposition: form-data; name="' + name + b'"' + file + b"\r\n\r\n" + data + b"\r\n"
        ),
        names,
        st.sampled_from([b"", b'; filename="a.png"', b'; filename="../b.nii"']),
        st.binary(max_size=60) | st.sampled_from([b"[]", b"{}", b"null", b'{"1": 2}', b"[1]"]),
    )
    form = st.builds(
        lambda parts, end: b"".join(parts) + end, st.lists(part, max_size=4), st.sampled_from([b"--x--\r\n", b""])
    )
    bodies = st.tuples(form, st.just(KINDS[0])) | st.tuples(st.binary(max_size=200), st.sampled_from(KINDS))
    asked(bodies, count * 5, ask)


def test_openapi_describes_every_route(operations: dict[str, Any]) -> None:
    assert set(operations) == {described(route) for route in ROUTES}
