"""Bodies of HTML forms: the texts and the small files (masks, definitions) that published clients send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from datamint_like.exceptions import ValidationError
from datamint_like.server.call import Call
from datamint_like.server.routing import bounded_body

_FIELDS = 10_000


@dataclass(frozen=True)
class SmallFile:
    """A file of a form, in memory."""

    filename: str
    content: bytes


@dataclass(frozen=True)
class Form:
    """The parts of a form by name, each in the order in which it came."""

    texts: dict[str, list[str]]
    files: dict[str, list[SmallFile]]

    def text(self, name: str) -> str | None:
        """A text; None where there is none, or an empty one."""
        return self.texts.get(name, [""])[0] or None

    def file(self, name: str) -> SmallFile:
        """The one file of this name.

        Raises:
            ValidationError: There is none.
        """
        if not self.files.get(name):
            raise ValidationError(f"This request needs a file in the part {name!r} of a multipart form.")
        return self.files[name][0]


async def form_of(call: Call) -> Form:
    """The form that a request carries, multipart or url-encoded, no longer than a body may be.

    Raises:
        Refused: It is longer (413), or broke off (400).
        ValidationError: It is damaged.
    """
    raw = await bounded_body(call.request, call.options.max_body)

    async def received() -> dict[str, Any]:
        return {"type": "http.request", "body": raw, "more_body": False}

    texts: dict[str, list[str]] = {}
    files: dict[str, list[SmallFile]] = {}
    try:
        async with Request(call.request.scope, received).form(
            max_files=_FIELDS, max_fields=_FIELDS, max_part_size=len(raw) + 1
        ) as parts:
            for name, value in parts.multi_items():
                if isinstance(value, UploadFile):
                    files.setdefault(name, []).append(SmallFile(value.filename or "", await value.read()))
                else:
                    texts.setdefault(name, []).append(value)
    except (HTTPException, MultiPartException, UnicodeDecodeError) as error:
        raise ValidationError(f"The form of this request cannot be read: {_reason(error)}.") from None
    return Form(texts, files)


def _reason(error: HTTPException | MultiPartException | UnicodeDecodeError) -> str:
    return error.reason if isinstance(error, UnicodeDecodeError) else str(getattr(error, "detail", None) or error)
