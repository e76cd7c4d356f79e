"""OpenCV's FFmpeg reader on one open file: frames in sequence, each once, quietly.

OpenCV gets the open file by its descriptor, where the system has names for those: the file's own name could be read as
a pattern of images. The protocol is always `file:`, so that nothing in a file makes FFmpeg read from a network. (OpenCV
also reads from Python's file objects, but 5.0 crashes on some damaged files then.) One thread decodes, so that what a
damaged file gives does not depend on the machine.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.types import Array
from datamint_like.imaging.video.headers import is_known, sizes_of

#: How FFmpeg is told how much to print (-8: nothing). OpenCV looks once, when a process opens its first video.
_LOG_LEVEL, _DEBUG = "OPENCV_FFMPEG_LOGLEVEL", "OPENCV_FFMPEG_DEBUG"
_PRINT_NOTHING = "-8"
#: Further tries after a frame could not be got: at the end of the file each fails at once.
_TRIES = 64
#: The tries of a transport stream before its first frame: it may start anywhere, before what can be decoded.
_TRIES_AT_START = 4096
_UNREADABLE = (
    "OpenCV finds no video in it that it can decode: its codec may be one that OpenCV is built without (AV1), or the "
    "file is damaged. Copy the file again, or write it with another codec "
    '("ffmpeg -i in -c:v libx264 -crf 10 out.mp4").'
)


class _Openings:
    """One thread at a time opens or closes; OpenCV's own messages are off while any reads.

    A fork waits for the lock, so that the child finds it free, and OpenCV's own lock with it.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._readers = 0
        self._level = 0
        os.register_at_fork(
            before=self.lock.acquire, after_in_parent=self.lock.release, after_in_child=self._after_in_child
        )

    def _after_in_child(self) -> None:
        if self._readers:  # they live on in the parent only
            self._readers = 0
            cv2.utils.logging.setLogLevel(self._level)
        self.lock.release()

    def enter(self) -> None:
        """Count one reader; the first one turns OpenCV's messages off."""
        if not self._readers:
            self._level = cv2.utils.logging.getLogLevel()
            cv2.utils.logging.setLogLevel(0)
        self._readers += 1

    def leave(self) -> None:
        """Count one reader less; the last one turns the messages on as they were."""
        self._readers = max(0, self._readers - 1)
        if not self._readers:
            cv2.utils.logging.setLogLevel(self._level)


_OPENINGS = _Openings()


@contextmanager
def _reader(file: BinaryIO, *parameters: int) -> Iterator[Any]:
    """OpenCV's reader of the file's first video stream, from its start.

    Raises:
        DecodeError: OpenCV finds no video stream that it can read.
    """
    with _OPENINGS.lock:
        _OPENINGS.enter()
        video = _open(file, parameters)
    try:
        if not video.isOpened():
            raise DecodeError(_UNREADABLE)
        yield video
    finally:
        with _OPENINGS.lock:
            video.release()
            _OPENINGS.leave()


@contextmanager
def opened(file: BinaryIO, *, may_start_late: bool = False) -> Iterator[Capture]:
    """The frames of the video in an open file, from its start; the file stays open.

    Args:
        file: Open for reading, seekable.
        may_start_late: Whether what cannot be decoded before the first frame is passed over.

    Raises:
        DecodeError: OpenCV finds no video stream that it can read.
    """
    with _reader(file, cv2.CAP_PROP_N_THREADS, 1) as video:
        yield Capture(video, _TRIES_AT_START if may_start_late else 0)


def refuse_changing_size(file: BinaryIO) -> None:
    """Stop at a video whose frames change their size, which OpenCV would scale to the size of the first one.

    By the headers that go before key frames, for the codecs whose size can change; nothing is decoded.

    Raises:
        DecodeError: Two headers for one stream tell different sizes.
    """
    sizes: dict[int, tuple[int, int]] = {}
    with _reader(file, cv2.CAP_PROP_FORMAT, -1) as video:
        codec = _codec(video) or ""
        if not is_known(codec):
            return
        while video.grab():
            if video.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME):
                for number, size in sizes_of(codec, video.retrieve()[1].tobytes()):
                    if sizes.setdefault(number, size) != size:
                        raise DecodeError(
                            "its frames change their size in the middle. Cut it there into videos of one size each, "
                            'or scale it ("ffmpeg -i in -vf scale=640:480 out.mp4").'
                        )


