"""Both published clients make their tour of the server, unmodified; it is killed in the middle."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import ExitStack

import httpx
import pytest

from tests.interop.published import Traveller
from tests.interop.tour.chapters import CHAPTERS
from tests.interop.tour.guide import NEW, OLD, STEPS
from tests.serving import ADMIN_KEY, served_by_process

for _chapter in CHAPTERS:
    importlib.import_module(f"tests.interop.tour.{_chapter}")
pytestmark = pytest.mark.soak
_KILLS, _UPLOADS = 3, 6
_ALL = [pytest.param(version, each.name, id=f"{version}-{each.name}") for each in STEPS for version in each.clients]


@pytest.mark.parametrize(("version", "step"), _ALL)
def test_a_published_client_makes_this_step(version: str, step: str, whole_tour: Callable[[str], Traveller]) -> None:
    tour = whole_tour(version)
    assert step in tour.outcomes, tour.broke
    assert tour.outcomes[step]["failed"] is None, tour.outcomes[step]["failed"]


@pytest.mark.parametrize("version", [OLD, NEW])
def test_what_a_published_client_uploaded_before_a_kill_is_there_after(
    version: str, traveller: Callable[[str, str], Traveller]
) -> None:
    client = traveller(version, "killed")
    store, file, acknowledged, port = client.store, client.files / "chest.jpg", [], 0
    with ExitStack() as ending:
        for _ in range(_KILLS):
            with served_by_process(store, port=port) as (url, server):
                if not port:
                    port = int(url.rpartition(":")[2])
                    uploading = client.process(url, "tests.interop.uploading", str(file), "Killed")
                    ending.enter_context(uploading)
                    ending.callback(uploading.kill)
                assert uploading.stdout is not None
                acknowledged += [uploading.stdout.readline().strip() for _ in range(_UPLOADS)]
                server.kill()
                server.wait()
        uploading.kill()
        acknowledged += uploading.stdout.read().split()
    assert len(set(acknowledged)) == len(acknowledged) >= _KILLS * _UPLOADS
    with (
        served_by_process(store, port=port) as (url, _),
        httpx.Client(base_url=url, headers={"apikey": ADMIN_KEY}) as http,
    ):
        (project,) = http.get("/projects", params={"name": "Killed"}).json()["data"][0]["projects"]
        there = {each["id"] for each in http.get(f"/projects/{project['id']}/resources").json()}
        assert set(acknowledged) <= there
        assert {http.get(f"/resources/{each}/file").content for each in acknowledged} == {file.read_bytes()}
