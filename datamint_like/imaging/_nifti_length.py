"""Whether a NIfTI file holds all the voxels that its header claims, without keeping any."""

from __future__ import annotations

import os
from typing import IO

from datamint_like.config import DEFAULT_MAX_VOXELS
from datamint_like.exceptions import DecodeError
from datamint_like.imaging._gzip_stream import DAMAGED, inflated

_PIECE = 1 << 20
#: Header and trailer of a gzip member are this long at least (RFC 1952), and deflate saves this factor at most.
_SHORTEST_GZIP, _DEFLATE_LIMIT = 18, 1032
#: Bytes above which a damaged gzip file is not inflated to count them: no decoding allows that many voxels of 8 bytes.
_LONGEST_COUNT = DEFAULT_MAX_VOXELS * 8


def refuse_cut(file: IO[bytes], *, expected: int, start: int, gzipped: bool) -> None:
    """Stop at a file that is too short for `expected` bytes of voxels from byte `start` (once inflated).

    A gzip file is inflated only where the length in its trailer is another and its members (as bgzip writes them)
    do not tell their own: it is cut, padded, or concatenated.

    Raises:
        DecodeError: The file is cut short.
    """
    size = os.fstat(file.fileno()).st_size
    if not gzipped:
        found = size - start
    elif size * _DEFLATE_LIMIT < expected:
        raise DecodeError(
            f"it is cut short: expected {expected:,} bytes of voxels, found {size:,} bytes of gzip, which cannot hold "
            "them. Copy the file again."
        )
    elif _trailer_length(file, size) == (start + expected) % (1 << 32) or expected > _LONGEST_COUNT:
        return
    else:
        blocks = _length_of_blocks(file, size)
        found = (_inflated_length(file, start + expected) if blocks is None else blocks) - start
    if found < expected:
        raise DecodeError(
            f"it is cut short: expected {expected:,} bytes of voxels, found {max(0, found):,}. Copy the file again."
        )


def _trailer_length(file: IO[bytes], size: int) -> int | None:
    """The length, modulo 4 GiB, that the last 4 bytes of a gzip file give, or None where it has no trailer."""
    if size < _SHORTEST_GZIP:
        return None
    file.seek(-4, os.SEEK_END)
    return int.from_bytes(file.read(4), "little")


def _length_of_blocks(file: IO[bytes], size: int) -> int | None:
    """The inflated length of a file of BGZF blocks (SAM specification, section 4.1), or None where it is none.

    Each block is a gzip member whose extra field tells how long it is, so that none needs to be inflated.
    """
    at, total = 0, 0
    while at < size:
        file.seek(at)
        head = file.read(18)
        if len(head) < 18 or head[:4] != b"\x1f\x8b\x08\x04" or head[10:16] != b"\x06\0BC\x02\0":
            return None
        at += int.from_bytes(head[16:18], "little") + 1
        if at > size:
            return None
        file.seek(at - 4)
        total += int.from_bytes(file.read(4), "little")
    return total


def _inflated_length(file: IO[bytes], enough: int) -> int:
    """How many bytes a gzip file inflates to, counted no further than `enough`.

    Raises:
        DecodeError: Its end is missing, its checksum is wrong, or something else follows it.
    """
    count, buffer = 0, memoryview(bytearray(_PIECE))
    try:
        with inflated(file) as stream:
            while count < enough:
                got = stream.readinto(buffer[: min(_PIECE, enough - count)])
                if not got:
                    return count
                count += got
            stream.read(1)  # where the gzip stream ends here, this checks its trailer, as decoding does
    except EOFError as error:
        raise DecodeError(
            f"it is cut short: expected {enough:,} bytes inside its gzip stream and the stream's end, "
            f"found the end of the file after {count:,}. Copy the file again."
        ) from error
    except DAMAGED as error:
        raise DecodeError("its gzip stream is damaged. Copy the file again.") from error
    return count
