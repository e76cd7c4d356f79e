"""Where the top-level elements at the start of a file lie, with none interpreted: the fast way to a header.

Takes what nearly all files are: a preamble, little endian, elements in ascending order. It says nothing of
anything else, which a full parser then reads.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from pydicom.uid import (
    AllTransferSyntaxes,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

#: VRs whose length has 4 bytes after 2 reserved ones (PS3.5 7.1.2), and those whose length has 2.
_LONG = {vr: vr.decode() for vr in b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split()}
_SHORT = {vr: vr.decode() for vr in b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()}
_EXPLICIT, _IMPLICIT = struct.Struct("<HH2sH").unpack_from, struct.Struct("<HHL").unpack_from
_LENGTH = struct.Struct("<L").unpack_from
_UNDEFINED = 0xFFFFFFFF
#: What a VR is called that the standard does not have.
_UNKNOWN = ""
_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD
#: What ends the elements of an item for `_walk`: a tag above all others, and what it may look at behind it.
_STOP_TAG, _STOP = 0xFFFFFFFF, b"\xff" * 12
_ITEM_END = b"\xfe\xff\x0d\xe0"
_META_START, _META_END = 132, 0x00030000
#: Bytes in which a header is looked for: nearly all are in the first, those of enhanced files in some more.
_SHORT_HEAD, _LONGEST_HEAD = 1 << 16, 1 << 24
_PIXELS_FROM = 0x7FE00008
_SYNTAX = 0x00020010
#: Syntaxes whose header is in little endian and as it is.
_PLAIN = frozenset(AllTransferSyntaxes) - {ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}

#: VR (None where it is implicit) and encoded value; of a sequence its items, whatever its length says.
Encoded = tuple[str | None, bytes]


@dataclass(frozen=True, slots=True)
class Scan:
    """The encoded elements before the pixels, and where those are.

    Attributes:
        syntax: The transfer syntax UID.
        elements: By tag.
        pixels: Tag of the element that holds the pixels.
        pixels_at: Where its value starts in the file.
        vr: Its VR.
        length: Bytes of its value, or None where items say it.
    """

    syntax: str
    elements: dict[int, Encoded]
    pixels: int
    pixels_at: int
    vr: str
    length: int | None


class _RunsOutError(Exception):
    """The bytes end before what is looked for."""


def scan_file(file: BinaryIO) -> tuple[bytes, Scan | None]:
    """The start of a file, and its elements where its first megabytes show them; more is read only where they go on."""
    file.seek(0)
    head = file.read(_SHORT_HEAD)
    while True:
        try:
            return head, _scan(head)
        except _RunsOutError:
            if len(head) >= _LONGEST_HEAD or not (more := file.read(7 * len(head))):
                return head, None
            head += more


def scan(head: bytes) -> Scan | None:
    """The elements of a file that starts with `head`, or None where a full parser has to look."""
    try:
        return _scan(head)
    except _RunsOutError:
        return None


def _scan(head: bytes) -> Scan | None:
    meta = _walk(head, _META_START, implicit=False, stop=_META_END) if head[128:132] == b"DICM" else None
    if meta is None:
        return None
    elements, at = meta
    syntax = elements.get(_SYNTAX, (None, b""))[1].rstrip(b"\0 ").decode("latin-1")
    if syntax not in _PLAIN:
        return None
    implicit = syntax == ImplicitVRLittleEndian
    found = _walk(head, at, implicit=implicit, stop=_PIXELS_FROM)
    if found is None:
        return None
    elements, at = found
    tag, vr, length, body = _header(head, at, implicit)
    return Scan(
        syntax,
        elements,
        tag,
        body,
        vr="OW" if vr is None else vr,
        length=None if length == _UNDEFINED else length,
    )


def scan_items(data: bytes, *, implicit: bool, most: int) -> list[dict[int, Encoded]] | None:
    """The elements of the first `most` items of a sequence, or None where a full parser has to look."""
    try:
        return _items(data, implicit, most)
    except _RunsOutError:
        return None


def _items(data: bytes, implicit: bool, most: int) -> list[dict[int, Encoded]] | None:
    items: list[dict[int, Encoded]] = []
    at = 0
    while at + 8 <= len(data):
        if len(items) == most:
            return items
        group, element, length = _IMPLICIT(data, at)
        tag, at = group << 16 | element, at + 8
        if tag == _SEQUENCE_END:
            return items
        if tag != _ITEM:
            return None
        if length == _UNDEFINED:
            end = _after_item(data, at, implicit)
            body = None if end is None else data[at : end - 8]
        else:
            end, body = at + length, data[at : at + length]
        found = None if body is None else _walk(body + _STOP, 0, implicit=implicit, stop=_STOP_TAG)
        if found is None or end is None:
            return None
        items.append(found[0])
        at = end
    return items if at == len(data) else None


def _walk(data: bytes, at: int, *, implicit: bool, stop: int) -> tuple[dict[int, Encoded], int] | None:
    """The elements from `at` to the first tag that is not below `stop`, and its place."""
    found: dict[int, Encoded] = {}
    last, size = 0, len(data)
    while at + 12 <= size:
        tag, vr, length, body = _header(data, at, implicit)
        if tag >= stop:
            return found, at
        if tag <= last or vr == _UNKNOWN:
            return None
        if length == _UNDEFINED:
            after = _after_sequence(data, body, implicit) if vr in (None, "SQ") else None
            if after is None:
                return None
            end = after
        else:
            end = body + length
        found[tag] = vr, data[body:end]
        at, last = end, tag
    raise _RunsOutError


def _header(data: bytes, at: int, implicit: bool) -> tuple[int, str | None, int, int]:
    """Tag, VR (None where it is implicit), length, and where the value starts."""
    if implicit:
        group, element, length = _IMPLICIT(data, at)
        return group << 16 | element, None, length, at + 8
    group, element, vr, length = _EXPLICIT(data, at)
    short = _SHORT.get(vr)
    if short is not None:
        return group << 16 | element, short, length, at + 8
    if vr in _LONG:
        return group << 16 | element, _LONG[vr], _LENGTH(data, at + 8)[0], at + 12
    return group << 16 | element, _UNKNOWN, length, at + 8


def _after_sequence(data: bytes, at: int, implicit: bool) -> int | None:
    """Where a sequence of undefined length ends, or None where that cannot be said."""
    while at + 8 <= len(data):
        group, element, length = _IMPLICIT(data, at)
        tag, at = group << 16 | element, at + 8
        if tag == _SEQUENCE_END:
            return at
        if tag != _ITEM:
            return None
        if length != _UNDEFINED:
            at += length
            continue
        after = _after_item(data, at, implicit)
        if after is None:
            return None
        at = after
    raise _RunsOutError


def _after_item(data: bytes, at: int, implicit: bool) -> int | None:
    """Where an item of undefined length ends, or None where that cannot be said."""
    while at + 8 <= len(data):
        if data[at : at + 4] == _ITEM_END:
            return at + 8
        if at + 12 > len(data):
            raise _RunsOutError
        _, vr, length, body = _header(data, at, implicit)
        if vr == _UNKNOWN:
            return None
        if length != _UNDEFINED:
            at = body + length
            continue
        after = _after_sequence(data, body, implicit) if vr in (None, "SQ") else None
        if after is None:
            return None
        at = after
    raise _RunsOutError
