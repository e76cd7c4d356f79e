"""Pixels in fragments (PS3.5 A.4): the frames they hold, and whether all are there by the headers of their items."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from pydicom.encaps import generate_frames

from datamint_like.exceptions import DecodeError

if TYPE_CHECKING:
    from datamint_like.imaging.dicom.header import DicomFile  # which looks for cut files here

_HEADER = struct.Struct("<HHL")
_ITEM, _END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)


def refuse_cut(file: BinaryIO, at: int, size: int, frames: int) -> None:
    """Stop at a file of `size` bytes that ends inside the compressed pixels whose items start at `at`.

    Items in disorder are damage of another kind, which decoding names.

    Raises:
        DecodeError: An item is not whole, the file ends before the sequence delimiter, or there are fewer
            fragments than frames.
    """
    items = 0
    while at + _HEADER.size <= size:
        file.seek(at)
        group, element, length = _HEADER.unpack(file.read(_HEADER.size))
        if (group, element) != _ITEM:
            if (group, element) == _END and items - 1 < frames:
                raise DecodeError(
                    f"it is cut short: expected {frames:,} frames of compressed pixels, found {max(0, items - 1):,} "
                    "fragments. Copy the file again."
                )
            return
        at += _HEADER.size + length
        items += 1
    fragments = max(0, items - 1)  # the first item is the offset table
    if at > size:
        what = f"a fragment of compressed pixels up to byte {at:,}, found {size:,} bytes"
    else:
        what = f"the end mark of its compressed pixels, found the end of the file after {fragments} fragments"
    raise DecodeError(f"it is cut short: expected {what}. Copy the file again.")


def encoded_frames(file: DicomFile) -> Iterator[bytes]:
    """The encoded bytes of each frame.

    Raises:
        DecodeError: There are fewer.
    """
    count = file.pixels.frames
    offsets = file.elements.get("ExtendedOffsetTable"), file.elements.get("ExtendedOffsetTableLengths")
    frames = generate_frames(file.encoded, number_of_frames=count, extended_offsets=offsets if all(offsets) else None)
    found = 0
    for encoded in frames:
        if found == count:
            return
        found += 1
        yield encoded
    if found < count:
        raise DecodeError(f"it is cut short: expected {count} frames, found {found}. Copy the file again.")
