"""A bucket without room: passes on to a real S3 server what reads and removes, and refuses what is to be stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

_NO_ROOM = b"<Error><Code>XMinioStorageFull</Code><Message>Storage backend has reached its minimum</Message></Error>"


@contextmanager
def full_bucket_before(url: str) -> Iterator[str]:
    """The address of a server that refuses objects of more than a few bytes with 507, before the one at `url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.command in ("PUT", "POST") and (len(body) > 100 or "uploads" in self.path):
                self._answer(507, _NO_ROOM, {})
                return
            kept = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            got = httpx.request(self.command, url + self.path, content=body, headers=kept)
            names = ("ETag", "Last-Modified", "Content-Type")
            self._answer(got.status_code, got.content, {n: got.headers[n] for n in names if n in got.headers}, got)

        def _answer(self, status: int, body: bytes, headers: dict[str, str], got: httpx.Response | None = None) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            head = self.command == "HEAD" and got is not None
            self.send_header(
                "Content-Length", got.headers.get("Content-Length", "0") if head and got else str(len(body))
            )
            self.end_headers()
            if not head:
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815 -- the library's names

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
