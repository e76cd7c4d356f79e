"""Answers as records: JSON that is checked, lists out of their envelopes, errors where an answer is none of these."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import quote

import httpx
import msgspec

from datamint_like.backends.remote.transport import Call, Transport
from datamint_like.backends.values import json_ready
from datamint_like.entities import Record
from datamint_like.exceptions import ServerError, ValidationError

R = TypeVar("R", bound=Record)
T = TypeVar("T")
_ENVELOPES = ("data", "items")


class Calls:
    """Requests of JSON to one server, and its answers as values that were checked."""

    def __init__(self, transport: Transport) -> None:
        """Ask by this transport."""
        self.transport = transport

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The value that a path holds."""
        return self.decoded(Call("GET", path, params=params))

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        repeat: bool = False,
        headers: Mapping[str, str] | None = None,
        packed: bool = False,
        read_s: float | None = None,
    ) -> Any:
        """What the server answers to a body; None where that is empty.

        Args:
            method: Of the request.
            path: Below the server's URL.
            body: Plain values; None sends none.
            repeat: The request may be made again when nobody knows whether it arrived.
            headers: Of the request.
            packed: Send MessagePack, in which bytes are bytes.
            read_s: How long the server may be silent.

        Raises:
            ValidationError: The body holds what JSON cannot.
        """
        content, kind = (None, {}) if body is None else (_packed(body) if packed else _json(body))
        call = Call(method, path, content=content, headers={**kind, **(headers or {})}, repeat=repeat, read_s=read_s)
        return self.decoded(call)

    def pages(
        self, name: str, ask: Callable[[int, int], Any], size: int, *, offset: int, limit: int | None
    ) -> list[Any]:
        """The rows of a listing, from `offset`, at most `limit`.

        Args:
            name: What the rows are called in their envelope.
            ask: The answer for an offset and a number of rows.
            size: The rows of a page.
            offset: Rows left out first.
            limit: Rows at most; None is all.
        """
        rows: list[Any] = []
        while True:
            wanted = size if limit is None else min(size, limit - len(rows))
            page = rows_of(ask(offset + len(rows), wanted), name, self.transport.url)
            rows += page
            if len(page) < wanted or not page or (limit is not None and len(rows) >= limit):
                return rows[:limit]

    def decoded(self, call: Call) -> Any:
        """The value that the server answers to a request; None where the answer is empty.

        Raises:
            ServerError: It is no JSON, or says that it could not be done.
        """
        value = decoded(self.transport.ask(call), self.transport.url)
        if isinstance(value, Mapping) and value.get("error") and "message" not in value:
            raise ServerError(f"The server {self.transport.url} could not do this: {value['error']!s:.300}")
        return value

    def record(self, kind: type[R], value: Any) -> R:
        """The record that an answer holds.

        Raises:
            ServerError: It holds none.
        """
        if not isinstance(value, Mapping):
            raise self._wrong(f"a {kind.__name__}")
        try:
            return kind.from_dict(value)
        except ValidationError as error:
            raise self._wrong(f"a {kind.__name__}", str(error)) from error

    def records(self, kind: type[R], value: Any) -> list[R]:
        """The records of an array.

        Raises:
            ServerError: It is none, or holds something else.
        """
        if not isinstance(value, list):
            raise self._wrong(f"an array of {kind.__name__}")
        return [self.record(kind, each) for each in value]

    def field(self, value: Any, name: str, kind: type[T]) -> T:
        """One field of an object.

        Raises:
            ServerError: It is not there, or of another type.
        """
        found = value.get(name) if isinstance(value, Mapping) else None
        if not isinstance(found, kind):
            raise self._wrong(f"an object with {name!r}")
        return found

    def _wrong(self, expected: str, why: str = "") -> ServerError:
        detail = f" {why}" if why else ""
        return ServerError(
            f"The server {self.transport.url} should have answered {expected} and did not.{detail} Is it a server of "
            "this protocol, and of a version that fits?"
        )


def decoded(answer: httpx.Response, url: str) -> Any:
    """The JSON of an answer; None of an empty one.

    Raises:
        ServerError: It is no JSON.
    """
    if not answer.content.strip():
        return None
    try:
        return msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServerError(
            f"The server {url} answered {len(answer.content)} bytes that are no JSON ({error}). Check that the address "
            "is that of a server of this protocol."
        ) from error


def rows_of(value: Any, name: str, url: str) -> list[Any]:
    """The rows in the envelope of a listing, whichever of the protocol's it is.

    Raises:
        ServerError: It is none.
    """
    if isinstance(value, Mapping):
        inner = next((value[key] for key in _ENVELOPES if key in value), None)
        nested = isinstance(inner, list) and len(inner) == 1 and isinstance(inner[0], Mapping) and name in inner[0]
        value = cast("list[Any]", inner)[0][name] if nested and "totalCount" in value else inner
    if not isinstance(value, list):
        raise ServerError(f"The server {url} should have answered a list of {name} and did not.")
    return value


def path(*parts: str) -> str:
    """A path of these parts, each quoted.

    Raises:
        ValidationError: One is no text, or empty.
    """
    for part in parts:
        if not isinstance(part, str) or not part:
            raise ValidationError(f"An id or a name is a text that is not empty, not {part!r:.80}.")
        if part in (".", ".."):
            raise ValidationError(f"{part!r} is no id.")
    try:
        return "".join(f"/{quote(part, safe='@')}" for part in parts)
    except UnicodeEncodeError as error:
        raise ValidationError("An id or a name is no valid Unicode.") from error


def in_batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """`items` in pieces of `size` at most."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _json(body: Any) -> tuple[bytes, dict[str, str]]:
    value = json_ready(body, "What is sent to the server")
    return json.dumps(value, ensure_ascii=False).encode(), {"Content-Type": "application/json"}


def _packed(body: Any) -> tuple[bytes, dict[str, str]]:
    try:
        return msgspec.msgpack.encode(body), {"Content-Type": "application/msgpack"}
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise ValidationError(f"What is sent to the server must be plain values: {error}.") from error
