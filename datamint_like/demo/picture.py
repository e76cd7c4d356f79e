"""The demo's picture: an image, what each annotator marked, their merge and the prediction, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from datamint_like.demo.masks import COLOURS
from datamint_like.drawing.pixels import Pixels, gray, tinted
from datamint_like.imaging.windows import Window

#: The CT window shown, in HU.
WINDOW = Window(100.0, 1200.0)
_SCALE, _GAP, _HEAD, _FOOT = 2, 8, 34, 34
_INK, _PAPER = (235, 235, 235), (18, 18, 22)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Row:
    """One slice: its title, its image (H, W) in HU, and for each panel a mask (H, W) per class name."""

    title: str
    hu: npt.NDArray[np.generic]
    panels: tuple[dict[str, npt.NDArray[np.bool_]], ...]


def draw(rows: Sequence[Row], headings: Sequence[str], caption: str) -> Pixels:
    """The picture (height, width, 3) RGB uint8: a row a slice, the image first, then a panel a heading."""
    lines = [_line_of(row) for row in rows]
    width = lines[0].shape[1]
    return np.vstack([_text_bar(("image (CT)", *headings), width), *lines, _legend(width, caption)])


def _line_of(row: Row) -> Pixels:
    base = gray(row.hu, WINDOW)
    panels = [base, *(tinted(base, ((COLOURS[name], mask) for name, mask in masks.items())) for masks in row.panels)]
    large = [cv2.resize(panel, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_NEAREST) for panel in panels]
    cv2.putText(large[0], row.title, (6, 16), _FONT, 0.42, _INK, 1, cv2.LINE_AA)
    framed = [np.pad(panel, ((0, _GAP), (_GAP // 2, _GAP // 2), (0, 0))) for panel in large]
    return np.asarray(np.hstack(framed), dtype=np.uint8)


def _bar(width: int, height: int) -> Pixels:
    return np.full((height, width, 3), _PAPER, dtype=np.uint8)


def _text_bar(headings: Sequence[str], width: int) -> Pixels:
    bar = _bar(width, _HEAD)
    step = width / len(headings)
    for column, heading in enumerate(headings):
        length = cv2.getTextSize(heading, _FONT, 0.45, 1)[0][0]
        left = int(column * step + (step - length) / 2)
        cv2.putText(bar, heading, (left, 22), _FONT, 0.45, _INK, 1, cv2.LINE_AA)
    return bar


def _legend(width: int, caption: str) -> Pixels:
    bar = _bar(width, _FOOT)
    left = 10
    for name, colour in COLOURS.items():
        cv2.rectangle(bar, (left, 10), (left + 14, 24), colour, -1)
        words = name.replace("_", " ")
        cv2.putText(bar, words, (left + 20, 22), _FONT, 0.45, _INK, 1, cv2.LINE_AA)
        left += 40 + cv2.getTextSize(words, _FONT, 0.45, 1)[0][0]
    cv2.putText(bar, caption, (left + 10, 22), _FONT, 0.45, _INK, 1, cv2.LINE_AA)
    return bar
