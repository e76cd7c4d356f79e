from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import decode_stored, probe, read

from .conftest import only_group


def decoded(path: Path) -> np.ndarray:
    facts = probe([path])
    return decode_stored([path], facts).array


@pytest.mark.parametrize("folder", ["mr_rle", "mr_jpegls", "mr_jpeg"])
def test_lossless_twins_equal_their_nifti(folder: str, real_data: Path):
    group = only_group(real_data / "compressed" / folder)
    truth = real_data / "compressed" / "mr_twins_truth.nii.gz"
    item, expected = read(group.paths, group.facts), read([truth], probe([truth]))
    assert np.array_equal(item.array, expected.array)
    assert item.affine is not None
    assert expected.affine is not None
    assert np.allclose(item.affine.matrix, expected.affine.matrix, atol=1e-3)


@pytest.mark.parametrize(
    "name", ["emri_small_RLE", "emri_small_jpeg_ls_lossless", "emri_small_jpeg_2k_lossless", "emri_small_big_endian"]
)
def test_every_syntax_of_one_multiframe_gives_equal_values(name: str, real_data: Path):
    path = real_data / "compressed" / f"{name}.dcm"
    expected = pydicom.dcmread(real_data / "mr_enhanced" / "emri_small.dcm").pixel_array
    assert probe([path]).kind == "volume"
    assert np.array_equal(decoded(path)[0], expected)


def test_jpeg_extended_of_12_bits_is_read(real_data: Path):
    path = real_data / "compressed" / "JPGExtended.dcm"
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert np.array_equal(decoded(path)[0], expected.reshape(1, 1024, 256))


def test_signed_jpeg_ls_of_15_bits_keeps_its_sign(real_data: Path):
    path = real_data / "compressed" / "JLSL_16_15_1_1F.dcm"
    expected = pydicom.dcmread(path).pixel_array
    assert np.array_equal(decoded(path)[0, 0], expected)
    assert decoded(path).min() == -(2**14)


@pytest.mark.parametrize("name", ["MR2_J2KI.dcm", "SC_rgb_jpeg_dcmtk.dcm"])
def test_lossy_pixels_are_those_of_simpleitk(name: str, real_data: Path):
    path = real_data / "compressed" / name
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    expected = np.moveaxis(expected, -1, 0) if expected.ndim == 4 else expected
    scale = 2 if expected.dtype == np.uint8 else 3.8
    assert np.abs(decoded(path).reshape(expected.shape).astype(float) - expected).max() <= scale


@pytest.mark.parametrize("name", ["MR_truncated.dcm", "emri_small_jpeg_2k_lossless_too_short.dcm", "no_meta.dcm"])
def test_a_damaged_file_is_a_decode_error_that_names_it(name: str, real_data: Path):
    with pytest.raises(DecodeError, match=f"^{name}: "):
        decoded(real_data / "compressed" / name)


@pytest.mark.parametrize("name", ["liver_deflate.dcm", "liver_rle.dcm"])
def test_a_segmentation_object_is_no_image(name: str, real_data: Path):
    with pytest.raises(DecodeError, match=f"{name}: it is a segmentation"):
        probe([real_data / "compressed" / name])


def test_the_nifti_truth_is_what_nibabel_reads(real_data: Path):
    path = real_data / "compressed" / "mr_twins_truth.nii.gz"
    assert np.array_equal(decoded(path)[0].T, np.asarray(nib.load(path).dataobj))
