"""AVI (RIFF with OpenDML extensions): whether all chunks are there."""

from __future__ import annotations

import struct
from typing import BinaryIO

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.video.structure import refuse_cut

#: Some writers count the header into the length of the file.
_SLACK = 8
_MOST_CHUNKS = 1_000_000


def check_avi(file: BinaryIO, size: int) -> None:
    """Refuse an AVI that is cut short or was never finished.

    Raises:
        DecodeError: A chunk ends behind the file, or the length of the file was never written.
    """
    start = 0
    while start + 12 <= size:
        file.seek(start)
        kind, length, form = struct.unpack("<4sI4s", file.read(12))
        if kind != b"RIFF" or form not in (b"AVI ", b"AVIX"):
            return  # what follows the last RIFF chunk does not matter
        if length in (0, 0xFFFFFFFF):
            raise DecodeError(
                "its length was never written: the recording was not finished, or it was made as a stream. Write it "
                'anew without another compression ("ffmpeg -i in.avi -c copy out.avi"), and count its frames.'
            )
        end = start + 8 + length
        refuse_cut(end - _SLACK, size, "RIFF chunk")
        _check_chunks(file, start + 12, min(end, size), size)
        start = end + length % 2


def _check_chunks(file: BinaryIO, start: int, end: int, size: int) -> None:
    """Walk the chunks of one RIFF chunk (hdrl, movi, idx1, ...)."""
    for _ in range(_MOST_CHUNKS):
        if start + 8 > end:
            return
        file.seek(start)
        kind, length = struct.unpack("<4sI", file.read(8))
        start += 8 + length
        refuse_cut(start, size, f"chunk {kind.decode('latin-1')!r}")
        start += length % 2
