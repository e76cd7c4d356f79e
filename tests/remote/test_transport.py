"""Requests: what is asked again and what is not, how failures are told, and whom a client trusts."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like import exceptions
from datamint_like.backends.remote import pool
from datamint_like.backends.remote.answers import Calls
from datamint_like.backends.remote.retries import RetryPolicy, Tries, retry_after
from datamint_like.backends.remote.transport import Call, Transport
from datamint_like.entities import Project
from datamint_like.exceptions import (
    AuthenticationError,
    CacheError,
    DatamintException,
    EntityAlreadyExistsError,
    ItemNotFoundError,
    NetworkError,
    PermissionDeniedError,
    ServerError,
    ValidationError,
)
from datamint_like.testing.fault_server import Cut, Drip, Fault, FaultServer, Reset, Status
from tests.remote.conftest import TLS
from tests.remote.file_server import KEY, FileServer


@pytest.fixture
def new_pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A pool of connections that is made when it is asked for."""
    fresh = pool._Pools()
    monkeypatch.setattr(pool, "_pools", fresh)
    yield
    for client in fresh.clients.values():
        client.close()


PASSING: dict[str, Fault] = {
    "502": Status(502),
    "503": Status(503, body=b"<html>busy</html>"),
    "504": Status(504),
    "429": Status(429, {"Retry-After": "0"}),
    "an answer cut in its body": Cut(3),
    "an answer cut before it": Reset(),
    "a reset in the body": Reset(3),
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_read_is_asked_again_after_what_may_pass(
    server: FileServer, proxy: FaultServer, policy: RetryPolicy, fault: str
) -> None:
    server.values["/now"] = {"now": "then"}
    proxy.plan("/now", PASSING[fault], PASSING[fault])
    assert Calls(Transport(proxy.url, KEY, policy)).get("/now") == {"now": "then"}
    assert len(proxy.seen) == 3


@pytest.mark.parametrize("fault", [Reset(), Cut(1), Status(503)])
def test_a_write_is_not_asked_again_when_nobody_knows_whether_it_arrived(
    proxy: FaultServer, server: FileServer, policy: RetryPolicy, fault: Fault
) -> None:
    server.values["/things"] = {"id": 1}
    proxy.plan("/things", fault)
    with pytest.raises((NetworkError, ServerError)):
        Calls(Transport(proxy.url, KEY, policy)).send("POST", "/things", {})
    assert len(proxy.seen) == 1


def test_a_write_that_was_refused_for_now_or_may_be_repeated_is_asked_again(
    proxy: FaultServer, server: FileServer, policy: RetryPolicy
) -> None:
    server.values["/things"] = {"id": 1}
    calls = Calls(Transport(proxy.url, KEY, policy))
    proxy.plan("/things", Status(429, {"Retry-After": "0"}))
    assert calls.send("POST", "/things", {}) == {"id": 1}
    proxy.plan("/things", Reset())
    assert calls.send("POST", "/things", {}, repeat=True, headers={"Idempotency-Key": "one"}) == {"id": 1}
    assert [each.headers.get("idempotency-key") for each in proxy.seen] == [None, None, "one", "one"]


def test_the_tries_end(proxy: FaultServer, policy: RetryPolicy, waits: list[float]) -> None:
    proxy.plan("/now", *[Status(503, body=b'{"message": "Being upgraded."}')] * 9)
    with pytest.raises(ServerError, match=r"503.*Being upgraded"):
        Transport(proxy.url, KEY, policy).ask(Call("GET", "/now"))
    assert len(proxy.seen) == policy.attempts == len(waits) + 1


def test_waits_are_drawn_below_a_bound_that_doubles(waits: list[float]) -> None:
    tries = Tries(RetryPolicy(attempts=60, base_s=0.5, cap_s=20, sleep=waits.append))
    while tries.wait():
        pass
    bounds = [min(20, 0.5 * 2**n) for n in range(len(waits))]
    assert all(0 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))
    assert len(set(waits)) > 50


def test_a_server_that_asks_to_wait_is_given_its_time_and_no_more_than_there_is(
    proxy: FaultServer, server: FileServer, policy: RetryPolicy, waits: list[float]
) -> None:
    server.values["/now"] = {}
    transport = Transport(proxy.url, KEY, policy)
    proxy.plan("/now", Status(429, {"Retry-After": "7"}))
    transport.ask(Call("GET", "/now"))
    assert 7 <= waits[0] <= 7 + policy.base_s
    proxy.plan("/now", Status(503, {"Retry-After": "7200"}))
    with pytest.raises(ServerError, match="503"):
        transport.ask(Call("GET", "/now"))
    assert len(waits) == 1


@pytest.mark.parametrize(("text", "seconds"), [("3", 3.0), ("soon", None), ("", None), (None, None)])
def test_retry_after_is_understood_as_seconds(text: str | None, seconds: float | None) -> None:
    assert retry_after(text) == seconds
    assert retry_after("Thu, 01 Jan 1970 00:00:00 GMT") == 0.0


