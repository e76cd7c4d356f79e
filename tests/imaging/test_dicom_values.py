from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.pixels import apply_modality_lut

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import ReadOptions, decode_stored, probe, read

from .dicom_files import write_slice


def values(path: Path) -> np.ndarray:
    facts = probe([path])
    array = decode_stored([path], facts).array
    assert (array.shape, str(array.dtype)) == ((facts.channels, *facts.shape), facts.dtype)
    return array[:, 0]


def one_row(tmp_path: Path, stored: list[int], dtype: str, **elements) -> Path:
    return write_slice(tmp_path / "a.dcm", np.array([stored], dtype), **elements)


@pytest.mark.parametrize(
    ("dtype", "elements", "expected"),
    [
        ("u1", {"Modality": "OT"}, "uint8"),
        ("u2", {"Modality": "OT", "BitsStored": 12}, "int16"),
        ("u2", {"Modality": "OT", "BitsStored": 15}, "int16"),
        ("u2", {"Modality": "OT"}, "int32"),
        ("i2", {"Modality": "MR"}, "int16"),
        ("i1", {"Modality": "OT"}, "int16"),
        ("u4", {"Modality": "OT"}, "int32"),
        ("u2", {"Modality": "CT", "RescaleIntercept": -1024}, "int16"),
        ("u2", {"Modality": "PT", "RescaleSlope": 3, "BitsStored": 12}, "int16"),
        ("u2", {"Modality": "PT", "RescaleSlope": 3}, "int32"),
        ("u2", {"Modality": "PT", "RescaleSlope": "0.5"}, "float32"),
        ("u2", {"Modality": "CT", "RescaleSlope": "0.5"}, "float32"),
    ],
)
def test_the_header_decides_the_type(dtype: str, elements: dict, expected: str, tmp_path: Path):
    path = one_row(tmp_path, [1, 2, 3, 100], dtype, **elements)
    assert probe([path]).dtype == expected
    slope, intercept = float(elements.get("RescaleSlope", 1)), elements.get("RescaleIntercept", 0)
    assert np.array_equal(values(path)[0, 0], np.array([1, 2, 3, 100]) * slope + intercept)


def test_a_fractional_slope_is_computed_in_float64_and_rounded_once(tmp_path: Path):
    stored, slope, intercept = [12345, 54321, 65535], 0.1234567, -7.654321
    path = one_row(tmp_path, stored, "u2", Modality="PT", RescaleSlope=slope, RescaleIntercept=intercept)
    assert np.array_equal(values(path)[0, 0], (np.array(stored, np.float64) * slope + intercept).astype(np.float32))


def test_monochrome1_is_inverted_within_bits_stored_before_rescale(tmp_path: Path):
    path = one_row(
        tmp_path, [0, 1023, 500], "u2", BitsStored=10, PhotometricInterpretation="MONOCHROME1", RescaleIntercept=-100
    )
    assert values(path)[0, 0].tolist() == [923, -100, 423]


def test_signed_monochrome1_stays_in_its_range(tmp_path: Path):
    path = one_row(tmp_path, [-512, 511, 0], "i2", BitsStored=10, PhotometricInterpretation="MONOCHROME1")
    assert values(path)[0, 0].tolist() == [511, -512, -1]


def test_bits_above_bits_stored_are_no_value(tmp_path: Path):
    assert values(one_row(tmp_path, [0xF123, 0x0FFF], "u2", BitsStored=12, Modality="MR"))[0, 0].tolist() == [
        0x123,
        0xFFF,
    ]
    signed = one_row(tmp_path, [0x7123, 0x0FFF], "i2", BitsStored=12, Modality="MR")
    assert values(signed)[0, 0].tolist() == [0x123, -1]


def test_padding_of_a_ct_saturates_and_nothing_else_does(tmp_path: Path):
    padded = one_row(tmp_path, [-32768, 5], "i2", RescaleIntercept=-1024, PixelPaddingValue=-32768)
    assert values(padded)[0, 0].tolist() == [-32768, 5 - 1024]
    foreign = one_row(tmp_path, [-32000, 5], "i2", RescaleIntercept=-1024, PixelPaddingValue=-32768)
    with pytest.raises(DecodeError, match=r'a\.dcm: .*do not fit int16.*dtype="int32"'):
        values(foreign)


