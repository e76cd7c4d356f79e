"""The seam to the bytes of a store: a folder of this machine, or a bucket."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from datamint_like._files import Staged
from datamint_like.backends.base import Blobs


class ByteStore(Blobs, Protocol):
    """Content-addressed files under `blobs/ab/<sha256>`, wherever that is.

    A file comes in two steps: `send` does what takes long, before the write that names it; `publish` belongs into
    that write and leaves the file durable in its place, so its row may follow. `remove` needs the write lock too, so
    no file goes that a row is about to name.
    """

    @property
    def place(self) -> str:
        """Where it is, for messages: `"the store's folder /data/store"`."""

    @property
    def sends_ahead(self) -> bool:
        """Whether `send` does something, which takes long."""

    @property
    def can_link(self) -> bool:
        """Whether files may be registered where they lie."""

    @property
    def folder(self) -> Path:
        """Folder of this machine with `blobs/`, for files that may be read here, and `incoming/`."""

    @property
    def incoming(self) -> Path:
        """Folder of this machine for files that are being written."""

    def blob_path(self, sha256: str) -> Path:
        """Where the file of this digest lies on this machine once it was read, or would."""

    def claim(self, store_id: str) -> None:
        """Note that these bytes belong to the store of this id, whose rows lie elsewhere.

        Raises:
            StorageError: They belong to another one, which would take the files of this one for nobody's.
        """

    def send(self, staged: Sequence[Staged]) -> None:
        """Bring whole files near to their places.

        Raises:
            OSError: They cannot be brought; a StorageError where the message says all.
        """

    def publish(self, staged: Sequence[Staged]) -> None:
        """Put whole files, which were sent, in their places, durably; equal bytes share one file.

        Raises:
            OSError: They cannot be put there; a StorageError where the message says all.
        """

    def fault(self, sha256: str) -> str | None:
        """What is wrong with the file of this digest, as the end of a sentence; None when its bytes are right."""

    def size_of(self, sha256: str) -> int | None:
        """Length in bytes of the file of this digest; None where there is none."""

    def digests(self) -> list[str]:
        """Of all files, in order."""

    def is_old(self, sha256: str) -> bool:
        """Whether the file of this digest is there and was written more than a day ago."""

    def remove(self, digests: Sequence[str]) -> None:
        """Take the files of these digests away, as far as they are there."""

    def sweep(self) -> None:
        """Remove what killed writers left on this machine more than a day ago."""
