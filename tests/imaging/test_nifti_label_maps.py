"""Label maps as NIfTI: every label comes out as it is meant, whatever type and scale hold it."""

from __future__ import annotations

import gzip
import struct
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging import Affine, HeaderFacts, decode_mask, probe

from .nifti_pair_files import AFFINE

SHAPE = (3, 4, 5)
FACTS = HeaderFacts("nifti", "volume", "application/nifti", 1, SHAPE, "int16", Affine(AFFINE[:, [2, 1, 0, 3]]))
INTEGERS = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"]


def payload(
    xyz: np.ndarray, *, slope: float = 1.0, inter: float = 0.0, kind=nib.Nifti1Image, order: str = "<"
) -> bytes:
    """A NIfTI with these stored values, and this scale in its header."""
    header = kind.header_class(endianness=order)
    header.set_data_dtype(xyz.dtype)
    image = kind(xyz, AFFINE, header)
    image.header.set_slope_inter(1, 0)
    data = bytearray(image.to_bytes())
    if kind is nib.Nifti1Image:
        struct.pack_into(order + "2f", data, 112, slope, inter)
    else:
        struct.pack_into(order + "2d", data, 176, slope, inter)
    return bytes(data)


def labels(high: int, seed: int = 0) -> np.ndarray:
    made = np.random.default_rng(seed).integers(0, high, SHAPE[::-1], endpoint=True)
    made[0, 0, 0] = high
    return made


@settings(deadline=None)
@given(
    st.sampled_from([*INTEGERS, "f4", "f8"]),
    st.sampled_from("<>"),
    st.sampled_from([nib.Nifti1Image, nib.Nifti2Image]),
    st.booleans(),
    st.integers(1, 127),
)
def test_labels_of_every_type_and_byte_order_come_out(dtype, order, kind, compressed, high):
    made = labels(high)
    data = payload(made.astype(order + dtype), kind=kind, order=order)
    found = decode_mask(gzip.compress(data) if compressed else data, FACTS, name="m")
    assert found.dtype == np.uint8
    assert np.array_equal(found, made.T)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_the_largest_label_of_each_type_comes_out_or_is_refused(dtype: str):
    high = np.iinfo(dtype).max
    made = np.zeros(SHAPE[::-1], dtype)
    made[1, 2, 1] = high
    if high <= np.iinfo(np.int32).max:
        assert np.array_equal(decode_mask(payload(made), FACTS, name="m"), made.T)
        return
    with pytest.raises(DecodeError, match=r"m: .*do not fit int(32|64)"):
        decode_mask(payload(made), FACTS, name="m")


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "f4"])
def test_negative_labels_stay_negative(dtype: str):
    made = labels(3).astype(dtype)
    made[0, 0, 1] = -5
    found = decode_mask(payload(made), FACTS, name="m")
    assert found.dtype == np.int16
    assert np.array_equal(found, made.T)


@settings(deadline=None)
@given(st.sampled_from(["u1", "i2", "u2", "i4", "f4"]), st.sampled_from([1, 2, 5, -1, 0.5, 0.25]), st.integers(-3, 3))
def test_scaled_labels_are_what_slope_and_intercept_make_of_them(dtype: str, slope: float, inter: int):
    made = labels(20) * (4 if slope < 1 and slope > 0 else 1)
    found = decode_mask(payload(made.astype(dtype), slope=slope, inter=inter), FACTS, name="m")
    assert found.dtype.kind in "iu"
    assert np.array_equal(found, made.T * slope + inter)


@pytest.mark.parametrize("slope", [0.5, 0.1, 1 / 255])
def test_a_scale_that_leaves_fractions_is_a_decode_error(slope: float):
    with pytest.raises(DecodeError, match=r"m: Labels are integers, got fractions\. Threshold the mask"):
        decode_mask(payload((labels(20) | 1).astype("u1"), slope=slope), FACTS, name="m")


