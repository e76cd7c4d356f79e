"""Files of servers on this machine: found by digest, fetched once, read without asking anybody.

    <cache>/blobs/ab/<sha256>        a whole file, read-only; of a server that names no digests `version-<digest>`
    <cache>/blobs/incoming/          files under way

No lock is taken: what lies under a name was checked against it, whoever put it there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from datamint_like._cache.collecting import wrote
from datamint_like._cache.folder import CacheFolder, unwritable
from datamint_like._files import is_written_now, partial_file, partial_files, private_name, sweep_partial
from datamint_like.backends.base import Arrived
from datamint_like.backends.remote.downloads import Wanted, download
from datamint_like.backends.remote.transport import Transport
from datamint_like.backends.remote.versions import is_stem
from datamint_like.exceptions import CacheError, ServerError

#: Another process that fetches the same file is waited for this long (s), while it is heard of.
_PATIENCE_S, _SILENCE_S, _GLANCE_S = 600.0, 15.0, 0.05
_swept: set[tuple[int, Path]] = set()


@dataclass(frozen=True)
class BlobCache:
    """The files in one cache folder."""

    cache: CacheFolder

    @property
    def folder(self) -> Path:
        """Where the cache is."""
        return self.cache.path

    @cached_property
    def incoming(self) -> Path:
        """Folder of files under way."""
        return self.folder / "blobs" / "incoming"

    def path(self, stem: str) -> Path:
        """Where the file of this name lies, or would.

        Raises:
            ServerError: It is no name that this cache gives.
        """
        if not is_stem(stem):
            raise ServerError(f"The server names the bytes of a file {stem!r:.80}; a SHA-256 was expected.")
        shelf = stem.rpartition("-")[2][:2]
        return Path(f"{self.folder}/blobs/{shelf}/{stem}")

    def fetched(self, transport: Transport, wanted: Wanted, arrived: Arrived | None = None) -> Path:
        """The file, from the server where it is not here; `arrived` is told how many bytes of it are, meanwhile.

        Raises:
            CacheError: It cannot be kept, or may not be asked for.
            DatamintException: The server does not give it.
        """
        target = self.path(wanted.stem)
        if target.exists():
            return target
        transport.refuse_silenced(wanted.name)
        self._make_ready(target.parent)
        if not partial_files(self.incoming, wanted.stem):  # as of most: each folder that is listed takes time
            partial = private_name(self.incoming, wanted.stem)
        elif self._brought_by_another(wanted, target.exists, arrived):
            return target
        else:
            partial = partial_file(self.incoming, wanted.stem)
        download(transport, wanted, target, partial, arrived)
        wrote(self.cache, target)
        return target

    def _make_ready(self, shelf: Path) -> None:
        try:
            if not (self.incoming.is_dir() and shelf.is_dir()):  # each file asks
                self.cache.make(self.incoming)
                self.cache.make(shelf, durable=False)  # as the names of the files in it
        except OSError as error:
            raise CacheError(unwritable(self.folder, error)) from error
        if (os.getpid(), self.folder) not in _swept:
            _swept.add((os.getpid(), self.folder))
            sweep_partial(self.incoming)

    def _brought_by_another(self, wanted: Wanted, there: Callable[[], bool], arrived: Arrived | None) -> bool:
        """Whether a process that was fetching the file already has brought it."""
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end and is_written_now(self.incoming, wanted.stem, silence_s=_SILENCE_S):
            if arrived is not None:
                arrived(0)
            time.sleep(_GLANCE_S)
        return there()
