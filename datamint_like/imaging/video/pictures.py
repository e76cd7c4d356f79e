"""Whether OpenCV really made a picture of a frame, or left an old one in its place.

OpenCV 5.0 says that it made a picture where FFmpeg could not convert the frame (it converts no interlaced one): what is
in its buffer then is the picture before, or for the first frame whatever memory held. Neither is told from a true
picture by itself, so doubtful frames are read again with another picture, or other bytes, in the buffer before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NoReturn

import numpy as np

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.types import Array
from datamint_like.imaging.video.capture import Capture, opened
from datamint_like.imaging.video.frames import shown
from datamint_like.imaging.video.structure import Upright

_REMEDY = (
    'Write it without fields ("ffmpeg -i in -vf bwdif -c:v libx264 -crf 10 out.mp4", or "-vf setfield=prog" to keep '
    "the lines as they are)."
)
_NOT_CONVERTED = f"OpenCV cannot make pictures of its frames, as happens with interlaced video. {_REMEDY}"
_BLACK = (
    f"every value of all its frames is 0: it is empty, or OpenCV cannot read it, as with interlaced video. {_REMEDY}"
)
#: Bytes of a picture from which fewer blocks are filled, and from which memory is always fresh, so all zero.
_LARGE, _FRESH = 1 << 20, 32 << 20
_FILLINGS = (0x5A, 0xC3)


def refuse_black() -> NoReturn:
    """Stop at a video in which nothing was found but zeros.

    Raises:
        DecodeError: Always.
    """
    raise DecodeError(_BLACK)


def check_first_picture(file: BinaryIO, *, may_start_late: bool) -> None:
    """Make the first picture twice, in memory that held other bytes before.

    Raises:
        DecodeError: The two differ, or there is no frame.
    """
    first, second = (_first_picture(file, filling, may_start_late) for filling in _FILLINGS)
    if not np.array_equal(first, second):
        raise DecodeError(_NOT_CONVERTED)


def check_repeats(file: BinaryIO, array: Array, upright: Upright, *, may_start_late: bool) -> None:
    """Read frames that equal the one before again, after a picture that is another one.

    Args:
        file: The open file.
        array: All its frames (3, N, H, W), upright.
        upright: How its frames were turned.
        may_start_late: As for `opened`.

    Raises:
        DecodeError: A frame was not made anew, or every pixel of the video is zero.
    """
    runs = list(_runs(array))
    if array.shape[1] == 1 or (runs and runs[0][0] == 0):
        check_first_picture(file, may_start_late=may_start_late)
    if (array.shape[1] == 1 or runs == [(0, array.shape[1] - 1)]) and not array[:, 0].any():
        refuse_black()
    ends = {last for first, last in runs if first > 0}
    if not ends:
        return
    before = {first - 1 for first, _ in runs if first > 0}
    with opened(file, may_start_late=may_start_late) as capture:
        for index in range(max(ends) + 1):
            if not capture.advance():
                raise DecodeError(_NOT_CONVERTED)
            if index in ends or index in before:
                again = shown(capture.picture(), upright)
                if any(not np.array_equal(again[..., 2 - c], array[c, index]) for c in range(3)):
                    raise DecodeError(_NOT_CONVERTED)


def _first_picture(file: BinaryIO, filling: int, may_start_late: bool) -> Array:
    with opened(file, may_start_late=may_start_late) as capture:
        capture.advance()
        _fill_free_memory(capture, filling)
        return capture.picture()


def _fill_free_memory(capture: Capture, filling: int) -> None:
    """Fill what the allocator has free in the sizes that a picture's memory may have."""
    size = -(-capture.width * 3 // 32) * 32 * (-(-capture.height // 32) * 32)
    if size < _FRESH:
        blocks = [np.full(size + extra, filling, np.uint8) for extra in range(0, 2048, 64 if size < _LARGE else 512)]
        blocks.clear()


def _runs(array: Array) -> Iterator[tuple[int, int]]:
    """First and last frame of each run of two or more equal ones."""
    start = 0
    for index in range(1, array.shape[1] + 1):
        if index == array.shape[1] or not _equal(array, index - 1, index):
            if index - 1 > start:
                yield start, index - 1
            start = index


def _equal(array: Array, one: int, other: int) -> bool:
    """Whether two frames are equal; a few rows are compared first."""
    rows = slice(None, None, max(1, array.shape[2] // 8))
    return all(np.array_equal(array[channel, one, rows], array[channel, other, rows]) for channel in range(3)) and all(
        np.array_equal(array[channel, one], array[channel, other]) for channel in range(3)
    )
