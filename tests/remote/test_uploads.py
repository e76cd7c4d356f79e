"""Files to a server: in pieces, gone on with where the server has got to, stored once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like.backends.base import NewProject, NewResource
from datamint_like.backends.remote import uploads
from datamint_like.backends.remote.backend import HttpBackend
from datamint_like.backends.remote.retries import RetryPolicy
from datamint_like.exceptions import NetworkError, ServerError, ValidationError
from datamint_like.testing.fault_server import Fault, FaultServer, Reset, Status
from datamint_like.testing.samples import CT_FILES, XRAY, label
from tests import serving

PIECE = 10_000


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[FaultServer]:
    """A server of ours whose answers may go wrong."""
    with serving.served(tmp_path / "store") as server, FaultServer(server.url) as running:
        yield running


@pytest.fixture
def backend(proxy: FaultServer, policy: RetryPolicy, monkeypatch: pytest.MonkeyPatch) -> HttpBackend:
    """The way there, in small pieces."""
    monkeypatch.setattr(uploads, "PIECE", PIECE)
    return HttpBackend(proxy.url, serving.ADMIN_KEY, policy=policy)


def offsets(proxy: FaultServer) -> list[int]:
    return [int(each.headers["upload-offset"]) for each in proxy.seen if each.method == "PATCH"]


FAULTS: dict[str, list[Fault]] = {
    "nothing goes wrong": [],
    "answers are lost": [Reset(), Reset(), Reset()],
    "the server is busy": [Status(503), Status(429, {"Retry-After": "0"})],
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_file_arrives_whole_piece_by_piece(backend: HttpBackend, proxy: FaultServer, case: str) -> None:
    proxy.plan("/uploads/", *FAULTS[case])
    resource = backend.create_resource(NewResource((XRAY,), XRAY.name))
    with backend.open_resource_file(resource.id) as file:
        assert file.read() == XRAY.read_bytes()
    assert sorted(set(offsets(proxy))) == list(range(0, XRAY.stat().st_size, PIECE))


def test_a_piece_whose_answer_was_lost_is_not_sent_again(backend: HttpBackend, proxy: FaultServer) -> None:
    proxy.plan("/uploads/", Reset())
    backend.create_resource(NewResource((XRAY,), XRAY.name))
    assert offsets(proxy) == list(range(0, XRAY.stat().st_size, PIECE))


def test_an_upload_that_gets_nowhere_ends(backend: HttpBackend, proxy: FaultServer, policy: RetryPolicy) -> None:
    proxy.plan("/uploads/", *[Status(502)] * 100)
    with pytest.raises((NetworkError, ServerError), match=r"502|does not get beyond"):
        backend.create_resource(NewResource((XRAY,), XRAY.name))
    assert len(offsets(proxy)) <= policy.attempts


@pytest.mark.parametrize("fault", [Reset(), Status(503)])
def test_a_resource_is_made_once_although_the_answer_was_lost(
    backend: HttpBackend, proxy: FaultServer, fault: Fault
) -> None:
    project = backend.create_project(NewProject("p"))
    proxy.plan("/from-uploads", fault, fault)
    new = NewResource(CT_FILES, "ct", project_id=project.id, annotations=(label(),))
    made = backend.create_resource(new)
    assert backend.list_project_resources(project.id) == [made]
    keys = {each.headers["idempotency-key"] for each in proxy.seen if "from-uploads" in each.path}
    assert len(keys) == 1


def test_the_files_of_a_series_are_under_way_at_once(backend: HttpBackend, proxy: FaultServer) -> None:
    backend.create_resource(NewResource(CT_FILES, "ct"))
    patched = [each.path for each in proxy.seen if each.method == "PATCH"]
    assert len(set(patched)) == len(CT_FILES)
    first_of_each = list(dict.fromkeys(patched))
    last_of_first = len(patched) - 1 - patched[::-1].index(first_of_each[0])
    assert len(set(patched[:last_of_first])) > 1


def test_what_nothing_was_made_of_is_dropped(backend: HttpBackend, proxy: FaultServer, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(ValidationError, match=r"notes\.txt"):
        backend.create_resource(NewResource((tmp_path / "notes.txt",), "notes.txt"))
    assert [each.path for each in proxy.seen if each.method == "DELETE"]


def test_a_file_of_this_machine_cannot_be_linked(backend: HttpBackend, proxy: FaultServer) -> None:
    with pytest.raises(ValidationError, match="link=False"):
        backend.create_resource(NewResource((XRAY,), XRAY.name, link=True))
    assert proxy.seen == []
