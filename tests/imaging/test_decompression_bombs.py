"""Small files that claim or inflate to gigabytes are refused or read in the memory of what they hold."""

from __future__ import annotations

import gzip
import io
import time
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import HeaderFacts, assemble, decode_mask, decode_stored, derive_single_file, probe
from tests.memory import memory_peak, zeros

from .dicom_files import write_slice
from .video_files import numbered, painted, write_video

LARGE = 400 << 20


pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def deflated(folder: Path, *, before: bytes = b"", after: bytes = b"", **elements) -> Path:
    """A deflated file with more bytes before its first element or after its last one."""
    plain = write_slice(folder / "plain.dcm", np.arange(20, dtype=np.int16).reshape(4, 5), **elements).read_bytes()
    start = plain.index(b"\x08\x00\x16\x00UI")
    meta = pydicom.dcmread(io.BytesIO(plain)).file_meta
    meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    buffer = io.BytesIO()
    pydicom.filewriter.write_file_meta_info(buffer, meta)
    packer = zlib.compressobj(1, wbits=-15)
    body = [packer.compress(before)]
    body += [packer.compress(bytes(1 << 20)) for _ in range(LARGE >> 20 if before else 0)]
    body += [packer.compress(plain[start:])]
    body += [packer.compress(after)]
    body += [packer.compress(bytes(1 << 20)) for _ in range(LARGE >> 20 if after else 0)]
    path = folder / "deflated.dcm"
    path.write_bytes(bytes(128) + b"DICM" + buffer.getvalue() + b"".join(body) + packer.flush())
    return path


def test_a_deflated_file_has_the_values_of_the_plain_one(tmp_path: Path):
    path = deflated(tmp_path, RescaleIntercept=-1024)
    plain = tmp_path / "plain.dcm"
    facts = probe([path])
    assert facts.details.pop("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    expected = probe([plain])
    assert expected.details.pop("TransferSyntaxUID") == ExplicitVRLittleEndian
    assert facts == expected
    assert np.array_equal(decode_stored([path], facts).array, decode_stored([plain], expected).array)


def test_a_deflated_header_of_gigabytes_is_refused(tmp_path: Path):
    element = b"\x07\x00\x10\x10OB\0\0" + LARGE.to_bytes(4, "little")
    path = deflated(tmp_path, before=element)
    assert path.stat().st_size < 4 << 20

    def work():
        with pytest.raises(DecodeError, match=r"^deflated\.dcm: it holds no \(whole\) pixels"):
            probe([path])

    assert memory_peak(work) < LARGE


def test_bytes_behind_deflated_pixels_are_not_inflated(tmp_path: Path):
    path = deflated(tmp_path, after=b"\xfc\xff\xfc\xffOB\0\0" + LARGE.to_bytes(4, "little"))

    def work():
        facts = probe([path])
        assert decode_stored([path], facts).array.ravel().tolist() == list(range(20))
        derive_single_file([path], facts, io.BytesIO())
        assert assemble([path]).groups

    assert memory_peak(work) < LARGE


def test_deflated_pixels_above_the_limit_are_refused_before_they_are_inflated(tmp_path: Path):
    path = deflated(tmp_path, Rows=50_000, Columns=50_000)
    facts = probe([path])
    with pytest.raises(DecodeError, match=r"^deflated\.dcm: its header claims 2,500,000,000 voxels"):
        decode_stored([path], facts, max_voxels=1_000_000)


def test_cut_or_damaged_deflated_files_are_decode_errors(tmp_path: Path):
    path = deflated(tmp_path)
    facts, whole = probe([path]), path.read_bytes()
    for data in (whole[:-40], whole[:420], whole[:400] + b"\xff" * 60 + whole[460:]):
        path.write_bytes(data)
        with pytest.raises(DecodeError, match=r"^deflated\.dcm: "):
            decode_stored([path], facts)


@pytest.fixture
def gzip_bomb(tmp_path: Path) -> Path:
    """A small volume with 400 MB of zeros behind it."""
    volume = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4)).to_bytes()
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(volume) + zeros(LARGE, 31))
    return path


