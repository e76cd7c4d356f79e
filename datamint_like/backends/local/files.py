"""The bytes of a store in a folder: content-addressed files under `blobs/ab/<sha256>`, and files registered in place.

No database is needed to read them, so every DataLoader worker may hold a `FileStore`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from datamint_like._files import (
    DAY_S,
    Staged,
    chunks_of,
    is_disk_full,
    make_dirs,
    opened,
    publish,
    sha256_of,
    stage,
    sweep_partial,
)
from datamint_like.backends.base import Arrived
from datamint_like.backends.local.byte_store import ByteStore
from datamint_like.backends.local.unchanged import fault_of
from datamint_like.entities import Annotation, Part
from datamint_like.exceptions import StorageError, ValidationError

#: In a place for bytes alone: whose they are.
OWNER = "store.id"
_DIGEST_LENGTH = 64
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True)
class FileStore:
    """Where the bytes of parts and annotation files lie; knows only the store's folder."""

    folder: Path
    sends_ahead = False
    can_link = True

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"the store's folder {self.folder}"

    @property
    def incoming(self) -> Path:
        """Folder of files that are being written."""
        return self.folder / "incoming"

    def blob_path(self, sha256: str) -> Path:
        """Where the file with this digest lies, or would."""
        return Path(f"{self.folder}/blobs/{sha256[:2]}/{sha256}")  # parsed once: each item of a dataset asks

    def part_path(self, part: Part, resource_name: str, arrived: Arrived | None = None) -> Path:
        """A readable file with the part's bytes: the stored one, or the linked one, which must be unchanged.

        The bytes are read and hashed when a process asks for them first, and again whenever the file system says
        that the file was touched.

        Raises:
            StorageError: It is gone, or its bytes are not those stored or registered.
        """
        path = Path(part.linked_path) if part.linked_path else self.blob_path(part.sha256)
        fault = fault_of(path, part)
        if fault is None:
            return path
        if part.linked_path:
            raise StorageError(
                f"The file {part.filename!r} of resource {resource_name!r} is linked, not stored, and {fault}. "
                "Put the original file back where it was, or delete the resource and import the file again."
            )
        raise StorageError(
            f"The stored file {part.filename!r} of resource {resource_name!r} {fault}. "
            "Restore the store's folder from a backup, or delete the resource and import the file again."
        )

    def part_paths(self, parts: Sequence[Part], resource_name: str) -> list[Path]:
        """The files of several parts, in order."""
        return [self.part_path(part, resource_name) for part in parts]

    def kept_path(self, of: Part | Annotation) -> None:
        """Nothing: these files do not lie in the cache of a dataset."""

    def annotation_bytes(self, annotation: Annotation) -> bytes:
        """The payload of a segmentation, checked against its digest.

        Raises:
            ValidationError: This annotation has no file.
            StorageError: The file is gone, or its bytes are not those stored.
        """
        if annotation.sha256 is None:
            raise ValidationError(f"Annotation {annotation.id} ({annotation.annotation_type}) has no file.")
        try:
            data = self.blob_path(annotation.sha256).read_bytes()
        except OSError as error:
            raise StorageError(f"The file of annotation {annotation.id} cannot be read: {error.strerror}.") from error
        if hashlib.sha256(data).hexdigest() != annotation.sha256:
            raise StorageError(
                f"The file of annotation {annotation.id} is damaged: its bytes are not those that were stored. "
                "Restore the store's folder from a backup, or delete the annotation and upload it again."
            )
        return data

    def claim(self, store_id: str) -> None:
        """Note that these bytes belong to the store of this id, whose rows lie elsewhere.

        Raises:
            StorageError: They belong to another store, or the folder cannot be written.
        """
        mark = self.folder / OWNER
        try:
            if not mark.exists():
                publish([(stage([store_id.encode()], self.incoming).path, mark)])
            found = mark.read_bytes().decode(errors="replace")
        except OSError as error:
            raise StorageError(f"Cannot write in {self.place}: {error.strerror}.") from error
        if found != store_id:
            raise foreign(self.place)

    def send(self, staged: Sequence[Staged]) -> None:
        """Nothing: renaming files is all that `publish` needs."""

    def publish(self, staged: Sequence[Staged]) -> None:
        """Rename whole files to their places, durably."""
        publish((each.path, self.blob_path(each.sha256)) for each in staged)

    def fault(self, sha256: str) -> str | None:
        """What is wrong with the file of this digest, as the end of a sentence; None when its bytes are right."""
        return fault_of_bytes(self.blob_path(sha256), sha256)

    def size_of(self, sha256: str) -> int | None:
        """Length in bytes of the file of this digest; None where there is none."""
        try:
            return self.blob_path(sha256).stat().st_size
        except OSError:
            return None

    def digests(self) -> list[str]:
        """Of all files in `blobs/`, in order."""
        return sorted(path.name for path in (self.folder / "blobs").glob("??/" + "?" * _DIGEST_LENGTH))

    def is_old(self, sha256: str) -> bool:
        """Whether the file of this digest is there and was written more than a day ago."""
        try:
            return self.blob_path(sha256).stat().st_mtime < time.time() - DAY_S
        except OSError:  # removed meanwhile
            return False

    def remove(self, digests: Sequence[str]) -> None:
        """Take the files of these digests away, as far as they are there."""
        for sha256 in digests:
            self.blob_path(sha256).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what killed writers left behind more than a day ago."""
        sweep_partial(self.incoming)


@dataclass
class Intake:
    """Files on their way into a store during one call: staged, then all published, else all removed.

    `publish` belongs inside the write that names the files, so the bytes are durable before the row.

    Attributes:
        store: Where the files go.
        needed: How many bytes the call will store, for messages.
        published: Digests of the files that may be in place, from the first step that puts them there.
    """

    store: ByteStore
    needed: int
    published: list[str] = field(default_factory=list)
    _staged: list[Staged] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for staged in self._staged:
            with suppress(OSError):  # it was published, or the error that is under way says more
                staged.path.unlink()

    def add(self, chunks: Iterable[bytes]) -> Staged:
        """Stage a file.

        Raises:
            StorageError: The disk is full, or cannot be written.
        """
        with self._room():
            make_dirs(self.store.incoming)
            self._staged.append(stage(chunks, self.store.incoming))
        return self._staged[-1]

    def send(self) -> None:
        """Do what takes long of `publish`, before the write that names the files.

        Raises:
            StorageError: There is no room, or it cannot be written.
        """
        if self.store.sends_ahead:
            self.published = [staged.sha256 for staged in self._each()]
            with self._room():
                self.store.send(self._each())

    def publish(self) -> None:
        """Put every staged file at its place, durably; equal bytes share one file.

        Raises:
            StorageError: The disk is full, or cannot be written.
        """
        self.published = [staged.sha256 for staged in self._each()]
        with self._room():
            self.store.publish(self._each())

    def _each(self) -> list[Staged]:
        """One staged file a digest."""
        return list({staged.sha256: staged for staged in self._staged}.values())

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Errors of the disk, as errors that say how much room was needed and where."""
        try:
            yield
        except StorageError:
            raise
        except OSError as error:
            where = f"in {self.store.place}"
            if is_disk_full(error):
                raise StorageError(
                    f"No room for {self.needed} bytes {where} ({error.strerror}). "
                    "Free some space and upload again; nothing of this upload was stored."
                ) from error
            advice = " The store is read-only for this user." if error.errno in _READ_ONLY else ""
            raise StorageError(
                f"Cannot write {where}: {error.strerror}.{advice} Nothing of this upload was stored."
            ) from error


