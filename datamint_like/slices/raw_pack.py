"""A slice pack without compression: one `.npy` of all slices to map into memory, its facts after the array.

Promises: it appears whole or not at all; numpy alone can map it (`np.load(path, mmap_mode="r")`); workers of one
machine share its pages. Its slices carry no CRC: its length and its facts are checked, not its pixels.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from datamint_like._cache.use import InUse
from datamint_like._files import new_file
from datamint_like.exceptions import CacheError

Array = npt.NDArray[Any]
VERSION = 1
SUFFIX = ".npy"
_END = struct.Struct("<4sHIQI")  # magic, version, length of the facts, length of the array's file, CRC-32 of the facts
_MAGIC = b"DLRP"
_DAMAGED = (OSError, EOFError, ValueError, KeyError, TypeError, struct.error)


def write_raw_pack(path: Path, slices: Iterable[Array], count: int, facts: dict[str, Any]) -> None:
    """Put a raw pack of `count` slices (equal in shape and type) at `path`, whole or not at all.

    Raises:
        OSError: The disk is full or cannot be written; nothing is left behind.
    """
    stream = iter(slices)
    first = np.ascontiguousarray(next(stream))
    with new_file(path, durable=False) as file:
        header = {"descr": np.lib.format.dtype_to_descr(first.dtype), "fortran_order": False}
        np.lib.format.write_array_header_1_0(file, {**header, "shape": (count, *first.shape)})
        for each in chain((first,), stream):
            file.write(np.ascontiguousarray(each).data)
        length = file.tell()
        text = json.dumps(facts, sort_keys=True, allow_nan=False).encode()
        file.write(text + _END.pack(_MAGIC, VERSION, len(text), length, zlib.crc32(text)))


class RawPack:
    """An open raw pack. Threads and forked processes may read it at once; it pickles as its path.

    Attributes:
        facts: What the writer said of the slices.
    """

    def __init__(self, path: Path) -> None:
        """Map the pack at `path`.

        Raises:
            FileNotFoundError: There is none.
            CacheError: It is damaged, or of another version.
        """
        self.path = path
        self._in_use = InUse(path)
        try:
            with open(path, "rb") as file:
                self.facts = _facts(file)
            self._slices: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise
        except _DAMAGED as error:
            raise CacheError(f"The slice pack {path.name} is damaged ({error}).") from error

    def __reduce__(self) -> tuple[type[RawPack], tuple[Path]]:
        return RawPack, (self.path,)

    def __len__(self) -> int:
        return len(self._slices)

    def close(self) -> None:
        """Let the mapping go."""
        del self._slices

    def read(self, index: int) -> Array:
        """One slice, read-only, as a view of the file."""
        self._in_use.note()
        found: Array = self._slices[index]
        return found


def _facts(file: IO[bytes]) -> dict[str, Any]:
    size = os.fstat(file.fileno()).st_size
    if size < _END.size:
        raise ValueError(f"it has {size} bytes")
    file.seek(size - _END.size)
    magic, version, text_length, length, crc = _END.unpack(file.read(_END.size))
    if magic != _MAGIC or version != VERSION or length + text_length + _END.size != size:
        raise ValueError("its end is missing")
    file.seek(length)
    text = file.read(text_length)
    if zlib.crc32(text) != crc:
        raise ValueError("the CRC of its facts is wrong")
    facts: dict[str, Any] = json.loads(text)
    return facts
