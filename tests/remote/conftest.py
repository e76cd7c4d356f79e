"""Servers on loopback, and a policy of retries that waits for nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like.backends.remote import keys, serving
from datamint_like.backends.remote.retries import RetryPolicy
from datamint_like.testing.fault_server import FaultServer
from tests.remote.file_server import FileServer

TLS = Path(__file__).parent / "tls"


@pytest.fixture(autouse=True)
def fresh_process_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key and no server is known from the test before."""
    monkeypatch.setattr(keys, "_GIVEN", {})
    monkeypatch.setattr(serving, "_known", {})


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        yield running


@pytest.fixture
def proxy(server: FileServer) -> Iterator[FaultServer]:
    """The same server, whose answers may go wrong."""
    with FaultServer(server.url) as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    """The waits between tries, in seconds, which nobody waits for."""
    return []


@pytest.fixture
def policy(waits: list[float]) -> RetryPolicy:
    return RetryPolicy(attempts=4, sleep=waits.append)
