"""`dtype=`: another type for the values, without wrapping any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from datamint_like.exceptions import DecodeError, ValidationError
from datamint_like.imaging import DTYPES, ReadOptions, probe, read
from datamint_like.imaging.intensity import converted

from .dicom_files import write_slice


def item(path: Path, dtype: str | None, intensity: object = "native") -> np.ndarray:
    return read([path], probe([path]), ReadOptions(dtype=dtype, intensity=intensity)).array


def ct_beyond_int16(folder: Path) -> Path:
    return write_slice(folder / "a.dcm", np.array([[0, 3000, 40000]], np.uint16), RescaleIntercept=-1024)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_is_one_that_torch_takes(dtype: str):
    assert str(torch.from_numpy(np.zeros(3, dtype)).dtype) == f"torch.{dtype}"


@given(
    st.sampled_from(["uint8", "int16", "int32", "float32", "float64"]),
    st.sampled_from(DTYPES),
    st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=9),
)
def test_a_conversion_rounds_to_the_nearest_value_or_is_refused(source: str, target: str, numbers: list[int]):
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.array(numbers).astype(source)
    limits = np.finfo(target) if target.startswith("float") else np.iinfo(target)
    if float(array.min()) < float(limits.min) or float(array.max()) > float(limits.max):
        with pytest.raises(DecodeError, match=f"do not fit {target}"):
            converted(array, target)
        return
    found = converted(array, target)
    assert found.dtype == target
    assert np.allclose(found.astype(float), array.astype(float), rtol=1e-3 if target == "float16" else 1e-6)


def test_fractions_are_rounded_not_cut():
    assert converted(np.array([-0.6, 0.4, 0.6, 254.7]), "int16").tolist() == [-1, 0, 1, 255]
    assert converted(np.array([-0.4, 255.4]), "uint8").tolist() == [0, 255]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_fits_floats_only(value: float):
    array = np.array([1.0, value])
    with pytest.raises(DecodeError, match="infinite or no number"):
        converted(array, "int32")
    assert np.array_equal(converted(array, "float16"), array, equal_nan=True)


def test_values_that_do_not_fit_name_their_range_the_type_and_the_file(tmp_path: Path):
    path = write_slice(tmp_path / "a.dcm", np.array([[-5, 300]], np.int16))
    with pytest.raises(DecodeError, match=r"^a\.dcm: values from -5 to 300 do not fit uint8, which holds 0 to 255\."):
        item(path, "uint8")
    assert item(path, "uint8", ("clip", 0, 255)).ravel().tolist() == [0, 255]


def test_a_ct_beyond_int16_says_how_it_can_be_read(tmp_path: Path):
    with pytest.raises(DecodeError, match=r'values from -1024 to 38976 do not fit int16\. Read it with dtype="int32"'):
        item(ct_beyond_int16(tmp_path), None)


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64"])
def test_a_ct_beyond_int16_is_read_with_a_wider_type(dtype: str, tmp_path: Path):
    found = item(ct_beyond_int16(tmp_path), dtype)
    assert str(found.dtype) == dtype
    assert found.ravel().tolist() == [-1024, 1976, 38976]


def test_a_ct_beyond_int16_is_windowed_without_asking_for_a_type(tmp_path: Path):
    found = item(ct_beyond_int16(tmp_path), None, ("window", 0, 2001))
    assert found.dtype == np.float32
    assert found.ravel().tolist() == [0, 1, 1]


def test_padding_has_its_own_value_in_a_wider_type(tmp_path: Path):
    path = write_slice(
        tmp_path / "a.dcm", np.array([[-32768, 5]], np.int16), RescaleIntercept=-1024, PixelPaddingValue=-32768
    )
    assert item(path, None).ravel().tolist() == [-32768, -1019]
    assert item(path, "int32").ravel().tolist() == [-33792, -1019]


def test_a_fractional_slope_is_exact_in_float64(tmp_path: Path):
    stored = np.array([[12345, 54321]], np.uint16)
    path = write_slice(tmp_path / "a.dcm", stored, Modality="PT", RescaleSlope=0.1234567, RescaleIntercept=-7.65)
    assert np.array_equal(item(path, "float64")[0, 0], stored * 0.1234567 - 7.65)
    assert item(path, None).dtype == np.float32


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "gray.png", "colour.png", "deep.png"])
def test_every_format_gives_every_type(name: str, dtype: str, tmp_path: Path):
    path, values = tmp_path / name, np.arange(60).reshape(5, 4, 3)
    if ".nii" in name:
        nib.save(nib.Nifti1Image(values.astype(np.int16), np.eye(4)), path)
    else:
        images = {"gray": values[..., 0].astype("u1"), "colour": values.astype("u1"), "deep": values[..., 0] * 9}
        Image.fromarray(images[path.stem].astype("u2" if path.stem == "deep" else "u1")).save(path)
    native = item(path, None)
    if dtype == "uint8" and native.max() > 255:
        with pytest.raises(DecodeError, match="do not fit uint8"):
            item(path, dtype)
        return
    found = item(path, dtype)
    assert str(found.dtype) == dtype
    assert np.array_equal(found, native)


def test_int64_and_float64_volumes_keep_what_their_types_hold(tmp_path: Path):
    path = tmp_path / "a.nii"
    nib.save(nib.Nifti1Image(np.full((2, 2, 2), 2**40 + 1), np.eye(4), dtype=np.int64), path)
    with pytest.raises(DecodeError, match=r'a\.nii: .*do not fit int32\. Read it with dtype="int64"'):
        item(path, None)
    assert np.all(item(path, "int64") == 2**40 + 1)
    nib.save(nib.Nifti1Image(np.full((2, 2, 2), 1 + 1e-12), np.eye(4)), path)
    assert np.all(item(path, "float64") == 1 + 1e-12)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64"])
@pytest.mark.parametrize("intensity", ["dicom-window", ("window", 40, 400)], ids=str)
def test_a_window_is_not_rounded_to_nothing(intensity: Any, dtype: str):
    with pytest.raises(ValidationError, match=f"of which {dtype} keeps only 0 and 1"):
        ReadOptions(dtype=dtype, intensity=intensity)
