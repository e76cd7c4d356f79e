"""Between our axes and those of other libraries: no voxel moves."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datamint_like.integrations.axes import in_plane_affine, out_of_plane, reversed_affine, reversed_axes

NUMBER = st.floats(-5, 5, width=32)
AFFINES = arrays(np.float64, (3, 4), elements=NUMBER).map(lambda top: np.vstack([top, [0, 0, 0, 1]]))


@given(AFFINES, st.tuples(*[st.integers(0, 9)] * 3))
def test_a_voxel_keeps_its_place(affine: np.ndarray, index: tuple[int, int, int]) -> None:
    d, h, w = index
    np.testing.assert_allclose(reversed_affine(affine) @ [w, h, d, 1], affine @ [d, h, w, 1], atol=1e-9)
    np.testing.assert_array_equal(reversed_affine(reversed_affine(affine)), affine)


@given(st.tuples(*[st.integers(0, 4)] * 4))
def test_axes_there_and_back(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int), dtype=np.int16).reshape(shape)
    there = reversed_axes(array)
    assert there.shape == (shape[0], *shape[:0:-1])
    assert torch.equal(reversed_axes(there), torch.as_tensor(array))


def test_what_is_given_on_is_not_ours() -> None:
    array = np.zeros((1, 2, 3), np.uint8)
    reversed_axes(array)[:] = 1
    assert not array.any()


def test_a_plane_that_moved_within_itself_lies_there_in_the_patient() -> None:
    sagittal = np.array([[1.0, 0, 0, 10], [0, 0, -2, 20], [0, 3, 0, 30], [0, 0, 0, 1]])  # (0, h, w): h up, w back
    told = in_plane_affine(sagittal)
    np.testing.assert_array_equal(np.diag(told), [2, 3, 1, 1])
    np.testing.assert_allclose(out_of_plane(sagittal, told), sagittal)
    cropped = told.copy()
    cropped[:2, 3] = 4 * 2, 5 * 3  # mm: four pixels along a row, five down
    moved = out_of_plane(sagittal, cropped)
    np.testing.assert_allclose(moved @ [0, 0, 0, 1], sagittal @ [0, 5, 4, 1])
    np.testing.assert_allclose(moved @ [0, 7, 9, 1], sagittal @ [0, 12, 13, 1])
    three = np.array([[4.0, 0, 1], [0, 3, 0], [0, 0, 1]])  # MONAI's own 3 x 3: pixels twice as wide, half a one on
    np.testing.assert_allclose(out_of_plane(sagittal, three) @ [0, 0, 1, 1], sagittal @ [0, 0, 2.5, 1])
