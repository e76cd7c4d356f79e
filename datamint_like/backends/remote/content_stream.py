"""The content of a project as a server streams it: MessagePack values, each behind its length, `"end"` the last.

It is read as it comes. Where the connection breaks, the stream is asked for again and gone on with behind what has
come already, if the revision is still the same: equal revisions mean equal content.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import msgspec

from datamint_like.backends.base import Changes, ContentRow, ProjectContent
from datamint_like.backends.remote.downloads import SLOWEST
from datamint_like.backends.remote.located import located
from datamint_like.backends.remote.retries import Tries
from datamint_like.backends.remote.transport import PASSING_FAILURES, Call, Transport
from datamint_like.entities import AnnotationWorklist, Project
from datamint_like.exceptions import ServerError

_LENGTH = 4
END = "end"
_decode_row = msgspec.msgpack.Decoder(ContentRow, strict=False).decode


class _Head(msgspec.Struct, frozen=True):
    revision: str
    project: Project | None
    worklists: tuple[AnnotationWorklist, ...]
    resources: int
    changes: Changes | None = None


@contextmanager
def streamed_content(transport: Transport, call: Call) -> Iterator[ProjectContent]:
    """A block in which the content that a stream holds comes.

    Raises:
        ServerError: It broke off, holds something else, or became another one while it was read again.
        NetworkError, AuthenticationError, ItemNotFoundError, ...: As of any request.
    """
    with closing(_values(transport, call)) as values:
        head = _head_of(next(values, b""), transport.url)
        yield ProjectContent(
            revision=head.revision,
            project=head.project,
            worklists=head.worklists,
            count=head.resources,
            rows=_rows(values, head.resources, transport.url),
            changes=head.changes,
        )


def _rows(values: Iterator[bytes], count: int, url: str) -> Iterator[ContentRow]:
    """The rows among the values behind the head."""
    number = 0
    for value in values:
        row = _understood(_decode_row, value, url)
        yield ContentRow(row.resource, located(row.parts, row.resource.id), row.annotations)
        number += 1
    if number != count:
        raise ServerError(f"The server {url} announced {count} resources and sent {number}. Try again.")


def _values(transport: Transport, call: Call) -> Generator[bytes]:
    """The values before the end, each once, across connections that break."""
    tries, given, revision = transport.tries(call.longest_s(transport.policy)), 0, ""
    while True:
        try:
            with transport.opened(call, tries) as answer:
                for number, value in enumerate(_framed(answer, tries, transport.url)):
                    if number == 0:
                        found = _head_of(value, transport.url).revision
                        _need_same(revision or found, found, transport.url)
                        revision = found
                    if number == given:
                        yield value
                        given += 1
                        tries.progress()
        except PASSING_FAILURES as error:
            if not transport.passed(error, tries):
                raise transport.told(error) from error
        else:
            return


def _framed(answer: httpx.Response, tries: Tries, url: str) -> Iterator[bytes]:
    """The values before the end of one answer.

    Raises:
        ServerError: It broke off, or is packed in a damaged form.
        httpx.ReadTimeout: It comes too slowly.
    """
    data, size = bytearray(), 0
    try:
        for chunk in answer.iter_bytes():
            data += chunk
            size += len(chunk)
            place = 0
            while len(data) - place >= _LENGTH:
                stop = place + _LENGTH + int.from_bytes(data[place : place + _LENGTH], "big")
                if stop > len(data):
                    break
                value, place = bytes(data[place + _LENGTH : stop]), stop
                if value == _END:
                    return
                yield value
            del data[:place]
            if tries.seconds_left + size / SLOWEST < 0:
                raise httpx.ReadTimeout("it took too long")
    except httpx.DecodingError as error:
        raise ServerError(f"The server {url}, or a proxy before it, packed its answer in a damaged form.") from error
    raise ServerError(
        f"The content that the server {url} sent broke off after {size} bytes. Try again; if it happens again, tell "
        "who runs the server."
    )


_END = msgspec.msgpack.encode(END)


def _need_same(first: str, now: str, url: str) -> None:
    if now != first:
        raise ServerError(
            f"The connection to the server {url} broke off, and the content has changed since: what came before and "
            "after are of two instants, and nothing of it is used. Try again."
        )


def _head_of(value: bytes, url: str) -> _Head:
    head: _Head = _understood(msgspec.msgpack.Decoder(_Head, strict=False).decode, value, url)
    return head


def _understood(decode: Any, value: bytes, url: str) -> Any:
    try:
        return decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ServerError(
            f"The server {url} sent content that cannot be understood ({error}). Is its version older or newer?"
        ) from error
