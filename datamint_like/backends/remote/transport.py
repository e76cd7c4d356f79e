"""Requests to one server: made again where that is safe, refused across hosts, failures as errors of ours."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import httpx

from datamint_like.backends.remote import keys
from datamint_like.backends.remote.errors import of_answer, of_failure
from datamint_like.backends.remote.pool import TIMEOUTS, client
from datamint_like.backends.remote.retries import PASSING, RetryPolicy, Tries, retry_after
from datamint_like.config import load_settings
from datamint_like.exceptions import CacheError, DatamintException, NetworkError, NotHereError, ServerError

#: The request was not sent, or not answered on purpose: it may be made again whatever it asks for.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_REFUSED_FOR_NOW = 429
_SAFE = ("GET", "HEAD")
#: A key that is shorter is a word, which a message may hold by chance.
_SHORTEST_SECRET = 8
#: How long (s) a server that could not be reached is asked but once for each request.
_DOWN_S = 30.0
#: What may forbid to ask, and how it is taken back.
_OFFLINE, _NO_UPDATE = "DATAMINT_LIKE_OFFLINE", "auto_update=False"
_TAKEN_BACK = {_OFFLINE: "Unset it", _NO_UPDATE: "Build the dataset with auto_update=True"}


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        path: Below the server's URL, from its slash on, quoted.
        repeat: It may be made again when nobody knows whether it arrived; GET and HEAD always may.
        read_s: Longest silence of the server before and within its answer.
        deadline_s: How long it may take in all; None is the policy's.
        accepted: Further statuses that are answers and no errors.
    """

    method: str
    path: str
    params: Mapping[str, str] | None = None
    content: bytes | None = None
    headers: Mapping[str, str] | None = None
    repeat: bool = False
    read_s: float | None = None
    deadline_s: float | None = None
    accepted: tuple[int, ...] = ()

    @property
    def may_be_repeated(self) -> bool:
        """Whether it may be made again after a failure."""
        return self.repeat or self.method in _SAFE

    def longest_s(self, policy: RetryPolicy) -> float:
        """How long it may take in all; no shorter than the silence that it allows."""
        return self.deadline_s or max(policy.deadline_s, self.read_s or 0.0)


