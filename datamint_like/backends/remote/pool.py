"""One pool of connections for each process, never shared with a parent or child.

It knows no key and keeps no cookie: each request carries what its own server may see.
"""

from __future__ import annotations

import atexit
import os
import ssl
import threading
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx

from datamint_like import __version__
from datamint_like.exceptions import ValidationError

#: Seconds: to connect, between two pieces of an answer, between two of a request, for a free connection.
TIMEOUTS = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=60.0)
#: As many connections as there are threads that ask: whoever starts them has said how many that may be.
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=3.0)
_HEADERS = {"User-Agent": f"datamint-like/{__version__}", "Accept-Encoding": "identity"}


class _Pools:
    """The clients of this process, by the certificates that they trust."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.clients: dict[Path | None, httpx.Client] = {}


_pools = _Pools()
_inherited: list[_Pools] = []  # of the parent: kept, so that no child closes its connections


def client(ca_file: Path | None) -> httpx.Client:
    """This process's client that trusts the authorities of `ca_file`, or those of the system.

    Raises:
        ValidationError: The file holds no certificates, or cannot be read.
    """
    with _pools.lock:
        if ca_file not in _pools.clients:
            _pools.clients[ca_file] = _new(ca_file)
        return _pools.clients[ca_file]


def _new(ca_file: Path | None) -> httpx.Client:
    trust = _trust(ca_file)
    try:
        return httpx.Client(
            verify=trust,
            timeout=TIMEOUTS,
            limits=_LIMITS,
            follow_redirects=False,
            headers=_HEADERS,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )
    except (OSError, ImportError, ValueError, httpx.InvalidURL) as error:
        raise ValidationError(
            "The settings for connections in the environment cannot be used: check SSL_CERT_FILE, SSL_CERT_DIR, "
            f"HTTP_PROXY, HTTPS_PROXY and ALL_PROXY ({type(error).__name__})."
        ) from error


def _trust(ca_file: Path | None) -> ssl.SSLContext | bool:
    """Whom to trust: httpx's own choice (`SSL_CERT_FILE`, else its bundle), or the authorities of a file alone."""
    if ca_file is None:
        return True
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