def test_a_whole_request_has_a_deadline(proxy: FaultServer, server: FileServer) -> None:
    server.values["/now"] = {"text": "x" * 4000}
    proxy.plan("/now", *[Drip(piece=1, wait_s=0.01)] * 9)
    with pytest.raises(NetworkError, match="too long"):
        Transport(proxy.url, KEY, RetryPolicy(deadline_s=0.2)).ask(Call("GET", "/now"))


def test_no_redirect_is_followed_and_the_other_host_never_sees_the_key(server: FileServer, policy: RetryPolicy) -> None:
    with FileServer() as other:
        server.raw["/now"] = (307, {"Location": f"{other.url}/now?token=1"}, b"")
        with pytest.raises(ServerError, match="server_url") as caught:
            Transport(server.url, KEY, policy).ask(Call("GET", "/now"))
        assert f"{other.url}/now" in str(caught.value)
        assert "token" not in str(caught.value)
        assert other.seen == []


KINDS = [
    each
    for each in vars(exceptions).values()
    if isinstance(each, type) and issubclass(each, DatamintException) and each is not DatamintException
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_servers_error_is_raised_again_with_its_class_and_message(
    server: FileServer, policy: RetryPolicy, kind: type[DatamintException]
) -> None:
    told = f"Resource 1 has a fault ({server.url})."
    body = {"statusCode": 418, "message": told, "kind": kind.__name__}
    server.raw["/now"] = (418, {}, json.dumps(body).encode())
    with pytest.raises(kind) as caught:
        Transport(server.url, KEY, policy).ask(Call("GET", "/now"))
    assert type(caught.value) is kind
    assert str(caught.value) == told


def test_what_was_not_found_is_told_with_the_server_that_was_searched(server: FileServer, policy: RetryPolicy) -> None:
    body = {"message": "Resource 1 not found in the store.", "kind": "ItemNotFoundError"}
    server.raw["/now"] = (404, {}, json.dumps(body).encode())
    with pytest.raises(ItemNotFoundError, match=server.url):
        Transport(server.url, KEY, policy).ask(Call("GET", "/now"))


STATUSES = {
    (400, b'{"message": "Bad."}'): ValidationError,
    (401, b""): AuthenticationError,
    (403, b'{"message": "Readers cannot write."}'): PermissionDeniedError,
    (404, b'{"message": "Resource not found"}'): ItemNotFoundError,
    (404, b"<h1>404 Not Found</h1>"): ServerError,
    (404, b'{"detail": "Not Found"}'): ServerError,
    (409, b'{"id": "x", "message": "Taken."}'): EntityAlreadyExistsError,
    (413, b""): ValidationError,
    (418, b"tea"): ServerError,
    (422, b'{"message": "No.", "kind": "os.system"}'): ValidationError,
    (500, b'{"message": 5}'): ServerError,
}


@pytest.mark.parametrize("answer", STATUSES, ids=repr)
def test_a_status_without_a_kind_says_which_error_it_is(
    server: FileServer, policy: RetryPolicy, answer: tuple[int, bytes]
) -> None:
    server.raw["/now"] = (answer[0], {}, answer[1])
    with pytest.raises(STATUSES[answer]) as caught:
        Transport(server.url, KEY, policy).ask(Call("GET", "/now"))
    assert type(caught.value) is STATUSES[answer]
    assert server.url in str(caught.value)


@pytest.mark.parametrize("data", [b"<html>", b'{"id": "1", "na', b"\xff\xfe", b'"one text"', b"[1]", b'{"id": 5}'])
def test_an_answer_of_another_form_is_an_error_of_the_server(
    server: FileServer, policy: RetryPolicy, data: bytes
) -> None:
    server.raw["/projects/1"] = (200, {}, data)
    calls = Calls(Transport(server.url, KEY, policy))
    with pytest.raises(ServerError, match=server.url):
        calls.record(Project, calls.get("/projects/1"))


def test_success_that_holds_an_error_is_none(server: FileServer, policy: RetryPolicy) -> None:
    server.values["/resources"] = {"error": "no such bucket"}
    with pytest.raises(ServerError, match="no such bucket"):
        Calls(Transport(server.url, KEY, policy)).send("POST", "/resources", {})


@pytest.mark.parametrize("form", range(4))
def test_a_listing_comes_out_of_each_envelope_and_page_by_page(
    server: FileServer, policy: RetryPolicy, form: int
) -> None:
    rows = [{"n": n} for n in range(7)]
    asked: list[tuple[int, int]] = []

    def ask(offset: int, limit: int) -> object:
        asked.append((offset, limit))
        page = rows[offset : offset + limit]
        envelopes = [page, {"data": page}, {"items": page}, {"data": [{"things": page}], "totalCount": 7}]
        return envelopes[form]

    calls = Calls(Transport(server.url, KEY, policy))
    assert calls.pages("things", ask, 3, offset=0, limit=None) == rows
    assert asked == [(0, 3), (3, 3), (6, 3)]
    assert calls.pages("things", ask, 3, offset=2, limit=4) == rows[2:6]
    assert calls.pages("things", ask, 7, offset=0, limit=None) == rows


def test_a_server_that_does_not_run_is_named_with_what_to_do(policy: RetryPolicy, waits: list[float]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    transport = Transport(url, KEY, policy)
    with pytest.raises(NetworkError, match=rf"127\.0\.0\.1 \({url}\).*refused.*server_url"):
        transport.ask(Call("GET", "/now"))
    assert len(waits) == policy.attempts - 1
    with pytest.raises(NetworkError):
        transport.ask(Call("GET", "/now"))
    assert len(waits) == policy.attempts - 1  # it was down a moment ago: one try is enough


def test_a_host_without_address_is_named(policy: RetryPolicy) -> None:
    with pytest.raises(NetworkError, match=r"no-such-host\.invalid"):
        Transport("http://no-such-host.invalid", KEY, policy).ask(Call("GET", "/now"))


def test_each_request_says_who_asks_and_carries_the_key_in_both_headers(server: FileServer) -> None:
    server.values["/now"] = {}
    server.raw["/cookie"] = (200, {"Set-Cookie": "session=1; Path=/"}, b"{}")
    transport = Transport(server.url, KEY)
    transport.ask(Call("GET", "/cookie"))
    transport.ask(Call("GET", "/now"))
    headers = server.seen[-1].headers
    assert headers["user-agent"].startswith("datamint-like/")
    assert (headers["apikey"], headers["authorization"]) == (KEY, f"Bearer {KEY}")
    assert headers["accept-encoding"] == "identity"
    assert "cookie" not in headers


def test_a_certificate_of_ones_own_authority_is_trusted_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with FileServer(certificate=TLS / "server.pem", values={"/now": {}}) as secure:
        waits: list[float] = []
        with pytest.raises(NetworkError, match="DATAMINT_LIKE_CA_FILE"):
            Transport(secure.url, KEY, RetryPolicy(sleep=waits.append)).ask(Call("GET", "/now"))
        assert waits == []
        monkeypatch.setenv("DATAMINT_LIKE_CA_FILE", str(TLS / "authority.pem"))
        assert Transport(secure.url, KEY).ask(Call("GET", "/now")).json() == {}
        monkeypatch.delenv("DATAMINT_LIKE_CA_FILE")
        config = Path.home() / ".config" / "datamint-like" / "config.json"
        config.parent.mkdir(parents=True)
        config.write_text(json.dumps({"ca_file": str(TLS / "authority.pem")}))
        assert Transport(secure.url, KEY).ask(Call("GET", "/now")).json() == {}


def test_certificates_that_cannot_be_read_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, content in (("none.pem", None), ("empty.pem", b"no certificate")):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        monkeypatch.setenv("DATAMINT_LIKE_CA_FILE", str(tmp_path / name))
        with pytest.raises(ValidationError, match=name):
            Transport("https://lab.example", KEY).ask(Call("GET", "/now"))


@pytest.mark.parametrize(
    ("variable", "value"),
    [("SSL_CERT_FILE", "/nowhere/ca.pem"), ("ALL_PROXY", "socks5://proxy:1080"), ("HTTPS_PROXY", "ftp://proxy")],
)
@pytest.mark.usefixtures("new_pool")
def test_an_environment_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError, match=variable):
        Transport("https://127.0.0.1:9", KEY).ask(Call("GET", "/now"))


@pytest.mark.usefixtures("new_pool")
def test_certificates_named_as_everywhere_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "authority.pem"))
    with FileServer(certificate=TLS / "server.pem", values={"/now": {}}) as secure:
        assert Transport(secure.url, KEY).ask(Call("GET", "/now")).json() == {}


