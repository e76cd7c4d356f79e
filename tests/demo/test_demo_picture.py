"""The demo's picture: what stands where, and that it can be read."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from datamint_like.demo import picture
from datamint_like.demo.masks import COLOURS
from datamint_like.demo.picture import Row

SIZE = 64


def one_row() -> Row:
    hu = np.full((SIZE, SIZE), -1000, dtype=np.int16)
    hu[16:48, 16:48] = 40
    mask = {"soft_tissue": hu > 0, "bone": np.zeros_like(hu, dtype=bool)}
    return Row(title="slice 3", hu=hu, panels=(mask, mask))


def test_the_png_is_what_an_independent_reader_reads() -> None:
    pixels = picture.draw([one_row()], ["annotator A", "prediction"], "synthetic")
    read = np.asarray(Image.open(io.BytesIO(picture.write_png(pixels))))
    np.testing.assert_array_equal(read, pixels)


def test_a_row_is_added_for_each_slice_and_a_column_for_each_panel() -> None:
    one = picture.draw([one_row()], ["a", "b"], "c")
    two = picture.draw([one_row(), one_row()], ["a", "b"], "c")
    row_height = two.shape[0] - one.shape[0]
    assert row_height >= 2 * SIZE
    assert one.shape[1] >= 3 * 2 * SIZE


def test_a_marked_pixel_takes_the_colour_of_its_class_and_others_stay_grey() -> None:
    row = one_row()
    shown = picture.overlay(picture.grey(row.hu), row.panels[0])
    inside, outside = shown[32, 32].astype(int), shown[2, 2].astype(int)
    assert np.argmax(inside) == np.argmax(COLOURS["soft_tissue"])
    assert len(set(outside)) == 1


def test_a_pixel_of_two_classes_shows_both() -> None:
    base = picture.grey(np.zeros((4, 4), dtype=np.int16))
    everywhere = np.ones((4, 4), dtype=bool)
    both = picture.overlay(base, {"soft_tissue": everywhere, "bone": everywhere})[0, 0].astype(int)
    alone = [picture.overlay(base, {name: everywhere})[0, 0].astype(int) for name in COLOURS]
    assert np.abs(both - (alone[0] + alone[1]) / 2).max() <= 1


def test_the_window_is_black_below_and_white_above() -> None:
    grey = picture.grey(np.array([[-1000, 100, 3000]], dtype=np.int16))
    assert grey[0, 0].tolist() == [0, 0, 0]
    assert grey[0, 1].tolist() == [127, 127, 127]
    assert grey[0, 2].tolist() == [255, 255, 255]
