"""Bodies that are files: as they come, in pieces that fit into memory, from clients that may be slow or break off."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
from starlette.requests import ClientDisconnect

from datamint_like.server.call import Call
from datamint_like.server.errors import Refused

#: Bytes that go to the disk at once.
PIECE = 128 * 1024
#: How much of a body that is refused is read on, so that the client gets to hear the reason.
_DRAINED_BYTES = 64 * 1024 * 1024
_DRAINED_S = 5.0


async def pieces(call: Call) -> AsyncIterator[bytearray]:
    """The body of a request, a piece at a time; of one that breaks off all that came, then the error.

    Raises:
        Refused: The client broke off (400), or was silent for too long (408).
    """
    stream = call.request.stream()
    held = bytearray()
    refused: Refused | None = None
    while refused is None:
        try:
            with anyio.fail_after(call.options.patience_s):
                held += await anext(stream)
        except StopAsyncIteration:
            break
        except ClientDisconnect:
            refused = Refused(400, "The body of this request broke off.")
        except TimeoutError:
            refused = Refused(408, f"Nothing came for {call.options.patience_s:g} s; send the file again.")
        if len(held) >= PIECE:
            yield held
            held = bytearray()
    if held:
        yield held
    if refused is not None:
        raise refused


async def drain(call: Call) -> None:
    """Read on a little of a body that nobody wants: many clients hear nothing before they have sent all."""
    read = 0
    with anyio.move_on_after(_DRAINED_S):
        try:
            async for chunk in call.request.stream():
                read += len(chunk)
                if read > _DRAINED_BYTES:
                    return
        except (ClientDisconnect, RuntimeError):  # it has gone, or all was read
            return


def announced_length(call: Call) -> int | None:
    """The length of the body, where the client told it."""
    text = call.request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdecimal() else None
