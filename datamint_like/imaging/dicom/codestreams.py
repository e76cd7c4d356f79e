"""What an encoded frame says of itself, so that none is decoded that does not fit the header."""

from __future__ import annotations

import struct
from itertools import pairwise

from rle.utils import decode_segment  # type: ignore[attr-defined]

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom.header import DicomFile

_J2K = b"\xff\x4f\xff\x51"  # SOC, then SIZ (ITU-T T.800 A.5.1)
_JPEG = b"\xff\xd8"
#: Start-of-frame markers of JPEG (ITU-T T.81 B.2.2; C4, C8 and CC are others) and of JPEG-LS (ITU-T T.87).
_FRAME_STARTS = (frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}) | {0xF7}
_SCAN = 0xDA
_RLE_HEADER = 64
#: Bytes too many, at most, that zeros which pad a segment decode to.
_RLE_PADDING = 8
_DAMAGED_RLE = "a frame of its pixels (RLE Lossless) is damaged. Copy the file again."


def refuse_larger(file: DicomFile, encoded: bytes) -> None:
    """Stop at a frame that claims more pixels than the file's header.

    Raises:
        DecodeError: It does.
    """
    size = claimed_size(encoded)
    pixels = file.pixels
    if size is not None and size[0] * size[1] > pixels.rows * pixels.columns:
        raise DecodeError(
            f"a frame of its pixels claims {size[0]} x {size[1]}, its header {pixels.rows} x {pixels.columns}: "
            "it is damaged. Copy the file again."
        )


def refuse_damaged_rle(file: DicomFile, encoded: bytes) -> None:
    """Stop at an RLE frame (PS3.5 G) whose segments do not decode to one byte of each pixel.

    The decoder of whole frames stops at these too, but prints the trace of a panic; that of segments does not.

    Raises:
        DecodeError: The frame is damaged.
    """
    pixels = file.pixels
    count = int.from_bytes(encoded[:4], "little")
    if len(encoded) < _RLE_HEADER or count != pixels.samples * ((pixels.bits_allocated + 7) // 8):
        raise DecodeError(_DAMAGED_RLE)
    ends = [*struct.unpack_from(f"<{count}L", encoded, 4), len(encoded)]
    for start, end in pairwise(ends):
        if not _RLE_HEADER <= start < end <= len(encoded):
            raise DecodeError(_DAMAGED_RLE)
        try:
            length = len(decode_segment(encoded[start:end]))
        except ValueError as error:
            raise DecodeError(_DAMAGED_RLE) from error
        if not 0 <= length - pixels.rows * pixels.columns <= _RLE_PADDING:
            raise DecodeError(_DAMAGED_RLE)


def claimed_size(encoded: bytes) -> tuple[int, int] | None:
    """Rows and columns by a JPEG, JPEG-LS or JPEG 2000 frame, or None where it does not say."""
    if encoded.startswith(_JPEG):
        return _jpeg_size(encoded)
    start = encoded.find(_J2K, 0, 1024)  # some writers put the boxes of a JP2 file before the codestream
    if start < 0 or len(encoded) < start + 24:
        return None
    right, bottom, left, top = struct.unpack_from(">4I", encoded, start + 8)
    return max(0, bottom - top), max(0, right - left)


def _jpeg_size(encoded: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(encoded) and encoded[at] == 0xFF:
        marker = encoded[at + 1]
        if marker in _FRAME_STARTS:
            rows, columns = struct.unpack_from(">2H", encoded, at + 5)
            return rows, columns
        if marker == _SCAN:
            return None
        at += 1 if marker == 0xFF else 2 + int.from_bytes(encoded[at + 2 : at + 4], "big")
    return None
