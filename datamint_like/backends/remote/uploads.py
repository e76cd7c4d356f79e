"""Files from this machine to a server: in pieces, each gone on with where the server has got to."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from datamint_like._files import sha256_of
from datamint_like.backends.remote.answers import Calls, path
from datamint_like.backends.remote.base import STORING_S
from datamint_like.backends.remote.transport import Call
from datamint_like.exceptions import DatamintException, NetworkError, ServerError, ValidationError

#: Bytes that go in one request, and files that are under way at once.
PIECE = 8 << 20
AT_ONCE = 8
_SLOWEST = 50_000  # bytes a second: an upload may take as long as at this speed
_OTHER_OFFSET = 409


def upload_files(calls: Calls, paths: Sequence[Path]) -> list[str]:
    """The ids of these files at the server, in order, each there whole.

    Raises:
        ValidationError: One cannot be read; the message names it.
        NetworkError: The server could not be reached for long.
    """
    files = [_File.at(each) for each in paths]
    if len(files) < 2:
        return [_upload(calls, each) for each in files]
    threads = ThreadPoolExecutor(min(AT_ONCE, len(files)), "datamint-like-uploads")
    try:
        return list(threads.map(lambda each: _upload(calls, each), files))
    finally:
        threads.shutdown(cancel_futures=True)


def forget(calls: Calls, upload_ids: Sequence[str]) -> None:
    """Let the server drop files that nothing was made of."""
    for each in upload_ids:
        with suppress(DatamintException):  # it drops them by itself some day
            calls.send("DELETE", path("uploads", each))


@dataclass(frozen=True)
class _File:
    """A file to upload, as it is now."""

    path: Path
    size: int
    sha256: str

    @classmethod
    def at(cls, place: Path) -> _File:
        if not isinstance(place, Path):
            raise ValidationError(f"A file is given by its path, not by {place!r:.80}.")
        try:
            return cls(place, place.stat().st_size, sha256_of(place))
        except OSError as error:
            raise ValidationError(f"The file {place.name!r} cannot be read: {error.strerror}.") from error

    @property
    def name(self) -> str:
        """Its base name, with a question mark for what is not valid Unicode."""
        return self.path.name.encode("utf-8", "replace").decode()


def _upload(calls: Calls, file: _File) -> str:
    what = {"size": file.size, "filename": file.name, "sha256": file.sha256}
    begun = calls.send("POST", "/uploads", what, repeat=True)
    upload_id, offset = calls.field(begun, "id", str), calls.field(begun, "offset", int)
    tries = calls.transport.tries(max(calls.transport.policy.deadline_s, file.size / _SLOWEST))
    try:
        with open(file.path, "rb") as opened:
            while offset < file.size:
                offset, reached = _send_piece(calls, upload_id, opened, offset), offset
                if offset > reached:
                    tries.progress()
                elif not tries.wait():
                    raise NetworkError(
                        f"The file {file.name!r} does not get beyond {offset} of {file.size} bytes to the server "
                        f"{calls.transport.url}. Try again later."
                    )
    except OSError as error:
        if isinstance(error, DatamintException):
            raise
        raise ValidationError(f"The file {file.name!r} cannot be read: {error.strerror}.") from error
    return upload_id


def _send_piece(calls: Calls, upload_id: str, opened: IO[bytes], offset: int) -> int:
    """How far the server has got, after one piece was sent to it."""
    opened.seek(offset)
    piece = opened.read(PIECE)
    if not piece:
        raise ValidationError("A file got shorter while it was uploaded. Try again when it is complete.")
    place = path("uploads", upload_id)
    headers = {"Content-Type": "application/octet-stream", "Upload-Offset": str(offset)}
    call = Call("PATCH", place, content=piece, headers=headers, accepted=(_OTHER_OFFSET,), read_s=STORING_S)
    try:
        answer = calls.transport.ask(call)
    except (NetworkError, ServerError):  # nobody knows how much of it arrived: ask
        return _offset(calls, calls.get(place))
    if answer.status_code == _OTHER_OFFSET:
        return _offset(calls, calls.get(place))
    return offset + len(piece)


def _offset(calls: Calls, state: Any) -> int:
    return calls.field(state, "offset", int)
