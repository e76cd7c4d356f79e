"""The content of a project as a stream: length-prefixed MessagePack, read from the store while it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from datamint_like.backends.base import ContentRow, ProjectContent

STREAM = "application/x-msgpack"
_CHUNK = 1 << 18  # each chunk costs a turn of a thread, and the taker's pace holds up no more than one
_encode = msgspec.msgpack.Encoder().encode


def content_stream(reading: AbstractContextManager[ProjectContent]) -> Iterator[bytes]:
    """A head, each resource with its parts and annotations, and an end, in chunks of whole values.

    The store's read transaction is open while the stream is; whoever drops the stream ends it.
    """
    with reading as content:
        head = {"revision": content.revision, "project": content.project, "worklists": content.worklists}
        told = {} if content.changes is None else {"changes": content.changes}
        waiting = [_framed({**head, "resources": content.count, **told})]
        size = 0
        for row in content.rows:
            waiting.append(_framed(_without_places(row)))
            size += len(waiting[-1])
            if size > _CHUNK:
                yield b"".join(waiting)
                waiting, size = [], 0
        yield b"".join([*waiting, _framed("end")])


def _framed(value: Any) -> bytes:
    packed = _encode(value)
    return len(packed).to_bytes(4, "big") + packed


def _without_places(row: ContentRow) -> ContentRow:
    """Where linked files lie on the server's disk is nobody's business."""
    if all(part.linked_path is None for part in row.parts):
        return row
    parts = [msgspec.structs.replace(part, linked_path=None, mtime_ns=None) for part in row.parts]
    return ContentRow(row.resource, parts, row.annotations)
