"""RLE Lossless frames (PS3.5 G): one segment for each byte of each sample, the most significant first."""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np
from rle.utils import decode_segment  # type: ignore[attr-defined]

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom.header import PixelFormat
from datamint_like.imaging.dicom.native import native_frame
from datamint_like.imaging.types import Array

_HEADER = 64
#: Bytes too many, at most, that zeros which pad a segment decode to.
_PADDING = 8
_DAMAGED = "a frame of its pixels (RLE Lossless) is damaged. Copy the file again."


def rle_frame(encoded: bytes, pixels: PixelFormat) -> Array:
    """The frame as (J, I) or (J, I, 3); single bits are packed first, eight in a byte.

    Raises:
        DecodeError: Its segments do not decode to one byte of each pixel.
    """
    size = pixels.rows * pixels.columns
    if pixels.bits_allocated == 1:
        (packed,) = _segments(encoded, 1, pixels.frame_length)
        return native_frame(packed, pixels)
    width = pixels.bits_allocated // 8
    segments = _segments(encoded, pixels.samples * width, size)
    if width == 1 and pixels.samples == 1:
        return np.frombuffer(segments[0], "i1" if pixels.signed else "u1").reshape(pixels.rows, pixels.columns)
    planes = np.empty((pixels.samples, size, width), np.uint8)
    for index, segment in enumerate(segments):
        planes[index // width, :, width - 1 - index % width] = np.frombuffer(segment, np.uint8)
    words = planes.view(f"<{'i' if pixels.signed else 'u'}{width}").reshape(-1, pixels.rows, pixels.columns)
    return words[0] if pixels.samples == 1 else np.moveaxis(words, 0, -1)


def _segments(encoded: bytes, count: int, size: int) -> list[bytes]:
    """The decoded segments, `size` bytes each.

    pylibjpeg's decoder of whole frames stops at damage too, but prints the trace of a panic; that of segments
    does not.
    """
    if len(encoded) < _HEADER or int.from_bytes(encoded[:4], "little") != count or count > 15:
        raise DecodeError(_DAMAGED)
    ends = [*struct.unpack_from(f"<{count}L", encoded, 4), len(encoded)]
    result = []
    for start, end in pairwise(ends):
        if not _HEADER <= start < end <= len(encoded):
            raise DecodeError(_DAMAGED)
        try:
            segment = decode_segment(encoded[start:end])
        except ValueError as error:
            raise DecodeError(_DAMAGED) from error
        if not 0 <= len(segment) - size <= _PADDING:
            raise DecodeError(_DAMAGED)
        result.append(bytes(memoryview(segment)[:size]))
    return result
