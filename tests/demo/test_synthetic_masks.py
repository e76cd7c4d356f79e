"""The demo's masks: thresholds in Hounsfield units, and the stated edit of the second annotator."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from datamint_like.demo.masks import ANNOTATOR_A, ANNOTATOR_B, CLASSES, erode, label_map

HU = hnp.arrays(np.int16, hnp.array_shapes(min_dims=3, max_dims=3, max_side=8), elements=st.integers(-1024, 2000))


@pytest.mark.parametrize(("hu", "code"), [(-1000, 0), (-101, 0), (-100, 1), (199, 1), (200, 2), (2000, 2)])
def test_the_first_annotator_goes_by_two_thresholds(hu: int, code: int) -> None:
    assert label_map(np.full((1, 1, 1), hu, dtype=np.int16), ANNOTATOR_A).item() == code


@given(HU)
def test_the_second_annotator_has_more_bone_and_less_soft_tissue(hu: np.ndarray) -> None:
    first, second = label_map(hu, ANNOTATOR_A), label_map(hu, ANNOTATOR_B)
    assert (first[second == 1] == 1).all()
    assert (second[first == 2] == 2).all()


@given(HU)
def test_a_label_map_holds_only_known_codes_and_keeps_the_shape(hu: np.ndarray) -> None:
    result = label_map(hu, ANNOTATOR_B)
    assert result.shape == hu.shape
    assert result.dtype == np.uint8
    assert set(np.unique(result)) <= {0, *CLASSES}


@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7)))
def test_erosion_keeps_the_pixels_whose_four_neighbours_in_the_slice_are_inside(mask: np.ndarray) -> None:
    expected = np.zeros_like(mask)
    for d, h, w in np.argwhere(mask):
        neighbours = [(h - 1, w), (h + 1, w), (h, w - 1), (h, w + 1)]
        inside = [0 <= y < mask.shape[1] and 0 <= x < mask.shape[2] and mask[d, y, x] for y, x in neighbours]
        expected[d, h, w] = all(inside)
    np.testing.assert_array_equal(erode(mask), expected)