class Capture:
    """The frames of one video, stepped through once; pictures are made of those that are asked for.

    Attributes:
        width, height: Pixels as stored.
        claimed: Number of frames by the container; it may be wrong.
        rotation: Degrees clockwise to upright, by the container or codec.
        times: Presentation times in ms of the frames so far.
    """

    def __init__(self, video: Any, tries_at_start: int) -> None:
        self._video = video
        self._tries_at_start = tries_at_start
        video.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # first, since it swaps width and height too
        self.width = int(video.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.claimed = _count(video.get(cv2.CAP_PROP_FRAME_COUNT))
        self.rotation = int(video.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
        self.times: list[float] = []
        if self.width < 1 or self.height < 1:
            raise DecodeError(_UNREADABLE)

    @property
    def codec(self) -> str | None:
        """The codec's four-character code, small letters, where there is one."""
        return _codec(self._video)

    @property
    def nominal_rate(self) -> float:
        """Frames per second by the container; 0 where it gives none."""
        return float(self._video.get(cv2.CAP_PROP_FPS))

    @property
    def pixel_aspect(self) -> float:
        """Width of a pixel by its height; 1 where it is not given."""
        wide, high = self._video.get(cv2.CAP_PROP_SAR_NUM), self._video.get(cv2.CAP_PROP_SAR_DEN)
        return round(wide / high, 6) if wide > 0 and high > 0 else 1.0

    def advance(self) -> bool:
        """Step to the next frame; False at the end of the video.

        Raises:
            DecodeError: There is no frame at all, or one in the middle cannot be decoded.
        """
        if self._video.grab():
            self.times.append(float(self._video.get(cv2.CAP_PROP_POS_MSEC)))
            return True
        if not self.times and self._tries_at_start:
            tries, self._tries_at_start = self._tries_at_start, 0
            if any(self._video.grab() for _ in range(tries)):
                self.times.append(float(self._video.get(cv2.CAP_PROP_POS_MSEC)))
                return True
        if any(self._video.grab() for _ in range(_TRIES)):
            raise DecodeError(
                f"it is damaged: after {len(self.times):,} frames one cannot be decoded, and more follow. "
                "Copy the file again."
            )
        if not self.times:
            raise DecodeError(_UNREADABLE)
        return False

    def picture(self, buffer: Array | None = None) -> Array:
        """The frame stepped to, as stored: (height, width, 3) uint8 in the order B, G, R.

        Raises:
            DecodeError: It could not be made, or has another size than the video.
        """
        done, image = self._video.retrieve(buffer)
        expected = (self.height, self.width, 3)
        if not done or image is None or image.shape != expected or image.dtype != np.uint8:
            found = "none" if not done or image is None else f"{image.shape} {image.dtype}"
            raise DecodeError(
                f"expected frames of {self.height} x {self.width} pixels, found {found} after {len(self.times):,} "
                "frames. Copy the file again."
            )
        return np.asarray(image)


def _codec(video: Any) -> str | None:
    code = int(video.get(cv2.CAP_PROP_FOURCC))
    text = code.to_bytes(4, "little").decode("latin-1").strip() if 0 < code < 1 << 32 else ""
    return text.lower() if text.isascii() and text.isprintable() and text else None


def _open(file: BinaryIO, parameters: Sequence[int]) -> Any:
    """OpenCV's reader of the file, opened or not."""
    quiet = _LOG_LEVEL not in os.environ and _DEBUG not in os.environ
    if quiet:
        os.environ[_LOG_LEVEL] = _PRINT_NOTHING
    try:
        return cv2.VideoCapture(_address(file), cv2.CAP_FFMPEG, list(parameters))
    finally:
        if quiet:
            del os.environ[_LOG_LEVEL]


def _address(file: BinaryIO) -> str:
    """What FFmpeg opens to read this open file.

    Raises:
        DecodeError: There is only its name, and that is a pattern.
    """
    by_descriptor = f"/dev/fd/{file.fileno()}"
    if Path(by_descriptor).exists():
        return f"file:{by_descriptor}"
    path = str(Path(file.name).absolute())
    if "%" in path:
        raise DecodeError("the path of a video may hold no % on this system. Rename its file or folder.")
    return f"file:{path}"


def _count(claim: float) -> int:
    """A container's count of frames, 0 where it is none."""
    return int(claim) if 0 < claim < 1 << 40 else 0
