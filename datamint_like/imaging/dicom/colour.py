"""Colour to RGB: what the components of a frame are (PS3.3 C.7.6.3.1.2, PS3.5 8.2), and their conversion."""

from __future__ import annotations

import numpy as np
from pydicom.pixels.processing import convert_color_space

from datamint_like.imaging.dicom.codestreams import jpeg_colour
from datamint_like.imaging.dicom.header import PixelFormat
from datamint_like.imaging.dicom.syntaxes import is_lossy
from datamint_like.imaging.types import Array

_FULL = ("YBR_FULL", "YBR_FULL_422")
_PARTIAL = ("YBR_PARTIAL_422", "YBR_PARTIAL_420")
#: Y, Cb, Cr of partial range to R, G, B, by rows (ITU-R BT.601; Y from 16 to 235, differences from 16 to 240).
_FROM_PARTIAL = np.array([[1.1644, 0.0, 1.5960], [1.1644, -0.3917, -0.8129], [1.1644, 2.0173, 0.0]])
#: The same of full range.
_FROM_FULL = np.array([[1.0, 0.0, 1.402], [1.0, -0.344136, -0.714136], [1.0, 1.772, 0.0]])


def coded_colour(encoded: bytes, pixels: PixelFormat) -> str:
    """The photometric interpretation of the components of a JPEG frame: as it says itself, else by the header.

    Many files name RGB (or YBR) and hold the other: the Adobe marker, the identifiers R, G, B, a JFIF marker or
    subsampled components tell what a lossy frame is. A lossless one is what the header says.
    """
    label = pixels.photometric
    if pixels.samples != 3 or not is_lossy(pixels.syntax):
        return label
    says = jpeg_colour(encoded)
    if says.subsampled or says.transform == 1:
        return "YBR_FULL"
    if says.transform == 0 or says.components == b"RGB":
        return "RGB"
    return "YBR_FULL" if says.jfif else label


def to_rgb(frame: Array, pixels: PixelFormat, photometric: str) -> Array:
    """The frame (J, I, 3) as RGB; gray and palette frames, and those that are RGB, come back as they are."""
    if pixels.samples != 3 or photometric not in _FULL + _PARTIAL:
        return frame
    if photometric in _FULL and frame.dtype == np.uint8:
        rgb: Array = convert_color_space(frame, "YBR_FULL", "RGB")
        return rgb
    unit = 1 << (pixels.bits_stored - 8)
    matrix, black = (_FROM_FULL, 0) if photometric in _FULL else (_FROM_PARTIAL, 16)
    offsets = np.array([black, 128, 128], np.float64) * unit
    values = (frame.astype(np.float64) - offsets) @ matrix.T
    result: Array = np.clip(np.rint(values), 0, (1 << pixels.bits_stored) - 1).astype(frame.dtype)
    return result
