"""The demo's picture: what stands where, and that it can be read."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from datamint_like.demo import picture
from datamint_like.demo.picture import Row
from datamint_like.drawing.pixels import png_of

SIZE = 64


def one_row() -> Row:
    hu = np.full((SIZE, SIZE), -1000, dtype=np.int16)
    hu[16:48, 16:48] = 40
    mask = {"soft_tissue": hu > 0, "bone": np.zeros_like(hu, dtype=bool)}
    return Row(title="slice 3", hu=hu, panels=(mask, mask))


def test_the_png_is_what_an_independent_reader_reads() -> None:
    pixels = picture.draw([one_row()], ["annotator A", "prediction"], "synthetic")
    read = np.asarray(Image.open(io.BytesIO(png_of(pixels))))
    np.testing.assert_array_equal(read, pixels)


def test_a_row_is_added_for_each_slice_and_a_column_for_each_panel() -> None:
    one = picture.draw([one_row()], ["a", "b"], "c")
    two = picture.draw([one_row(), one_row()], ["a", "b"], "c")
    row_height = two.shape[0] - one.shape[0]
    assert row_height >= 2 * SIZE
    assert one.shape[1] >= 3 * 2 * SIZE
