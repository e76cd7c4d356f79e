"""The content of a project as it comes from a server: row by row, gone on with after a break, or a named error."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from datamint_like.backends.base import ContentRow
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.remote.backend import HttpBackend
from datamint_like.backends.remote.content_stream import streamed_content
from datamint_like.backends.remote.retries import RetryPolicy
from datamint_like.backends.remote.transport import Call, Transport
from datamint_like.catalog import newest_snapshot, sync_project
from datamint_like.entities import Resource
from datamint_like.exceptions import CacheError, ItemNotFoundError, NetworkError, ServerError
from datamint_like.testing.contents import whole
from datamint_like.testing.fault_server import Answer, Cut, Drip, Fault, FaultServer, Reset, Status, WrongByte
from datamint_like.testing.samples import label, project_of, upload
from tests import serving

COUNT = 30


@dataclass(frozen=True)
class Both:
    """A store with a project, and the same behind a proxy."""

    store: LocalBackend
    backend: HttpBackend
    proxy: FaultServer
    project_id: str


@pytest.fixture
def both(tmp_path: Path, policy: RetryPolicy) -> Iterator[Both]:
    with serving.served(tmp_path / "store") as server, FaultServer(server.url) as proxy:
        resources = [upload(server.store, name=f"{n}.png") for n in range(COUNT)]
        project = project_of(server.store, *resources, name="p")
        server.store.create_annotations(resources[1].id, [label(), label("other")])
        backend = HttpBackend(proxy.url, serving.ADMIN_KEY)
        backend._transport.policy = policy
        yield Both(server.store, backend, proxy, project.id)


@dataclass(frozen=True)
class Ended(Fault):
    """An answer that ends after some bytes as if it were whole."""

    after: int

    def answer(self, answer: Answer) -> Answer:
        """Its beginning."""
        return Answer(answer.status, answer.headers, answer.body[: self.after])


@pytest.mark.parametrize(
    "faults",
    [
        (Cut(0),),
        (Cut(3000),),
        (Cut(5000), Reset(9000), Cut(100)),
        (Status(503, {"Retry-After": "0"}), Cut(20_000)),
        (Drip(700, 0.0),),
        (Cut(4000), Cut(8000), Cut(12_000), Cut(16_000), Cut(20_000)),  # more than the policy's tries, with progress
    ],
    ids=str,
)
def test_a_stream_that_breaks_is_gone_on_with(both: Both, faults: tuple[Fault, ...]) -> None:
    expected = whole(both.store.read_project(both.project_id))
    both.proxy.plan("/content", *faults)
    found = whole(both.backend.read_project(both.project_id))
    assert (found.resources, found.annotations) == (expected.resources, expected.annotations)
    assert sum(each.path.endswith("/content") for each in both.proxy.seen) == len(faults) + (
        faults[0] != Drip(700, 0.0)
    )


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        ((Cut(5000),) * 4, NetworkError),
        ((Ended(5000),), ServerError),
        ((Ended(0),), ServerError),
        ((Ended(2),), ServerError),
        ((WrongByte(4),), ServerError),
        ((Status(200, {}, b"\0\0\0\1x"),), ServerError),
    ],
    ids=str,
)
def test_a_stream_that_stays_broken_is_an_error_and_publishes_nothing(
    both: Both, tmp_path: Path, faults: tuple[Fault, ...], error: type[Exception]
) -> None:
    both.proxy.plan("/content", *faults)
    with pytest.raises(error):
        sync_project(both.backend, "p", tmp_path / "cache")
    assert {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()} <= {"CACHEDIR.TAG"}
    with pytest.raises(CacheError):
        newest_snapshot(both.backend.url, "p", tmp_path / "cache")
    assert len(sync_project(both.backend, "p", tmp_path / "cache")) == COUNT


def test_what_changed_between_two_tries_is_an_error_that_says_so(both: Both, tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class ChangedAfter(Cut):
        def send(self, connection: socket.socket, head: bytes, body: bytes) -> None:
            both.store.create_annotations(first.id, [label("new")])
            super().send(connection, head, body)

    first = both.store.list_project_resources(both.project_id)[0]
    both.proxy.plan("/content", ChangedAfter(9000))
    with pytest.raises(ServerError, match="changed since"):
        sync_project(both.backend, "p", tmp_path / "cache")
    assert not list(tmp_path.glob("cache/**/*.sqlite"))


def test_an_error_before_the_stream_is_the_error_of_the_store(both: Both) -> None:
    with pytest.raises(ItemNotFoundError, match="nowhere not found"):
        whole(both.backend.read_project("nowhere"))


def test_a_reader_that_leaves_in_the_middle_lets_the_server_go(both: Both) -> None:
    for _ in range(3):
        with both.backend.read_project(both.project_id) as content:
            assert next(content.rows).resource.filename == "0.png"
    first = both.store.list_project_resources(both.project_id)[0]
    both.store.add_tags([first.id], ["x"])
    assert whole(both.backend.read_project(both.project_id)).resources[0].tags == ("x",)


def framed(value: object) -> bytes:
    packed = msgspec.msgpack.encode(value)
    return len(packed).to_bytes(4, "big") + packed


@contextmanager
def in_two_parts(first: bytes, second: bytes, go_on: threading.Event) -> Iterator[str]:
    """The URL of a server that answers one request with the first bytes, and the others when it may."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                length = len(first) + len(second)
                connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode() + first)
                go_on.wait(30)
                connection.sendall(second)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(30)


def test_rows_are_there_before_the_stream_ends() -> None:
    fields = dict.fromkeys(("id", "resource_uri", "storage", "location", "filename", "mimetype", "status"), "x")
    resource = Resource(**fields, created_at="2026-01-01", created_by="x")
    head = framed({"revision": "1", "project": None, "worklists": [], "resources": 2})
    row, go_on = framed(ContentRow(resource, [], [])), threading.Event()
    with in_two_parts(head + row + row[:9], row[9:] + framed("end"), go_on) as url:
        try:
            with streamed_content(Transport(url, "a key"), Call("GET", "/content")) as content:
                assert next(content.rows).resource == resource
                go_on.set()
                assert [each.resource for each in content.rows] == [resource]
        finally:
            go_on.set()
