"""Gray values and masks to pixels."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from datamint_like.drawing.pixels import PALETTE, border, gray, png_of, tinted
from datamint_like.imaging.windows import Window

RED, GREEN = (255, 0, 0), (0, 255, 0)


def square(size: int = 32) -> np.ndarray:
    mask = np.zeros((size, size), dtype=bool)
    mask[8:20, 8:20] = True
    return mask


def test_the_window_is_black_below_and_white_above() -> None:
    shown = gray(np.array([[-1000, 100, 3000]], dtype=np.int16), Window(100, 1200))
    assert shown[0].tolist() == [[0, 0, 0], [127, 127, 127], [255, 255, 255]]


def test_what_is_no_number_is_black() -> None:
    assert gray(np.array([[np.nan, np.inf, -np.inf]]), Window(0, 2)).max(axis=2).tolist() == [[0, 255, 0]]


def test_a_marked_pixel_takes_the_colour_and_others_stay_gray() -> None:
    shown = tinted(np.full((32, 32, 3), 90, np.uint8), [(RED, square())])
    assert shown[10, 10].tolist() == [197, 31, 31]
    assert shown[2, 2].tolist() == [90, 90, 90]


def test_a_pixel_of_two_masks_shows_the_mean_of_their_colours() -> None:
    base = np.zeros((32, 32, 3), np.uint8)
    both = tinted(base, [(RED, square()), (GREEN, square())])[10, 10].astype(int)
    alone = [tinted(base, [(colour, square())])[10, 10].astype(int) for colour in (RED, GREEN)]
    assert np.abs(both - (alone[0] + alone[1]) / 2).max() <= 1


def test_an_outline_is_in_the_full_colour_and_wider_in_large_pictures() -> None:
    shown = tinted(np.zeros((32, 32, 3), np.uint8), [(RED, square())], strength=0.3, outlined=True)
    assert shown[8, 10].tolist() == [255, 0, 0]
    assert shown[12, 12].tolist() == [76, 0, 0]
    large = np.zeros((800, 800), dtype=bool)
    large[100:700, 100:700] = True
    assert border(large)[400, 100:110].sum() == 4
    assert border(square())[14, 8:20].sum() == 2


def test_the_edge_of_the_picture_is_no_outline() -> None:
    assert not border(np.ones((10, 10), dtype=bool)).any()


def test_the_png_is_what_an_independent_reader_reads() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png_of(pixels)))), pixels)


def test_the_colours_of_the_palette_differ() -> None:
    assert len(set(PALETTE)) == len(PALETTE)
