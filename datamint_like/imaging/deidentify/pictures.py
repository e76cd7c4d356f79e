"""PNG, JPEG, WebP and BMP without what tells of people and places; coded pixels stay byte for byte.

What is kept is listed, not what is dropped: sizes, palettes, transparency, the colour transform and the orientation.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._bmp import parse_bmp
from datamint_like.imaging._raster_header import parse_header
from datamint_like.imaging._webp_header import parse_webp, webp_chunks
from datamint_like.imaging.deidentify.report import Tally
from datamint_like.imaging.sniff import is_bmp, is_jpeg, is_png

_PNG_START = 8
_PNG_KEPT = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs"}
)
_WEBP_KEPT = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH"})
_WEBP_ICC, _WEBP_EXIF, _WEBP_XMP = 0x20, 0x08, 0x04
_SOI, _EOI, _SOS, _COM, _APP0, _APP1, _APP14, _APP15 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0, 0xE1, 0xEE, 0xEF
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
_JFIF_LENGTH, _ADOBE_LENGTH = 12, 12  # without thumbnail
_BMP_CORE, _BMP_V5, _SRGB = 12, 124, b"BGRs"


def clean_picture(data: bytes, tally: Tally) -> bytes:
    """The picture in memory without metadata.

    Raises:
        DecodeError: It is damaged.
    """
    if is_png(data):
        return _png(data, tally)
    if is_jpeg(data):
        return _jpeg(data, tally)
    return _bmp(data, tally) if is_bmp(data) else _webp(data, tally)


def _orientation_block(orientation: int) -> bytes:
    """An EXIF block that holds the orientation alone."""
    return b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def _png(data: bytes, tally: Tally) -> bytes:
    orientation = parse_header(io.BytesIO(data)).orientation
    made, at, kind = [data[:_PNG_START]], _PNG_START, b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise DecodeError("it is cut short. Copy the file again.")
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IDAT" and orientation != 1:
            block = b"eXIf" + _orientation_block(orientation)
            made.append(struct.pack(">I", len(block) - 4) + block + struct.pack(">I", zlib.crc32(block)))
            orientation = 1
        if kind in _PNG_KEPT:
            made.append(data[at : at + 12 + length])
        else:
            tally.add("removed", f"PNG {kind.decode('latin-1')}")
        at += 12 + length
    if at < len(data):
        tally.add("removed", "PNG bytes behind the picture")
    return b"".join(made)


def _jpeg(data: bytes, tally: Tally) -> bytes:
    orientation = parse_header(io.BytesIO(data)).orientation
    made, start = [bytes([0xFF, _SOI])], b""
    if orientation != 1:
        block = b"Exif\0\0" + _orientation_block(orientation)
        start = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    for marker, content in _jpeg_segments(data):
        kept = _kept_segment(marker, content)
        if marker != _APP0 and start:
            made.append(start)  # behind JFIF, which comes first
            start = b""
        if kept != content:
            tally.add("removed", "JPEG COM" if marker == _COM else f"JPEG APP{marker - _APP0}")
        if kept:
            made.append(bytes([0xFF, marker]) + kept)
    made.append(bytes([0xFF, _EOI]))
    return b"".join(made)


def _kept_segment(marker: int, content: bytes) -> bytes:
    """What stays of a segment, its length in front; nothing where it goes."""
    if marker == _COM or (_APP0 < marker <= _APP15 and marker != _APP14):
        return b""
    if marker == _APP0:
        if content[2:7] != b"JFIF\0" or len(content) < 2 + _JFIF_LENGTH:
            return b""
        body = content[2 : 2 + _JFIF_LENGTH] + b"\0\0"
        return struct.pack(">H", len(body) + 2) + body
    if marker == _APP14:
        body = content[2 : 2 + _ADOBE_LENGTH]
        return struct.pack(">H", len(body) + 2) + body if body.startswith(b"Adobe") else b""
    return content


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, what follows it) of each segment between SOI and EOI; coded pixels belong to their SOS."""
    at = 2
    while True:
        at = data.find(b"\xff", at)
        while 0 <= at < len(data) and data[at] == 0xFF:
            at += 1
        if at < 0 or at >= len(data):
            raise DecodeError("it is cut short. Copy the file again.")
        marker, start = data[at], at + 1
        if marker == _EOI:
            return
        if marker in _BARE or marker == 0:
            at = start
            continue
        end = start + int.from_bytes(data[start : start + 2], "big")
        if end < start + 2 or end > len(data):
            raise DecodeError("its JPEG header is damaged.")
        at = _end_of_scan(data, end) if marker == _SOS else end
        yield marker, data[start:at]


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the coded pixels that start here end: before a marker that is neither stuffing nor a restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise DecodeError("it is cut short. Copy the file again.")
        if data[at + 1] and data[at + 1] not in _BARE and data[at + 1] != 0xFF:
            return at
        at += 1 if data[at + 1] == 0xFF else 2


def _webp(data: bytes, tally: Tally) -> bytes:
    file = io.BytesIO(data)
    orientation = parse_webp(file).orientation
    chunks: list[tuple[bytes, bytes]] = []
    for kind, at, length in webp_chunks(file, len(data)):
        content = data[at : at + length]
        if kind not in _WEBP_KEPT:
            tally.add("removed", f"WebP {kind.decode('latin-1').strip()}")
        elif kind == b"VP8X":
            flags = content[0] & ~(_WEBP_ICC | _WEBP_EXIF | _WEBP_XMP) | (_WEBP_EXIF if orientation != 1 else 0)
            chunks.append((kind, bytes([flags]) + content[1:]))
        else:
            chunks.append((kind, content))
    if orientation != 1:
        chunks.append((b"EXIF", _orientation_block(orientation)))
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2) for kind, content in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _bmp(data: bytes, tally: Tally) -> bytes:
    header = parse_bmp(io.BytesIO(data))
    size = int.from_bytes(data[14:18], "little")
    made = bytearray(data[: header.pixels_at])
    core = size == _BMP_CORE
    bits = int.from_bytes(data[24:26] if core else data[28:30], "little")
    compression = 0 if core else int.from_bytes(data[30:34], "little")
    used = 0 if core else int.from_bytes(data[46:50], "little")
    masks = {3: 12, 6: 16}.get(compression, 0) if size == 40 else 0
    palette = (3 if core else 4) * (used or 1 << bits) if bits <= 8 else 0
    gap = min(14 + size + masks + palette, header.pixels_at)
    made[gap:] = b"\0" * (header.pixels_at - gap)
    if size == _BMP_V5:  # no profile, embedded or named
        made[14 + 56 : 14 + 60] = _SRGB
        made[14 + 112 : 14 + 120] = b"\0" * 8
    length = (header.width * bits + 31) // 32 * 4 * header.height
    if compression in (1, 2):
        length = int.from_bytes(data[34:38], "little") or len(data)
    result = bytes(made) + data[header.pixels_at : header.pixels_at + length]
    if result != data:
        tally.add("removed", "BMP bytes beside the picture")
    return result