def fault_of_bytes(path: Path, sha256: str) -> str | None:
    """What is wrong with a file that should have this digest, as the end of a sentence."""
    try:
        return None if sha256_of(path) == sha256 else "has other bytes than were stored"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def foreign(place: str) -> StorageError:
    """The error for a place whose bytes belong to another store."""
    return StorageError(
        f"The bytes in {place} belong to another store, which would take the files of this one for nobody's and "
        "remove them. Name another folder or another prefix of the bucket."
    )


def source_size(path: Path) -> int:
    """Length in bytes of a file that is about to be stored.

    Raises:
        ValidationError: It does not exist, is no file, or may not be read.
    """
    try:
        with opened(path) as file:
            return os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ValidationError(f"The file {path.name!r} cannot be read: {error.strerror}.") from error


def source_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file that is being stored.

    Raises:
        ValidationError: Reading it failed.
    """
    try:
        yield from chunks_of(path)
    except OSError as error:
        raise ValidationError(f"The file {path.name!r} cannot be read: {error.strerror}.") from error


def linked_part(path: Path, index: int) -> Part:
    """The part that registers `path` where it lies.

    Raises:
        ValidationError: It cannot be read, changed meanwhile, or its path is not valid Unicode.
    """
    place = path.absolute()
    try:
        str(place).encode()
        before, digest, after = place.stat(), sha256_of(place), place.stat()
    except UnicodeEncodeError as error:
        raise ValidationError(
            f"The path of {plain_name(path)!r} is not valid Unicode: copy the file instead."
        ) from error
    except OSError as error:
        raise ValidationError(f"The file {path.name!r} cannot be read: {error.strerror}.") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ValidationError(f"The file {path.name!r} changed while it was read. Try again when it is complete.")
    return Part(
        index=index,
        filename=plain_name(path),
        size=after.st_size,
        sha256=digest,
        linked_path=str(place),
        mtime_ns=after.st_mtime_ns,
    )


def plain_name(path: Path | str) -> str:
    """The base name, with a question mark for what is not valid Unicode."""
    return Path(path).name.encode("utf-8", "replace").decode()
