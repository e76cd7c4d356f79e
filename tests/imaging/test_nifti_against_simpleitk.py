"""Real NIfTI files against readers that share no code with ours: SimpleITK (3-D) and nibabel (all)."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from datamint_like.imaging import HeaderFacts, decode_stored, probe, read

#: LPS, in which SimpleITK places voxels, from RAS.
LPS = np.diag([-1.0, -1.0, 1.0])
THREE_D = [
    "compressed/mr_twins_truth.nii.gz",
    "compressed/mr_uncompressed_truth.nii.gz",
    "derived/ct_small_axial_labels/ct.nii.gz",
    "derived/ct_small_axial_labels/label.nii.gz",
    "derived/nifti/mni_2mm_oblique_label.nii.gz",
    "derived/nifti/mni_2mm_oblique_t1.nii.gz",
    "geometry_edge/two_slices_truth.nii.gz",
    "mr/hitachi_oblique_truth.nii.gz",
    "mr_enhanced/philips_anat_truth.nii.gz",
    "nifti/anatomical.nii",
    "nifti/dipy_aniso_vox.nii.gz",
    "nifti/mni152_gm.nii.gz",
    "nifti/mni152_t1.nii.gz",
    "nifti/mni152_wm.nii.gz",
    "nifti/standard.nii.gz",
]
FOUR_D = [
    "mr/ge_fmri_4d_truth.nii.gz",
    "mr_enhanced/philips_dti_4d_truth.nii.gz",
    "mr_enhanced/philips_fmri_4d_truth.nii.gz",
    "nifti/dipy_small_64D.nii",
    "nifti/example_nifti2.nii.gz",
    "nifti/functional.nii",
]


def check_place(facts: HeaderFacts, other: sitk.Image) -> None:
    assert facts.affine is not None
    matrix = facts.affine.matrix[:3, [2, 1, 0, 3]]
    spacing = np.array(other.GetSpacing()[:3])
    direction = np.reshape(other.GetDirection(), (other.GetDimension(),) * 2)[:3, :3]
    assert np.allclose(facts.affine.spacing[::-1], spacing, rtol=1e-4)
    assert np.allclose(LPS @ matrix[:, :3], direction * spacing, atol=2e-3)
    assert np.allclose(LPS @ matrix[:, 3], other.GetOrigin()[:3], atol=2e-3)


def values_of(path: Path, facts: HeaderFacts) -> np.ndarray:
    return decode_stored([path], facts).array


@pytest.mark.parametrize("name", THREE_D)
def test_values_and_place_of_a_volume_are_those_of_simpleitk(name: str, real_data: Path):
    path = real_data / name
    facts, other = probe([path]), sitk.ReadImage(path)
    array = values_of(path, facts)
    assert facts.channels == 1
    assert np.allclose(array[0], sitk.GetArrayFromImage(other), rtol=1e-6, atol=1e-6)
    check_place(facts, other)


@pytest.mark.parametrize("name", THREE_D)
def test_a_canonical_volume_is_where_simpleitk_orients_it(name: str, real_data: Path):
    path = real_data / name
    item = read([path], probe([path]))
    # SimpleITK names where axes come from, ITK's DICOMOrient "LPS" is x to the left, y to posterior, z to superior
    other = sitk.DICOMOrient(sitk.ReadImage(path), "LPS")
    assert np.allclose(item.array[0], sitk.GetArrayFromImage(other), rtol=1e-6, atol=1e-6)
    assert item.affine is not None
    assert np.allclose(LPS @ np.array(item.affine.origin), other.GetOrigin(), atol=5e-3)
    assert np.allclose(item.affine.spacing[::-1], other.GetSpacing(), rtol=1e-4)


@pytest.mark.parametrize("name", THREE_D + FOUR_D)
def test_values_and_place_of_any_file_are_those_of_nibabel(name: str, real_data: Path):
    path = real_data / name
    truth, facts = nib.load(path), probe([path])
    expected = np.asarray(truth.dataobj)
    expected = expected.reshape(expected.shape + (1,) * (4 - expected.ndim))
    assert np.array_equal(values_of(path, facts), expected.T.astype(facts.dtype))
    assert facts.affine is not None
    assert np.array_equal(facts.affine.matrix[:, [2, 1, 0, 3]], truth.affine)


def test_a_colour_volume_is_that_of_nibabel(real_data: Path):
    path = real_data / "mr" / "rgb_colour_map_truth.nii.gz"
    facts, truth = probe([path]), np.asarray(nib.load(path).dataobj)
    assert facts.channels == 4
    expected = np.stack([truth[letter].T for letter in "RGBA"])
    assert np.array_equal(values_of(path, facts), expected)


@pytest.mark.parametrize("about", [(0.0, 0.0), (0.3, -0.2)])
def test_a_shipped_series_written_by_simpleitk_comes_back(about, demo_images: Path, tmp_path: Path):
    series = sitk.ReadImage([str(path) for path in sorted((demo_images / "ct_philips").iterdir())][::-1])
    turn = sitk.Euler3DTransform((0, 0, 0), *about, 0.1)
    direction = np.reshape(turn.GetMatrix(), (3, 3)) @ np.reshape(series.GetDirection(), (3, 3))
    series.SetDirection(direction.ravel().tolist())
    for names in (["ct.nii"], ["ct.nii.gz"], ["ct.hdr", "ct.img"]):
        paths = [tmp_path / name for name in names]
        sitk.WriteImage(series, paths[0])
        facts = probe(paths)
        assert np.array_equal(decode_stored(paths, facts).array[0], sitk.GetArrayFromImage(series))
        check_place(facts, series)
