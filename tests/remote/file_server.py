"""A small server of given answers, and of files with ranges, ETag and a key, for transport and downloads."""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KEY = "key-of-this-test-0123456789"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    port: int


@dataclass
class FileServer:
    """Files and JSON values by path; `seen` holds the requests that came."""

    files: dict[str, bytes] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    seen: list[Asked] = field(default_factory=list)
    certificate: Path | None = None

    def __enter__(self) -> FileServer:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        scheme = "http"
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who does not trust it hangs up
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(owner: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = {name.lower(): value for name, value in self.headers.items()}
            owner.seen.append(Asked(self.command, self.path, given, body, self.client_address[1]))
            path = self.path.partition("?")[0]
            if path in owner.raw:
                status, headers, data = owner.raw[path]
            elif given.get("apikey") != KEY:
                status, headers, data = 401, {}, json.dumps({"message": "The key is unknown."}).encode()
            elif path in owner.files:
                status, headers, data = ranged(owner.files[path], given)
            elif path in owner.values:
                status, headers, data = (
                    200,
                    {"Content-Type": "application/json"},
                    json.dumps(owner.values[path]).encode(),
                )
            else:
                status, headers, data = 404, {}, b'{"detail": "Not Found"}'
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 -- the base class asks for these names

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def ranged(data: bytes, given: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and bytes of a file, or of the range that is asked for."""
    etag = f'"{hashlib.sha256(data).hexdigest()}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes"}
    found = _RANGE.fullmatch(given.get("range", ""))
    if found is None or given.get("if-range", etag) != etag:
        return 200, headers, data
    start, end = int(found[1]), min(int(found[2] or len(data) - 1), len(data) - 1)
    if start >= len(data):
        return 416, {**headers, "Content-Range": f"bytes */{len(data)}"}, b""
    return 206, {**headers, "Content-Range": f"bytes {start}-{end}/{len(data)}"}, data[start : end + 1]
