"""Files as answers: whole or from a range, with their digest, in pieces that do not add up in memory."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from datamint_like.server.errors import Refused
from datamint_like.server.headers import attachment, media_type

#: Bytes of a file that are in memory at once. Larger ones are faster, but stay in the heap of every thread.
PIECE = 128 * 1024
#: What is no longer than this goes out in one piece, without a task of its own.
_AT_ONCE = 256 * 1024
_RANGE = re.compile(r"bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.IGNORECASE)


@dataclass(frozen=True)
class ServedFile:
    """A file that never changes.

    Attributes:
        path: Where it lies.
        size: Length in bytes.
        sha256: Digest of its bytes.
        media_type: What it is.
        filename: What to save it as.
    """

    path: Path
    size: int
    sha256: str
    media_type: str
    filename: str

    @property
    def etag(self) -> str:
        """The digest names the bytes, whatever they are called."""
        return f'"{self.sha256}"'


def file_answer(request: Request, file: ServedFile, place_for_nginx: Callable[[Path], str | None]) -> Response:
    """The answer to a request for a file. It reads small ones, so it belongs into a thread.

    Args:
        request: Its `Range`, `If-Range` and `If-None-Match` count.
        file: Which file.
        place_for_nginx: The location at which nginx has a path, if it serves it for us.

    Raises:
        Refused: The range lies beyond the end (416).
    """
    headers = _headers_of(file)
    asked = request.headers
    if file.etag in _listed(asked.get("if-none-match", "")):
        return Response(status_code=304, headers={"ETag": file.etag})
    wanted = asked.get("range") if asked.get("if-range", file.etag) == file.etag else None
    span = range_of(wanted, file.size)
    if span is None:
        place = place_for_nginx(file.path)
        if place is not None and request.method == "GET":  # nginx answers ranges by an ETag of its own: those are ours
            return Response(headers={**headers, "X-Accel-Redirect": place})
        status, (start, end) = 200, (0, file.size)
    else:
        status, (start, end) = 206, span
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    if end - start <= _AT_ONCE:
        with open(file.path, "rb") as opened:
            return Response(os.pread(opened.fileno(), end - start, start), status, headers)
    return _Pieces(file.path, start, end, status, headers)


def range_of(text: str | None, size: int) -> tuple[int, int] | None:
    """First byte and end of the one range that a header asks for; None where it asks for none, or is to be ignored.

    Several ranges, other units and what is no range are ignored, as RFC 9110 allows.

    Raises:
        Refused: The range lies beyond the end (416).

    Examples:
        >>> range_of("bytes=2-3", 10), range_of("bytes=-4", 10), range_of("bytes=1-2,5-6", 10)
        ((2, 4), (6, 10), None)
    """
    match = _RANGE.fullmatch(text.strip()) if text else None
    if match is None or not (match[1] or match[2]):
        return None
    if match[1] and match[2] and int(match[1]) > int(match[2]):
        return None
    start = int(match[1]) if match[1] else max(0, size - int(match[2]))
    end = min(size, int(match[2]) + 1) if match[1] and match[2] else size
    if start >= size:
        raise Refused(
            416,
            f"None of the {size} bytes of this file lies in {match[0]!r:.80}.",
            {"Content-Range": f"bytes */{size}"},
        )
    return start, end


def _headers_of(file: ServedFile) -> dict[str, str]:
    digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
    return {
        "Content-Type": media_type(file.media_type),
        "Content-Disposition": attachment(file.filename),
        "ETag": file.etag,
        "Digest": f"sha-256={digest}",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
    }


def _listed(text: str) -> list[str]:
    return [each.strip().removeprefix("W/") for each in text.split(",")]


class _Pieces(Response):
    """Part of a file, a piece in memory at a time; it stops when the client has gone."""

    def __init__(self, path: Path, start: int, end: int, status: int, headers: dict[str, str]) -> None:
        super().__init__(status_code=status, headers=headers)
        self._path = path
        self._span = start, end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handle = await run_in_threadpool(os.open, self._path, os.O_RDONLY)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(_until_gone, receive, tasks.cancel_scope))
                await self._send(handle, send)
                tasks.cancel_scope.cancel()
        finally:
            os.close(handle)

    async def _send(self, handle: int, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        at, end = self._span
        while at < end:
            piece = await run_in_threadpool(os.pread, handle, min(PIECE, end - at), at)
            if not piece:
                raise RuntimeError(f"{self._path.name} is shorter than it was.")
            at += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": at < end})


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