def test_an_answer_that_is_packed_in_a_damaged_form_is_an_error_of_the_server(server: FileServer) -> None:
    for status in (200, 500):
        server.raw["/now"] = (status, {"Content-Encoding": "gzip"}, b"no gzip at all")
        with pytest.raises(ServerError, match=server.url):
            Transport(server.url, KEY).ask(Call("GET", "/now"))


def test_what_forbids_to_ask_is_told_with_how_that_is_taken_back(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, silent = Call("GET", "/projects"), Transport(server.url, KEY, may_ask=False)
    with pytest.raises(CacheError, match=r"auto_update=False forbids .* Build the dataset with auto_update=True;"):
        silent.ask(call)
    with pytest.raises(
        CacheError, match=r"auto_update=False forbids .* Build the dataset with auto_update=True, or br"
    ):
        silent.refuse_silenced("a file")
    monkeypatch.setenv("DATAMINT_LIKE_OFFLINE", "1")
    for may_ask in (False, True):
        silent = Transport(server.url, KEY, may_ask=may_ask)
        with pytest.raises(CacheError, match=r"DATAMINT_LIKE_OFFLINE forbids .* Unset it;"):
            silent.ask(call)
        with pytest.raises(CacheError, match=r"DATAMINT_LIKE_OFFLINE forbids .* Unset it, or br"):
            silent.refuse_silenced("a file")


def test_offline_no_connection_is_opened(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAMINT_LIKE_OFFLINE", "1")
    with pytest.raises(CacheError, match="DATAMINT_LIKE_OFFLINE"):
        Transport(server.url, KEY).ask(Call("GET", "/now"))
    assert server.seen == []
