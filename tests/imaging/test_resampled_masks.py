"""Masks of another grid, brought to their resource by nearest neighbour."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from datamint_like.exceptions import GeometryError
from datamint_like.imaging import Affine, Group, decode_mask
from datamint_like.imaging.nifti import SWAP_XYZ
from datamint_like.imaging.resampling import resampled
from datamint_like.imaging.types import HeaderFacts


def _facts(shape: tuple[int, int, int], affine: np.ndarray) -> HeaderFacts:
    return HeaderFacts("nifti", "volume", "application/nifti", 1, shape, "int16", Affine(affine @ SWAP_XYZ))


def _sitk(array: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """An array (k, j, i) with an xyz affine (RAS+) as SimpleITK has it (LPS+)."""
    image = sitk.GetImageFromArray(array)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing([float(v) for v in spacing])
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image


@st.composite
def _grids(draw: st.DrawFn) -> tuple[tuple[int, int, int], np.ndarray]:
    shape = tuple(draw(st.integers(2, 9)) for _ in range(3))
    a, b = (np.deg2rad(draw(st.integers(-400, 400)) / 10) for _ in range(2))
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = z @ x @ np.diag([draw(st.integers(4, 30)) / 10 for _ in range(3)])
    affine[:3, 3] = [draw(st.integers(-50, 50)) / 10 + 0.013 for _ in range(3)]
    return shape, affine


@settings(max_examples=60, deadline=None)
@given(_grids(), _grids(), st.integers(0, 2**32 - 1))
def test_labels_are_those_that_simpleitk_takes_by_nearest_neighbour(mask, image, seed):
    (mask_shape, mask_affine), (shape, affine) = mask, image
    labels = np.random.default_rng(seed).integers(1, 9, mask_shape, dtype=np.uint8)
    found = resampled(labels, Affine(mask_affine @ SWAP_XYZ), _facts(shape, affine))
    reference = sitk.Resample(
        _sitk(labels, mask_affine), _sitk(np.zeros(shape, np.uint8), affine), sitk.Transform(), sitk.sitkNearestNeighbor
    )
    clear = _is_clear(shape, affine, mask_affine)
    np.testing.assert_array_equal(found[clear], sitk.GetArrayFromImage(reference)[clear])


def _is_clear(shape: tuple[int, int, int], affine: np.ndarray, mask_affine: np.ndarray) -> np.ndarray:
    """Where no voxel of the image lies in the middle between two of the mask, so that rounding decides nothing."""
    k, j, i = np.indices(shape)
    index = np.stack([i, j, k, np.ones_like(i)], axis=-1) @ (np.linalg.inv(mask_affine) @ affine).T
    return (np.abs(np.modf(np.abs(index[..., :3]))[0] - 0.5) > 1e-5).all(axis=-1)


def test_a_mask_drawn_at_half_the_resolution_lands_where_it_was_drawn(regular_ct: Group):
    facts = regular_ct.facts
    assert facts.affine is not None
    coarse = np.zeros((16, 64, 64), np.uint8)
    coarse[4:8, 10:20, 30:50] = 7
    affine = facts.affine @ np.array([[2, 0, 0, 0.5], [0, 2, 0, 0.5], [0, 0, 2, 0.5], [0, 0, 0, 1]])
    payload = nib.Nifti1Image(coarse.transpose(2, 1, 0), affine.matrix @ SWAP_XYZ).to_bytes()
    expected = np.zeros(facts.shape, np.uint8)
    expected[8:16, 20:40, 60:100] = 7
    np.testing.assert_array_equal(decode_mask(payload, facts, name="coarse", resample=True), expected)
    with pytest.raises(GeometryError, match=r"coarse: it lies on another grid.*\(16, 64, 64\).*resample_masks=True"):
        decode_mask(payload, facts, name="coarse")


def test_planes_of_an_uneven_series_take_the_label_where_they_really_lie(irregular_ct: Group):
    facts = irregular_ct.facts
    assert facts.plane_origins is not None
    heights = np.array(facts.plane_origins)[:, 2]
    slabs = np.arange(400, dtype=np.int16)[:, None, None] * np.ones((1, 4, 4), np.int16)
    grid = np.diag([1.0, 200.0, 200.0, 1.0])[[2, 1, 0, 3]]  # one mm a slab from the lowest plane up, wide in the plane
    grid[:3, 3] = (-400.0, -400.0, heights.min() - 50)
    found = resampled(slabs, Affine(grid), facts)
    np.testing.assert_array_equal(found[:, 0, 0], np.floor(heights - heights.min() + 50 + 0.5))


def test_a_mask_of_the_same_grid_is_not_resampled_but_taken_as_it_is(regular_ct: Group):
    facts = regular_ct.facts
    labels = np.random.default_rng(3).integers(0, 3, facts.shape, dtype=np.uint8)
    payload = nib.Nifti1Image(labels.transpose(2, 1, 0), facts.affine.matrix @ SWAP_XYZ).to_bytes()
    np.testing.assert_array_equal(decode_mask(payload, facts, name="m", resample=True), labels)


def test_an_image_without_a_place_takes_no_mask_of_another_grid():
    facts = HeaderFacts("raster", "image", "image/png", 1, (1, 4, 4), "uint8")
    with pytest.raises(GeometryError, match="no place in space"):
        resampled(np.ones((1, 2, 2), np.uint8), Affine(np.eye(4)), facts)
