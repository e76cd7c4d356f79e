"""The bytes of a dataset of a lock file: what the store cannot give is told with the digest that was locked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datamint_like._files import sha256_of
from datamint_like.backends.base import Arrived, Blobs
from datamint_like.backends.local.files import FileStore
from datamint_like.entities import Annotation, Part
from datamint_like.exceptions import ItemNotFoundError, PermissionDeniedError, StorageError

_GONE = (StorageError, ItemNotFoundError, PermissionDeniedError)


@dataclass(frozen=True)
class LockedBlobs:
    """The blobs of any store that has the files."""

    blobs: Blobs

    def part_path(self, part: Part, resource_name: str, arrived: Arrived | None = None) -> Path:
        """As of the store.

        Raises:
            StorageError, ItemNotFoundError, ...: As of the store, with the digest that was locked.
        """
        try:
            return self.blobs.part_path(part, resource_name, arrived)
        except _GONE as error:
            name = f"the file {part.filename!r} of resource {resource_name!r}"
            raise type(error)(_told(error, name, part.sha256, self._found(part))) from error

    def part_paths(self, parts: Sequence[Part], resource_name: str) -> list[Path]:
        """As of the store.

        Raises:
            StorageError, ItemNotFoundError, ...: As `part_path`.
        """
        try:
            return self.blobs.part_paths(parts, resource_name)
        except _GONE:
            for part in parts:
                self.part_path(part, resource_name)  # tells which one
            raise

    def annotation_bytes(self, annotation: Annotation) -> bytes:
        """As of the store.

        Raises:
            StorageError, ItemNotFoundError, ...: As of the store, with the digest that was locked.
        """
        try:
            return self.blobs.annotation_bytes(annotation)
        except _GONE as error:
            name = f"the file of annotation {annotation.id} of resource {annotation.resource_id}"
            raise type(error)(_told(error, name, annotation.sha256, "")) from error

    def kept_path(self, of: Part | Annotation) -> Path | None:
        """As of the store."""
        return self.blobs.kept_path(of)

    def _found(self, part: Part) -> str:
        """What the file has instead, as the end of a sentence, where the store lies on this machine."""
        if not isinstance(self.blobs, FileStore):
            return ""
        path = Path(part.linked_path) if part.linked_path else self.blobs.blob_path(part.sha256)
        return f", found {sha256_of(path)}" if path.is_file() else ", found no such file"


def _told(error: Exception, name: str, locked: str | None, found: str) -> str:
    return (
        f"{error} The lock file wants {name} with SHA-256 {locked}{found}: name a store that has it (server_url=), or "
        "lock the project anew."
    )
