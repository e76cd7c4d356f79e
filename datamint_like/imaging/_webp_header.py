"""The header of a WebP file (RFC 9649), without pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._raster_header import RasterHeader, cut_short, exif_orientation

_ALPHA, _ANIMATION = 0x10, 0x02
#: More chunks than any real file has.
_MOST_CHUNKS = 10_000
#: The first bytes of a chunk, in which its header lies.
_START = 10


def parse_webp(file: IO[bytes]) -> RasterHeader:
    """The header of the WebP in an open file; its pixels start at the chunk that holds them.

    Raises:
        DecodeError: It is damaged, cut short, or an animation.
    """
    size = file.seek(0, io.SEEK_END)
    flags, orientation, alpha_chunk = 0, 1, False
    picture: tuple[int, int, bool, int] | None = None
    for kind, at, length in webp_chunks(file, size):
        file.seek(at)
        if kind in (b"ANIM", b"ANMF"):
            raise _animated()
        if kind == b"VP8X":
            flags = file.read(1)[0]
        elif kind == b"EXIF":
            orientation = exif_orientation(file.read(length).removeprefix(b"Exif\0\0"))
        elif kind == b"ALPH":
            alpha_chunk = True
        elif kind in (b"VP8 ", b"VP8L") and picture is None:
            width, height, alpha = (_lossy if kind == b"VP8 " else _lossless)(file.read(_START))
            picture = width, height, alpha, at
    if flags & _ANIMATION:
        raise _animated()
    if picture is None or not picture[0] or not picture[1]:
        raise DecodeError("its WebP header is damaged.")
    width, height, alpha, at = picture
    return RasterHeader(
        mimetype="image/webp",
        width=width,
        height=height,
        channels=4 if alpha or alpha_chunk else 3,
        bits=8,
        orientation=orientation,
        pixels_at=at,
    )


def webp_chunks(file: IO[bytes], size: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, place, length) of each chunk, all of which lie in the file."""
    file.seek(4)
    end = 8 + int.from_bytes(file.read(4), "little")
    if end > size:
        raise cut_short(end, size)
    at = 12
    for _ in range(_MOST_CHUNKS):
        if at + 8 > end:
            return
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if at + 8 + length > end:
            raise DecodeError("it is damaged: one of its WebP chunks is longer than the file.")
        yield head[:4], at + 8, length
        at += 8 + length + length % 2
    raise DecodeError(f"it is damaged: it has more than {_MOST_CHUNKS:,} WebP chunks.")


def _animated() -> DecodeError:
    return DecodeError(
        "it is an animated WebP, which is not supported. Save its frames as pictures, or as one multi-page TIFF."
    )


def _lossy(start: bytes) -> tuple[int, int, bool]:
    """Width, height and alpha of a VP8 key frame (RFC 6386 section 9.1)."""
    if len(start) < _START or start[3:6] != b"\x9d\x01\x2a":
        raise DecodeError("its WebP header is damaged.")
    width, height = (int.from_bytes(start[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return width, height, False


def _lossless(start: bytes) -> tuple[int, int, bool]:
    """Width, height and alpha of a VP8L picture (RFC 9649 section 3.4)."""
    if len(start) < 5 or start[0] != 0x2F:
        raise DecodeError("its WebP header is damaged.")
    bits = int.from_bytes(start[1:5], "little")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
