"""Whether compressed pixels are all there, by the headers of their items (PS3.5 A.4); no pixel is read."""

from __future__ import annotations

import struct
from typing import BinaryIO

from datamint_like.exceptions import DecodeError

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
