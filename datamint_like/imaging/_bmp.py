"""BMP images: palettes of 1, 4 and 8 bits (also run-length encoded), 24 and 32 bits, of either row order.

The forms of Windows (BITMAPINFOHEADER to BITMAPV5HEADER) and OS/2. Where a palette is gray, so is the image.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._raster_header import RasterHeader, cut_short

Bytes = npt.NDArray[np.uint8]

_RGB, _RLE8, _RLE4, _BITFIELDS, _ALPHA_BITFIELDS = 0, 1, 2, 3, 6
_COMPRESSIONS = {4: "JPEG", 5: "PNG"}
_CORE, _INFO, _OS2, _WITH_ALPHA_MASK = 12, 40, 64, 56
#: Bytes of file header and the longest information header with masks behind it.
_LONGEST_HEADER = 14 + 124 + 16


@dataclass(frozen=True)
class _Layout:
    """Where pixels lie (rows of `stride` bytes, from the bottom up unless `top_down`), and what they mean."""

    width: int
    height: int
    top_down: bool
    bits: int
    compression: int
    pixels_at: int
    size: int
    palette: Bytes | None
    colours: tuple[int, ...]

    @property
    def stride(self) -> int:
        """Bytes of a row, a multiple of 4."""
        return (self.width * self.bits + 31) // 32 * 4

    @property
    def channels(self) -> int:
        """C of the decoded array."""
        if self.palette is not None:
            return 1 if (self.palette == self.palette[:, :1]).all() else 3
        return max(3, len(self.colours))


def parse_bmp(file: IO[bytes]) -> RasterHeader:
    """The header of the BMP in an open file.

    Raises:
        DecodeError: It is damaged, cut short, or of a kind that is not supported.
    """
    layout = _layout(file)
    return RasterHeader(
        mimetype="image/bmp",
        width=layout.width,
        height=layout.height,
        channels=layout.channels,
        bits=8,
        orientation=1,
        pixels_at=layout.pixels_at,
    )


def bmp_pixels(data: bytes) -> Bytes:
    """The pixels (rows, columns, channels) of a BMP in memory, colours in the order blue, green, red, alpha.

    Raises:
        DecodeError: It is damaged, cut short, or of a kind that is not supported.
    """
    layout = _layout(io.BytesIO(data))
    if layout.compression in (_RLE8, _RLE4):
        image = _run_length(data[layout.pixels_at :], layout)
    else:
        stored = np.frombuffer(data, np.uint8, layout.stride * layout.height, layout.pixels_at)
        image = _stored(stored.reshape(layout.height, layout.stride), layout)
    if layout.palette is not None:
        table = np.zeros((1 << layout.bits, layout.channels), np.uint8)
        table[: len(layout.palette)] = layout.palette[: len(table), : layout.channels]
        image = table[image[..., 0]]
    return image if layout.top_down else image[::-1]


def _layout(file: IO[bytes]) -> _Layout:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(_LONGEST_HEADER)
    if len(head) < 26:
        raise cut_short(26, size)
    pixels_at, header_size = struct.unpack_from("<I", head, 10)[0], struct.unpack_from("<I", head, 14)[0]
    if len(head) < min(14 + header_size, _LONGEST_HEADER):
        raise cut_short(14 + header_size, size)
    compression = length = used = 0
    if header_size == _CORE:
        width, height, _, bits = struct.unpack_from("<HHHH", head, 18)
    else:
        width, height, _, bits, compression, length, _, _, used = struct.unpack_from("<iiHHIIiiI", head, 18)
    if width < 1 or height == 0 or height == -(1 << 31):
        raise DecodeError(f"it is damaged: it claims {height} x {width} pixels.")
    _refuse_unreadable(bits, compression, header_size)
    layout = _Layout(
        width=width,
        height=abs(height),
        top_down=height < 0,
        bits=bits,
        compression=compression,
        pixels_at=pixels_at,
        size=size,
        palette=_palette(file, header_size, bits, used, pixels_at) if bits <= 8 else None,
        colours=_colours(head, header_size, compression) if bits == 32 else (),
    )
    needed = length if compression in (_RLE8, _RLE4) else layout.stride * layout.height
    if pixels_at + max(needed, 1) > size:
        raise cut_short(pixels_at + max(needed, 1), size)
    return layout


def _refuse_unreadable(bits: int, compression: int, header_size: int) -> None:
    if compression in _COMPRESSIONS and header_size != _OS2:
        raise DecodeError(f"it is a BMP with the compression {_COMPRESSIONS[compression]}, which is not supported.")
    readable = {_RGB: (1, 4, 8, 24, 32), _RLE8: (8,), _RLE4: (4,), _BITFIELDS: (32,), _ALPHA_BITFIELDS: (32,)}
    if bits not in readable.get(compression, ()) or (header_size == _OS2 and compression > _RLE4):
        raise DecodeError(
            f"it is a BMP of {bits} bits with the compression number {compression}, which is not supported. "
            "Save it with 8, 24 or 32 bits."
        )


def _palette(file: IO[bytes], header_size: int, bits: int, used: int, pixels_at: int) -> Bytes:
    """The colours (n, 3), in the order blue, green, red."""
    entry = 3 if header_size == _CORE else 4
    count = min(used or 1 << bits, 1 << bits, max(0, pixels_at - 14 - header_size) // entry)
    file.seek(14 + header_size)
    data = file.read(count * entry)
    if not count or len(data) < count * entry:
        raise DecodeError("it is damaged: its palette is missing.")
    return np.frombuffer(data, np.uint8).reshape(count, entry)[:, :3]


def _colours(head: bytes, header_size: int, compression: int) -> tuple[int, ...]:
    """Which byte of 32 bits each of blue, green, red and (where there is one) alpha is, by its place."""
    if compression == _RGB:
        return (0, 1, 2)
    with_alpha = header_size >= _WITH_ALPHA_MASK or compression == _ALPHA_BITFIELDS
    if len(head) < 54 + 4 * (3 + with_alpha):
        raise DecodeError("it is damaged: its colour masks are missing.")
    red, green, blue, *alpha = struct.unpack_from("<4I" if with_alpha else "<3I", head, 54)
    places = {0xFF: 0, 0xFF00: 1, 0xFF0000: 2, 0xFF000000: 3}
    masks = [blue, green, red, *(each for each in alpha if each)]
    if len(set(masks)) < len(masks) or not all(mask in places for mask in masks):
        raise DecodeError("it is a BMP whose colours do not fill bytes, which is not supported. Save it with 24 bits.")
    return tuple(places[mask] for mask in masks)


def _stored(rows: Bytes, layout: _Layout) -> Bytes:
    """Indices (rows, columns, 1) or colours (rows, columns, channels) of uncompressed rows."""
    if layout.bits in (1, 4):
        digits = np.unpackbits(rows, axis=1)
        if layout.bits == 4:
            digits = np.stack([rows >> 4, rows & 15], axis=-1).reshape(len(rows), -1)
        return digits[:, : layout.width, None]
    samples = layout.bits // 8
    image = rows[:, : layout.width * samples].reshape(len(rows), layout.width, samples)
    return image if samples < 4 else image[..., list(layout.colours)]


def _run_length(data: bytes, layout: _Layout) -> Bytes:
    """Indices (rows, columns, 1) of a run-length encoded picture; what the codes skip is index 0."""
    image = np.zeros((layout.height, layout.width), np.uint8)
    at = row = column = 0
    while row < layout.height:
        count, value = data[at : at + 2] if at + 2 <= len(data) else (0, 1)
        at += 2
        if count == 0 and value == 0:
            row, column = row + 1, 0
        elif count == 0 and value == 1:
            break
        elif count == 0 and value == 2:
            if at + 2 > len(data):
                break
            row, column, at = row + data[at + 1], column + data[at], at + 2
        else:
            pixels, at = _run(data, at, (count, value), layout.bits)
            if column + len(pixels) > layout.width:
                raise DecodeError("it is damaged: a run of its pixels is longer than a row.")
            image[row, column : column + len(pixels)] = pixels
            column += len(pixels)
    if at > len(data) or (row < layout.height - 1 and data[at - 2 : at] != b"\0\1"):
        raise cut_short(layout.pixels_at + at, layout.size)
    return image[..., None]


def _run(data: bytes, at: int, code: tuple[int, int], bits: int) -> tuple[Bytes, int]:
    """The indices that a code stands for, and where the next code lies."""
    count, value = code
    if count:
        pair = (value, value) if bits == 8 else (value >> 4, value & 15)
        return np.resize(np.array(pair, np.uint8), count), at
    length = value if bits == 8 else (value + 1) // 2
    stored = np.frombuffer(data[at : at + length], np.uint8)
    indices = stored if bits == 8 else np.stack([stored >> 4, stored & 15], axis=-1).ravel()
    return indices[:value], at + length + length % 2
