"""`intensity=`: windows, limits and functions of the user's."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom.pixels import apply_modality_lut, apply_voi_lut, apply_windowing

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import Group, ReadOptions, assemble, decode_stored, probe, read
from datamint_like.imaging.windows import Window

from .dicom_files import write_slice


def item(path: Path, intensity: object, dtype: str | None = None) -> np.ndarray:
    return read([path], probe([path]), ReadOptions(intensity=intensity, dtype=dtype)).array


def by_pydicom(dataset: pydicom.Dataset, modality_values: np.ndarray) -> np.ndarray:
    """The window of the file by pydicom, from its output range to [0, 1]."""
    low, high = apply_modality_lut(np.array(ends(dataset)), dataset).astype(float)
    return (apply_windowing(modality_values, dataset) - low) / (high - low)


def ends(dataset: pydicom.Dataset) -> tuple[int, int]:
    bits = dataset.BitsStored
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dataset.PixelRepresentation else (0, 2**bits - 1)


@given(st.floats(-3e4, 3e4), st.floats(1, 6e4), st.lists(st.integers(-32768, 32767), min_size=1))
def test_a_window_is_the_linear_function_of_the_standard(center: float, width: float, values: list[int]):
    found = Window(center, width)(np.array(values, np.float64))
    for value, unit in zip(values, found, strict=True):
        if value <= center - 0.5 - (width - 1) / 2:
            assert unit == pytest.approx(0, abs=1e-9)
        elif value > center - 0.5 + (width - 1) / 2:
            assert unit == pytest.approx(1, abs=1e-9)
        else:
            assert unit == pytest.approx((value - (center - 0.5)) / (width - 1) + 0.5)


def test_a_window_of_width_one_is_a_threshold():
    assert Window(40, 1)(np.array([39.0, 39.5, 40.0, np.nan])).tolist()[:3] == [0, 0, 1]


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID", None])
def test_the_window_of_a_ct_is_that_of_pydicom(function: str | None, regular_ct: Group, tmp_path: Path):
    dataset = pydicom.dcmread(regular_ct.paths[9])
    dataset.WindowCenter, dataset.WindowWidth = [40, 700], [350, 3000]
    if function:
        dataset.VOILUTFunction = function
    dataset.save_as(tmp_path / "a.dcm")
    found = item(tmp_path / "a.dcm", "dicom-window")
    assert found.dtype == np.float32
    assert 0 <= found.min() < 0.5 < found.max() <= 1
    values = apply_modality_lut(dataset.pixel_array, dataset)
    assert np.allclose(found[0, 0], by_pydicom(dataset, values), atol=1e-6)
    if function in ("LINEAR", None):
        assert np.array_equal(found, item(tmp_path / "a.dcm", ("window", 40, 350)))


def test_the_lookup_table_of_a_file_is_that_of_pydicom(real_data: Path):
    path = real_data / "xray" / "vlut_04.dcm"
    dataset = pydicom.dcmread(path)
    expected = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset) / 65535
    found = item(path, "dicom-window")
    assert found.dtype == np.float32
    assert np.allclose(found[0, 0], expected, atol=1e-7)
    assert len(np.unique(found)) > 10


def test_a_lookup_table_goes_before_a_window_and_starts_below_zero(tmp_path: Path):
    table = pydicom.Dataset()
    table.add_new("LUTData", "US", [0, 51, 102, 255])
    table.add_new("LUTDescriptor", "US", [4, 65536 - 2, 8])  # as writers do that do not know the sign
    path = write_slice(
        tmp_path / "a.dcm",
        np.array([[-9, -2, -1, 0, 1, 9]], np.int16),
        VOILUTSequence=[table],
        WindowCenter=1,
        WindowWidth=2,
    )
    assert np.allclose(item(path, "dicom-window")[0, 0, 0], [0, 0, 0.2, 0.4, 1, 1])


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_a_monochrome1_window_shows_what_pydicom_shows_inverted(function: str, tmp_path: Path):
    pixels = np.arange(0, 1024, 9, dtype=np.uint16)[None]
    path = write_slice(
        tmp_path / "a.dcm",
        pixels,
        Modality="DX",
        BitsStored=10,
        PhotometricInterpretation="MONOCHROME1",
        RescaleSlope=2,
        RescaleIntercept=-5,
        WindowCenter=700,
        WindowWidth=600,
        VOILUTFunction=function,
    )
    dataset = pydicom.dcmread(path)
    shown = by_pydicom(dataset, apply_modality_lut(pixels, dataset))
    assert np.allclose(item(path, "dicom-window")[0, 0], 1 - shown, atol=1e-6)


def test_the_real_monochrome1_radiograph_is_brighter_where_its_values_are_larger(real_data: Path):
    path = real_data / "xray" / "RG3_J2KR.dcm"
    dataset = pydicom.dcmread(path)
    found, values = item(path, "dicom-window")[0, 0], item(path, "native")[0, 0]
    assert np.allclose(found, 1 - by_pydicom(dataset, dataset.pixel_array), atol=1e-6)
    assert np.all(np.diff(found.ravel()[np.argsort(values, axis=None)]) >= 0)


@pytest.mark.parametrize(
    ("name", "center", "width"),
    [("ct_enhanced/eCT_Supplemental.dcm", 49, 102), ("mr_enhanced/philips_fieldmap_2echo.dcm", 959, 1667)],
)
def test_a_multi_frame_file_has_its_window_in_its_functional_groups(
    name: str, center: float, width: float, real_data: Path
):
    (group,) = assemble([real_data / name]).groups
    found, expected = (
        read(group.paths, group.facts, ReadOptions(irregular_spacing="keep", intensity=intensity)).array
        for intensity in ("dicom-window", ("window", center, width))
    )
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("elements", "says"),
    [
        ({}, "it has no window"),
        ({"WindowCenter": 40, "WindowWidth": 0}, "center 40 and width 0"),
        ({"WindowCenter": 40, "WindowWidth": 9, "VOILUTFunction": "CUBIC"}, "CUBIC"),
    ],
)
def test_a_file_without_a_usable_window_is_a_decode_error_that_says_what_to_do(
    elements: dict, says: str, tmp_path: Path
):
    path = write_slice(tmp_path / "a.dcm", np.zeros((4, 4), np.int16), **elements)
    with pytest.raises(DecodeError, match=rf'^a\.dcm: .*{says}.*intensity=\("window", center, width\)'):
        item(path, "dicom-window")


def test_a_format_without_windows_is_a_decode_error_that_says_what_to_do(tmp_path: Path):
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(DecodeError, match=r'^a\.png: it is not DICOM.*\("window", center, width\)'):
        item(tmp_path / "a.png", "dicom-window")


def test_colour_has_no_window(demo_images: Path):
    with pytest.raises(DecodeError, match="a window is for gray values"):
        item(demo_images / "ultrasound" / "examples_ybr_color.dcm", "dicom-window")


def test_one_window_counts_for_the_whole_series(regular_ct: Group, tmp_path: Path):
    for number, path in enumerate(regular_ct.paths[:5]):
        dataset = pydicom.dcmread(path)
        dataset.WindowCenter, dataset.WindowWidth = 40 + 100 * number, 400
        dataset.save_as(tmp_path / f"{number}.dcm")
    (group,) = assemble(tmp_path.iterdir()).groups
    found = read(group.paths, group.facts, ReadOptions(intensity="dicom-window")).array
    first = float(pydicom.dcmread(group.paths[0]).WindowCenter)
    same = read(group.paths, group.facts, ReadOptions(intensity=("window", first, 400))).array
    assert np.array_equal(found, same)


@pytest.mark.parametrize("name", ["volume.nii", "image.png", "series"])
def test_a_window_works_on_every_format_and_keeps_the_orientation(name: str, regular_ct: Group, tmp_path: Path):
    if name == "series":
        paths, facts = regular_ct.paths, regular_ct.facts
    else:
        paths = (tmp_path / name,)
        values = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
        if name == "image.png":
            Image.fromarray(values[0]).save(paths[0])
        else:
            nib.save(nib.Nifti1Image(values, np.diag([-1.0, 1, 1, 1])), paths[0])
        facts = probe(paths)
    native = read(paths, facts).array
    found = read(paths, facts, ReadOptions(intensity=("window", 30, 41))).array
    assert np.allclose(found, np.clip((native - 29.5) / 40 + 0.5, 0, 1), atol=1e-7)


def test_a_clip_keeps_the_type_and_the_values_between(regular_ct: Group):
    native = read(regular_ct.paths, regular_ct.facts).array
    found = read(regular_ct.paths, regular_ct.facts, ReadOptions(intensity=("clip", -100.5, np.inf))).array
    assert found.dtype == native.dtype
    assert found.min() == -100
    assert np.array_equal(found, np.maximum(native, -100))


def test_limits_that_the_type_does_not_hold_are_a_decode_error(tmp_path: Path):
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(DecodeError, match=r"^a\.png: no uint8 value lies from 300 to 400"):
        item(tmp_path / "a.png", ("clip", 300, 400))
    assert item(tmp_path / "a.png", ("clip", 300, 400), "int16").max() == 300


def test_a_function_gets_the_item_and_gives_its_values(regular_ct: Group):
    seen = []

    def soft(array: np.ndarray) -> np.ndarray:
        seen.append((array.shape, array.flags.c_contiguous))
        return (array > 0).astype(np.float32)

    native = read(regular_ct.paths, regular_ct.facts).array
    found = read(regular_ct.paths, regular_ct.facts, ReadOptions(intensity=soft)).array
    assert seen == [(native.shape, True)]
    assert np.array_equal(found, native > 0)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda array: array[:, :, 1:], "returned shape"),
        (lambda array: None, "returned shape"),
        (lambda array: array.astype(np.uint16), "type uint16"),
        (lambda array: array.astype(np.complex64), "type complex64"),
    ],
)
def test_a_function_that_returns_something_else_is_a_decode_error(function: object, says: str, tmp_path: Path):
    path = write_slice(tmp_path / "a.dcm", np.ones((4, 4), np.int16))
    with pytest.raises(DecodeError, match=rf"^a\.dcm: intensity= .*{says}"):
        item(path, function)


def test_an_error_of_the_function_stays_its_own(tmp_path: Path):
    path = write_slice(tmp_path / "a.dcm", np.ones((4, 4), np.int16))

    def broken(array: np.ndarray) -> np.ndarray:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        item(path, broken)


def test_native_values_do_not_change_under_the_default_options(regular_ct: Group, tmp_path: Path):
    shutil.copyfile(regular_ct.paths[0], tmp_path / "a.dcm")
    facts = probe([tmp_path / "a.dcm"])
    assert np.array_equal(item(tmp_path / "a.dcm", "native"), decode_stored([tmp_path / "a.dcm"], facts).array)
