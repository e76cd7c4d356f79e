"""Fixtures of the servers: one a process that runs tests, and in it a place of its own for each test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.servers.postgres import PostgresServer
from tests.servers.s3 import BUCKET, S3Server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL; the test skips where its binaries are absent."""
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of a schema that is not there yet."""
    return postgres_server.url(f"s{secrets.token_hex(6)}")


@pytest.fixture(scope="session")
def _running_s3() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.remove()


@pytest.fixture
def s3_server(_running_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """A running S3 server, whose keys and address are in the environment; the test skips where moto is absent."""
    for name, value in _running_s3.environment.items():
        monkeypatch.setenv(name, value)
    return _running_s3


@pytest.fixture
def bucket_url(s3_server: S3Server) -> str:
    """The URL of a prefix that nothing lies under yet."""
    return f"s3://{BUCKET}/{secrets.token_hex(6)}"