def test_a_padding_range_saturates_as_a_whole(tmp_path: Path):
    path = one_row(
        tmp_path,
        [-32768, -32700, 5],
        "i2",
        RescaleIntercept=-1024,
        PixelPaddingValue=-32768,
        PixelPaddingRangeLimit=-32600,
    )
    assert values(path)[0, 0].tolist() == [-32768, -32768, 5 - 1024]


def signed_padding(path: Path, value: int, limit: int | None = None) -> Path:
    """Padding as some scanners write it for unsigned pixels."""
    dataset = pydicom.dcmread(path)
    dataset.add_new("PixelPaddingValue", "SS", value)
    if limit is not None:
        dataset.add_new("PixelPaddingRangeLimit", "SS", limit)
    dataset.save_as(path)
    return path


def test_padding_below_zero_of_unsigned_pixels_means_its_bits(tmp_path: Path):
    path = signed_padding(one_row(tmp_path, [63536, 5], "u2", RescaleIntercept=-1024), -2000)
    assert values(path)[0, 0].tolist() == [32767, 5 - 1024]
    assert values(signed_padding(path, -2000, -1000))[0, 0].tolist() == [32767, 5 - 1024]


def test_padding_that_no_pixel_can_have_saturates_nothing(tmp_path: Path):
    path = one_row(tmp_path, [40000, 5], "u2", RescaleIntercept=-1024)
    for limit in (None, 0):
        with pytest.raises(DecodeError, match=r'do not fit int16.*dtype="int32"'):
            values(signed_padding(path, -2000, limit))
    path = one_row(tmp_path, [4000, 5], "u2", RescaleIntercept=-1024, BitsStored=12)
    assert values(signed_padding(path, -2000))[0, 0].tolist() == [2976, 5 - 1024]


def test_hounsfield_units_are_named_where_the_header_rescales(tmp_path: Path):
    assert probe([one_row(tmp_path, [1], "i2", RescaleType="HU")]).units == "HU"
    assert probe([one_row(tmp_path, [1], "i2")]).units == "HU"
    assert probe([one_row(tmp_path, [1], "i2", RescaleType="US")]).units is None
    assert probe([one_row(tmp_path, [1], "i2", Modality="MR")]).units is None
    assert probe([one_row(tmp_path, [1], "i2", RescaleSlope=None, RescaleIntercept=None)]).units is None


def test_a_rescale_slope_of_zero_is_a_decode_error(tmp_path: Path):
    with pytest.raises(DecodeError, match=r"a\.dcm: its Rescale Slope is 0"):
        probe([one_row(tmp_path, [1], "i2", RescaleSlope=0)])


def test_a_modality_lut_is_applied_to_bits_stored_only(real_data: Path):
    path = real_data / "xray" / "mlut_18.dcm"
    dataset = pydicom.dcmread(path)
    item = dataset.ModalityLUTSequence[0]
    table = np.array(item.LUTData) & 0xFFFF
    stored = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns) & 0x0FFF
    signed = np.where(stored >= 0x800, stored.astype(int) - 0x1000, stored.astype(int))
    first = int(item.LUTDescriptor[1])
    first -= 0x10000 if first > 0x7FFF else 0
    assert np.array_equal(values(path)[0], table[np.clip(signed - first, 0, len(table) - 1)])


def with_lut(path: Path, keyword: str, descriptor: list[int], entries: list[int]) -> Path:
    dataset = pydicom.dcmread(path)
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", "OW", np.array(entries, "<u2").tobytes())
    item.ModalityLUTType = "US"
    setattr(dataset, keyword, [item])
    dataset.save_as(path)
    return path


def test_entries_of_a_modality_lut_that_need_more_bits_than_it_says_are_kept_whole(tmp_path: Path):
    entries = [4 * n for n in range(256)]
    path = one_row(tmp_path, [0, 63, 64, 255], "u1", Modality="OT", RescaleSlope=None, RescaleIntercept=None)
    with_lut(path, "ModalityLUTSequence", [256, 0, 8], entries)
    assert values(path)[0, 0].tolist() == [0, 252, 256, 1020]


