"""What the walks through containers share: how a frame is turned upright, and what a file that is cut is told."""

from __future__ import annotations

from dataclasses import dataclass

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


def refuse_cut(end: int, size: int, what: str) -> None:
    """Stop where a part of the file ends behind its last byte.

    Raises:
        DecodeError: `end` is above `size`; `what` names the part.
    """
    if end > size:
        raise DecodeError(
            f"it is cut short: expected {end:,} bytes by the length of its {what}, found {size:,}. Copy the file again."
        )
