"""A proxy that lets answers of a real server go wrong on purpose, one planned fault after another.

    with FaultServer(upstream_url) as proxy:
        proxy.plan("/parts/0", Cut(1000), Status(429, {"Retry-After": "0"}))
        ...                      # the first request of that path breaks off, the second is refused, others pass
        proxy.seen[0].headers    # what was asked

Standard library only. Each connection carries one request, so that every request meets its own fault.
"""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(.+)")
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


@dataclass(frozen=True)
class Answer:
    """What the real server answered, before it goes wrong."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Fault:
    """None at all: everything is left as it is. Its kinds change the request, the answer, or how it is sent."""

    def request(self, headers: dict[str, str]) -> dict[str, str]:
        """The headers that the real server gets."""
        return headers

    def answer(self, answer: Answer) -> Answer:
        """The answer that is sent."""
        return answer

    def length(self, answer: Answer) -> int:
        """The `Content-Length` that is claimed."""
        return len(answer.body)

    def send(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        """Send an answer."""
        connection.sendall(head + body)


@dataclass(frozen=True)
class Cut(Fault):
    """The connection is closed after some bytes of the body."""

    after: int

    def send(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        """Send the beginning of an answer."""
        connection.sendall(head + body[: self.after])


@dataclass(frozen=True)
class Reset(Fault):
    """The connection is reset (RST) after some bytes of the body; before the answer where it is None."""

    after: int | None = None

    def send(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        """Send the beginning, or nothing, and reset."""
        if self.after is not None:
            connection.sendall(head + body[: self.after])
            time.sleep(0.05)  # a reset overtakes bytes that the reader has not taken yet
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


@dataclass(frozen=True)
class WrongLength(Fault):
    """`Content-Length` claims this many bytes more (or fewer) than there are."""

    by: int

    def length(self, answer: Answer) -> int:
        """Another length than the body's."""
        return max(0, len(answer.body) + self.by)


class IgnoreRange(Fault):
    """The whole file (200) where a range was asked for."""

    def request(self, headers: dict[str, str]) -> dict[str, str]:
        """The headers without range."""
        return {name: value for name, value in headers.items() if name.lower() not in ("range", "if-range")}


@dataclass(frozen=True)
class Retag(Fault):
    """Another ETag than the file's."""

    etag: str = '"stale"'

    def answer(self, answer: Answer) -> Answer:
        """The answer with that ETag."""
        return Answer(answer.status, {**answer.headers, "etag": self.etag}, answer.body)


