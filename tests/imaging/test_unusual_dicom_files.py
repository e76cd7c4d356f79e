"""Files that real archives hold and the standard does not expect: without meta header, odd, padded, misdescribed."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import assemble, decode_stored, probe

from .dicom_files import write_slice
from .test_frame_codings import of_pydicom

PIXELS = np.arange(20, dtype=np.int16).reshape(4, 5) * 100
PIXEL_TAG = b"\xe0\x7f\x10\x00"


def values(path: Path) -> np.ndarray:
    (group,) = assemble([path]).groups
    return decode_stored(group.paths, group.facts).array[0]


def plain(folder: Path, **elements: object) -> Path:
    return write_slice(folder / "plain.dcm", PIXELS, **elements)


def data_set(path: Path, *, implicit: bool = False, little: bool = True) -> bytes:
    """The elements of a file alone, without preamble and meta header."""
    buffer = pydicom.filebase.DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = little, implicit
    dataset = pydicom.Dataset(dict(pydicom.dcmread(path).items()))
    for element in dataset:
        dataset[element.tag] = element
    if not little:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
    pydicom.filewriter.write_dataset(buffer, dataset)
    return buffer.getvalue()


@pytest.mark.parametrize(("implicit", "little"), [(True, True), (False, True), (False, False)])
def test_a_file_without_preamble_and_meta_header_is_read(implicit: bool, little: bool, tmp_path: Path):
    data = data_set(plain(tmp_path), implicit=implicit, little=little)
    path = tmp_path / "IM0001"
    path.write_bytes(data)
    assert np.array_equal(values(path)[0], PIXELS)
    syntax = ExplicitVRBigEndian if not little else ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    assert probe([path]).details["TransferSyntaxUID"] == syntax


@pytest.mark.parametrize(("implicit", "little"), [(True, True), (False, True), (False, False)])
def test_a_preamble_of_zeros_without_its_mark_is_read(implicit: bool, little: bool, tmp_path: Path):
    path = tmp_path / "IM0001"
    path.write_bytes(bytes(128) + data_set(plain(tmp_path), implicit=implicit, little=little))
    assert np.array_equal(values(path)[0], PIXELS)
    (group,) = assemble([path]).groups
    assert group.facts.series_uid == pydicom.dcmread(path, force=True).SeriesInstanceUID
    for damaged in (path.read_bytes()[:-9], path.read_bytes()[:200]):
        path.write_bytes(damaged)
        with pytest.raises(DecodeError, match=r"^IM0001: "):
            probe([path])


@pytest.mark.parametrize("content", [bytes(500), bytes(128), bytes(128) + b"\x08\0", bytes(128) + b"\x09" * 99])
def test_zeros_without_the_first_tags_behind_them_are_no_dicom(content: bytes, tmp_path: Path):
    (tmp_path / "raw").write_bytes(content)
    (skip,) = assemble([tmp_path / "raw"]).skipped
    assert skip.reason.startswith("raw: it is no image format that is known")


def test_a_meta_header_without_preamble_is_read(tmp_path: Path):
    path = tmp_path / "x.dcm"
    path.write_bytes(plain(tmp_path).read_bytes()[132:])
    assert np.array_equal(values(path)[0], PIXELS)


def test_a_preamble_of_a_tiff_and_a_name_like_a_uid_change_nothing(tmp_path: Path):
    path = tmp_path / "1.2.840.113619.2.55.3.12345"
    path.write_bytes(b"II*\0\x08\0\0\0".ljust(128, b"\1") + plain(tmp_path).read_bytes()[128:])
    assert np.array_equal(values(path)[0], PIXELS)


def test_group_lengths_private_elements_and_unknown_sequences_are_stepped_over(tmp_path: Path):
    data = plain(tmp_path).read_bytes()
    start, place = data.index(b"\x08\x00\x16\x00"), data.index(b"\x28\x00\x02\x00")
    length = struct.pack("<HH2sHL", 8, 0, b"UL", 4, 9999)
    private = (
        struct.pack("<HH2sH", 9, 0x10, b"LO", 8)
        + b"VENDOR 1"
        + struct.pack("<HH2sHL", 9, 0x1001, b"UN", 0, 4)
        + b"ABCD"
    )
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + struct.pack("<HHL", 9, 0x1002, 2) + b"xy"
    ends = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    unknown = struct.pack("<HH2sHL", 9, 0x1003, b"UN", 0, 0xFFFFFFFF) + item + ends
    (tmp_path / "a.dcm").write_bytes(data[:start] + length + data[start:place] + data[place:])
    assert np.array_equal(values(tmp_path / "a.dcm")[0], PIXELS)
    after = data.index(b"\x10\x00\x10\x00")
    (tmp_path / "b.dcm").write_bytes(data[:after] + private + unknown + data[after:])
    assert np.array_equal(values(tmp_path / "b.dcm")[0], PIXELS)
    assert probe([tmp_path / "b.dcm"]).patient_id == "one"


def test_padding_after_the_pixels_is_no_pixel(tmp_path: Path):
    data = plain(tmp_path).read_bytes()
    padding = struct.pack("<HH2sHL", 0xFFFC, 0xFFFC, b"OB", 0, 64) + b"\0" * 64
    (tmp_path / "a.dcm").write_bytes(data + padding)
    (tmp_path / "b.dcm").write_bytes(data + b"\0" * 2048)
    for name in ("a.dcm", "b.dcm"):
        assert np.array_equal(values(tmp_path / name)[0], PIXELS)


def test_pixels_longer_than_their_frames_are_read_up_to_the_last_frame(tmp_path: Path):
    path = plain(tmp_path)
    dataset = pydicom.dcmread(path)
    dataset.PixelData += b"\7" * 100
    dataset.save_as(path)
    assert np.array_equal(values(path)[0], PIXELS)


def test_values_of_odd_length_are_read(tmp_path: Path):
    data = plain(tmp_path).read_bytes()
    at = data.index(b"\x10\x00\x20\x00LO")
    odd = struct.pack("<HH2sH", 0x10, 0x20, b"LO", 3) + b"one"
    (tmp_path / "odd.dcm").write_bytes(data[:at] + odd + data[at + 8 + 4 :])
    assert probe([tmp_path / "odd.dcm"]).patient_id == "one"
    assert np.array_equal(values(tmp_path / "odd.dcm")[0], PIXELS)


def test_a_directory_of_files_is_no_image_and_says_so(tmp_path: Path):
    folder = of_pydicom("CT_small.dcm").parent / "dicomdirtests"
    path = folder / "DICOMDIR"
    (skip,) = assemble([path]).skipped
    assert "a directory of files (DICOMDIR), not an image" in skip.reason


@pytest.mark.parametrize("count", ["0", None, ""])
def test_no_number_of_frames_is_one_frame(count: str | None, tmp_path: Path):
    path = plain(tmp_path, NumberOfFrames=count)
    assert np.array_equal(values(path)[0], PIXELS)


@pytest.mark.parametrize("count", ["-3", "x", "2.5", "1e30"])
def test_a_number_of_frames_that_is_none_is_named(count: str, tmp_path: Path):
    path = plain(tmp_path, NumberOfFrames="77")
    path.write_bytes(
        path.read_bytes().replace(
            b"IS\x02\x0077",
            b"IS" + struct.pack("<H", len(count) + len(count) % 2) + count.encode().ljust(len(count) + len(count) % 2),
        )
    )
    with pytest.raises(DecodeError, match=r"^plain\.dcm: "):
        probe([path])


def test_more_frames_claimed_than_there_are_is_a_cut_file(tmp_path: Path):
    with pytest.raises(DecodeError, match="cut short"):
        probe([plain(tmp_path, NumberOfFrames=2)])


@pytest.mark.parametrize(("stored", "high"), [(10, 9), (10, 11), (12, 15), (8, 15), (16, 15)])
@pytest.mark.parametrize("signed", [False, True])
def test_bits_are_taken_from_where_the_header_says(stored: int, high: int, signed: bool, tmp_path: Path):
    chance = np.random.default_rng(stored + high)
    low = -(1 << (stored - 1)) if signed else 0
    truth = chance.integers(low, low + (1 << stored), (4, 5))
    word = (truth & ((1 << stored) - 1)) << (high + 1 - stored)
    others = ~(((1 << stored) - 1) << (high + 1 - stored)) & 0xFFFF
    word |= chance.integers(0, 1 << 16, (4, 5)) & others  # overlays and garbage
    path = write_slice(
        tmp_path / "a.dcm",
        word.astype(np.uint16),
        Modality="MR",
        BitsStored=stored,
        HighBit=high,
        PixelRepresentation=int(signed),
    )
    dataset = pydicom.dcmread(path)
    dataset.HighBit = high
    dataset.save_as(path)
    assert np.array_equal(values(path)[0], truth)


@pytest.mark.parametrize("high", [0, 3, 16, 300])
def test_a_high_bit_that_cannot_be_is_the_last_stored_one(high: int, tmp_path: Path):
    path = plain(tmp_path, BitsStored=12)
    dataset = pydicom.dcmread(path)
    dataset.HighBit = high
    dataset.save_as(path)
    assert np.array_equal(values(path)[0], PIXELS)


def test_padding_outside_the_stored_bits_is_a_value_within_them(tmp_path: Path):
    """GE writes -2000 into signed 16 bit and names it as padding: nothing is cut from it."""
    pixels = np.array([[-2000, 0, 1000]], np.int16)
    path = write_slice(tmp_path / "a.dcm", pixels, RescaleIntercept=-1024, PixelPaddingValue=-2000)
    assert values(path)[0].tolist() == [[-3024, -1024, -24]]


@pytest.mark.parametrize("dtype", ["u4", "i4", "u8", "i8"])
def test_pixels_of_32_and_64_bits_are_read_where_they_fit(dtype: str, tmp_path: Path):
    pixels = np.array([[0, 1, 70_000, 2_000_000]], dtype)
    path = write_slice(tmp_path / "a.dcm", pixels, Modality="OT")
    assert values(path)[0].tolist() == [[0, 1, 70_000, 2_000_000]]
    assert probe([path]).dtype == "int32"


def test_signed_pixels_with_an_intercept_are_those_of_simpleitk(tmp_path: Path):
    pixels = np.array([[-1000, -1, 0, 1, 1000]], np.int16)
    path = write_slice(tmp_path / "a.dcm", pixels, RescaleIntercept=-24, RescaleSlope=2)
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert np.array_equal(values(path), expected)


def test_an_overlay_beside_the_pixels_is_no_part_of_them():
    path = of_pydicom("examples_overlay.dcm")
    assert np.array_equal(values(path)[0], pydicom.dcmread(path).pixel_array)


def test_a_stray_byte_before_the_elements_is_no_dicom_and_the_error_says_so(real_data: Path):
    (skip,) = assemble([real_data / "compressed" / "no_meta.dcm"]).skipped
    assert skip.reason.startswith("no_meta.dcm: it is no image format that is known")