class Transport:
    """The way to one server; pickles as its URL.

    Attributes:
        url: Of the server, as `store_url` writes it.
        policy: How requests are made again.
        silenced_by: The setting by which nothing may be asked; None where it may.
    """

    def __init__(
        self, url: str, api_key: str | None = None, policy: RetryPolicy | None = None, *, may_ask: bool = True
    ) -> None:
        """Ask `url`, with this key or that which the process knows; with `may_ask=False` refuse to."""
        settings = load_settings()
        self.url = url
        self.policy = policy or RetryPolicy()
        self._ca_file = settings.ca_file
        self.silenced_by = _OFFLINE if settings.offline else None if may_ask else _NO_UPDATE
        self._key = keys.given(url, api_key) if api_key is not None else None
        self._down_until = 0.0

    def __reduce__(self) -> tuple[type[Transport], tuple[str]]:
        return Transport, (self.url,)

    def __repr__(self) -> str:
        return f"Transport({self.url!r})"

    def ask(self, call: Call) -> httpx.Response:
        """The whole answer to a request, of status 200 to 299.

        Raises:
            NetworkError: There was none, or it broke off, also when it was asked again.
            AuthenticationError: The server does not accept the key.
            CacheError: Nothing may be asked.
            DatamintException: Whatever the server says is wrong.
        """
        tries = self.tries(call.longest_s(self.policy))
        while True:
            try:
                with self.opened(call, tries) as answer:
                    return _read(answer, tries, self.url)
            except httpx.TransportError as error:
                wanted = call.may_be_repeated or isinstance(error, _NOT_SENT)
                if not (wanted and not _is_of_tls(error) and tries.wait()):
                    raise self.told(error) from error
            except _Passing as passing:
                wanted = call.may_be_repeated or passing.answer.status_code == _REFUSED_FOR_NOW
                if not (wanted and tries.wait(retry_after(passing.answer.headers.get("retry-after")))):
                    raise self._error(passing.answer) from None

    def beginning(self, call: Call, length: int) -> bytes:
        """The first bytes of what a GET answers; the rest stays where it is.

        Raises:
            As `ask`.
        """
        tries = self.tries(call.longest_s(self.policy))
        while True:
            data = b""
            try:
                with self.opened(call, tries) as answer:
                    for chunk in answer.iter_raw():
                        data += chunk
                        if len(data) >= length:
                            break
                return data[:length]
            except PASSING_FAILURES as error:
                if not self.passed(error, tries):
                    raise self.told(error) from error

    @contextmanager
    def opened(self, call: Call, tries: Tries) -> Iterator[httpx.Response]:
        """The answer to a request, of status 200 to 299, whose body is still to come.

        Raises:
            httpx.TransportError: There was none.
            DatamintException: The server says what is wrong, and asking again does not help.
        """
        with (
            client(self._ca_file) as speaking,
            speaking.stream(
                call.method,
                self.url + call.path,
                params=dict(call.params) if call.params else None,
                content=call.content,
                headers=self._headers(call),
                timeout=_timeouts(call, tries),
            ) as answer,
        ):
            self._down_until = 0.0
            if not answer.is_success and answer.status_code not in call.accepted:
                _read_some(answer)
                if answer.status_code in PASSING:
                    raise _Passing(answer)
                raise self._error(answer)
            yield answer

    def refuse_silenced(self, what: str) -> None:
        """Raise where no connection may be opened for a file that is not here.

        Raises:
            NotHereError: `DATAMINT_LIKE_OFFLINE` is set, or the dataset that asks has `auto_update=False`.
        """
        if self.silenced_by is not None:
            raise NotHereError(
                f"Not on this machine: {what}; {self.silenced_by} forbids to ask the server {self.url}. "
                f"{_TAKEN_BACK[self.silenced_by]}, or bring everything here first with the dataset's "
                "prefetch(include_annotations=True)."
            )

    def passed(self, error: Exception, tries: Tries) -> bool:
        """Whether a failed GET is worth another try, after waiting for it."""
        if isinstance(error, _Passing):
            return tries.wait(retry_after(error.answer.headers.get("retry-after")))
        return isinstance(error, httpx.TransportError) and not _is_of_tls(error) and tries.wait()

    def told(self, error: Exception) -> DatamintException:
        """The error of ours for a failure that `opened` let through."""
        if isinstance(error, _Passing):
            return self._error(error.answer)
        if isinstance(error, _NOT_SENT):
            self._down_until = time.monotonic() + _DOWN_S
        return of_failure(error, self.url)

    def tries(self, deadline_s: float | None = None) -> Tries:
        """The tries of one request: one alone where the server could not be reached just now."""
        down = time.monotonic() < self._down_until
        return Tries(replace(self.policy, attempts=1) if down else self.policy, deadline_s)

    @property
    def key(self) -> keys.ApiKey:
        """The key of the server.

        Raises:
            AuthenticationError: This process knows none.
        """
        if self._key is None:
            self._key = keys.key_of(self.url)
        return self._key

    def _headers(self, call: Call) -> dict[str, str]:
        if self.silenced_by is not None:
            asked = f"{call.method} {call.path.partition('?')[0]}"
            raise CacheError(
                f"{self.silenced_by} forbids to ask the server {self.url} ({asked}). {_TAKEN_BACK[self.silenced_by]}; "
                "without the server only datasets work, of what was synced and prefetched before."
            )
        return {**self.key.headers(), **(call.headers or {})}

    def _error(self, answer: httpx.Response) -> DatamintException:
        error = of_answer(answer, self.url, self.key.source)
        told, secret = str(error), self.key.text  # a proxy may quote the request
        if len(secret) < _SHORTEST_SECRET or secret not in told:
            return error
        return type(error)(told.replace(secret, "(the key)"))


class _Passing(Exception):  # noqa: N818 -- it is caught here or in a download, and never seen by callers
    """An answer that says to try again later."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


#: What `Transport.opened` raises where asking again may help.
PASSING_FAILURES = (httpx.TransportError, _Passing)


def _timeouts(call: Call, tries: Tries) -> httpx.Timeout:
    left = max(0.1, tries.seconds_left)
    read = call.read_s or TIMEOUTS.read or left
    return httpx.Timeout(
        connect=min(left, TIMEOUTS.connect or left),
        read=min(left, read),
        write=min(left, TIMEOUTS.write or left),
        pool=min(left, TIMEOUTS.pool or left),
    )


def _read(answer: httpx.Response, tries: Tries, url: str) -> httpx.Response:
    """The answer with its whole body, read before the deadline."""
    chunks = []
    try:
        for chunk in answer.iter_bytes():
            chunks.append(chunk)
            if tries.seconds_left < 0:
                raise NetworkError(f"The server {url} took too long to answer. Try again later, or ask who runs it.")
    except httpx.DecodingError as error:
        raise ServerError(f"The server {url}, or a proxy before it, packed its answer in a damaged form.") from error
    kept = [(name, value) for name, value in answer.headers.multi_items() if name not in _OF_THE_WIRE]
    return httpx.Response(answer.status_code, headers=kept, content=b"".join(chunks), request=answer.request)


_OF_THE_WIRE = ("content-encoding", "transfer-encoding", "content-length")
_LONGEST_REASON = 1 << 20


def _read_some(answer: httpx.Response) -> None:
    """Read the reason of a refusal, and no more than that; one that broke off is as good as none."""
    chunks, length, end = [], 0, time.monotonic() + (TIMEOUTS.read or 0)
    try:
        for chunk in answer.iter_bytes():
            chunks.append(chunk)
            length += len(chunk)
            if length > _LONGEST_REASON or time.monotonic() > end:
                break
    except httpx.RequestError:
        chunks = []
    answer._content = b"".join(chunks)


def _is_of_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
