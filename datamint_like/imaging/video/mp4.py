"""MP4 and QuickTime (ISO/IEC 14496-12): boxes, the video track, and its matrix."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.video.structure import NO_VIDEO, ROTATIONS, Upright, refuse_cut

#: A movie box (sample tables of hours of video included) is far below this.
_LONGEST_MOVIE = 256 << 20
_MOST_BOXES = 1_000_000
_Matrix = tuple[float, float, float, float]
_IDENTITY: _Matrix = (1.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Box:
    """One box: its type, where its content starts and where it ends."""

    kind: bytes
    start: int
    end: int


def upright_of_mp4(file: BinaryIO, size: int) -> Upright | None:
    """How the first video track is shown, by the matrices of movie and track; None where no right angle is meant.

    Raises:
        DecodeError: A box ends behind the file, the movie box is missing, or there is no video track.
    """
    movie = _movie_box(file, size)
    if movie.end - movie.start > _LONGEST_MOVIE:
        raise DecodeError(f"its movie box claims {movie.end - movie.start:,} bytes, so it is damaged.")
    file.seek(movie.start)
    data = file.read(movie.end - movie.start)
    boxes = list(inner_boxes(data, 0, len(data)))
    if any(box.kind == b"cmov" for box in boxes):  # compressed; FFmpeg inflates it and tells the rotation
        return None
    track = next((box for box in boxes if box.kind == b"trak" and _is_video(data, box)), None)
    if track is None:
        raise DecodeError(NO_VIDEO)
    whole = _matrix(data, boxes, b"mvhd")
    own = _matrix(data, list(inner_boxes(data, track.start, track.end)), b"tkhd")
    return _upright(_product(own, whole))


def inner_boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places of a box in memory; what is no box ends them."""
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1 and start + 16 <= end:
            (length,), head = struct.unpack_from(">Q", data, start + 8), 16
        stop = end if length == 0 else start + length
        if stop > end or stop < start + head:
            return
        yield Box(kind, start + head, stop)
        start = stop


def _movie_box(file: BinaryIO, size: int) -> Box:
    """The box `moov`, once all boxes of the file were found to end within it."""
    movie, media = None, False
    for box in outer_boxes(file, size):
        plain = all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in box.kind)
        if movie and media and not plain:  # padding behind the last box
            break
        refuse_cut(box.end, size, f"box {box.kind.decode('latin-1')!r}")
        movie = box if box.kind == b"moov" and movie is None else movie
        media = media or box.kind in (b"mdat", b"moof")
    if movie is None:
        raise DecodeError(
            "it has no movie box (moov), which says where its frames are: the recording was not finished, or the file "
            "is cut short. Copy the file again, or repair it with the recorder's software."
        )
    return movie


def outer_boxes(file: BinaryIO, size: int) -> Iterator[Box]:
    """The boxes of the file in order; the last one may end behind it."""
    start = 0
    for _ in range(_MOST_BOXES):
        file.seek(start)
        header = file.read(16)
        if len(header) < 8:
            if header.strip(b"\0"):
                refuse_cut(start + 8, size, "last box")
            return
        length, kind = struct.unpack_from(">I4s", header)
        head = 8
        if length == 1:
            length, head = int.from_bytes(header[8:], "big") if len(header) == 16 else 16, 16
        end = size if length == 0 and kind != b"\0\0\0\0" else start + length
        if end < start + head:  # no box any more
            yield Box(b"\0\0\0\0", start + head, end=size + 1)
            return
        yield Box(kind, start + head, end)
        if end >= size:
            return
        start = end


def _is_video(data: bytes, track: Box) -> bool:
    """Whether a track's media handler is that of video."""
    for media in inner_boxes(data, track.start, track.end):
        if media.kind == b"mdia":
            for box in inner_boxes(data, media.start, media.end):
                if box.kind == b"hdlr":
                    return data[box.start + 8 : box.start + 12] == b"vide"
    return False


def _matrix(data: bytes, boxes: list[Box], kind: bytes) -> _Matrix:
    """The upper left (a, b, c, d) of the matrix of a movie or track header."""
    for box in boxes:
        if box.kind == kind and box.start < box.end:
            at = box.start + (36 if kind == b"mvhd" else 40) + (12 if data[box.start] == 1 else 0)
            if at + 36 <= box.end:
                a, b, _, c, d = struct.unpack_from(">5i", data, at)
                return a / 65536, b / 65536, c / 65536, d / 65536
    return _IDENTITY


def _product(first: _Matrix, second: _Matrix) -> _Matrix:
    a, b, c, d = first
    e, f, g, h = second
    return a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h


def _upright(matrix: _Matrix) -> Upright | None:
    """X' = a x + c y, y' = b x + d y, where these are a turn by a right angle, with or without a mirror."""
    a, b, c, d = matrix
    largest = max(abs(value) for value in matrix)
    if largest == 0:
        return ROTATIONS[0]
    small = largest / 100
    if abs(b) < small and abs(c) < small and min(abs(a), abs(d)) >= small:
        return Upright(False, flip_rows=d < 0, flip_columns=a < 0)
    if abs(a) < small and abs(d) < small and min(abs(b), abs(c)) >= small:
        return Upright(True, flip_rows=b < 0, flip_columns=c < 0)
    return None