def test_zeros_behind_a_volume_are_not_kept(gzip_bomb: Path):
    def work():
        facts = probe([gzip_bomb])
        assert decode_stored([gzip_bomb], facts).array.size == 24
        mask = HeaderFacts("nifti", "volume", "application/nifti", 1, (4, 3, 2), "int16")
        assert decode_mask(gzip_bomb.read_bytes(), mask, name="m").shape == (4, 3, 2)

    assert gzip_bomb.stat().st_size < 4 << 20
    assert memory_peak(work) < LARGE / 2


@pytest.mark.parametrize("start", [1e15, -100.0, 3.0, float("nan"), float("inf")])
def test_voxels_that_start_nowhere_are_a_decode_error(start: float, tmp_path: Path):
    data = bytearray(nib.Nifti1Image(np.zeros((2, 3, 4), np.int16), np.eye(4)).to_bytes())
    data[108:112] = np.float32(start).tobytes()
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(data))
    with pytest.raises(DecodeError, match=r"^a\.nii\.gz: .*cannot start at byte"):
        probe([tmp_path / "a.nii.gz"])


@pytest.mark.parametrize(
    ("name", "marker", "offset"),
    [
        ("compressed/emri_small_jpeg_2k_lossless.dcm", b"\xff\x4f\xff\x51", 8),
        ("compressed/emri_small_jpeg_ls_lossless.dcm", b"\xff\xf7", 5),
        ("compressed/JPGExtended.dcm", b"\xff\xc1", 5),
        ("compressed/HTJ2KLossless_08_RGB.dcm", b"\xff\x4f\xff\x51", 8),
    ],
)
def test_an_encoded_frame_that_claims_more_than_its_header_is_not_decoded(
    name: str, marker: bytes, offset: int, real_data: Path, tmp_path: Path
):
    data = bytearray((real_data / name).read_bytes())
    at = data.index(marker, data.index(b"\xe0\x7f\x10\x00")) + offset
    wide = (60_000).to_bytes(4 if offset == 8 else 2, "big") * 2
    data[at : at + len(wide)] = wide
    path = tmp_path / "huge.dcm"
    path.write_bytes(data)
    with pytest.raises(DecodeError, match=r"^huge\.dcm: a frame of its pixels claims 60000 x 60000( x 3)?, its header"):
        decode_stored([path], probe([path]))


def test_a_video_is_read_in_little_more_memory_than_its_frames_take(tmp_path: Path):
    frames = (np.roll(painted(index, 480, 640), 3 * index, axis=0) for index in range(50))
    path = write_video(tmp_path / "clip.mp4", "libx264", frames)
    facts = probe([path])
    size = 3 * 50 * 480 * 640
    assert memory_peak(lambda: decode_stored([path], facts)) < 2.2 * size


def test_a_video_that_claims_millions_of_frames_is_counted_in_little_memory(tmp_path: Path):
    path = numbered(tmp_path / "clip.avi", "mjpeg", pixels="yuvj420p")
    data = bytearray(path.read_bytes())
    for at in (data.index(b"avih") + 24, data.index(b"strh") + 40):
        data[at : at + 4] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(data)
    assert memory_peak(lambda: decode_stored([path], probe([path]))) < 64 << 20
    assert probe([path]).shape == (30, 48, 64)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        *(
            (name, count)
            for name in ("compressed/emri_small_RLE.dcm", "xray/vlut_04.dcm")
            for count in (20, 10**12 - 1)
        ),
        ("compressed/emri_small_RLE.dcm", 5_000_000),
        ("compressed/image_dfl.dcm", 5_000_000),
    ],
)
def test_frames_without_number_are_refused_before_anything_is_kept_for_each(
    name: str, count: int, real_data: Path, tmp_path: Path
):
    dataset = pydicom.dcmread(real_data / name)
    dataset.NumberOfFrames = count
    dataset.save_as(tmp_path / "many.dcm")
    start = time.perf_counter()
    with pytest.raises(DecodeError, match=r"^many\.dcm: it(s header claims .* frames| is cut short)"):
        probe([tmp_path / "many.dcm"])
    assert time.perf_counter() - start < 5
