"""Video files: MP4, MOV, AVI, Matroska, WebM and MPEG-TS, as the frames of one sequential decode by OpenCV."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, BinaryIO

from datamint_like.config import DEFAULT_MAX_VOXELS
from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import reading, refuse_oversized
from datamint_like.imaging._sources import only_one
from datamint_like.imaging.sniff import HEAD_SIZE, video_mimetype
from datamint_like.imaging.types import Array, HeaderFacts, SourceFile, StoredImage
from datamint_like.imaging.video.capture import Capture, opened, refuse_changing_size
from datamint_like.imaging.video.container import Container, parse_container
from datamint_like.imaging.video.frames import Frames, shown
from datamint_like.imaging.video.pictures import check_first_picture, check_repeats, refuse_black
from datamint_like.imaging.video.structure import ROTATIONS, Upright

#: Frames whose times differ by more than this (ms) have no constant rate; Matroska rounds times to 1 ms.
_STEADY = 2.0
_HIGHEST_RATE = 100_000.0
#: Bytes that a frame takes in a file at least, for how many frames a file can claim.
_SMALLEST_FRAME = 4


class VideoDecoder:
    """Video files: (3, N, H, W) uint8, upright, N by counting.

    Gray videos have three equal channels, more than 8 bits are reduced to 8, alpha is dropped.
    """

    format = "video"
    version = 1

    def accepts(self, head: bytes, filename: str) -> bool:
        """Whether the file starts as a video container that is read."""
        return video_mimetype(head) is not None

    def probe(self, files: Sequence[SourceFile]) -> HeaderFacts:
        """The facts by the structure of the file and by stepping through all its frames."""
        source = only_one(files, "a video resource")
        with reading(source), open(source.path, "rb") as file:
            container = _container(file)
            refuse_changing_size(file)
            check_first_picture(file, may_start_late=container.may_start_late)
            with opened(file, may_start_late=container.may_start_late) as capture:
                refuse_oversized(3 * capture.width * capture.height, DEFAULT_MAX_VOXELS)
                black = True
                while capture.advance():
                    black = black and not capture.picture().any()
                if black:
                    refuse_black()
                return facts_of(container, capture)

    def decode(self, files: Sequence[SourceFile], *, max_voxels: int, dtype: str | None = None) -> StoredImage:
        """The array (3, N, J, I) of one sequential decode, in the order of presentation."""
        source = only_one(files, "a video resource")
        with reading(source), open(source.path, "rb") as file:
            container = _container(file)
            with opened(file, may_start_late=container.may_start_late) as capture:
                upright = upright_of(container, capture)
                capacity = _capacity(source, container, capture, max_voxels)
                array = _frames(capture, upright, capacity, max_voxels, dtype or "uint8")
                facts = facts_of(container, capture)
            check_repeats(file, array, upright, may_start_late=container.may_start_late)
            return StoredImage(array=array, facts=facts)


def facts_of(container: Container, capture: Capture) -> HeaderFacts:
    """The facts of a video that was stepped through to its end."""
    upright = upright_of(container, capture)
    height, width = _upright_size(capture, upright)
    return HeaderFacts(
        format="video",
        kind="video",
        mimetype=container.mimetype,
        channels=3,
        shape=(len(capture.times), height, width),
        dtype="uint8",
        details={
            "codec": capture.codec,
            **timing(capture.times, capture.nominal_rate if capture.claimed == len(capture.times) else 0),
            "rotation": next((angle for angle, turn in ROTATIONS.items() if turn == upright), None),
            "mirrored": upright not in ROTATIONS.values(),
            "pixel_aspect": capture.pixel_aspect,
        },
    )


def upright_of(container: Container, capture: Capture) -> Upright:
    """How the frames are turned: as the container says, else by the rotation where it is a right angle."""
    if container.upright is not None:
        return container.upright
    return ROTATIONS.get(capture.rotation, ROTATIONS[0])


def timing(times: Sequence[float], nominal: float) -> dict[str, Any]:
    """Frame rate (frames per second), duration (s) and whether the rate varies, by the times (ms) of all frames.

    `nominal` is the container's rate, or 0 where it is not to be trusted; it counts where the times tell none. What the
    file does not give is None: one frame has no rate of its own, and times that do not ascend give no duration.
    """
    rate = nominal if 0 < nominal < _HIGHEST_RATE else None
    steps = [after - before for before, after in itertools.pairwise(times)]
    if not steps or min(steps) <= 0:
        return {"frame_rate": rate, "duration": 1 / rate if rate and len(times) == 1 else None, "variable_rate": None}
    mean = sum(steps) / len(steps)
    return {
        "frame_rate": round(1000 / mean, 4),
        "duration": round(mean * len(times) / 1000, 4),
        "variable_rate": max(steps) - min(steps) > _STEADY,
    }


def _container(file: BinaryIO) -> Container:
    mimetype = video_mimetype(file.read(HEAD_SIZE))
    if mimetype is None:
        raise DecodeError("it is no video container that is known.")
    return parse_container(file, mimetype)


def _upright_size(capture: Capture, upright: Upright) -> tuple[int, int]:
    """Rows and columns of an upright frame."""
    return (capture.width, capture.height) if upright.transpose else (capture.height, capture.width)


def _capacity(source: SourceFile, container: Container, capture: Capture, max_voxels: int) -> int:
    """How many frames to make room for: those that the container claims, within reason.

    Where the claim is above the limit the frames are counted first, since containers may be wrong.

    Raises:
        DecodeError: The frames are more than `max_voxels` allows.
    """
    frame = 3 * capture.width * capture.height
    most = max_voxels // frame
    refuse_oversized(frame, max_voxels)
    claimed = min(capture.claimed, source.path.stat().st_size // _SMALLEST_FRAME)
    if claimed <= most:
        return claimed
    with (
        open(source.path, "rb") as file,
        opened(file, may_start_late=container.may_start_late) as counter,
    ):
        while counter.advance():
            if len(counter.times) > most:
                refuse_oversized(capture.claimed * frame, max_voxels)
        return len(counter.times)


def _frames(capture: Capture, upright: Upright, capacity: int, max_voxels: int, dtype: str) -> Array:
    """All frames (3, N, H, W), upright."""
    size = _upright_size(capture, upright)
    frames, buffer = Frames(size, capacity, dtype), None
    while capture.advance():
        refuse_oversized(3 * size[0] * size[1] * len(capture.times), max_voxels)
        buffer = capture.picture(buffer)
        frames.add(shown(buffer, upright))
    return frames.array()
