"""Gzip members (RFC 1952): of data that is not worth deflating, and of what no gzip reader shows.

The latter carry data in their extra field and inflate to nothing.
"""

from __future__ import annotations

import struct

from isal import isal_zlib

_FEXTRA = 4
_HEADER = struct.pack("<4BIBB", 0x1F, 0x8B, 8, _FEXTRA, 0, 0, 255)
#: An empty deflate block, then the CRC and the length of nothing.
_NOTHING = b"\x03\x00" + bytes(8)
#: Bytes that one subfield holds at most.
LONGEST = 65_000
_PLAIN_HEADER = struct.pack("<4BIBB", 0x1F, 0x8B, 8, 0, 0, 0, 255)
#: Bytes that one stored block of deflate holds at most.
_BLOCK = 0xFFFF


def stored_member(data: bytes) -> bytes:
    """A member that inflates to `data`, which it holds as it is."""
    pieces: list[bytes | memoryview] = [_PLAIN_HEADER]
    view = memoryview(data)
    for at in range(0, len(data) or 1, _BLOCK):
        block = view[at : at + _BLOCK]
        last = at + _BLOCK >= len(data)
        pieces += (struct.pack("<BHH", last, len(block), len(block) ^ _BLOCK), block)
    return b"".join((*pieces, struct.pack("<II", isal_zlib.crc32(data), len(data) & 0xFFFFFFFF)))


def empty_member(name: bytes, data: bytes) -> bytes:
    """A member that inflates to nothing, with `data` (at most `LONGEST` bytes) in the subfield of a two-letter name."""
    field = name + struct.pack("<H", len(data)) + data
    return _HEADER + struct.pack("<H", len(field)) + field + _NOTHING


def member_length(data_length: int) -> int:
    """Bytes of `empty_member` with so many bytes of data."""
    return len(empty_member(b"xx", b"")) + data_length


def fields_of(members: bytes) -> list[tuple[bytes, bytes]]:
    """(name, data) of each member of a run of empty members.

    Raises:
        ValueError: It is no such run.
    """
    found, at = [], 0
    while at < len(members):
        if members[at : at + 10] != _HEADER:
            raise ValueError("A gzip member of another kind stands among those of the index.")
        (length,) = struct.unpack_from("<H", members, at + 14)
        data = members[at + 16 : at + 16 + length]
        found.append((members[at + 12 : at + 14], data))
        at += member_length(length)
    if at != len(members):
        raise ValueError("The index is cut short.")
    return found
