"""Creates that carry `Idempotency-Key`: made once, and answered as they were answered first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
from starlette.responses import Response

from datamint_like.backends.local.idempotency import AlreadyMade, Answer, Once
from datamint_like.exceptions import ValidationError
from datamint_like.server.call import Call
from datamint_like.server.wire import JSON

HEADER = "idempotency-key"
_LONGEST = 200


def made_once(
    call: Call, said: str, create: Callable[[Call], Any], answer: Callable[[Any], Any], status: int
) -> Response:
    """The answer of a create; of one that carries a key, what it was answered first.

    Args:
        call: The request.
        said: A digest of its body.
        create: Makes it in the store of the call that it is given, and returns what the store made.
        answer: From what the store made to the body.
        status: Of the answer.

    Raises:
        ValidationError: The key was used for another request, or is no key.
    """

    def answer_of(made: Any) -> Answer:
        return Answer(status, msgspec.json.encode(answer(made)).decode())

    name = call.request.headers.get(HEADER)
    if name is None:
        return _response(answer_of(create(call)))
    once = Once(call.user.email, _checked(name), _digest(call, said), answer_of)
    found = call.store.earlier_answer(once)
    if found is None:
        try:
            found = answer_of(create(replace(call, store=call.store.creating_once(once))))
        except AlreadyMade as earlier:
            found = earlier.answer
        except Exception:  # another request under this name may have come first, and taken what this one needed
            found = call.store.earlier_answer(once)
            if found is None:
                raise
    return _response(found)


def digest_of(said: Any) -> str:
    """A digest of what a request said, once it is read: of a form, without the boundary between its fields."""
    return hashlib.sha256(msgspec.msgpack.encode(said)).hexdigest()


def _digest(call: Call, said: str) -> str:
    return hashlib.sha256(f"{call.request.method} {call.request.url.path} {said}".encode()).hexdigest()


def _checked(name: str) -> str:
    if not 0 < len(name) <= _LONGEST or not name.isascii() or not name.isprintable():
        raise ValidationError(f"An Idempotency-Key has 1 to {_LONGEST} printable ASCII characters.")
    return name


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, media_type=JSON)
