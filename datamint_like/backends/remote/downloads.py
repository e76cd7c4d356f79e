"""One file from a server to this disk: resumed where it broke off, hashed on the way, whole or not at all.

Promises: what lies at the target has the bytes that the server names; an interrupted download is gone on with, by this
process or another; a file that changed meanwhile never mixes with the old one.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import httpx

from datamint_like._cache.folder import MORE_ROOM, unwritable
from datamint_like._files import CHUNK, is_disk_full, leave_partial
from datamint_like.backends.base import Arrived
from datamint_like.backends.remote.retries import Tries
from datamint_like.backends.remote.transport import PASSING_FAILURES, Call, Transport
from datamint_like.exceptions import CacheError, DatamintException, ServerError, StorageError

_LOG = logging.getLogger(__name__)
SLOWEST = 50_000  # bytes a second: a download may take as long as at this speed
_LONGEST_S = 24 * 3600.0  # for a file of unknown length
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_BEYOND_THE_END = 416
_PARTIAL = 206
_READ_ONLY = 0o444
#: Bytes that are hashed and written at once, since each such step lets another thread run; what comes slowly is written
#: after so long (s). A kill loses no more.
_AT_ONCE, _AT_LEAST_EVERY_S = 256 * 1024, 0.5


@dataclass(frozen=True)
class Wanted:
    """A file of a server.

    Attributes:
        path: Where the server has it.
        name: What messages call it.
        stem: What it is kept under; equal stems mean equal bytes.
        size: Its length, where that is known.
        sha256: Its digest, where that is known.
    """

    path: str
    name: str
    stem: str
    size: int | None = None
    sha256: str | None = None


def download(transport: Transport, wanted: Wanted, target: Path, partial: Path, arrived: Arrived | None = None) -> None:
    """Put a file of the server at `target`, read-only, whole.

    What nobody can check later, since its digest is not known, is flushed to the disk before it has that name. Else a
    file that a power cut damaged is told by its digest, and fetched again.

    Args:
        transport: The way to the server.
        wanted: The file.
        target: Where it will lie.
        partial: A private path of the same file system, for what is under way; it may hold the file's beginning.
        arrived: Is told how many bytes are here by now; what it raises ends the download, which can be gone on with.

    Raises:
        StorageError: The server sends other bytes than it names, twice.
        CacheError: There is no room, or the folder cannot be written.
        NetworkError, AuthenticationError, ItemNotFoundError, ...: As of any request.
    """
    with _disk_errors(partial.parent, wanted):
        try:
            found = _filled(transport, wanted, partial, arrived)
            if not _fits(found, wanted):
                _LOG.warning("%s came with other bytes than its digest says; it is fetched again.", wanted.name)
                partial.unlink()
                found = _filled(transport, wanted, partial, arrived)
            if not _fits(found, wanted):
                partial.unlink()
                raise _other_bytes(transport.url, wanted, found)  # noqa: TRY301 -- nothing of it may stay
            partial.chmod(_READ_ONLY)
            partial.replace(target)  # a power cut may undo it, and then the file is fetched again
        except BaseException as error:  # also on KeyboardInterrupt: the next one goes on from here
            if isinstance(error, OSError) and is_disk_full(error):
                with suppress(OSError):
                    partial.unlink()
            leave_partial(partial)
            raise


@dataclass(frozen=True)
class _Found:
    size: int
    sha256: str


def _fits(found: _Found, wanted: Wanted) -> bool:
    same_size = wanted.size is None or found.size == wanted.size
    return same_size and (wanted.sha256 is None or found.sha256 == wanted.sha256)


def _other_bytes(url: str, wanted: Wanted, found: _Found) -> StorageError:
    return StorageError(
        f"The server {url} sent other bytes than it names for {wanted.name}: expected {wanted.size} bytes with SHA-256 "
        f"{wanted.sha256}, found {found.size} with {found.sha256}. Nothing of them is used. Tell who runs the server "
        "to verify its store."
    )


def _filled(transport: Transport, wanted: Wanted, partial: Path, arrived: Arrived | None) -> _Found:
    """Size and digest of the partial file, once the server has sent the rest of it."""
    longest = _LONGEST_S if wanted.size is None else wanted.size / SLOWEST
    tries = transport.tries(max(transport.policy.deadline_s, longest))
    with open(partial, "ab+", buffering=0) as file:
        taking = _Taking(file, wanted, tries, arrived)
        if wanted.sha256 is None:
            taking.restart()  # nobody can tell whose bytes these are
        _need_room(partial.parent, wanted, taking.size)
        while not taking.is_whole:
            try:
                with transport.opened(taking.request(), tries) as answer:
                    taking.take(answer)
            except PASSING_FAILURES as error:
                if not transport.passed(error, tries):
                    raise transport.told(error) from error
        if wanted.sha256 is None:
            os.fsync(file.fileno())
        return _Found(taking.size, taking.digest.hexdigest())


class _Taking:
    """A partial file that grows: what it holds, what to ask for next, and what an answer adds."""

    def __init__(self, file: FileIO, wanted: Wanted, tries: Tries, arrived: Arrived | None) -> None:
        self._file = file
        self._wanted = wanted
        self._tries = tries
        self._arrived = arrived
        self._etag = None if wanted.sha256 is None else f'"{wanted.sha256}"'
        self._ended = False
        self._farthest = 0
        self._pieces: list[bytes] = []
        self._waiting = 0  # bytes of these
        self._wrote_at = time.monotonic()
        self.digest = hashlib.sha256()
        self.size = 0
        if os.fstat(file.fileno()).st_size:
            self._read_what_is_there()
        if wanted.size is not None and self.size > wanted.size:
            self.restart()

    def _read_what_is_there(self) -> None:
        self._file.seek(0)
        while piece := self._file.read(CHUNK):
            self.digest.update(piece)
            self.size += len(piece)

    @property
    def is_whole(self) -> bool:
        """Whether nothing more is to come."""
        return self._ended or (self.size == self._wanted.size and self.size > 0)

    def restart(self) -> None:
        """Forget what was taken."""
        if self.size:
            self._file.seek(0)
            self._file.truncate()
        self.digest, self.size = hashlib.sha256(), 0

    def request(self) -> Call:
        """For what is missing, on the condition that the file is the same."""
        if self.size and self._etag is None:
            self.restart()
        headers = {"Accept": "application/octet-stream"}
        if self.size and self._etag:
            headers |= {"Range": f"bytes={self.size}-", "If-Range": self._etag}
        return Call("GET", self._wanted.path, headers=headers, accepted=(_BEYOND_THE_END,))

    def take(self, answer: httpx.Response) -> None:
        """Add what an answer brings.

        Raises:
            httpx.TransportError: It broke off.
            ServerError: It is packed, though that was not asked for.
        """
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise ServerError(f"A server or proxy packs {self._wanted.name} on the way, though it was told not to.")
        if answer.status_code == _BEYOND_THE_END:
            self._refused(answer)
            return
        if not self._continues(answer):
            self.restart()
        self._etag = self._etag if self._wanted.sha256 else _strong(answer.headers.get("etag"))
        try:
            self._take_pieces(answer)
        finally:
            self._write()
        self._ended = True

    def _take_pieces(self, answer: httpx.Response) -> None:
        for piece in answer.iter_raw():
            self._pieces.append(piece)
            self._waiting += len(piece)
            self.size += len(piece)
            if self._waiting >= _AT_ONCE or time.monotonic() > self._wrote_at + _AT_LEAST_EVERY_S:
                self._write()
            if self.size > self._farthest:  # starting over again and again is no progress
                self._farthest = self.size
                self._tries.progress()
            if self._arrived is not None:
                self._arrived(self.size)
            if self._wanted.size is not None and self.size > self._wanted.size:
                break
            if self._tries.seconds_left < 0:
                raise httpx.ReadTimeout("it took too long")

    def _write(self) -> None:
        """Hash and write the pieces that wait for it."""
        data = b"".join(self._pieces)
        self._pieces, self._waiting, self._wrote_at = [], 0, time.monotonic()
        self.digest.update(data)
        left = memoryview(data)
        while left:  # an unbuffered file may take a part alone
            left = left[self._file.write(left) :]

    def _refused(self, answer: httpx.Response) -> None:
        """The server has nothing from here on: the file is whole, or what is here is of another one."""
        total = answer.headers.get("content-range", "").rpartition("/")[2]
        if total == str(self.size) and self._wanted.size in (None, self.size):
            self._ended = True
        else:
            self.restart()
            if not self._tries.wait():
                raise ServerError(f"The server refuses every part of {self._wanted.name}.")

    def _continues(self, answer: httpx.Response) -> bool:
        """Whether the answer goes on where the file ends."""
        if answer.status_code != _PARTIAL:
            return False
        found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
        if found is None or int(found[1]) != self.size:
            raise ServerError(f"The server sent another part of {self._wanted.name} than it was asked for.")
        return True


def _strong(etag: str | None) -> str | None:
    """An ETag that names bytes; a weak one only says that they mean the same."""
    return etag if etag and not etag.startswith("W/") else None


def _need_room(folder: Path, wanted: Wanted, there: int) -> None:
    missing = 0 if wanted.size is None else wanted.size - there
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise CacheError(_no_room(folder, wanted, f"{free} bytes are free"))


@contextmanager
def _disk_errors(folder: Path, wanted: Wanted) -> Iterator[None]:
    """Errors of the disk, as what was to be written there and what to do."""
    try:
        yield
    except DatamintException:
        raise  # some of ours are errors of the system, too
    except OSError as error:
        if is_disk_full(error):
            raise CacheError(_no_room(folder, wanted, error.strerror or "the disk is full")) from error
        raise CacheError(unwritable(folder, error)) from error


def _no_room(folder: Path, wanted: Wanted, found: str) -> str:
    size = "its bytes" if wanted.size is None else f"{wanted.size} bytes"
    return f"No room for {wanted.name}: {size} are to be kept in {folder}, {found}. {MORE_ROOM}"
