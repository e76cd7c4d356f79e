"""What the structure of a video file tells without its pictures: whether it is whole, and how it is shown upright."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from datamint_like.imaging.video.matroska import check_matroska
from datamint_like.imaging.video.mp4 import upright_of_mp4
from datamint_like.imaging.video.riff import check_avi
from datamint_like.imaging.video.structure import Upright
from datamint_like.imaging.video.transport import check_transport_stream


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
