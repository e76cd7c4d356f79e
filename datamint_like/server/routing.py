"""One declared table of routes: who may call them, what they take, and what answers.

A handler is a function of a `Call`; it runs in a thread, since the store blocks. What it returns is the body as JSON,
or a `Response` as it is. A route that `reads_body` has an `async` handler, which takes the body as it comes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from datamint_like.exceptions import ValidationError
from datamint_like.server.access import Rule, check
from datamint_like.server.call import Call
from datamint_like.server.errors import Refused
from datamint_like.server.incoming import announced_length, drain, pieces
from datamint_like.server.once import made_once
from datamint_like.server.wire import json_answer

MSGPACK = "application/msgpack"


@dataclass(frozen=True)
class Route:
    """One route.

    Attributes:
        path: With the names of ids in braces.
        rule: Who may call it.
        does: What it does, in a line, for the API's own documentation.
        body: What the body holds, as a msgspec type; None where there is none.
        query: What the query string holds, as a msgspec struct.
        example: A body that works, for the documentation.
        reads_body: Whether the handler is `async` and takes the body itself (files).
        status: Of an answer that went well.
        answer: Of a create, from what the store made (which the handler returns as it is) to the body. Such a route
            keeps `Idempotency-Key`.
    """

    method: str
    path: str
    handler: Callable[[Call], Any]
    rule: Rule
    does: str
    body: Any = None
    query: type[msgspec.Struct] | None = None
    example: Any = None
    reads_body: bool = False
    status: int = 200
    answer: Callable[[Any], Any] | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The names in braces."""
        return tuple(re.findall(r"{(\w+)(?::\w+)?}", self.path))


async def answered(route: Route, request: Request, enter: Callable[[], Call]) -> Response:
    """The answer to a request.

    Args:
        route: Which route it asks.
        request: The request.
        enter: Finds out whose key it carries. It asks the store, so it runs in a thread; where there is no body to
            wait for, in the same one as all else.

    Raises:
        DatamintException, Existing, Refused: What the client gets instead.
    """
    early = route.rule.field is None  # else body or query say what the rule is about

    def entered() -> Call:
        call = enter()
        if early:
            check(route.rule, call)
        return call

    if route.body is None and not route.reads_body:
        return await run_in_threadpool(lambda: _handled(route, entered(), b""))
    call = await run_in_threadpool(entered)
    if route.reads_body:
        try:
            result = await route.handler(call)
        except Exception as error:  # whatever it is goes on, once the client has had time to listen
            if getattr(error, "status", None) != HTTPStatus.REQUEST_TIMEOUT:
                await drain(call)
            raise
        return result if isinstance(result, Response) else json_answer(result, route.status)
    raw = await bounded_body(call)
    return await run_in_threadpool(_handled, route, call, raw)


def _handled(route: Route, call: Call, raw: bytes) -> Response:
    """The answer, with everything that takes time done in this thread: decoding, the store, encoding."""
    if route.query is not None:
        call.query = query_of(call.request.query_params, route.query)
    if route.body is not None:
        call.body = body_of(raw, route.body, call.request)
    if route.rule.field is not None:
        check(route.rule, call)
    if route.answer is not None:
        return made_once(call, hashlib.sha256(raw).hexdigest(), route.handler, route.answer, route.status)
    result = route.handler(call)
    return result if isinstance(result, Response) else json_answer(result, route.status)


async def bounded_body(call: Call) -> bytes:
    """The whole body, unless it is longer than requests may have in memory.

    Raises:
        Refused: It is (413), the client went away (400), or was silent for too long (408).
    """
    limit = call.options.max_body
    too_long = Refused(
        413,
        f"The body of this request is larger than this server takes, {limit} bytes. Send less at once, as by a smaller "
        "batch_size.",
    )
    if (announced_length(call) or 0) > limit:
        raise too_long
    read = bytearray()
    async for piece in pieces(call):
        read += piece
        if len(read) > limit:
            raise too_long
    return bytes(read)


def body_of(raw: bytes, kind: Any, request: Request) -> Any:
    """What the body says.

    Raises:
        ValidationError: It is not JSON (or MessagePack), or not of this kind; the message names the field.
    """
    decode = msgspec.msgpack.decode if _is_msgpack(request) else msgspec.json.decode
    try:
        return decode(raw, type=kind, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValidationError(f"The body of this request cannot be used: {error}.") from None


def query_of(given: QueryParams, kind: type[msgspec.Struct]) -> Any:
    """What the query string says; an empty value is one that was not given, `name[]` and repeats make a list.

    Raises:
        ValidationError: A value is of another type; the message names it.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    found: dict[str, Any] = {}
    for key, value in given.multi_items():
        name = key.removesuffix("[]")
        if not value or name not in fields:
            continue
        if "tuple" in str(fields[name].type) or "list" in str(fields[name].type):
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    try:
        return msgspec.convert(found, type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise ValidationError(f"The query of this request cannot be used: {error}.") from None


def parsed_json(text: str, kind: Any, what: str) -> Any:
    """What a text within a query or form says as JSON.

    Raises:
        ValidationError: It is no JSON, or not of this kind.
    """
    try:
        return msgspec.json.decode(text, type=kind, strict=False)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValidationError(f"{what} must be JSON: {error}.") from None


def documented(route: Route) -> Mapping[str, Any]:
    """What OpenAPI says of a route beyond its path: parameters, body, example."""
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in route.ids
    ]
    if route.query is not None:
        (schema,), components = msgspec.json.schema_components([route.query], ref_template="#/$defs/{name}")
        properties = components[route.query.__name__]["properties"] if "$ref" in schema else schema["properties"]
        parameters += [{"name": name, "in": "query", "schema": each} for name, each in properties.items()]
    found: dict[str, Any] = {"parameters": parameters}
    if route.body is not None:
        content: dict[str, Any] = {"schema": _inlined(route.body)}
        if route.example is not None:
            content["example"] = route.example
        found["requestBody"] = {"required": True, "content": {"application/json": content}}
    return found


def _inlined(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a type, whole, without references to elsewhere."""
    schemas, components = msgspec.json.schema_components([kind], ref_template="{name}")

    def resolved(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolved(components[node["$ref"]])
            return {key: resolved(value) for key, value in node.items()}
        return [resolved(each) for each in node] if isinstance(node, list) else node

    whole: dict[str, Any] = resolved(schemas[0])
    return whole


def _is_msgpack(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip() == MSGPACK
