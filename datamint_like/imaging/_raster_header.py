"""The headers of PNG (W3C PNG, 3rd edition) and JPEG (ITU-T T.81) files, without pixels."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import IO

from isal import isal_zlib

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.sniff import is_jpeg, is_png

_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_PNG_START = 8
_PNG_HEADER = struct.Struct(">IIBBBBB")
_EXIF_READ = 1 << 20  # the orientation stands at its start; a length that is a lie claims up to 4 GB
#: JPEG start-of-frame markers; C4, C8 and CC are other segments.
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SOS, _APP1 = 0xDA, 0xE1
_BARE_MARKERS = frozenset({0x01, 0xFF, *range(0xD0, 0xD9)})
#: What ends an image: the marker EOI, and the whole chunk IEND.
_JPEG_END, _PNG_END = b"\xff\xd9", b"\0\0\0\0IEND\xae\x42\x60\x82"
_END_MARKED = ("image/png", "image/jpeg")
#: Bytes at the end of a file in which that is looked for first.
_TAIL = 1 << 14
_CUT = "it is cut short. Copy the file again."


@dataclass(frozen=True)
class RasterHeader:
    """Width and height as stored, before EXIF orientation (1 to 8)."""

    mimetype: str
    width: int
    height: int
    channels: int
    bits: int
    orientation: int
    pixels_at: int


def parse_header(file: IO[bytes]) -> RasterHeader:
    """The header of the PNG or JPEG in an open file at its start.

    Raises:
        DecodeError: It is neither, or its header is damaged.
    """
    start = file.read(_PNG_START)
    file.seek(0)
    if is_png(start):
        return _parse_png(file)
    if is_jpeg(start):
        return _parse_jpeg(file)
    raise DecodeError("it is neither PNG nor JPEG.")


def cut_short(expected: int, found: int) -> DecodeError:
    """The error for a file that ends before what its header claims."""
    return DecodeError(f"it is cut short: expected {expected:,} bytes or more, found {found:,}. Copy the file again.")


def check_whole(data: bytes, header: RasterHeader) -> None:
    """Refuse a PNG or JPEG whose end is missing, which libraries fill with gray.

    Raises:
        DecodeError: The file is cut short or a PNG chunk's CRC is wrong.
    """
    if header.mimetype not in _END_MARKED:
        return
    if header.mimetype == "image/jpeg":
        if data.rfind(b"\xff\xd9", header.pixels_at) < 0:  # from the end, where it is in nearly all files
            raise DecodeError(_CUT)
        return
    at, kind = _PNG_START, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at) if at + 12 <= len(data) else (0, b"")
        end = at + 12 + length
        if not kind or end > len(data):
            raise DecodeError(_CUT)
        if isal_zlib.crc32(memoryview(data)[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise DecodeError(f"its chunk {kind!r} is damaged. Copy the file again.")
        at = end


def check_end(file: IO[bytes], header: RasterHeader) -> None:
    """Refuse an open PNG or JPEG whose end is missing, by its last bytes; what follows the image does not matter.

    The headers of other formats tell their length.

    Raises:
        DecodeError: The file is cut short.
    """
    if header.mimetype not in _END_MARKED:
        return
    size = file.seek(0, io.SEEK_END)
    end = _JPEG_END if header.mimetype == "image/jpeg" else _PNG_END
    at = max(header.pixels_at, size - _TAIL)
    file.seek(at)
    if end in file.read(_TAIL):
        return
    file.seek(header.pixels_at)
    before = b""
    while piece := file.read(1 << 20):
        if end in before + piece:
            return
        before = piece[-len(end) :]
    raise DecodeError(
        f"it is cut short: expected the end mark of its image, found the end of the file after {size:,} bytes. "
        "Copy the file again."
    )


def _parse_png(file: IO[bytes]) -> RasterHeader:
    file.seek(_PNG_START)
    width = height = bits = colour = 0
    transparent, orientation = False, 1
    while True:
        length, kind = struct.unpack(">I4s", _exactly(file, 8))
        start = file.tell()
        if kind in (b"IDAT", b"IEND"):
            break
        if kind == b"IHDR" and length == _PNG_HEADER.size:
            width, height, bits, colour, *_ = _PNG_HEADER.unpack(_exactly(file, length))
        elif kind == b"eXIf":
            orientation = exif_orientation(_exactly(file, min(length, _EXIF_READ)))
        elif kind == b"acTL" and length >= 4 and (frames := int.from_bytes(file.read(4), "big")) > 1:
            raise DecodeError(
                f"it is an animated PNG of {frames} frames, which is not supported. "
                "Save its frames as pictures, or as one multi-page TIFF."
            )
        else:
            transparent = transparent or kind == b"tRNS"
        file.seek(start + length + 4)
    if kind != b"IDAT" or colour not in _PNG_CHANNELS or not width or not height:
        raise DecodeError("its PNG header is damaged.")
    return RasterHeader(
        mimetype="image/png",
        width=width,
        height=height,
        channels=4 if colour == 3 and transparent else _PNG_CHANNELS[colour],
        bits=16 if bits == 16 else 8,
        orientation=orientation,
        pixels_at=file.tell() - 8,
    )


def _parse_jpeg(file: IO[bytes]) -> RasterHeader:
    file.seek(2)
    frame: tuple[int, int, int, int] | None = None
    orientation = 1
    while (marker := _next_marker(file)) != _SOS:
        body = _exactly(file, int.from_bytes(_exactly(file, 2), "big") - 2)
        if marker in _SOF:
            frame = struct.unpack_from(">BHHB", body.ljust(6, b"\0"))
        elif marker == _APP1 and body.startswith(b"Exif\x00\x00"):
            orientation = exif_orientation(body[6:])
    if frame is None or not frame[1] or not frame[2]:
        raise DecodeError("its JPEG header is damaged.")
    bits, height, width, components = frame
    if bits != 8:
        raise DecodeError(f"it is a JPEG of {bits} bits, and 8 are supported outside DICOM.")
    return RasterHeader(
        mimetype="image/jpeg",
        width=width,
        height=height,
        channels=1 if components == 1 else 3,
        bits=8,
        orientation=orientation,
        pixels_at=file.tell(),
    )


def _next_marker(file: IO[bytes]) -> int:
    """The next marker that a segment with a length follows."""
    while True:
        if _exactly(file, 1) != b"\xff":
            continue
        marker = _exactly(file, 1)[0]
        while marker == 0xFF:
            marker = _exactly(file, 1)[0]
        if marker == 0xD9:
            raise DecodeError("it holds no image.")
        if marker and marker not in _BARE_MARKERS:
            return marker


def exif_orientation(block: bytes) -> int:
    """The tag Orientation (0x0112) of the first directory of an EXIF block; 1 when there is none."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return 1
    (at,) = struct.unpack_from(f"{order}I", block, 4)
    if at + 2 > len(block):
        return 1
    (count,) = struct.unpack_from(f"{order}H", block, at)
    for entry in range(at + 2, min(at + 2 + 12 * count, len(block) - 11), 12):
        tag, _, _, value = struct.unpack_from(f"{order}HHIH", block, entry)
        if tag == 0x0112:
            return int(value) if 1 <= value <= 8 else 1
    return 1


def _exactly(file: IO[bytes], count: int) -> bytes:
    data = file.read(count) if count >= 0 else b""
    if count < 0 or len(data) != count:
        raise DecodeError(_CUT)
    return data
