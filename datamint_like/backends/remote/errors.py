"""What a request that failed raises: the class and message of the server, or a sentence of ours with what to do."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from datamint_like import exceptions
from datamint_like.backends._urls import without_user_info
from datamint_like.exceptions import (
    AuthenticationError,
    DatamintException,
    EntityAlreadyExistsError,
    ItemNotFoundError,
    NetworkError,
    PermissionDeniedError,
    ServerError,
    ValidationError,
)

_SHOWN = 300  # characters of a text of the server
#: The classes that a `kind` may name: those that one text makes.
_KINDS: Mapping[str, type[DatamintException]] = {
    name: kind
    for name, kind in vars(exceptions).items()
    if isinstance(kind, type) and issubclass(kind, DatamintException) and kind is not DatamintException
}
_BY_STATUS: Mapping[int, type[DatamintException]] = {
    400: ValidationError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    409: EntityAlreadyExistsError,
    413: ValidationError,
    422: ValidationError,
}


def of_answer(answer: httpx.Response, url: str, key_source: str) -> DatamintException:
    """The error that an answer (read whole, of status 300 or more) stands for.

    Args:
        answer: It.
        url: The server's.
        key_source: Where the key that was shown comes from.
    """
    if 300 <= answer.status_code < 400:
        return _redirected(answer, url)
    body = _body(answer)
    message, named = body.get("message"), _KINDS.get(str(body.get("kind")))
    text = message if isinstance(message, str) and message else f"it answered {answer.status_code} without a reason."
    if answer.status_code == 401:
        return AuthenticationError(
            f"The server {url} does not accept the key in {key_source}: {_short(text)} Check that it is whole, of this "
            "server, and not revoked."
        )
    if named is not None and isinstance(message, str):
        # Whoever reads the message must know which store was searched.
        shown = f"{message} (Server {url}.)" if named is ItemNotFoundError and url not in message else message
        return named(shown)
    if answer.status_code == 404 and not _is_of_an_item(body):
        return ServerError(
            f"The server {url} has no {urlsplit(str(answer.request.url)).path}: it answered 404. Check the address."
        )
    kind = ItemNotFoundError if answer.status_code == 404 else _BY_STATUS.get(answer.status_code, ServerError)
    return kind(f"The server {url} answered {answer.status_code}: {_short(text)}")


def of_failure(error: Exception, url: str) -> NetworkError:
    """The error for a request without a (whole) answer: which host, what happened, what to do."""
    where = f"{urlsplit(url).hostname} ({url})"
    causes = tuple(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return NetworkError(
            f"The certificate of {where} is not trusted ({_reason(causes)}). If an authority of your own signed it, "
            "name its certificate in DATAMINT_LIKE_CA_FILE."
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return NetworkError(f"No encrypted connection to {where}: {_reason(causes)}. Is it http:// there?")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return NetworkError(f"The host {where} has no address: {_reason(causes)}. Check server_url and the network.")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return NetworkError(
            f"No connection to {where}: {_reason(causes)}. Check that the server runs and that server_url is right."
        )
    if isinstance(error, httpx.TimeoutException):
        return NetworkError(f"The server {where} took too long to answer. Try again later, or ask who runs it.")
    return NetworkError(f"The connection to {where} broke off: {_reason(causes)}. Try again.")


def _causes(error: BaseException | None) -> list[BaseException]:
    found = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _reason(causes: tuple[BaseException, ...]) -> str:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_message:
            return str(cause.verify_message)
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, DatamintException):
            return str(cause.strerror)
    return _short(str(causes[0])) or type(causes[0]).__name__


def _redirected(answer: httpx.Response, url: str) -> ServerError:
    target = answer.headers.get("location", "")
    with contextlib.suppress(ValueError, httpx.InvalidURL):
        target = str(answer.request.url.join(target))
    shown = _short(without_user_info(target).partition("?")[0]) or "another place"
    return ServerError(
        f"The server {url} sends requests on to {shown}. The key is not shown there: give the right address as "
        "server_url."
    )


def _body(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return body if isinstance(body, dict) else {}


def _is_of_an_item(body: Mapping[str, Any]) -> bool:
    """Whether a 404 is of an item: a path that the server does not know is told in other words, or none."""
    return "not found" in str(body.get("message") or body.get("detail") or "").lower().removeprefix("not found")


def _short(text: str) -> str:
    plain = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]}..."
