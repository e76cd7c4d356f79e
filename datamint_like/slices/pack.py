"""A slice pack: all slices of one volume along one axis, in one file that gzip and numpy alone can read.

Promises: a pack appears whole or not at all; a slice is read with one `pread` and one inflate, and its CRC is
checked; a damaged pack is a `CacheError`, never other pixels; the same slices give the same bytes.

Layout (version 1): for each slice one gzip member, which inflates to a complete `.npy` file (deflated, or as it is
where deflating saves less than a sixth: then reading takes a copy, not an inflate); then empty gzip members
(so that a gzip reader sees the slices only) whose extra fields hold the facts as JSON (`DF`) and the lengths of the
slices' members (`DI`, 4 bytes each, little endian); last an empty member of fixed length (`DT`): version, where the
index starts, the CRC-32 of the index.
"""

from __future__ import annotations

import io
import json
import os
import struct
import weakref
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from isal import igzip, isal_zlib

from datamint_like._cache.use import InUse
from datamint_like._files import new_file
from datamint_like.exceptions import CacheError
from datamint_like.slices.gzip_members import LONGEST, empty_member, fields_of, member_length, stored_member

Array = npt.NDArray[Any]
VERSION = 1
SUFFIX = ".npy.gz"
_FACTS, _INDEX, _TAIL = b"DF", b"DI", b"DT"
_END = struct.Struct("<HQI")
_TAIL_LENGTH = member_length(_END.size)
_LONGEST_INDEX = 1 << 28
#: Deflated slices are longer than this share of their bytes where there is little but noise; inflating them takes as
#: long as decoding them.
_WORTH = 5 / 6
_DAMAGED: Any = (OSError, EOFError, ValueError, KeyError, TypeError, struct.error, zlib.error, isal_zlib.error)


def write_pack(path: Path, slices: Iterable[Array], facts: dict[str, Any]) -> None:
    """Put a pack of these slices (equal in shape and type) at `path`, whole or not at all.

    It is not made durable: after a power cut a damaged pack is noticed and made again.

    Raises:
        OSError: The disk is full or cannot be written; nothing is left behind.
    """
    with new_file(path, durable=False) as file:
        lengths = [file.write(npy_gz(each)) for each in slices]
        start = file.tell()
        index = _members(_FACTS, json.dumps(facts, sort_keys=True, allow_nan=False).encode())
        index += _members(_INDEX, np.array(lengths, dtype="<u4").tobytes())
        file.write(index)
        file.write(empty_member(_TAIL, _END.pack(VERSION, start, zlib.crc32(index))))


def npy_gz(array: Array) -> bytes:
    """A gzip file of a `.npy` file, deflated where that is worth it: what a slice is in a pack."""
    npy = _npy(array)
    deflated: bytes = igzip.compress(npy, 1, mtime=0)
    return deflated if len(deflated) <= _WORTH * len(npy) else stored_member(npy)


class Pack:
    """An open pack. Threads and forked processes may read it at once; it pickles as its path.

    Attributes:
        facts: What the writer said of the slices.
        close: Closes the file; so does letting the pack go.
    """

    def __init__(self, path: Path) -> None:
        """Open the pack at `path`.

        Raises:
            FileNotFoundError: There is none.
            CacheError: It is damaged, or of another version.
        """
        self.path = path
        self._in_use = InUse(path)
        self._handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self.close = weakref.finalize(self, os.close, self._handle)
        try:
            self.facts, lengths = _read_index(self._handle)
        except _DAMAGED as error:
            self.close()
            raise CacheError(f"The slice pack {path.name} is damaged ({error}).") from error
        self._ends = np.cumsum(lengths)
        self._starts = self._ends - lengths
        self._layout: tuple[bytes, np.dtype[Any], tuple[int, ...]] | None = None

    def __reduce__(self) -> tuple[type[Pack], tuple[Path]]:
        return Pack, (self.path,)

    def __len__(self) -> int:
        return len(self._ends)

    def read(self, index: int) -> Array:
        """One slice, read-only.

        Raises:
            CacheError: Its bytes are damaged.
        """
        self._in_use.note()
        start, end = int(self._starts[index]), int(self._ends[index])
        try:
            npy = isal_zlib.decompress(os.pread(self._handle, end - start, start), wbits=31)
            return self._array(npy)
        except _DAMAGED as error:
            raise CacheError(f"Slice {index} of the slice pack {self.path.name} is damaged ({error}).") from error

    def _array(self, npy: bytes) -> Array:
        """The array of a `.npy` file; the first one read tells the layout that all have."""
        if self._layout is None or not npy.startswith(self._layout[0]):
            stream = io.BytesIO(npy)
            first = np.lib.format.read_array(stream, allow_pickle=False)
            self._layout = npy[: len(npy) - first.nbytes], first.dtype, first.shape
        header, dtype, shape = self._layout
        return np.frombuffer(npy, dtype=dtype, offset=len(header)).reshape(shape)


def _npy(array: Array) -> bytes:
    """The bytes of a `.npy` file (version 1.0); numpy's own writer copies the array twice on its way into memory."""
    contiguous, stream = np.ascontiguousarray(array), io.BytesIO()
    if contiguous.dtype.hasobject:
        raise ValueError(f"Slices are arrays of numbers, not of {contiguous.dtype}.")
    np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(contiguous))
    stream.write(contiguous.data)
    return stream.getvalue()


def _members(name: bytes, data: bytes) -> bytes:
    """The data over as many members as it takes."""
    return b"".join(empty_member(name, data[at : at + LONGEST]) for at in range(0, len(data), LONGEST))


def _read_index(handle: int) -> tuple[dict[str, Any], npt.NDArray[np.int64]]:
    """The facts and the length of each slice's member."""
    size = os.fstat(handle).st_size
    if size < _TAIL_LENGTH:
        raise ValueError(f"it has {size} bytes")
    ((name, tail),) = fields_of(os.pread(handle, _TAIL_LENGTH, size - _TAIL_LENGTH))
    version, start, crc = _END.unpack(tail)
    if name != _TAIL or version != VERSION:
        raise ValueError(f"its version is {version}, this program reads {VERSION}")
    length = size - _TAIL_LENGTH - start
    if not 0 <= length <= _LONGEST_INDEX:
        raise ValueError("its index is not where its end says")
    index = os.pread(handle, length, start)
    if zlib.crc32(index) != crc:
        raise ValueError("the CRC of its index is wrong")
    fields = fields_of(index)
    facts = json.loads(b"".join(data for name, data in fields if name == _FACTS))
    lengths = np.frombuffer(b"".join(data for name, data in fields if name == _INDEX), dtype="<u4").astype(np.int64)
    if int(lengths.sum()) != start:
        raise ValueError("its slices do not fill it")
    return facts, lengths
