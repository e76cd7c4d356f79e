"""The bytes of a server's store, by way of this machine's cache: light enough for every DataLoader worker."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from datamint_like._cache import CacheFolder, Lease
from datamint_like._cache.use import note_use
from datamint_like.backends.base import Arrived
from datamint_like.backends.local.unchanged import fault_of
from datamint_like.backends.remote.answers import path
from datamint_like.backends.remote.blob_cache import BlobCache
from datamint_like.backends.remote.downloads import Wanted
from datamint_like.backends.remote.transport import Call, Transport
from datamint_like.backends.remote.versions import is_digest, stem_of
from datamint_like.config import load_settings
from datamint_like.entities import Annotation, Part
from datamint_like.exceptions import StorageError, ValidationError

_LOG = logging.getLogger(__name__)
AT_ONCE = 8  # files of one resource that are under way at once


class RemoteBlobs:
    """Files of a server's resources and annotations. Pickles as URL, folder and whether the server may be asked.

    What the cache holds is read without the server, and without a key.
    """

    def __init__(
        self,
        url: str,
        cache_dir: CacheFolder | Path | None = None,
        transport: Transport | None = None,
        may_ask: bool = True,
    ) -> None:
        """Keep files in `cache_dir`, None being the configured one; what is missing comes by `transport`, if it may."""
        self.url = url
        self._may_ask = may_ask
        self._transport = transport
        self.cache = BlobCache(load_settings().cache(cache_dir))

    def __reduce__(self) -> tuple[type[RemoteBlobs], tuple[str, CacheFolder, None, bool]]:
        return RemoteBlobs, (self.url, self.cache.cache, None, self._may_ask)

    def __repr__(self) -> str:
        return f"RemoteBlobs({self.url!r})"

    @cached_property
    def transport(self) -> Transport:
        """The way to the server, made when a file is missing."""
        return self._transport or Transport(self.url, may_ask=self._may_ask)

    def part_path(self, part: Part, resource_name: str, arrived: Arrived | None = None) -> Path:
        """A file on this machine with the part's bytes, fetched where it is missing or damaged.

        `arrived` is told how many bytes of it are here while it is fetched.

        Raises:
            StorageError: The server sends other bytes than the part's.
            CacheError: It is not here and cannot be kept, or may not be asked for.
            NetworkError, AuthenticationError: It is not here, and the server cannot be asked.
        """
        found = self.cache.path(part.sha256)
        if self._is_whole(found, part):
            return found
        return self.cache.fetched(self.transport, _wanted_part(part, resource_name), arrived)

    def part_paths(self, parts: Sequence[Part], resource_name: str) -> list[Path]:
        """The files of several parts; those that are missing are fetched at once.

        Raises:
            As `part_path`.
        """
        if sum(not self.cache.path(part.sha256).exists() for part in parts) < 2:
            return [self.part_path(part, resource_name) for part in parts]
        if self.transport.silenced_by is not None:
            missing = [part for part in parts if not self.cache.path(part.sha256).exists()]
            self.transport.refuse_silenced(f"{len(missing)} of {len(parts)} files of resource {resource_name!r}")
        with ThreadPoolExecutor(AT_ONCE, "datamint-like-files") as threads:
            return list(threads.map(lambda part: self.part_path(part, resource_name), parts))

    def head(self, part: Part, length: int) -> bytes:
        """The first bytes of a part; the rest of it is not fetched.

        Raises:
            NetworkError, AuthenticationError: The server cannot be asked.
        """
        with suppress(OSError), open(self.cache.path(part.sha256), "rb") as file:
            if not is_digest(part.sha256) or os.fstat(file.fileno()).st_size == part.size:
                return file.read(length)
        headers = {"Range": f"bytes=0-{length - 1}", "Accept": "application/octet-stream"}
        return self.transport.beginning(Call("GET", part_route(part), headers=headers), length)

    def annotation_bytes(self, annotation: Annotation) -> bytes:
        """The payload of a segmentation, checked against its digest.

        Raises:
            ValidationError: This annotation has no file.
            StorageError, CacheError, NetworkError, AuthenticationError: As `part_path`.
        """
        if annotation.sha256 is None and not (annotation.file or annotation.associated_file):
            raise ValidationError(f"Annotation {annotation.id} ({annotation.annotation_type}) has no file.")
        wanted = Wanted(
            path=path("annotations", annotation.resource_id, "annotations", annotation.id, "file"),
            name=f"the file of annotation {annotation.id}",
            stem=stem_of(annotation),
            sha256=annotation.sha256,
        )
        note_use(self.cache.path(wanted.stem))
        try:
            data = self.cache.path(wanted.stem).read_bytes()
        except OSError:
            return self._fetched_bytes(wanted)
        if wanted.sha256 is None or hashlib.sha256(data).hexdigest() == wanted.sha256:
            return data
        self._drop(self.cache.path(wanted.stem), wanted.name)
        return self._fetched_bytes(wanted)

    def _fetched_bytes(self, wanted: Wanted) -> bytes:
        with suppress(FileNotFoundError):  # it was removed from the cache at once
            return self.cache.fetched(self.transport, wanted).read_bytes()
        with Lease(self.cache.cache, [self.cache.path(wanted.stem)], renewed=False):
            return self.cache.fetched(self.transport, wanted).read_bytes()

    def kept_path(self, of: Part | Annotation) -> Path:
        """Where in the cache folder the file of a part or segmentation lies, or will."""
        return self.cache.path(stem_of(of))

    def _is_whole(self, found: Path, part: Part) -> bool:
        """Whether the cache has the part's bytes; a damaged file is removed, if it may be fetched again."""
        if not note_use(found):  # first, for it moves the times by which a changed file is noticed
            return False
        if not is_digest(part.sha256):
            return True
        if (fault := fault_of(found, part)) is None:
            return True
        if found.exists():
            self._drop(found, f"the file {part.filename!r}, which {fault}")
        return False

    def _drop(self, damaged: Path, what: str) -> None:
        """Remove a damaged file, so that it is fetched again; it stays where that is forbidden.

        Raises:
            NotHereError: The server may not be asked.
            StorageError: It cannot be removed.
        """
        self.transport.refuse_silenced(f"{what} (the cache holds other bytes for it)")
        _LOG.warning("The cache is damaged (%s); it is fetched again.", what)
        with suppress(OSError):  # a read-only cache
            damaged.unlink()
        if damaged.exists():
            raise StorageError(
                f"The cache folder {self.cache.folder} holds other bytes for {what}, and cannot be written. Remove the "
                f"file {damaged.name} there."
            )


def part_route(part: Part) -> str:
    """Where the server has a part.

    Raises:
        ValidationError: The part is of no server.
    """
    if part.resource_id is None:
        raise ValidationError(f"The file {part.filename!r} is of no server.")
    return path("resources", part.resource_id, *(("parts", str(part.index)) if is_digest(part.sha256) else ("file",)))


def _wanted_part(part: Part, resource_name: str) -> Wanted:
    known = is_digest(part.sha256)
    return Wanted(
        path=part_route(part),
        name=f"the file {part.filename!r} of resource {resource_name!r}",
        stem=part.sha256,
        size=part.size if known else None,
        sha256=part.sha256 if known else None,
    )
