"""Colour pixels to planes, several times faster than numpy copies what lies apart."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from datamint_like.imaging.types import Array

_MOST_CHANNELS = 4


def split_into(outs: Sequence[Array], planes: Array) -> bool:
    """Whether the planes (C, rows, columns) were written to `outs`, one (rows, columns) for each.

    They are where they lie pixel by pixel, and all are 2 to 4 channels of uint8 of which none is turned.
    """
    pixels = planes.transpose(1, 2, 0)
    if not 2 <= len(planes) <= _MOST_CHANNELS or pixels.dtype != np.uint8 or not pixels.flags.c_contiguous:
        return False
    if any(out.dtype != np.uint8 or out.shape != planes.shape[1:] or not out.flags.c_contiguous for out in outs):
        return False
    cv2.split(pixels, list(outs))
    return True
