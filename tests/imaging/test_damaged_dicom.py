from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging import Group, assemble, decode_stored, probe, read

from .dicom_files import write_slice


@pytest.mark.parametrize("size", [1, 100, 132, 140, 400, 900, 1500, 20_000])
def test_a_dicom_cut_anywhere_is_a_decode_error_that_names_it(size: int, regular_ct: Group, tmp_path: Path):
    path = tmp_path / "cut.dcm"
    path.write_bytes(regular_ct.paths[0].read_bytes()[:size])
    with pytest.raises(DecodeError, match=r"^cut\.dcm: "):
        decode_stored([path], probe([path]))


@pytest.mark.parametrize(
    "name",
    [
        "mr_rle/IM-0001-0001-0001.dcm",
        "mr_jpegls/IM-0001-0001-0001.dcm",
        "mr_jpeg/IM-0001-0001-0001.dcm",
        "JPGExtended.dcm",
    ],
)
def test_a_compressed_dicom_cut_in_its_pixels_is_a_decode_error(name: str, real_data: Path, tmp_path: Path):
    data = (real_data / "compressed" / name).read_bytes()
    path = tmp_path / "cut.dcm"
    path.write_bytes(data[: len(data) * 3 // 4])
    with pytest.raises(DecodeError, match=r"^cut\.dcm: "):
        decode_stored([path], probe([path]))


@pytest.mark.parametrize("damage", ["a run too many", "offsets", "segments"])
def test_damaged_rle_is_a_decode_error_and_prints_nothing(
    damage: str, real_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    data = bytearray((real_data / "compressed/mr_rle/IM-0001-0001-0001.dcm").read_bytes())
    frame = data.index(b"\x02\0\0\0\x40\0\0\0")
    at = {"a run too many": frame + 64, "offsets": frame + 9, "segments": frame}[damage]
    data[at : at + 2] = b"\x90\x90"
    path = tmp_path / "rle.dcm"
    path.write_bytes(data)
    with pytest.raises(DecodeError, match=r"^rle\.dcm: a frame of its pixels \(RLE Lossless\) is damaged\. Copy"):
        decode_stored([path], probe([path]))
    assert capfd.readouterr() == ("", "")


def test_a_header_that_claims_too_many_pixels_is_refused(tmp_path: Path):
    path = write_slice(tmp_path / "huge.dcm", np.zeros((2, 2), np.int16), Rows=60_000, Columns=60_000, NumberOfFrames=9)
    with pytest.raises(DecodeError, match=r"huge\.dcm: it is cut short: expected 64,800,000,000 bytes"):
        probe([path])


def test_a_compressed_header_that_claims_too_many_pixels_is_refused_before_allocation(real_data: Path, tmp_path: Path):
    import pydicom

    dataset = pydicom.dcmread(real_data / "compressed" / "emri_small_RLE.dcm")
    dataset.Rows = dataset.Columns = 60_000
    dataset.NumberOfFrames = 10
    dataset.save_as(tmp_path / "huge.dcm")
    facts = probe([tmp_path / "huge.dcm"])
    with pytest.raises(DecodeError, match=r"huge\.dcm: its header claims 36,000,000,000 voxels"):
        decode_stored([tmp_path / "huge.dcm"], facts)


@pytest.mark.parametrize(
    ("elements", "says"),
    [
        ({"Rows": None}, "no Rows"),
        ({"BitsAllocated": 16, "BitsStored": 17}, "17 bits in 16"),
        ({"BitsAllocated": 12, "BitsStored": 12}, "12 bits allocated"),
        ({"ImagePositionPatient": [1, 2]}, "ImagePositionPatient holds"),
    ],
)
def test_an_impossible_header_is_a_decode_error_that_says_why(elements: dict, says: str, tmp_path: Path):
    with pytest.raises(DecodeError, match=rf"^a\.dcm: .*{says}"):
        probe([write_slice(tmp_path / "a.dcm", np.zeros((4, 4), np.int16), **elements)])


def test_an_orientation_of_zeros_is_no_geometry(tmp_path: Path):
    path = write_slice(tmp_path / "a.dcm", np.zeros((4, 4), np.int16), ImageOrientationPatient=[0] * 6)
    (group,) = assemble([path]).groups
    assert group.facts.affine is None


def test_a_file_changed_since_its_upload_is_a_decode_error(tmp_path: Path):
    facts = probe([write_slice(tmp_path / "a.dcm", np.zeros((4, 4), np.int16))])
    write_slice(tmp_path / "a.dcm", np.zeros((5, 4), np.int16))
    with pytest.raises(DecodeError, match=r"a\.dcm: expected an array \(1, 1, 4, 4\) int16 .*changed since"):
        read([tmp_path / "a.dcm"], facts)


@pytest.mark.parametrize("seed", range(60))
def test_flipped_bytes_raise_nothing_but_errors_of_the_tree(
    seed: int, regular_ct: Group, demo_images: Path, tmp_path: Path
):
    chance = random.Random(seed)
    sources = [regular_ct.paths[0], demo_images / "ultrasound" / "examples_ybr_color.dcm"]
    data = bytearray(chance.choice(sources).read_bytes())
    for _ in range(chance.randint(1, 30)):
        data[chance.randrange(132, 4000)] = chance.randrange(256)
    path = tmp_path / "flipped.dcm"
    path.write_bytes(data)
    for group in assemble([path]).groups:
        try:
            decode_stored(group.paths, group.facts, max_voxels=50_000_000)
        except (DecodeError, GeometryError) as error:
            assert "flipped.dcm" in str(error)  # noqa: PT017 -- most seeds decode; only the class and name matter
