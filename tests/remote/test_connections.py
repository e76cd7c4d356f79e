"""Connections: one for each request under way, used again while they are fresh, given up when they are not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from datamint_like.backends.remote import pool
from datamint_like.backends.remote.retries import Tries
from datamint_like.backends.remote.transport import Call, Transport
from tests.remote.file_server import KEY, FileServer

THREADS = 6


@pytest.fixture(autouse=True)
def pools(monkeypatch: pytest.MonkeyPatch) -> Iterator[pool._Pools]:
    """Connections of each test's own."""
    fresh = pool._Pools()
    monkeypatch.setattr(pool, "_pools", fresh)
    yield fresh
    for clients in fresh.clients.values():
        clients.close()


@pytest.fixture
def transport(server: FileServer) -> Transport:
    server.files["/file"] = b"bytes"
    return Transport(server.url, KEY)


def ask(transport: Transport) -> None:
    assert transport.ask(Call("GET", "/file")).content == b"bytes"


def ask_at_once(transport: Transport, count: int = THREADS) -> None:
    """So many requests that are under way at the same time."""
    together = threading.Barrier(count)

    def one(_: int) -> None:
        with transport.opened(Call("GET", "/file"), Tries(transport.policy)) as answer:
            together.wait(30)
            assert answer.read() == b"bytes"

    with ThreadPoolExecutor(count) as threads:
        list(threads.map(one, range(count)))


def idle(pools: pool._Pools) -> int:
    return sum(len(clients._idle) for clients in pools.clients.values())


def test_requests_one_after_another_share_a_connection(server: FileServer, transport: Transport) -> None:
    for _ in range(5):
        ask(transport)
    assert len({each.port for each in server.seen}) == 1


def test_requests_at_once_have_a_connection_each_and_later_ones_use_these(
    server: FileServer, transport: Transport
) -> None:
    ask_at_once(transport)
    assert len({each.port for each in server.seen}) == THREADS
    ask_at_once(transport)
    for _ in range(5):
        ask(transport)
    assert len({each.port for each in server.seen}) == THREADS


def test_no_client_holds_more_than_one_connection(transport: Transport, pools: pool._Pools) -> None:
    ask_at_once(transport)
    (clients,) = pools.clients.values()
    held = [client._transport._pool.connections for client, _ in clients._idle]  # type: ignore[attr-defined]
    assert [len(each) for each in held] == [1] * THREADS


def test_connections_that_nobody_uses_for_a_while_are_given_up_when_others_are_used(
    transport: Transport, pools: pool._Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_at_once(transport)
    assert idle(pools) == THREADS
    monkeypatch.setattr(pool, "_EXPIRY_S", 0.2)
    time.sleep(0.3)
    ask(transport)
    assert idle(pools) == 1


def test_no_more_idle_connections_are_kept_than_allowed(
    transport: Transport, pools: pool._Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_MOST_IDLE", 2)
    ask_at_once(transport)
    assert idle(pools) == 2


def test_a_connection_that_the_server_gave_up_is_made_anew(server: FileServer, transport: Transport) -> None:
    server.raw["/bye"] = (200, {"Connection": "close"}, b"")
    transport.ask(Call("GET", "/bye"))
    ask(transport)
    assert len({each.port for each in server.seen}) == 2


def test_a_request_that_fails_leaves_its_connection_to_the_next(transport: Transport, pools: pool._Pools) -> None:
    for _ in range(3):
        with (
            pytest.raises(RuntimeError, match="of the caller"),
            transport.opened(Call("GET", "/file"), Tries(transport.policy)),
        ):
            raise RuntimeError("of the caller")
    ask(transport)
    assert idle(pools) == 1
