"""What a server says it can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from datamint_like.backends.remote.answers import decoded
from datamint_like.backends.remote.transport import Call, Transport
from datamint_like.exceptions import ServerError

NAME = "datamint_like"
PROTOCOL = 1
PAGE_SIZE = 5000
#: Answers to `GET /capabilities` of a server that knows no such route.
_NO_ROUTE = (400, 403, 404, 405, 501)


@dataclass(frozen=True)
class Capabilities:
    """What a server of ours announced.

    Attributes:
        features: Names of what it can do beyond Datamint's protocol.
        page_size: Rows that a page of a listing has at most.
    """

    version: str = ""
    features: frozenset[str] = frozenset()
    page_size: int = PAGE_SIZE


_known: dict[str, Capabilities] = {}  # by URL, of servers of ours: a 404 may be that of a proxy, and pass


def capabilities(transport: Transport) -> Capabilities | None:
    """What the server announces; None of one that speaks Datamint's protocol alone.

    Raises:
        ServerError: It speaks a newer protocol than this version.
        NetworkError, AuthenticationError: It cannot be asked.
    """
    if transport.url in _known:
        return _known[transport.url]
    answer = transport.ask(Call("GET", "/capabilities", accepted=_NO_ROUTE))
    understood = _understood(decoded(answer, transport.url) if answer.is_success else None, transport.url)
    if understood is not None:
        _known[transport.url] = understood
    return understood


def _understood(said: Any, url: str) -> Capabilities | None:
    if not isinstance(said, dict) or said.get("name") != NAME:
        return None
    protocol, size, features = said.get("protocol"), said.get("page_size", PAGE_SIZE), said.get("features", ())
    if not isinstance(protocol, int) or not isinstance(size, int) or size < 1 or not isinstance(features, list):
        raise ServerError(f"The server {url} announces itself in words that cannot be understood. Ask who runs it.")
    if protocol > PROTOCOL:
        raise ServerError(
            f"The server {url} speaks version {protocol} of the protocol, this client {PROTOCOL}. Install a newer "
            "datamint-like."
        )
    return Capabilities(str(said.get("version", "")), frozenset(map(str, features)), size)
