"""Gray values and masks to RGB pixels, and pixels to a PNG: the one way in which this library draws."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from datamint_like.imaging.windows import Window

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Colour = tuple[int, int, int]

#: Colours for classes that no worklist gives one (Okabe and Ito, told apart with every common kind of colour vision).
PALETTE: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
)

_OUTLINE = 200  # pixels of a picture's shorter side for one pixel of an outline


@dataclass(frozen=True)
class Shade:
    """Which values are black and white.

    Attributes:
        window: The window, in the units of the values.
        words: The same for a reader, such as `"window 40 / 400 HU (header)"`.
    """

    window: Window
    words: str


def gray(values: npt.NDArray[Any], window: Window) -> Pixels:
    """RGB (H, W, 3) of gray values (H, W) through a window; NaN is black."""
    level = np.nan_to_num(window(values.astype(np.float64)) * 255, nan=0.0).astype(np.uint8)
    return np.repeat(level[..., None], 3, axis=2)


def tinted(
    base: Pixels, masks: Iterable[tuple[Colour, Mask]], *, strength: float = 0.65, outlined: bool = False
) -> Pixels:
    """The picture with each mask tinted in its colour; a pixel of several masks shows the mean of their colours.

    Args:
        base: (H, W, 3).
        masks: Colour and mask (H, W) of each.
        strength: Share of the colour in a tinted pixel.
        outlined: Draw the border pixels of each mask in its full colour.
    """
    drawn = [(colour, np.asarray(mask, dtype=bool)) for colour, mask in masks]
    tint = np.zeros(base.shape, dtype=np.float32)
    count = np.zeros(base.shape[:2], dtype=np.float32)
    for colour, mask in drawn:
        tint[mask] += colour
        count[mask] += 1
    marked = count > 0
    result = base.copy()
    mixed = (1 - strength) * base[marked] + strength * tint[marked] / count[marked][:, None]
    result[marked] = mixed.astype(np.uint8)
    for colour, mask in drawn if outlined else ():
        result[border(mask)] = colour
    return result


def border(mask: Mask) -> Mask:
    """The pixels (H, W) of a mask near its outside: one wide, in large pictures as wide as can be seen.

    Beyond the picture counts as inside.
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    inner = cv2.erode(mask.astype(np.uint8), cross, iterations=max(1, round(min(mask.shape) / _OUTLINE)))
    outer: Mask = mask & ~inner.astype(bool)
    return outer


def png_of(pixels: Pixels) -> bytes:
    """RGB pixels as a PNG file's bytes."""
    done, data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not done:
        raise RuntimeError("OpenCV could not encode the picture as PNG.")
    return bytes(data)