def test_monochrome1_is_looked_up_as_stored_and_inverted_within_the_entries_of_its_modality_lut(tmp_path: Path):
    elements = {
        "Modality": "OT",
        "RescaleSlope": None,
        "RescaleIntercept": None,
        "WindowCenter": 495,
        "WindowWidth": 990,
    }
    path = one_row(tmp_path, [10, 60, 100, 250], "u2", **elements)
    with_lut(path, "ModalityLUTSequence", [100, 10, 16], [10 * n for n in range(100)])
    dataset = pydicom.dcmread(path)
    looked_up = apply_modality_lut(dataset.pixel_array, dataset).ravel()
    assert looked_up.tolist() == values(path)[0, 0].tolist() == [0, 500, 900, 990]
    window = ReadOptions(intensity="dicom-window")
    bright = read([path], probe([path]), window).array
    dataset.PhotometricInterpretation = "MONOCHROME1"
    dataset.save_as(path)
    assert values(path)[0, 0].tolist() == (990 - looked_up).tolist()
    assert np.allclose(read([path], probe([path]), window).array, 1 - bright)


def test_entries_of_a_voi_lut_that_need_more_bits_than_it_says_are_kept_whole(tmp_path: Path):
    path = one_row(tmp_path, [0, 64, 255], "u1", Modality="OT")
    with_lut(path, "VOILUTSequence", [256, 0, 8], [4 * n for n in range(256)])
    shown = read([path], probe([path]), ReadOptions(intensity="dicom-window")).array[0, 0, 0]
    assert np.allclose(shown, np.array([0, 256, 1020]) / 1023)


@pytest.mark.parametrize(
    "name",
    [
        "mr/t1_7t_studyforrest/N2D_0171.dcm",
        "rtstruct/dicompyler/ct.0.dcm",
        "rtstruct/rt_utils/oriented_data/0.dcm",
        "mr/hitachi_oblique/001.dcm",
        "geometry_edge/missing_slice/IM-0001-0007-0001.dcm",
        "compressed/image_dfl.dcm",
        "compressed/bad_sequence.dcm",
        "compressed/explicit_VR-UN.dcm",
        "compressed/JPGLosslessP14SV1_1s_1f_8b.dcm",
        "ultrasound/color-pl.dcm",
        "ultrasound/color-px.dcm",
        "ultrasound/examples_palette.dcm",
        "compressed/HTJ2KLossless_08_RGB.dcm",
    ],
)
def test_values_are_those_of_pydicom(name: str, real_data: Path):
    from pydicom.pixels import apply_color_lut, apply_rescale

    dataset = pydicom.dcmread(real_data / name)
    expected = dataset.pixel_array
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        expected = (apply_color_lut(expected, dataset) >> 8).astype(np.uint8)
    elif dataset.SamplesPerPixel == 1:
        expected = apply_rescale(expected, dataset)
    expected = np.moveaxis(expected, -1, 0) if expected.ndim == 3 else expected[None]
    found = values(real_data / name)
    assert np.array_equal(found, expected.astype(found.dtype))


@pytest.mark.parametrize(
    "name", ["mr/hitachi_oblique/001.dcm", "rtstruct/dicompyler/ct.0.dcm", "geometry_edge/same_position/001.dcm"]
)
def test_values_are_those_of_simpleitk(name: str, real_data: Path):
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(real_data / name)))
    assert np.array_equal(values(real_data / name), expected)


def test_planar_and_interleaved_colour_are_one_picture(real_data: Path):
    assert np.array_equal(values(real_data / "ultrasound/color-pl.dcm"), values(real_data / "ultrasound/color-px.dcm"))


def test_an_ultrasound_clip_is_a_video_in_rgb(demo_images: Path):
    path = demo_images / "ultrasound" / "examples_ybr_color.dcm"
    facts = probe([path])
    assert (facts.kind, facts.channels, facts.shape, facts.dtype) == ("video", 3, (30, 240, 320), "uint8")
    assert facts.affine is None
    array = decode_stored([path], facts).array
    expected = np.moveaxis(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), -1, 0)
    assert np.abs(array.astype(int) - expected).max() <= 2
