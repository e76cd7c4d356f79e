"""What is no regular file is refused at once, by name: it might give no byte for ever, or bytes without an end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datamint_like import Api
from datamint_like.backends.base import NewResource
from datamint_like.backends.local import known_parts
from datamint_like.entities import Part
from datamint_like.exceptions import DatamintException, ValidationError
from datamint_like.imaging import probe
from datamint_like.testing.fault_server import OURS, AsDatamint, FaultServer
from datamint_like.testing.samples import XRAY
from tests import serving

REFUSED = "cannot be read: it is a pipe, socket or device and no file"
DIGEST = "0" * 64


@pytest.fixture(params=["embedded", "over HTTP", "Datamint's protocol"])
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Api]:
    folder = tmp_path / "store"
    if request.param == "embedded":
        yield Api(server_url=folder.as_uri())
        return
    with serving.served(folder) as server, FaultServer(server.url, AsDatamint()) as proxy:
        if request.param == "over HTTP":
            yield Api(server_url=server.url, api_key=serving.ADMIN_KEY)
        else:
            proxy.hide(*OURS)
            yield Api(server_url=proxy.url, api_key=serving.ADMIN_KEY)


@pytest.fixture(params=["a pipe", "a device"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A path with the name of a picture, behind which there is none."""
    path = tmp_path / "picture.png"
    if request.param == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    return path


def refusal_of(call: Callable[[], Any]) -> str:
    """The message of the error that a call raises; it must not wait for ever."""
    told: list[DatamintException] = []

    def attempt() -> None:
        try:
            call()
        except DatamintException as error:
            told.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), "it waits"
    (error,) = told
    return str(error)


@pytest.mark.parametrize("api", ["embedded", "over HTTP"], indirect=True)
def test_as_a_file_to_upload_or_a_mask(api: Api, place: Path) -> None:
    assert "picture.png is neither a file nor a folder" in refusal_of(lambda: api.resources.upload_resources(place))
    assert "picture.png is neither" in refusal_of(lambda: api.resources.upload_resources([XRAY, place]))
    (xray,) = api.resources.upload_resources([XRAY])
    upload = api.annotations.upload_segmentations
    assert REFUSED in refusal_of(lambda: upload(xray, str(place), "opacity"))


@pytest.mark.parametrize("link", [False, True])
def test_as_a_path_of_a_new_resource(api: Api, place: Path, link: bool) -> None:
    new = NewResource((place,), "x.png", link=link)
    facts = replace(new, facts=probe([XRAY]))
    for each in (new, facts):
        told = refusal_of(lambda each=each: api.backend.create_resource(each))  # type: ignore[misc]
        assert REFUSED in told or "link" in told


@pytest.mark.parametrize("api", ["embedded", "over HTTP"], indirect=True)
def test_as_a_row_of_many(api: Api, place: Path) -> None:
    project = api.projects.create("many", return_entity=True)
    rows = [NewResource((XRAY,), "first.png"), NewResource((place,), "second.png")]
    told = refusal_of(lambda: api.resources.bulk_load(rows, project))
    assert REFUSED in told
    assert told.startswith("Row 1 ('second.png')")
    part = Part(index=0, filename="x.png", size=0, sha256=DIGEST, linked_path=str(place))
    known = NewResource((), "third.png", facts=probe([XRAY]), parts=(part,))
    told = refusal_of(lambda: api.resources.bulk_load([*rows[:1], known], project))
    assert REFUSED in told
    assert told.startswith("Row 1 ('third.png')")
    assert api.projects.get_project_resources(project) == []


def test_one_that_took_the_place_of_a_file_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "picture.png"
    os.mkfifo(path)
    with serving.served(tmp_path / "store") as server:
        api = Api(server_url=server.url, api_key=serving.ADMIN_KEY)
        project = api.projects.create("many", return_entity=True)
        monkeypatch.setattr(known_parts, "checked", lambda new: new.parts)
        part = Part(index=0, filename="x.png", size=5, sha256=DIGEST, linked_path=str(path))
        known = NewResource((), "third.png", facts=probe([XRAY]), parts=(part,))
        assert REFUSED in refusal_of(lambda: api.resources.bulk_load([known], project))


def test_a_link_to_a_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(XRAY)
    api = Api(server_url=(tmp_path / "store").as_uri())
    assert len(api.resources.upload_resources([tmp_path / "link.png"])) == 1
    with pytest.raises(ValidationError, match="Is a directory"):
        api.backend.create_resource(NewResource((tmp_path,), "x.png"))