@dataclass(frozen=True)
class Status(Fault):
    """Another answer altogether, such as 429 with `Retry-After`."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def answer(self, answer: Answer) -> Answer:
        """That answer."""
        return Answer(self.status, self.headers, self.body)


@dataclass(frozen=True)
class Drip(Fault):
    """The body comes in small pieces, with a wait after each."""

    piece: int = 1024
    wait_s: float = 0.01

    def send(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        """Send an answer slowly."""
        connection.sendall(head)
        for start in range(0, len(body), self.piece):
            connection.sendall(body[start : start + self.piece])
            time.sleep(self.wait_s)


@dataclass(frozen=True)
class WrongByte(Fault):
    """One byte of the body is another."""

    at: int = 0

    def answer(self, answer: Answer) -> Answer:
        """The answer with that byte inverted."""
        body = bytearray(answer.body)
        body[self.at] ^= 0xFF
        return Answer(answer.status, answer.headers, bytes(body))


@dataclass(frozen=True)
class WrongRange(Fault):
    """A part of the file that says to begin elsewhere than was asked for."""

    by: int = 1

    def answer(self, answer: Answer) -> Answer:
        """The answer with another `Content-Range`, where it has one."""
        found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
        if found is None:
            return answer
        moved = f"bytes {int(found[1]) + self.by}-{int(found[2]) + self.by}/{found[3]}"
        return Answer(answer.status, {**answer.headers, "content-range": moved}, answer.body)


class Gzipped(Fault):
    """The body is compressed, though nobody asked for that."""

    def answer(self, answer: Answer) -> Answer:
        """The answer with another coding."""
        headers = {**answer.headers, "content-encoding": "gzip"}
        return Answer(answer.status, headers, gzip.compress(answer.body))


class AsDatamint(Fault):
    """A server of Datamint's protocol alone: no digests, no ranges, and of a file only its frames, width and height.

    Hide the routes that are ours, too: `proxy.hide(*OURS)`.
    """

    def request(self, headers: dict[str, str]) -> dict[str, str]:
        """The headers that such a server knows."""
        return {name: value for name, value in headers.items() if name not in ("range", "if-range", "idempotency-key")}

    def answer(self, answer: Answer) -> Answer:
        """The answer as far as such a server would give it."""
        if not answer.headers.get("content-type", "").startswith("application/json"):
            return answer
        return Answer(answer.status, answer.headers, json.dumps(_without_ours(json.loads(answer.body))).encode())


#: The routes that are ours alone.
OURS = (
    "/capabilities",
    "/now",
    "/users/me",
    "/content",
    "/revision",
    "/parts",
    "/by-ids",
    "/uploads",
    "/work-statuses",
)


def _without_ours(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_ours(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _without_ours(each) for key, each in value.items() if key not in ("sha256", "kind")}
    if "metadata" in kept:
        kept["metadata"] = {key: kept["metadata"][key] for key in ("frame_count", "width", "height")}
    return kept


@dataclass(frozen=True)
class Together(Fault):
    """Several faults of one answer; it is sent as the last of them sends."""

    faults: tuple[Fault, ...]

    def request(self, headers: dict[str, str]) -> dict[str, str]:
        """The headers after all of them."""
        for fault in self.faults:
            headers = fault.request(headers)
        return headers

    def answer(self, answer: Answer) -> Answer:
        """The answer after all of them."""
        for fault in self.faults:
            answer = fault.answer(answer)
        return answer

    def length(self, answer: Answer) -> int:
        """The body's length, off by what all of them claim."""
        true = len(answer.body)
        return max(0, true + sum(fault.length(answer) - true for fault in self.faults))

    def send(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        """Send as the last one that does so in its own way."""
        own = [fault for fault in self.faults if type(fault).send is not Fault.send]
        (own[-1] if own else Fault()).send(connection, head, body)


@dataclass(frozen=True)
class Seen:
    """A request that came, its headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


class FaultServer:
    """The proxy, on a loopback port of its own while the `with` block runs.

    Attributes:
        url: Where it listens.
        seen: The requests that came, in order.
    """

    def __init__(self, upstream: str, otherwise: Fault | None = None) -> None:
        """Stand in front of the server at `upstream` (`http://host:port`); unplanned requests meet `otherwise`."""
        self._upstream = urlsplit(upstream)
        self._otherwise = otherwise or Fault()
        self._plans: list[tuple[str, list[Fault]]] = []
        self._hidden: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self.seen: list[Seen] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def plan(self, path: str, *faults: Fault) -> None:
        """Let the next requests whose path holds `path` meet these faults, one each."""
        with self._lock:
            self._plans.append((path, list(faults)))

    def forget(self) -> None:
        """Let every request to come pass, whatever was planned for it."""
        with self._lock:
            self._plans.clear()

    def hide(self, *paths: str) -> None:
        """Answer 404 to every request whose path holds one of these, as a server does that has no such route."""
        self._hidden += paths

    def fault_for(self, request: Seen) -> Fault:
        """The fault that this request meets; it is noted among those seen."""
        with self._lock:
            self.seen.append(request)
            for path, faults in self._plans:
                if path in request.path and faults:
                    return faults.pop(0)
        if any(path in request.path for path in self._hidden):
            return Status(404, body=b'{"message": "Route unknown"}')
        return self._otherwise

    def ask(self, request: Seen, headers: dict[str, str], body: bytes) -> Answer:
        """What the real server answers."""
        connection = http.client.HTTPConnection(self._upstream.hostname or "", self._upstream.port, timeout=60)
        try:
            connection.request(request.method, request.path, body=body or None, headers=headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()


def _handler(owner: FaultServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.close_connection = True
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, self.path, given)
            fault = owner.fault_for(seen)
            kept = {name: value for name, value in given.items() if name not in _HOP_BY_HOP}
            answer = fault.answer(owner.ask(seen, fault.request(kept), body))
            try:
                fault.send(self.connection, _head(answer, fault.length(answer)), answer.body)
            except OSError:  # who asked has gone
                return

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _head(answer: Answer, length: int) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items() if name not in _HOP_BY_HOP]
    lines += [f"Content-Length: {length}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")
