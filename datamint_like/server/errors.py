"""From an error of ours to an answer: its status, and a body that every client understands."""

from __future__ import annotations

import errno
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

from datamint_like.entities import Record
from datamint_like.exceptions import (
    AuthenticationError,
    DatamintException,
    DecodeError,
    EntityAlreadyExistsError,
    GeometryError,
    ItemNotFoundError,
    PermissionDeniedError,
    StorageError,
    ValidationError,
)

_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (EntityAlreadyExistsError, 409),
    (ValidationError, 422),
    (DecodeError, 422),
    (GeometryError, 422),
    (ItemNotFoundError, 404),
    (AuthenticationError, 401),
    (PermissionDeniedError, 403),
)
_INTERNAL = "The server failed on this request; its log says why."


class Existing(Exception):  # noqa: N818 -- an answer rather than a failure
    """A create that found its name taken, with the entity that has it."""

    def __init__(self, error: EntityAlreadyExistsError, entity: Record) -> None:
        super().__init__(str(error))
        self.error = error
        self.entity = entity


class Refused(Exception):  # noqa: N818
    """A request that is refused with a status of HTTP's own, such as 413."""

    def __init__(
        self, status: int, message: str, headers: dict[str, str] | None = None, kind: str = "ServerError", **more: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.headers = headers or {}
        self.more = more


def answer_to(error: Exception) -> Response:
    """The answer to a request that raised `error`; one that is not ours says nothing of itself.

    Example:
        >>> answer_to(ItemNotFoundError("Resource 7 not found in the store.")).status_code
        404
    """
    if isinstance(error, Existing):
        return _answer(409, str(error.error), kind_of(error.error), more=error.entity.to_dict())
    if isinstance(error, Refused):
        return _answer(error.status, str(error), error.kind, more=error.more, headers=error.headers)
    if not isinstance(error, DatamintException):
        return _answer(500, _INTERNAL, "ServerError")
    return _answer(status_of(error), str(error), kind_of(error))


def status_of(error: DatamintException) -> int:
    """The HTTP status of an error of ours."""
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    cause = error.__cause__
    full = (
        isinstance(error, StorageError) and isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)
    )
    return 507 if full else 500


def kind_of(error: DatamintException) -> str:
    """The class that a client of ours raises again."""
    return type(error).__name__


def _answer(
    status: int,
    message: str,
    kind: str,
    *,
    more: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """An error's body; a 404 always holds "not found", by which published clients know it."""
    phrase = HTTPStatus(status).phrase
    if status == 404 and "not found" not in message.lower():
        message = f"{message} (not found)"
    body = {**(more or {}), "statusCode": status, "error": phrase, "message": message, "kind": kind}
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")
