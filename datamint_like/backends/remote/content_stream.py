"""The content of a project as a server streams it: MessagePack values, each behind its length, `"end"` the last."""

from __future__ import annotations

from typing import Any

import msgspec

from datamint_like.backends.base import Changes, ProjectContent
from datamint_like.backends.remote.located import located
from datamint_like.entities import Annotation, AnnotationWorklist, Part, Project, Resource
from datamint_like.exceptions import ServerError

_LENGTH = 4
END = "end"


class _Head(msgspec.Struct, frozen=True):
    revision: str
    project: Project | None
    worklists: tuple[AnnotationWorklist, ...]
    resources: int
    changes: Changes | None = None


class _Row(msgspec.Struct, frozen=True, array_like=True):
    resource: Resource
    parts: tuple[Part, ...]
    annotations: tuple[Annotation, ...]


def read_content(data: bytes, url: str) -> ProjectContent:
    """The content that a stream holds.

    Raises:
        ServerError: It broke off, or holds something else.
    """
    values = _values(data, url)
    if not values or _value(values[-1], Any, url) != END:
        raise ServerError(
            f"The content that the server {url} sent broke off after {len(data)} bytes. Try again; if it happens "
            "again, tell who runs the server."
        )
    head = _value(values[0], _Head, url)
    rows = [_value(each, _Row, url) for each in values[1:-1]]
    if len(rows) != head.resources:
        raise ServerError(f"The server {url} announced {head.resources} resources and sent {len(rows)}. Try again.")
    return ProjectContent(
        revision=head.revision,
        project=head.project,
        worklists=head.worklists,
        resources=tuple(row.resource for row in rows),
        parts={row.resource.id: located(row.parts, row.resource.id) for row in rows},
        annotations={row.resource.id: list(row.annotations) for row in rows},
        changes=head.changes,
    )


def _values(data: bytes, url: str) -> list[memoryview]:
    found: list[memoryview] = []
    place, view = 0, memoryview(data)
    while place + _LENGTH <= len(data):
        length = int.from_bytes(view[place : place + _LENGTH], "big")
        place += _LENGTH
        if place + length > len(data):
            return found
        found.append(view[place : place + length])
        place += length
    return found


def _value(raw: memoryview, kind: Any, url: str) -> Any:
    try:
        return msgspec.msgpack.decode(raw, type=kind, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ServerError(
            f"The server {url} sent content that cannot be understood ({error}). Is its version older or newer?"
        ) from error
