"""Bodies of HTML forms: the texts and the small files (masks, definitions) that published clients send."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from datamint_like.exceptions import ValidationError
from datamint_like.server.call import Call
from datamint_like.server.errors import Refused
from datamint_like.server.forms import ReceivedForm, received_form

_MOST_PARTS = 10_000


@dataclass(frozen=True)
class SmallFile:
    """A file of a form, in memory."""

    filename: str
    content: bytes


@dataclass(frozen=True)
class Form:
    """The parts of a form by name; files of one name in the order in which they came."""

    texts: dict[str, str]
    files: dict[str, list[SmallFile]]

    def text(self, name: str) -> str | None:
        """A text; None where there is none, or an empty one."""
        return self.texts.get(name) or None

    def file(self, name: str) -> SmallFile:
        """The one file of this name.

        Raises:
            ValidationError: There is none.
        """
        if not self.files.get(name):
            raise ValidationError(f"This request needs a file in the part {name!r} of a multipart form.")
        return self.files[name][0]


async def form_of(call: Call) -> Form:
    """The multipart form that a request carries, its files together no longer than a body may be.

    Raises:
        Refused: It is longer (413), broke off (400), or came too slowly (408).
        ValidationError: It is no form, or not whole.
        StorageError: The disk is full.
    """
    incoming, limit = call.store.blobs().incoming, call.options.max_body
    try:
        async with received_form(call, incoming, limit=limit, most_parts=_MOST_PARTS) as form:
            return await run_in_threadpool(_in_memory, form)
    except Refused as refused:
        if refused.kind == ValidationError.__name__:
            raise ValidationError(str(refused)) from None  # 422, as for whatever else such a form may lack
        raise


def _in_memory(form: ReceivedForm) -> Form:
    files: dict[str, list[SmallFile]] = {}
    for each in form.files:
        files.setdefault(each.field, []).append(SmallFile(each.filename, each.path.read_bytes()))
    return Form(form.texts, files)
