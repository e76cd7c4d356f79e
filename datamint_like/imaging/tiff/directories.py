"""The directories (IFDs) of a TIFF file: TIFF 6.0 section 2, and BigTIFF with its 64-bit offsets.

Every claim is held against the length of the file before anything is read or allocated.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Literal

import numpy as np
import numpy.typing as npt

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._raster_header import cut_short

Numbers = npt.NDArray[np.int64]

#: numpy types of the field types that hold integers (SHORT, LONG, IFD8, ...).
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 13: "u4", 16: "u8", 17: "i8", 18: "u8"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_ORDERS: dict[str, Literal["little", "big"]] = {"<": "little", ">": "big"}
#: More tags or pages than any real file has; what stops a file made to keep a reader busy.
_MOST_TAGS, _MOST_PAGES = 4096, 65_536


@dataclass(frozen=True)
class _Layout:
    """The forms of a directory: its count, an entry (tag, type, count, value), the offset of the next one."""

    count: str
    entry: str
    offset: str


_CLASSIC, _BIG = _Layout("H", "HHI4s", "I"), _Layout("Q", "HHQ8s", "Q")


@dataclass(frozen=True)
class TiffSource:
    """An open TIFF file: its length, its byte order (`"<"` or `">"`) and where its first directory lies."""

    file: IO[bytes]
    size: int
    order: str
    first: int
    layout: _Layout

    @classmethod
    def of(cls, file: IO[bytes]) -> TiffSource:
        """The source in an open file, whatever its position.

        Raises:
            DecodeError: It is no TIFF, or is shorter than a header.
        """
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None:
            raise DecodeError("it is no TIFF.")
        big = head[2:4] in (b"+\0", b"\0+")
        if len(head) < 16:
            raise cut_short(16, size)
        first = struct.unpack(f"{order}Q", head[8:16])[0] if big else struct.unpack(f"{order}I", head[4:8])[0]
        return cls(file, size, order, first, _BIG if big else _CLASSIC)

    def read(self, at: int, count: int) -> bytes:
        """These bytes of the file.

        Raises:
            DecodeError: They lie outside the file.
        """
        if at < 0 or count < 0 or at + count > self.size:
            raise cut_short(at + count, self.size)
        self.file.seek(at)
        return self.file.read(count)


@dataclass(frozen=True)
class Directory:
    """The tags of one directory, which lies at byte `at`; their values are read when asked for."""

    source: TiffSource
    _entries: Mapping[int, tuple[int, int, bytes]] = field(repr=False)
    at: int = 0

    def __contains__(self, tag: int) -> bool:
        return tag in self._entries

    def count(self, tag: int) -> int:
        """How many values a tag claims; 0 where it is absent."""
        return self._entries[tag][1] if tag in self._entries else 0

    def only(self, kept: Collection[int]) -> bytes:
        """The bytes of this directory with these of its tags alone, and no link to a next one."""
        order, layout = self.source.order, self.source.layout
        entries = sorted((tag, *self._entries[tag]) for tag in self._entries if tag in kept)
        packed = b"".join(struct.pack(f"{order}{layout.entry}", *entry) for entry in entries)
        return struct.pack(f"{order}{layout.count}", len(entries)) + packed + struct.pack(f"{order}{layout.offset}", 0)

    def place(self, tag: int) -> tuple[int, int]:
        """Where the value of a tag lies and how many bytes it has; 0 bytes where it lies in the directory itself.

        Raises:
            DecodeError: The tag has no known type.
        """
        kind, count, inline = self._entries[tag]
        if kind not in _SIZES:
            raise DecodeError(f"its TIFF tag {tag} has the unknown type {kind}.")
        length = _SIZES[kind] * count
        if length <= len(inline):
            return 0, 0
        return int(struct.unpack(f"{self.source.order}{self.source.layout.offset}", inline)[0]), length

    def __iter__(self) -> Iterator[int]:
        return iter(self._entries)

    def raw(self, tag: int, most: int | None = None) -> bytes:
        """The bytes of a tag's value, of its first `most` values only where that is given.

        Raises:
            DecodeError: The tag has no known type, or its value lies outside the file.
        """
        kind, count, inline = self._entries[tag]
        size = _SIZES.get(kind)
        if size is None:
            raise DecodeError(f"its TIFF tag {tag} has the unknown type {kind}.")
        length = size * (count if most is None else min(count, most))
        if size * count <= len(inline):
            return inline[:length]
        order = self.source.order
        at = int(struct.unpack(f"{order}{self.source.layout.offset}", inline)[0])
        if at + size * count > self.source.size:
            raise cut_short(at + size * count, self.source.size)
        return self.source.read(at, length)

    def numbers(self, tag: int, most: int | None = None) -> Numbers:
        """The integers of a tag, of its first `most` values only where that is given; empty where it is absent.

        Raises:
            DecodeError: They are no integers below 2**63, or lie outside the file.
        """
        if tag not in self._entries:
            return np.empty(0, np.int64)
        form, encoded = self._integers(tag, most)
        values = np.frombuffer(encoded, self.source.order + form)
        if values.dtype.itemsize == 8 and values.dtype.kind == "u" and values.size and int(values.max()) >= 1 << 63:
            raise cut_short(int(values.max()), self.source.size)
        return values.astype(np.int64)

    def number(self, tag: int, default: int) -> int:
        """The first integer of a tag, else the default.

        Raises:
            DecodeError: It is no integer below 2**63, or lies outside the file.
        """
        form, encoded = self._integers(tag, 1) if tag in self._entries else ("", b"")
        if not encoded:
            return default
        value = int.from_bytes(encoded, _ORDERS[self.source.order], signed=form[0] == "i")
        if value >= 1 << 63:
            raise cut_short(value, self.source.size)
        return value

    def _integers(self, tag: int, most: int | None) -> tuple[str, bytes]:
        """The numpy type, without its byte order, and the bytes of a tag's integers."""
        kind = self._entries[tag][0]
        if kind not in _INTEGERS:
            raise DecodeError(f"its TIFF tag {tag} holds no integers (its type is {kind}).")
        return _INTEGERS[kind], self.raw(tag, most)


def directories(source: TiffSource) -> Iterator[Directory]:
    """Each directory of the main chain, in order.

    Raises:
        DecodeError: A directory lies outside the file, was there before, or there are too many.
    """
    seen: set[int] = set()
    at = source.first
    while at:
        if at in seen:
            raise DecodeError("it is damaged: its TIFF directories form a loop.")
        seen.add(at)
        if len(seen) > _MOST_PAGES:
            raise DecodeError(f"it has more than {_MOST_PAGES:,} TIFF directories, which is not supported.")
        directory, at = _directory(source, at)
        yield directory
    if not seen:
        raise DecodeError("it is damaged: it has no TIFF directory.")


def _directory(source: TiffSource, at: int) -> tuple[Directory, int]:
    """The directory at an offset, and the offset of the next one."""
    layout, order = source.layout, source.order
    start = at + struct.calcsize(f"={layout.count}")
    (count,) = struct.unpack(f"{order}{layout.count}", source.read(at, start - at))
    if not 0 < count <= _MOST_TAGS:
        raise DecodeError(f"it is damaged: a TIFF directory claims {count:,} tags.")
    form = struct.Struct(f"{order}{layout.entry}")
    link = struct.Struct(f"{order}{layout.offset}")
    block = source.read(start, form.size * count + link.size)
    entries = {
        tag: (kind, number, inline)
        for tag, kind, number, inline in form.iter_unpack(memoryview(block)[: form.size * count])
    }
    return Directory(source, entries, at), int(link.unpack_from(block, form.size * count)[0])