@pytest.mark.parametrize("slope", [0.0, float("nan")])
def test_a_slope_that_is_no_number_leaves_labels_alone(slope: float):
    made = labels(9).astype("i2")
    assert np.array_equal(decode_mask(payload(made, slope=slope), FACTS, name="m"), made.T)


def test_one_volume_over_a_fourth_axis_is_a_label_map_and_several_are_not():
    made = labels(9).astype("u1")
    assert np.array_equal(decode_mask(payload(made[..., None]), FACTS, name="m"), made.T)
    assert np.array_equal(decode_mask(payload(made[..., None, None]), FACTS, name="m"), made.T)
    with pytest.raises(GeometryError, match="m: it has 2 channels, expected a 3-D label map"):
        decode_mask(payload(np.stack([made, made], axis=-1)), FACTS, name="m")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_labels_that_are_no_number_are_a_decode_error(value: float):
    made = labels(9).astype("f4")
    made[0, 0, 0] = value
    with pytest.raises(DecodeError, match="m: Labels are integers"):
        decode_mask(payload(made), FACTS, name="m")


def test_a_mask_in_another_unit_of_length_lies_where_it_says():
    made = labels(9).astype("u1")
    image = nib.Nifti1Image(made, AFFINE * [[1000], [1000], [1000], [1]])
    image.header.set_xyzt_units("micron")
    assert np.array_equal(decode_mask(image.to_bytes(), FACTS, name="m"), made.T)
    image.header.set_xyzt_units("mm")
    with pytest.raises(GeometryError, match="m: it lies on another grid"):
        decode_mask(image.to_bytes(), FACTS, name="m")


def test_a_header_of_a_pair_alone_is_no_mask():
    data = bytearray(payload(labels(9).astype("u1")))
    data[344:348] = b"ni1\0"
    with pytest.raises(DecodeError, match="m: it is the header of a NIfTI pair, without the image"):
        decode_mask(bytes(data), FACTS, name="m")


def in_unit(unit: str | None, factor: float) -> bytes:
    """The labels with numbers that are millimetres times a factor, and this unit in the header."""
    image = nib.Nifti1Image(labels(3).astype(np.uint8), np.diag([factor] * 3 + [1.0]) @ AFFINE)
    if unit is not None:
        image.header.set_xyzt_units(unit)
    return image.to_bytes()


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1.0), ("micron", 1e3), ("meter", 1e-3), (None, 1.0)])
def test_a_mask_in_any_unit_that_its_header_names_lies_where_it_was_drawn(unit: str | None, factor: float):
    assert np.array_equal(decode_mask(in_unit(unit, factor), FACTS, name="m"), labels(3).T)


@pytest.mark.parametrize("resample", [False, True])
@pytest.mark.parametrize(
    ("unit", "factor", "told"),
    [
        (None, 1e3, "factor of 0.001.*header of the mask says no unit .taken for mm., that of the image mm"),
        (None, 1e-3, "factor of 1000.*header of the mask says no unit"),
        ("micron", 1.0, "factor of 1000.*header of the mask says micron, that of the image mm"),
        ("meter", 1e3, "factor of 1e-06.*header of the mask says meter"),
    ],
)
def test_a_wrong_unit_of_a_mask_is_named_and_never_resampled(
    unit: str | None, factor: float, told: str, resample: bool
):
    with pytest.raises(GeometryError, match=f"(?s)m: it lies on another grid, .* but for a {told}.*set_xyzt_units"):
        decode_mask(in_unit(unit, factor), FACTS, name="m", resample=resample)


def test_the_unknown_unit_may_be_that_of_the_image():
    image = nib.Nifti1Image(np.zeros(SHAPE[::-1], np.int16), np.diag([1e3, 1e3, 1e3, 1]) @ AFFINE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.nii"
        nib.save(image, path)
        facts = probe([path])
    with pytest.raises(GeometryError, match="header of the mask says micron, that of the image no unit"):
        decode_mask(in_unit("micron", 1e3), facts, name="m")
