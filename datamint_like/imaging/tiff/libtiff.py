"""Compressed segments through the libtiff inside OpenCV, used for its codecs alone.

What OpenCV makes of a whole TIFF is not exact for many kinds (palettes, signed samples, alpha, bits above 8
in colour), and of damaged 8-bit strips it gives what it has without an error. So segments are put into a small
gray TIFF of our own, whose 16-bit samples OpenCV hands over as they are, or not at all.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.tiff import tags

Bytes = npt.NDArray[np.uint8]
Segment = bytes | memoryview

#: OpenCV takes pictures up to this width and height (CV_IO_MAX_IMAGE_WIDTH, _HEIGHT).
_MOST = 1 << 20
#: Bytes of one row of the picture around segments that are too long for a single row.
_ROW = 1 << 15


def decode_bytes(segments: Sequence[Segment], size: int, compression: int) -> Bytes:
    """(segments, size): the bytes of segments that each hold `size` bytes (LZW or PackBits).

    Raises:
        DecodeError: A segment is damaged.
    """
    row = size + size % 2 if size <= 2 * _MOST else _ROW
    before = -size % row
    prefix = _PREFIXES[compression](before)
    rows = (before + size) // row
    return _in_batches(
        segments,
        rows,
        lambda part: (
            _picture(
                [prefix + each for each in part] if prefix else part,
                (rows, row // 2),
                {tags.COMPRESSION: compression, tags.BITS: 16},
            )
            .view(np.uint8)
            .reshape(len(part), -1)[:, before:]
        ),
    )


def decode_fax(segments: Sequence[Segment], rows: int, columns: int, compression: int, options: int) -> Bytes:
    """(segments, rows, bytes of a row): the packed bits of segments in one of the CCITT codes.

    Fax codes carry no checksum: a damaged segment gives what its codes still say.

    Raises:
        DecodeError: OpenCV refuses a segment.
    """
    meaning = {tags.COMPRESSION: compression, tags.BITS: 1, tags.T4_OPTIONS: options}
    return _in_batches(
        segments,
        rows,
        lambda part: np.packbits(
            _picture(part, (rows, columns), meaning).reshape(len(part), rows, columns) != 0, axis=-1
        ),
    )


def _in_batches(segments: Sequence[Segment], rows: int, decode: Callable[[Sequence[Segment]], Bytes]) -> Bytes:
    """The decoded segments, as many at a time as OpenCV's limit on rows allows."""
    step = max(1, _MOST // rows)
    parts = [decode(segments[at : at + step]) for at in range(0, len(segments), step)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _picture(segments: Sequence[Segment], shape: tuple[int, int], meaning: dict[int, int]) -> Bytes:
    """The picture whose strips these segments are, each of this many rows and columns."""
    rows, columns = shape
    image = cv2.imdecode(np.frombuffer(_wrapped(segments, rows, columns, meaning), np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.shape != (rows * len(segments), columns):
        name = tags.compression_name(meaning[tags.COMPRESSION])
        raise DecodeError(f"its {name} data are damaged. Copy the file again.")
    return np.ascontiguousarray(image)


def _wrapped(segments: Sequence[Segment], rows: int, columns: int, meaning: dict[int, int]) -> bytes:
    """A little-endian gray TIFF around compressed strips."""
    lengths = [len(each) for each in segments]
    places = (np.cumsum([0, *lengths]) + 8).tolist()
    values = {
        tags.WIDTH: [columns],
        tags.HEIGHT: [rows * len(segments)],
        tags.PHOTOMETRIC: [tags.BLACK_IS_ZERO],
        tags.STRIP_OFFSETS: places[:-1],
        tags.SAMPLES: [1],
        tags.ROWS_PER_STRIP: [rows],
        tags.STRIP_COUNTS: lengths,
        **{tag: [value] for tag, value in meaning.items()},
    }
    end = places[-1] + 2 + 12 * len(values) + 4
    directory, arrays = [struct.pack("<H", len(values))], []
    for tag, numbers in sorted(values.items()):
        value = numbers[0]
        if len(numbers) > 1:
            value, end = end, end + 4 * len(numbers)
            arrays.append(np.array(numbers, "<u4").tobytes())
        directory.append(struct.pack("<HHII", tag, 4, len(numbers), value))
    return b"".join(
        [b"II*\0", struct.pack("<I", places[-1]), *segments, *directory, b"\0\0\0\0", *arrays],
    )


def _lzw_prefix(count: int) -> bytes:
    """LZW that gives `count` zeros in front of the segment's own, which starts with a Clear code of its own.

    Eight codes of 9 bits fill 9 bytes: Clear (256), which keeps codes at 9 bits, and up to seven zeros.
    """
    blocks = [7] * (count // 7) + ([count % 7] if count % 7 else [])
    return b"".join(_lzw_block(zeros) for zeros in blocks)


def _lzw_block(zeros: int) -> bytes:
    codes = [256] * (8 - zeros) + [0] * zeros
    return sum(code << 9 * (7 - place) for place, code in enumerate(codes)).to_bytes(9, "big")


def _packbits_prefix(count: int) -> bytes:
    """PackBits that give `count` zeros."""
    runs = [128] * (count // 128) + ([count % 128] if count % 128 else [])
    return b"".join(bytes([257 - run, 0]) if run > 1 else b"\0\0" for run in runs)


_PREFIXES = {tags.LZW: _lzw_prefix, tags.PACKBITS: _packbits_prefix}
