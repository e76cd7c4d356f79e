"""What the structure of a video file tells without its pictures: whether it is whole, and how it is shown upright."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from datamint_like.exceptions import DecodeError

NO_VIDEO = "it holds no video track, so there are no frames to read. Give the file that has the pictures."


@dataclass(frozen=True)
class Upright:
    """How a stored frame becomes upright: transposed first, then its rows or columns flipped."""

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False


#: By degrees clockwise.
ROTATIONS = {
    0: Upright(),
    90: Upright(transpose=True, flip_columns=True),
    180: Upright(flip_rows=True, flip_columns=True),
    270: Upright(transpose=True, flip_rows=True),
}


@dataclass(frozen=True)
class Container:
    """A video file whose structure was walked.

    Attributes:
        mimetype: Media type of the container.
        upright: How frames are shown, where the container says it in a way that can mirror; None where the
            rotation that FFmpeg finds is all there is.
    """

    mimetype: str
    upright: Upright | None = None

    @property
    def may_start_late(self) -> bool:
        """Whether the file may start with what cannot be decoded, as a transport stream cut out of a longer one."""
        return self.mimetype == "video/mp2t"


def parse_container(file: BinaryIO, mimetype: str) -> Container:
    """The container in an open file of this media type.

    Raises:
        DecodeError: The file is cut short, or it holds no video track.
    """
    from datamint_like.imaging.video.matroska import check_matroska
    from datamint_like.imaging.video.mp4 import upright_of_mp4
    from datamint_like.imaging.video.riff import check_avi
    from datamint_like.imaging.video.transport import check_transport_stream

    size = os.fstat(file.fileno()).st_size
    checks: dict[str, Callable[[BinaryIO, int], None]] = {
        "video/x-msvideo": check_avi,
        "video/x-matroska": check_matroska,
        "video/webm": check_matroska,
        "video/mp2t": check_transport_stream,
    }
    if mimetype not in checks:
        return Container(mimetype, upright_of_mp4(file, size))
    checks[mimetype](file, size)
    return Container(mimetype)


def refuse_cut(end: int, size: int, what: str) -> None:
    """Stop where a part of the file ends behind its last byte.

    Raises:
        DecodeError: `end` is above `size`; `what` names the part.
    """
    if end > size:
        raise DecodeError(
            f"it is cut short: expected {end:,} bytes by the length of its {what}, found {size:,}. Copy the file again."
        )
