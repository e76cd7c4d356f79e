"""The connections of this process, one for each request under way, never shared with a parent or child.

It knows no key and keeps no cookie: each request carries what its own server may see.
"""

from __future__ import annotations

import atexit
import os
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx

from datamint_like import __version__
from datamint_like.exceptions import ValidationError

#: Seconds: to connect, and between two pieces of an answer or of a request.
TIMEOUTS = httpx.Timeout(60.0, connect=10.0)
#: How long a connection that nobody uses is kept (s), and how many of them.
_EXPIRY_S, _MOST_IDLE = 3.0, 64
_LIMITS = httpx.Limits(keepalive_expiry=_EXPIRY_S)
_HEADERS = {"User-Agent": f"datamint-like/{__version__}", "Accept-Encoding": "identity"}


class _Clients:
    """Those that trust the same certificates, each for one request at a time; what was used last is taken first.

    A client that holds all connections looks at each of them, twice a request, and lets the other threads wait
    meanwhile; one that holds a single connection looks at that.
    """

    def __init__(self, ca_file: Path | None) -> None:
        self._trust = _trust(ca_file)
        self._idle: deque[tuple[httpx.Client, float]] = deque()

    @contextmanager
    def one(self) -> Iterator[httpx.Client]:
        """A block with a client that no one else uses meanwhile."""
        try:
            client, _ = self._idle.pop()
        except IndexError:
            client = _new(self._trust)
        try:
            yield client
        finally:
            self._idle.append((client, time.monotonic()))
            self._tidy()

    def _tidy(self) -> None:
        """Hang up where nothing was said for a while."""
        while True:
            try:
                client, used = self._idle.popleft()
            except IndexError:  # other threads took them
                return
            if len(self._idle) < _MOST_IDLE and used > time.monotonic() - _EXPIRY_S:
                self._idle.appendleft((client, used))
                return
            client.close()

    def close(self) -> None:
        """Hang up where nobody is speaking."""
        with suppress(IndexError):  # none is left
            while True:
                self._idle.pop()[0].close()


class _Pools:
    """The clients of this process, by the certificates that they trust."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.clients: dict[Path | None, _Clients] = {}


_pools = _Pools()
_inherited: list[_Pools] = []  # of the parent: kept, so that no child closes its connections


@contextmanager
def client(ca_file: Path | None) -> Iterator[httpx.Client]:
    """A block with a client of this process that trusts the authorities of `ca_file`, or those of the system.

    Raises:
        ValidationError: The file holds no certificates, or cannot be read.
    """
    with _pools.lock:
        clients = _pools.clients.get(ca_file)
        if clients is None:
            clients = _pools.clients[ca_file] = _Clients(ca_file)
    with clients.one() as one:
        yield one


def _new(trust: ssl.SSLContext) -> httpx.Client:
    with _usable_settings():
        return httpx.Client(
            verify=trust,
            timeout=TIMEOUTS,
            limits=_LIMITS,
            follow_redirects=False,
            headers=_HEADERS,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )


@contextmanager
def _usable_settings() -> Iterator[None]:
    """A block in which settings of the environment that cannot be used are told of."""
    try:
        yield
    except (OSError, ImportError, ValueError, httpx.InvalidURL) as error:
        raise ValidationError(
            "The settings for connections in the environment cannot be used: check SSL_CERT_FILE, SSL_CERT_DIR, "
            f"HTTP_PROXY, HTTPS_PROXY and ALL_PROXY ({type(error).__name__})."
        ) from error


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """Whom to trust: httpx's own choice (`SSL_CERT_FILE`, else its bundle), or the authorities of a file alone."""
    if ca_file is None:
        with _usable_settings():
            return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise ValidationError(
            f"The certificates in {ca_file} (DATAMINT_LIKE_CA_FILE, or ca_file of the config file) cannot be read: "
            f"{error.strerror or error}. Give a PEM file."
        ) from error


def _start_anew() -> None:
    """In a forked child: leave the parent's pool alone, whatever its threads were doing with it."""
    global _pools
    _inherited.append(_pools)
    _pools = _Pools()


def _close() -> None:
    """At the end of the process: hang up."""
    for each in _pools.clients.values():
        each.close()


os.register_at_fork(after_in_child=_start_anew)
atexit.register(_close)
