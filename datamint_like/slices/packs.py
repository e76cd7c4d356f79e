"""The slice packs of one cache folder: found by what they hold, made when they are missing.

Promises: a pack's name is made of the bytes, decoder, options and axis that its slices come from, never of a time;
one process builds a pack while others wait a little, then do without; a cache that cannot be written costs speed only.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy.typing as npt

from datamint_like._cache.collecting import wrote
from datamint_like._cache.folder import CacheFolder, open_as_its_folder, way_out
from datamint_like._cache.turns import turn
from datamint_like._files import reason_of, sweep_partial
from datamint_like.exceptions import CacheError, ValidationError
from datamint_like.slices.pack import SUFFIX, Pack, write_pack
from datamint_like.slices.raw_pack import SUFFIX as RAW_SUFFIX
from datamint_like.slices.raw_pack import RawPack, write_raw_pack

Array = npt.NDArray[Any]
Compression = Literal["gzip"] | None
_LOG = logging.getLogger(__name__)
#: How long a process waits for another that builds the same pack (s), before it does without.
_PATIENCE_S = 20.0


@dataclass(frozen=True)
class PackKey:
    """What the slices of a pack come from.

    Attributes:
        axis: `"axial"`, `"coronal"`, `"sagittal"`, `"frames"`, or the number of an axis of the stored array.
        source: The bytes and options that the slices follow from, in plain values.
    """

    axis: str
    source: tuple[Hashable, ...]

    def path(self, folder: Path, suffix: str) -> Path:
        """Where the pack lies in a cache folder."""
        name = hashlib.sha256(msgspec.msgpack.encode(self.source)).hexdigest()[:40]
        return folder / "packs" / name[:2] / name / f"{self.axis}{suffix}"


@dataclass(frozen=True)
class Content:
    """Slices to be packed, and what belongs to all of them."""

    slices: Sequence[Array]
    facts: dict[str, Any]


class Packs:
    """The packs of one folder; pickles as its options."""

    def __init__(self, cache: CacheFolder | Path, compression: Compression = "gzip") -> None:
        """Use this cache folder, and compress new packs with gzip or (None) not at all.

        Raises:
            ValidationError: `compression` is neither.
        """
        if compression not in ("gzip", None):
            raise ValidationError(f"compression is 'gzip', or None for none, not {compression!r:.80}.")
        self.cache = CacheFolder.at(cache)
        self.folder = self.cache.path
        self.compression = compression
        self._start()
        self._refusal: OSError | None = None  # the last one of the disk

    def _start(self) -> None:
        self._pid = os.getpid()
        self._one_at_a_time = threading.Lock()

    def __reduce__(self) -> tuple[type[Packs], tuple[CacheFolder, Compression]]:
        return Packs, (self.cache, self.compression)

    def path(self, key: PackKey) -> Path:
        """Where the pack lies, or will."""
        return key.path(self.folder, SUFFIX if self.compression else RAW_SUFFIX)

    def find(self, key: PackKey) -> Pack | RawPack | None:
        """The pack, or None where there is none; a damaged one is removed and told in the log."""
        path = self.path(key)
        try:
            return Pack(path) if self.compression else RawPack(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (CacheError, OSError) as error:
            self.discard(key, error)
            return None

    def discard(self, key: PackKey, reason: Exception) -> None:
        """Remove a pack that turned out damaged, so that it is made again."""
        _LOG.warning("%s It is made again.", reason)
        with suppress(OSError):
            self.path(key).unlink()

    def ensure(self, key: PackKey, make: Callable[[], Content]) -> bool:
        """Make the pack where it is missing, however long another process takes for it; whether it was made here.

        Raises:
            CacheError: It cannot be written.
        """
        if self.find(key) is not None:
            return False
        made = self.build(key, make, patience_s=None)
        if isinstance(made, Content) and self.find(key) is None:
            raise CacheError(f"its slices ({key.axis}) cannot be written to the cache folder{self._why_not()}")
        return isinstance(made, Content)

    def build(
        self, key: PackKey, make: Callable[[], Content], *, patience_s: float | None = _PATIENCE_S
    ) -> Content | Pack | RawPack:
        """The content that `make` gives, packed for the next time; the pack itself where another was faster."""
        path = self.path(key)
        with self._building, self._turn(path, patience_s) as mine:
            if (found := self.find(key)) is not None:
                return found
            content = make()
            if mine:
                self._write(path, content)
            return content

    def build_if_free(self, key: PackKey, make: Callable[[], Content]) -> None:
        """Make the pack where it is missing, unless another process does or it cannot be kept."""
        path = self.path(key)
        with self._building, self._turn(path, 0.0) as mine:
            if mine and self._refusal is None and self.find(key) is None:
                self._write(path, make())

    @property
    def _building(self) -> threading.Lock:
        """Packs are built one at a time in a process, for each holds a whole volume."""
        if self._pid != os.getpid():  # a thread of the parent may have been building when this was forked
            self._start()
        return self._one_at_a_time

    @contextmanager
    def _turn(self, path: Path, patience_s: float | None) -> Iterator[bool]:
        """A block in which others wait; False where another process is slow, or nothing can be written."""
        with ExitStack() as held:
            mine = False
            try:
                self._make_folder(path)
                mine = held.enter_context(turn(path.with_name(f"{path.name}.lock"), patience_s))
            except OSError as error:  # a read-only or full disk
                self._complain(error)
            yield mine

    def _make_folder(self, path: Path) -> None:
        self.cache.make(path.parent)
        sweep_partial(path.parent)

    def _write(self, path: Path, content: Content) -> None:
        slices: Iterable[Array] = content.slices
        try:
            self._make_folder(path)  # again: the cache may have been cleared while the slices were made
            if self.compression:
                write_pack(path, slices, content.facts)
            else:
                write_raw_pack(path, slices, len(content.slices), content.facts)
            open_as_its_folder(path)
            wrote(self.cache, path)
        except FileNotFoundError:
            _LOG.info("The slice pack %s went from the cache while it was written.", path.name)
        except OSError as error:
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        """Tell once that nothing can be kept here."""
        if self._refusal is None:
            _LOG.warning("The cache folder %s cannot be written (%s); slices are decoded anew.", self.folder, error)
        self._refusal = error

    def _why_not(self) -> str:
        """The end of a sentence: why a pack cannot be written, and what to do."""
        error = self._refusal
        if error is None:  # somebody removes what was just written
            return ", where others tidy at the same time. Try again when they are done."
        return f": {reason_of(error)}. {way_out(error)}"
