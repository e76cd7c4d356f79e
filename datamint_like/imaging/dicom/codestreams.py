"""What an encoded frame says of itself, so that none is decoded that does not fit the header."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom.header import PixelFormat

_J2K = b"\xff\x4f\xff\x51"  # SOC, then SIZ (ITU-T T.800 A.5.1)
_JPEG = b"\xff\xd8"
#: Start-of-frame markers of JPEG (ITU-T T.81 B.2.2; C4, C8 and CC are others) and of JPEG-LS (ITU-T T.87).
_FRAME_STARTS = (frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}) | {0xF7}
_SCAN, _APP0, _APP14 = 0xDA, 0xE0, 0xEE


@dataclass(frozen=True)
class JpegColour:
    """What a JPEG frame says of its colour.

    Attributes:
        transform: By its Adobe marker: 0 is RGB, 1 is YCbCr; None without one.
        jfif: Whether it has a JFIF marker, whose colour is YCbCr.
        components: Their identifiers.
        subsampled: Whether components are sampled differently, as only colour differences are.
    """

    transform: int | None = None
    jfif: bool = False
    components: bytes = b""
    subsampled: bool = False


def refuse_larger(pixels: PixelFormat, encoded: bytes) -> None:
    """Stop at a frame that claims more pixels or components than the file's header.

    Raises:
        DecodeError: It does.
    """
    size = claimed_size(encoded)
    if size is not None and size[0] * size[1] * size[2] > pixels.rows * pixels.columns * pixels.samples:
        raise DecodeError(
            f"a frame of its pixels claims {_times(*size)}, its header "
            f"{_times(pixels.rows, pixels.columns, pixels.samples)}: it is damaged. Copy the file again."
        )


def _times(rows: int, columns: int, components: int) -> str:
    return f"{rows} x {columns}" + (f" x {components}" if components > 1 else "")


def claimed_size(encoded: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and components by a JPEG, JPEG-LS or JPEG 2000 frame, or None where it does not say."""
    if encoded.startswith(_JPEG):
        for marker, body in _segments(encoded):
            if marker in _FRAME_STARTS and len(body) >= 6:
                rows, columns, components = struct.unpack_from(">2HB", body, 1)
                return rows, columns, components
        return None
    start = encoded.find(_J2K, 0, 1024)  # some writers put the boxes of a JP2 file before the codestream
    if start < 0 or len(encoded) < start + 42:
        return None
    right, bottom, left, top = struct.unpack_from(">4I", encoded, start + 8)
    (components,) = struct.unpack_from(">H", encoded, start + 40)
    return max(0, bottom - top), max(0, right - left), components


def jpeg_precision(encoded: bytes) -> int | None:
    """Bits of a sample by a JPEG frame, or None where it does not say."""
    return next((body[0] for marker, body in _segments(encoded) if marker in _FRAME_STARTS and body), None)


def jpeg_colour(encoded: bytes) -> JpegColour:
    """What the markers before the first scan say of colour (ITU-T T.81 B.2.2, T.871, T.872 6.5.3)."""
    transform, jfif, components, factors = None, False, b"", b""
    for marker, body in _segments(encoded):
        if marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            transform = body[11]
        elif marker == _APP0 and body.startswith(b"JFIF"):
            jfif = True
        elif marker in _FRAME_STARTS and len(body) >= 6:
            components, factors = body[6::3][: body[5]], body[7::3][: body[5]]
    return JpegColour(transform, jfif, components, len(set(factors)) > 1)


def _segments(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    """The marker segments of a JPEG or JPEG-LS frame up to its first scan."""
    at = 2
    while at + 4 <= len(encoded) and encoded[at] == 0xFF:
        marker = encoded[at + 1]
        if marker == _SCAN:
            return
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        length = int.from_bytes(encoded[at + 2 : at + 4], "big")
        yield marker, encoded[at + 4 : at + 2 + length]
        at += 2 + length
