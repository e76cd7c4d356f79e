"""Files from this machine to a server: in pieces, each gone on with where the server has got to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from datamint_like._files import opened, sha256_of
from datamint_like._threads import Crew, taken
from datamint_like.backends.base import NewResource
from datamint_like.backends.bulk_rows import Row
from datamint_like.backends.local import known_parts
from datamint_like.backends.local.files import plain_name
from datamint_like.backends.remote.answers import Calls, path
from datamint_like.backends.remote.base import STORING_S
from datamint_like.backends.remote.transport import Call
from datamint_like.entities import Part
from datamint_like.exceptions import DatamintException, NetworkError, ServerError, ValidationError

#: Bytes that go in one request, and files that are under way at once.
PIECE = 8 << 20
AT_ONCE = 8
_SLOWEST = 50_000  # bytes a second: an upload may take as long as at this speed
_OTHER_OFFSET = 409
_DROPPED_S = 3.0  # how long a server may take to drop one


@dataclass(frozen=True)
class LocalFile:
    """A file of this machine that is to be uploaded, as it is now; `name` is what the server calls it."""

    path: Path
    name: str
    size: int
    sha256: str

    @classmethod
    def at(cls, place: Path) -> LocalFile:
        """The file that lies there, whose digest is taken.

        Raises:
            ValidationError: It cannot be read.
        """
        try:
            return cls(place, plain_name(place), place.stat().st_size, sha256_of(place))
        except OSError as error:
            raise _unreadable(place, error) from error

    @classmethod
    def known(cls, part: Part, resource_name: str) -> LocalFile:
        """The file of a part, whose digest was told.

        Raises:
            ValidationError: It is not told where it lies.
        """
        if part.linked_path is None:
            raise ValidationError(
                f"The part {part.filename!r} of {resource_name!r:.200} is given by its digest alone. A server takes "
                "nobody's word for bytes that it has: tell where the file lies (linked_path), or give paths."
            )
        return cls(Path(part.linked_path), part.filename, part.size, part.sha256)


def files_of(new: NewResource) -> list[LocalFile]:
    """The files of a new resource: of its paths, which are read for their digests, or of its parts.

    Raises:
        ValidationError: They are no paths or parts, or there are none; one is gone, or has changed.
    """
    known_parts.need_lists(new)
    if new.parts:
        parts = known_parts.checked(new)
        known_parts.need_fitting_count(len(parts), known_parts.facts_of(new), new.filename)
        return [LocalFile.known(part, new.filename) for part in parts]
    if not new.paths:
        raise ValidationError(f"Resource {new.filename!r:.200} has no files: give at least one path.")
    return [LocalFile.at(each) for each in new.paths]


def upload_files(calls: Calls, files: Sequence[LocalFile], rows: Sequence[Row] = ()) -> list[str]:
    """The ids of these files at the server, in order, each there whole; all of them, or the server drops them.

    Args:
        calls: Requests to it.
        files: The files.
        rows: For each the row of a bulk load that it is of, which errors then name.

    Raises:
        ValidationError: One cannot be read, or has other bytes than were told; the message names it.
        NetworkError: The server could not be reached for long.
    """
    sending = _Sending(calls)

    def send(n: int) -> str:
        with rows[n].named() if rows else nullcontext():
            return sending.whole(files[n])

    try:
        return [send(0)] if len(files) == 1 else _at_once(send, len(files), sending.called_off)
    except BaseException:  # also on KeyboardInterrupt: what was uploaded is of no use any more
        forget(calls, sending.begun)
        raise


def forget(calls: Calls, upload_ids: Sequence[str]) -> None:
    """Let the server drop files that nothing was made of; where it cannot be asked, it does so by itself in a day."""
    gone = threading.Event()

    def drop(upload_id: str) -> None:
        try:
            if not gone.is_set():
                calls.transport.ask(Call("DELETE", path("uploads", upload_id), deadline_s=_DROPPED_S))
        except NetworkError:
            gone.set()
        except DatamintException:
            pass  # it has dropped it already

    results: SimpleQueue[BaseException | None] = SimpleQueue()
    with Crew(drop, AT_ONCE, results) as crew:
        for each in upload_ids:
            crew.give(each)


def _at_once(send: Callable[[int], str], count: int, called_off: threading.Event) -> list[str]:
    """What `send` gives for each number, several at a time; the first failure ends it and calls off all others.

    An interrupt does, too: a server that is silent is not waited for.
    """
    results: SimpleQueue[tuple[int, str] | BaseException] = SimpleQueue()
    sent = [""] * count
    with Crew(lambda n: (n, send(n)), AT_ONCE, results) as crew:
        try:
            for n in range(count):
                crew.give(n)
            for _ in range(count):
                n, upload_id = taken(results.get())
                sent[n] = upload_id
        except BaseException:  # also on KeyboardInterrupt
            called_off.set()
            raise
    return sent


class _Sending:
    """Files on their way to a server.

    Attributes:
        begun: Ids of the uploads that the server knows.
        called_off: Whether what is under way is to end.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.begun: list[str] = []
        self.called_off = threading.Event()

    def whole(self, file: LocalFile) -> str:
        """The id of a file at the server, once it is there whole."""
        calls = self._calls
        what = {"size": file.size, "filename": file.name, "sha256": file.sha256}
        begun = calls.send("POST", "/uploads", what, repeat=True)
        upload_id, offset = calls.field(begun, "id", str), calls.field(begun, "offset", int)
        self.begun.append(upload_id)
        tries = calls.transport.tries(max(calls.transport.policy.deadline_s, file.size / _SLOWEST))
        try:
            with opened(file.path) as source:
                while offset < file.size:
                    if self.called_off.is_set():
                        raise CancelledError
                    offset, reached = _send_piece(calls, upload_id, source, offset), offset
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
            raise _unreadable(file.path, error) from error
        return upload_id


def _unreadable(place: Path, error: OSError) -> ValidationError:
    return ValidationError(f"The file {place.name!r} cannot be read: {error.strerror}.")


def _send_piece(calls: Calls, upload_id: str, source: IO[bytes], offset: int) -> int:
    """How far the server has got, after one piece was sent to it."""
    source.seek(offset)
    piece = source.read(PIECE)
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
