"""Files that come in pieces: each in a folder of its own below `incoming/uploads/` until a resource is made of it.

What was received stays when a connection breaks or the process is killed, so whoever sends goes on from there. A file
that nobody sent anything of for a day is removed.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import filelock
import msgspec

from datamint_like._files import DAY_S, is_disk_full, make_dirs, sha256_of, write_bytes
from datamint_like.backends.local.database import new_id
from datamint_like.exceptions import ItemNotFoundError, StorageError, ValidationError

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ABOUT, _DATA, _LOCK, _CHECKED = "about.json", "data", "lock", "checked"


class _About(msgspec.Struct, frozen=True):
    """What was said of a file before its bytes came."""

    owner: str
    filename: str
    size: int
    sha256: str | None


class OtherOffset(Exception):  # noqa: N818 -- tells the sender where to go on
    """A piece that does not begin where the file ends, or comes while another one does."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"This file is there up to byte {offset}; send on from there.")
        self.offset = offset


@dataclass(frozen=True)
class PendingUpload:
    """A file of which nothing, some or all has been received.

    Attributes:
        owner: E-mail of who sends it.
        sha256: What its digest is to be, where that was said.
    """

    id: str
    owner: str
    filename: str
    size: int
    sha256: str | None
    folder: Path

    @property
    def path(self) -> Path:
        """Where its bytes are."""
        return self.folder / _DATA

    @property
    def offset(self) -> int:
        """How many bytes of it are there.

        Raises:
            ItemNotFoundError: It was used up or dropped meanwhile; so for whatever else is done with it.
        """
        with self._there():
            return self.path.stat().st_size

    def begin_piece(self, offset: int) -> Piece:
        """A piece that begins at `offset`, which must be where the file ends.

        Raises:
            OtherOffset: It does not, or another piece is being received.
        """
        lock = filelock.FileLock(self.folder / _LOCK, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise OtherOffset(self.offset) from None
        with ExitStack() as opened:
            opened.callback(lock.release)
            if offset != self.offset:
                raise OtherOffset(self.offset)
            with self._there():
                file = opened.enter_context(open(self.path, "ab"))
            return Piece(self, file, opened.pop_all())

    def check(self) -> None:
        """Remove the file, if its bytes are there and are not those that were announced; read for that but once.

        Raises:
            ValidationError: They are not.
        """
        if self.sha256 is None or self.offset != self.size or self._checked.exists():
            return
        with self._there():
            if sha256_of(self.path) == self.sha256:
                self._checked.touch(mode=0o600)
                return
        self.remove()
        raise ValidationError(
            f"The bytes of the upload {self.filename!r} are not those of the SHA-256 that was announced. "
            "Nothing of it was kept; upload the file again."
        )

    def unchecked(self) -> None:
        """Have its bytes read for the next check."""
        self._checked.unlink(missing_ok=True)

    def remove(self) -> None:
        """Drop the file."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _checked(self) -> Path:
        return self.folder / _CHECKED

    @contextmanager
    def _there(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise _unknown(self.id) from error


class Piece:
    """Bytes that are being added to a file; nobody else adds meanwhile."""

    def __init__(self, upload: PendingUpload, file: IO[bytes], opened: ExitStack) -> None:
        self._upload = upload
        self._file = file
        self._opened = opened
        self._start = file.tell()

    def write(self, data: bytes | bytearray) -> None:
        """Add bytes.

        Raises:
            ValidationError: The file would be longer than announced; the whole piece is dropped.
            StorageError: The disk is full.
        """
        try:
            if self._file.tell() + len(data) > self._upload.size:
                self._cut()
                raise ValidationError(
                    f"More than the {self._upload.size} bytes came that were announced for {self._upload.filename!r}."
                )
            self._file.write(data)
        except OSError as error:
            with suppress(OSError):
                self._cut()
            raise _storage_error(error) from error

    def _cut(self) -> None:
        self._upload.unchecked()
        self._file.truncate(self._start)

    def keep(self) -> None:
        """Make what was added durable."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _storage_error(error) from error

    def close(self) -> None:
        """Let others add."""
        with suppress(OSError):  # what could not be written was told before
            self._opened.close()


@dataclass(frozen=True)
class PendingUploads:
    """The files below one folder of a store."""

    incoming: Path

    def begin(self, owner: str, filename: str, size: int, sha256: str | None) -> PendingUpload:
        """A new file without bytes.

        Raises:
            ValidationError: The digest is none.
            StorageError: The disk is full.
        """
        if sha256 is not None and not _DIGEST.fullmatch(sha256):
            raise ValidationError(f"sha256 must be 64 lower-case hexadecimal digits, not {sha256!r:.80}.")
        upload_id = new_id()
        folder = self._folder / upload_id
        about = _About(owner, filename, size, sha256)
        try:
            make_dirs(self._folder)
            folder.mkdir(mode=0o700)
            (folder / _DATA).touch(mode=0o600)
            write_bytes(folder / _ABOUT, msgspec.json.encode(about))
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise _storage_error(error) from error
        return PendingUpload(upload_id, owner, filename, size, sha256, folder)

    def get(self, upload_id: str, owner: str) -> PendingUpload:
        """The file with this id.

        Raises:
            ItemNotFoundError: This user sends no such file.
        """
        folder = self._folder / upload_id
        try:
            if not _ID.fullmatch(upload_id):
                raise FileNotFoundError(upload_id)
            about = msgspec.json.decode((folder / _ABOUT).read_bytes(), type=_About)
        except (OSError, msgspec.MsgspecError) as error:
            raise _unknown(upload_id) from error
        if about.owner != owner:
            raise _unknown(upload_id)
        return PendingUpload(upload_id, about.owner, about.filename, about.size, about.sha256, folder)

    def sweep(self) -> None:
        """Remove the files of which nothing came for a day."""
        limit = time.time() - DAY_S
        for folder in self._folder.glob("*-*"):
            with suppress(OSError):  # another process may sweep at the same time
                newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
                if newest < limit:
                    shutil.rmtree(folder, ignore_errors=True)

    @property
    def _folder(self) -> Path:
        return self.incoming / "uploads"


def _unknown(upload_id: str) -> ItemNotFoundError:
    return ItemNotFoundError(
        f"Upload {upload_id[:80]} not found: it was never begun, is used up, or is over a day old."
    )


def _storage_error(error: OSError) -> StorageError:
    advice = " Free some space and send on." if is_disk_full(error) else ""
    return StorageError(f"The upload cannot be written: {error.strerror}.{advice}")
