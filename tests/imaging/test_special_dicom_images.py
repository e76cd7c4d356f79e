"""Kinds of image with rules of their own: dose grids, floating point, clips of several modalities, palettes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import (
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    UltrasoundMultiFrameImageStorage,
    XRayAngiographicImageStorage,
    XRayRadiofluoroscopicImageStorage,
)

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import ReadOptions, decode_stored, probe, read

from .dicom_files import write_slice


def values(path: Path) -> np.ndarray:
    return decode_stored([path], probe([path])).array


def write_frames(path: Path, pixels: np.ndarray, **elements: Any) -> Path:
    return write_slice(path, pixels, **{"NumberOfFrames": len(pixels), "Modality": "OT", **elements})


def write_dose(path: Path, offsets: list[float], place: list[float], orientation: list[int]) -> Path:
    pixels = np.stack([np.full((3, 4), 1000 * n, np.uint32) for n in range(len(offsets))])
    return write_frames(
        path,
        pixels,
        Modality="RTDOSE",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.481.2",
        DoseGridScaling="1e-4",
        RescaleSlope=None,
        RescaleIntercept=None,
        GridFrameOffsetVector=offsets,
        FrameIncrementPointer=0x3004000C,
        ImagePositionPatient=place,
        ImageOrientationPatient=orientation,
    )


@pytest.mark.parametrize(
    ("offsets", "orientation", "zs"),
    [
        ([0, 2, 4], [1, 0, 0, 0, 1, 0], [-30, -28, -26]),
        ([0, -2, -4], [1, 0, 0, 0, 1, 0], [-30, -32, -34]),
        ([-30, -28, -26], [1, 0, 0, 0, 1, 0], [-30, -28, -26]),
        ([0, 2, 4], [-1, 0, 0, 0, 1, 0], [-30, -32, -34]),
        ([-30, -28, -26], [-1, 0, 0, 0, 1, 0], [-30, -28, -26]),
    ],
    ids=["relative", "descending", "absolute", "prone", "absolute and prone"],
)
def test_a_dose_grid_is_scaled_and_every_plane_lies_at_its_offset(
    offsets: list[float], orientation: list[int], zs: list[float], tmp_path: Path
):
    path = write_dose(tmp_path / "dose.dcm", offsets, [10, 20, -30], orientation)
    facts = probe([path])
    assert (facts.kind, facts.shape, facts.dtype) == ("volume", (3, 3, 4), "float32")
    assert facts.affine is not None
    for k, dose in enumerate(values(path)[0, :, 0, 0]):
        place = facts.affine.matrix @ [k, 0, 0, 1]
        assert place[2] == pytest.approx(zs[round(float(dose) / 0.1)])
        assert np.allclose(place[:2], [-10, -20])


def test_the_real_dose_is_its_integers_times_its_scaling(real_data: Path):
    path = real_data / "rtstruct" / "rtdose.dcm"
    dataset = pydicom.dcmread(path)
    expected = (dataset.pixel_array * float(dataset.DoseGridScaling)).astype(np.float32)
    assert np.array_equal(values(path)[0], expected)


@pytest.mark.parametrize(("keyword", "dtype"), [("FloatPixelData", "f4"), ("DoubleFloatPixelData", "f8")])
def test_floating_point_pixels_keep_every_bit(keyword: str, dtype: str, tmp_path: Path):
    pixels = np.array([[0.1, -1e30, np.nan, 7.0]], dtype)
    path = write_slice(
        tmp_path / "a.dcm", pixels.view(f"u{dtype[1]}"), Modality="OT", RescaleSlope=None, RescaleIntercept=None
    )
    dataset = pydicom.dcmread(path)
    setattr(dataset, keyword, pixels.tobytes())
    del dataset.PixelData
    dataset.save_as(path)
    assert probe([path]).dtype == ("float32" if dtype == "f4" else "float64")
    assert np.array_equal(values(path)[0, 0], pixels, equal_nan=True)


def test_the_real_parametric_map_is_what_pydicom_reads(real_data: Path):
    path = real_data / "parametric_map" / "parametric_map_float.dcm"
    assert np.array_equal(values(path)[0, 0], pydicom.dcmread(path).pixel_array)


@pytest.mark.parametrize(
    ("sop_class", "kind"),
    [
        (XRayAngiographicImageStorage, "video"),
        (XRayRadiofluoroscopicImageStorage, "video"),
        (UltrasoundMultiFrameImageStorage, "video"),
        (MultiFrameGrayscaleWordSecondaryCaptureImageStorage, "volume"),
    ],
)
def test_frames_of_a_clip_are_time_and_those_of_a_capture_a_stack(sop_class: str, kind: str, tmp_path: Path):
    pixels = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
    path = write_frames(
        tmp_path / "a.dcm", pixels, SOPClassUID=sop_class, ImagePositionPatient=None, ImageOrientationPatient=None
    )
    facts = probe([path])
    assert (facts.kind, facts.shape, facts.affine) == (kind, (3, 4, 5), None)
    assert np.array_equal(values(path)[0], pixels)


def test_a_capture_whose_frames_say_their_time_is_a_video(tmp_path: Path):
    path = write_frames(
        tmp_path / "a.dcm",
        np.zeros((3, 4, 5), np.uint8),
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7.2",
        ImagePositionPatient=None,
        FrameIncrementPointer=0x00181063,
        FrameTime=40,
    )
    assert probe([path]).kind == "video"


def write_palette(path: Path, pixels: np.ndarray, table: np.ndarray, first: int, bits: int) -> Path:
    """Entries (n, 3) of `bits` bits."""
    write_slice(path, pixels, Modality="US", PhotometricInterpretation="PALETTE COLOR", ImagePositionPatient=None)
    dataset = pydicom.dcmread(path)
    for channel, name in enumerate(("Red", "Green", "Blue")):
        dataset.add_new(0x00281101 + channel, "US", [len(table) & 0xFFFF, first, bits])
        data = table[:, channel].astype("<u2" if bits == 16 else "u1").tobytes()
        setattr(dataset, f"{name}PaletteColorLookupTableData", data)
    dataset.save_as(path)
    return path


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("first", [0, 10])
def test_a_palette_gives_the_colours_of_its_entries(bits: int, first: int, tmp_path: Path):
    chance = np.random.default_rng(bits)
    table = chance.integers(0, 1 << bits, (200, 3))
    pixels = chance.integers(0, 256, (6, 8)).astype(np.uint8)
    path = write_palette(tmp_path / "a.dcm", pixels, table, first, bits)
    expected = table[np.clip(pixels.astype(int) - first, 0, 199)] >> (bits - 8)
    assert np.array_equal(np.moveaxis(values(path)[:, 0], 0, -1), expected)


def test_pixels_of_16_bits_use_a_palette_of_all_their_values(tmp_path: Path):
    chance = np.random.default_rng(1)
    table = chance.integers(0, 1 << 16, (1 << 16, 3))
    pixels = chance.integers(0, 1 << 16, (6, 8)).astype(np.uint16)
    path = write_palette(tmp_path / "a.dcm", pixels, table, 0, 16)
    assert np.array_equal(np.moveaxis(values(path)[:, 0], 0, -1), table[pixels] >> 8)
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).reshape(6, 8, 3)
    assert np.array_equal(theirs, table[pixels])


def test_palette_entries_of_8_bits_may_lie_in_words(tmp_path: Path):
    chance = np.random.default_rng(2)
    table, pixels = chance.integers(0, 256, (256, 3)), chance.integers(0, 256, (6, 8)).astype(np.uint8)
    path = write_palette(tmp_path / "a.dcm", pixels, table, 0, 16)
    described(path, [0x100, 0, 8])
    assert np.array_equal(np.moveaxis(values(path)[:, 0], 0, -1), table[pixels])


def test_words_of_a_palette_of_8_bits_that_are_filled_count_by_their_high_byte(tmp_path: Path):
    chance = np.random.default_rng(3)
    table, pixels = chance.integers(0, 256, (256, 3)), chance.integers(0, 256, (6, 8)).astype(np.uint8)
    table[:, 2] = 0  # decided for all channels at once
    path = write_palette(tmp_path / "a.dcm", pixels, table * 0x101, 0, 16)
    described(path, [0x100, 0, 8])
    assert np.array_equal(np.moveaxis(values(path)[:, 0], 0, -1), table[pixels])


@pytest.mark.parametrize("bits", [8, 16])
def test_indices_beyond_a_palette_take_its_last_entry_and_an_odd_one_is_padded(bits: int, tmp_path: Path):
    table, pixels = np.random.default_rng(4).integers(0, 256, (201, 3)) << (bits - 8), np.array([[5, 200, 300, 9999]])
    path = write_palette(tmp_path / "a.dcm", pixels.astype(np.uint16), table, 0, bits)
    assert np.array_equal(np.moveaxis(values(path)[:, 0], 0, -1)[0], table[[5, 200, 200, 200]] >> (bits - 8))


@pytest.mark.parametrize("bits", [8, 16])
def test_a_big_endian_palette_is_the_little_endian_one(bits: int, tmp_path: Path):
    chance = np.random.default_rng(5)
    table, pixels = chance.integers(0, 1 << bits, (256, 3)), chance.integers(0, 256, (6, 8)).astype(np.uint8)
    path = write_palette(tmp_path / "a.dcm", pixels, table, 0, bits)
    expected = values(path)
    dataset = pydicom.dcmread(path)
    for name in ("Red", "Green", "Blue"):
        keyword = f"{name}PaletteColorLookupTableData"
        setattr(dataset, keyword, np.frombuffer(dataset[keyword].value, "<u2").astype(">u2").tobytes())
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    pydicom.dcmwrite(path, dataset, implicit_vr=False, little_endian=False)
    assert np.array_equal(values(path), expected)


def described(path: Path, descriptor: list[int]) -> None:
    dataset = pydicom.dcmread(path)
    for name in ("Red", "Green", "Blue"):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", descriptor)
    dataset.save_as(path)


def test_a_segmented_palette_is_written_out(tmp_path: Path):
    path = write_palette(
        tmp_path / "a.dcm", np.arange(256, dtype=np.uint8).reshape(16, 16), np.zeros((256, 3), int), 0, 16
    )
    dataset = pydicom.dcmread(path)
    runs = np.array([0, 2, 0, 256, 1, 254, 65535], "<u2").tobytes()
    for name in ("Red", "Green", "Blue"):
        delattr(dataset, f"{name}PaletteColorLookupTableData")
        setattr(dataset, f"Segmented{name}PaletteColorLookupTableData", runs)
    dataset.save_as(path)
    ramp = np.append(0, np.linspace(256, 65535, 255)).round().astype(int) >> 8
    for channel in values(path)[:, 0]:
        assert np.array_equal(channel.ravel(), ramp)


def test_a_palette_that_is_missing_is_a_decode_error(tmp_path: Path):
    path = write_slice(tmp_path / "a.dcm", np.zeros((4, 5), np.uint8), PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(DecodeError, match=r"^a\.dcm: "):
        values(path)


def test_a_supplemental_palette_leaves_the_gray_values(real_data: Path):
    path = real_data / "ct_enhanced" / "eCT_Supplemental.dcm"
    assert probe([path]).channels == 1
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert np.array_equal(values(path)[0], expected)


def test_the_window_of_a_monochrome1_radiograph_shows_what_the_header_means(real_data: Path):
    """By the formula of PS3.3 C.11.2.1.2.1 over stored values, inverted as MONOCHROME1 is shown."""
    path = real_data / "xray" / "RG3_J2KR.dcm"
    dataset = pydicom.dcmread(path)
    facts = probe([path])
    found = read([path], facts, ReadOptions(intensity="dicom-window")).array[0, 0]
    stored = dataset.pixel_array * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0))
    if "VOILUTSequence" in dataset:
        item = dataset.VOILUTSequence[0]
        table = np.array(item.LUTData)
        shown = table[np.clip(stored - item.LUTDescriptor[1], 0, len(table) - 1).astype(int)]
        expected = 1 - shown / (2.0 ** item.LUTDescriptor[2] - 1)
    else:
        center, width = (
            float(v[0] if isinstance(v, pydicom.multival.MultiValue) else v)
            for v in (dataset.WindowCenter, dataset.WindowWidth)
        )
        expected = 1 - np.clip((stored - (center - 0.5)) / (width - 1) + 0.5, 0, 1)
    assert np.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("step", [4.0, -4.0])
def test_a_reconstructed_nuclear_volume_lies_by_its_detector_and_slice_spacing(step: float, tmp_path: Path):
    """PS3.3 C.8.4.15: the spacing between slices is negative where they go against the normal."""
    pixels = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
    path = write_frames(
        tmp_path / "nm.dcm",
        pixels,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.20",
        Modality="NM",
        ImageType=["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"],
        ImagePositionPatient=None,
        ImageOrientationPatient=None,
        PixelSpacing=[2, 3],
        SpacingBetweenSlices=step,
        FrameIncrementPointer=0x00540080,
        SliceVector=[1, 2, 3],
        RescaleSlope=None,
        RescaleIntercept=None,
    )
    dataset = pydicom.dcmread(path)
    detector = pydicom.Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = [-10, 20, 30], [1, 0, 0, 0, 1, 0]
    dataset.DetectorInformationSequence = [detector]
    dataset.save_as(path)
    facts = probe([path])
    assert (facts.kind, facts.shape) == ("volume", (3, 4, 5))
    assert facts.affine is not None
    assert np.allclose(facts.affine.matrix @ [1, 0, 0, 1], [10, -20, 30 + step, 1])
    if step > 0:
        image = sitk.ReadImage(str(path))
        assert np.allclose(np.array(image.GetOrigin()) * [-1, -1, 1], facts.affine.origin)
        assert np.allclose(image.GetSpacing()[::-1], facts.affine.spacing)
        assert np.array_equal(sitk.GetArrayFromImage(image), values(path)[0])


def test_projections_of_a_nuclear_study_have_no_place(tmp_path: Path):
    path = write_frames(
        tmp_path / "nm.dcm",
        np.zeros((3, 4, 5), np.uint16),
        SOPClassUID="1.2.840.10008.5.1.4.1.1.20",
        Modality="NM",
        ImageType=["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"],
        SpacingBetweenSlices=4,
    )
    assert probe([path]).affine is None
