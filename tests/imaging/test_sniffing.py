from __future__ import annotations

import gzip
import io
import shutil
import time
from itertools import pairwise
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import assemble, decode_mask, decode_stored, probe, sniff_mask
from datamint_like.imaging.registry import decoder_of
from datamint_like.imaging.sniff import (
    HEAD_SIZE,
    head_of,
    is_analyze,
    is_bmp,
    is_dicom,
    is_gzip,
    is_jpeg,
    is_nifti,
    is_nifti2,
    is_nifti_pair,
    is_picture,
    is_png,
    is_raster,
    is_tiff,
    is_webp,
    picture_extension,
    read_head,
)


def encoded(extension: str) -> bytes:
    data = cv2.imencode(extension, np.zeros((3, 4), np.uint8))[1].tobytes()
    assert picture_extension(data) == extension
    return data


def test_a_file_is_what_its_content_says_whatever_its_name(demo_images: Path, tmp_path: Path):
    for source, wrong, format_name in (
        (next((demo_images / "ct_ge").iterdir()), "slice.png", "dicom"),
        (next((demo_images / "xray").glob("*.png")), "picture.dcm", "raster"),
        (next((demo_images / "xray").glob("*.jpg")), "picture.nii.gz", "raster"),
    ):
        shutil.copyfile(source, tmp_path / wrong)
        assert decoder_of(tmp_path / wrong).format == format_name


def test_a_dicom_behind_a_tiff_preamble_is_dicom(demo_images: Path, tmp_path: Path):
    data = bytearray(next((demo_images / "ct_ge").iterdir()).read_bytes())
    data[:4] = b"II*\x00"
    (tmp_path / "slice.tif").write_bytes(data)
    assert probe([tmp_path / "slice.tif"]).format == "dicom"
    assert not is_picture(bytes(data))


def test_a_dicom_without_preamble_and_meta_header_is_read(real_data: Path, tmp_path: Path):
    source = (real_data / "mr/hitachi_oblique/001.dcm").read_bytes()
    length = int.from_bytes(source[140:144], "little")
    (tmp_path / "bare").write_bytes(source[144 + length :])
    facts = probe([tmp_path / "bare"])
    assert (facts.format, facts.shape) == ("dicom", (1, 64, 64))


def test_each_kind_of_bytes_is_told_from_the_others(demo_images: Path, tmp_path: Path):
    one, two = (
        kind(np.zeros((3, 4, 5), np.int16), np.eye(4)).to_bytes() for kind in (nib.Nifti1Image, nib.Nifti2Image)
    )
    heads = {
        "dicom": read_head(next((demo_images / "ct_ge").iterdir())),
        "png": read_head(next((demo_images / "xray").glob("*.png"))),
        "jpeg": read_head(next((demo_images / "xray").glob("*.jpg"))),
        "webp": encoded(".webp"),
        "bmp": encoded(".bmp"),
        "tiff": encoded(".tif"),
        "big tiff": b"MM\x00+\x00\x08\x00\x00" + bytes(64),
        "nifti": one,
        "nifti2": two,
        "pair": bytes(nib.Nifti1Pair.header_class().binaryblock),
        "pair2": bytes(nib.Nifti2Pair.header_class(endianness=">").binaryblock),
        "analyze": bytes(nib.AnalyzeHeader(endianness=">").binaryblock),
        "gzip": gzip.compress(one),
    }
    says = {
        is_dicom: {"dicom"},
        is_png: {"png"},
        is_jpeg: {"jpeg"},
        is_webp: {"webp"},
        is_bmp: {"bmp"},
        is_tiff: {"tiff", "big tiff"},
        is_raster: {"png", "jpeg", "webp", "bmp"},
        is_picture: {"png", "jpeg", "webp", "bmp", "tiff", "big tiff"},
        is_nifti: {"nifti", "nifti2", "pair", "pair2"},
        is_nifti2: {"nifti2", "pair2"},
        is_nifti_pair: {"pair", "pair2"},
        is_analyze: {"analyze"},
        is_gzip: {"gzip"},
    }
    for question, names in says.items():
        assert {name for name, head in heads.items() if question(head)} == names
        assert not question(b"")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.bin"])
def test_nifti_is_found_inside_gzip_and_outside(name: str, tmp_path: Path):
    payload = nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.eye(4)).to_bytes()
    (tmp_path / name).write_bytes(payload)
    assert probe([tmp_path / name]).shape == (5, 4, 3)
    (tmp_path / name).write_bytes(gzip.compress(payload))
    assert probe([tmp_path / name]).shape == (5, 4, 3)


VOLUME = nib.Nifti1Image(np.random.default_rng(1).integers(0, 999, (20, 30, 40)).astype(np.int16), np.eye(4)).to_bytes()


def named(name: str, extra: int = 0, comment: int = 0) -> bytes:
    """A gzip member of the volume with a name, an extra field and a comment of these lengths (RFC 1952)."""
    plain = gzip.compress(VOLUME, mtime=0)
    flags = 4 * bool(extra) + 8 + 16 * bool(comment)
    field = extra.to_bytes(2, "little") + b"x" * extra if extra else b""
    start = plain[:3] + bytes([flags]) + plain[4:10] + field + name.encode() + b"\0"
    return start + (b"c" * comment + b"\0" if comment else b"") + plain[10:]


MEMBERS = {
    "one": gzip.compress(VOLUME),
    "the first ends inside the header": gzip.compress(VOLUME[:200]) + gzip.compress(VOLUME[200:]),
    "the first ends with the header": gzip.compress(VOLUME[:348]) + gzip.compress(VOLUME[348:]),
    "the first ends with the extensions": gzip.compress(VOLUME[:352]) + gzip.compress(VOLUME[352:]),
    "a member for each byte of the header": b"".join(gzip.compress(VOLUME[n : n + 1]) for n in range(352))
    + gzip.compress(VOLUME[352:]),
    "the first is empty": gzip.compress(b"") + gzip.compress(VOLUME),
    "many are empty": gzip.compress(b"") * 3000 + gzip.compress(VOLUME),
    "zeros between them": gzip.compress(VOLUME[:200]) + bytes(5000) + gzip.compress(VOLUME[200:]),
    "a long name": named("x" * 3000),
    "long fields": named("x" * 9000, extra=65_000, comment=70_000),
}


@pytest.mark.parametrize("case", MEMBERS)
def test_a_gzip_of_any_members_is_read_as_nibabel_reads_it(case: str, tmp_path: Path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(MEMBERS[case])
    expected = np.asanyarray(nib.load(path).dataobj)
    facts = probe([path])
    assert np.array_equal(decode_stored([path], facts).array[0].T, expected)
    assert len(assemble([path]).groups) == 1
    assert sniff_mask(path.read_bytes()) == "nifti"
    assert np.array_equal(decode_mask(path.read_bytes(), facts, name="m").T, expected)


@given(st.lists(st.integers(0, 700), max_size=5))
@settings(deadline=None)
def test_a_head_is_the_same_however_its_bytes_are_cut_into_members(cuts: list[int]):
    edges = [0, *sorted(cuts), len(VOLUME)]
    data = b"".join(gzip.compress(VOLUME[start:end], 1) for start, end in pairwise(edges))
    assert head_of(io.BytesIO(data)) == VOLUME[:HEAD_SIZE]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (gzip.compress(b""), "an empty file"),
        (gzip.compress(b"") * 2 + bytes(9000), "an empty file"),
        (gzip.compress(VOLUME)[:5], "no image format"),
        (named("x" * 300_000), "no image format"),
        (gzip.compress(b"") * 20_000 + gzip.compress(VOLUME), "no image format"),
        (b"\x1f\x8bjunk" * 999, "no image format"),
    ],
    ids=["nothing inside", "twice nothing", "cut in its start", "too long a name", "too many empty members", "damaged"],
)
def test_a_gzip_that_shows_no_image_soon_says_what_it_is(content: bytes, says: str, tmp_path: Path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(content)
    start = time.perf_counter()
    (skip,) = assemble([path]).skipped
    assert time.perf_counter() - start < 5
    assert says in skip.reason


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "an empty file"),
        (b"RIFF\x00\x01\x00\x00WAVEfmt ", "a RIFF file that is neither WebP nor AVI"),
        (b"GIF89a" + b"\0" * 200, "a GIF image"),
        (b"%PDF-1.7", "a PDF document"),
        (b"hello", "no image format"),
        (gzip.compress(b"hello" * 1000), "no image format"),
    ],
    ids=[
        "empty",
        "WAV",
        "GIF",
        "PDF",
        "text",
        "text in gzip",
    ],  # gzip bytes hold the time: no part of a test's name
)
def test_content_that_no_decoder_takes_is_an_error_that_says_what_it_is(content: bytes, says: str, tmp_path: Path):
    path = tmp_path / "thing.dcm"
    path.write_bytes(content)
    with pytest.raises(DecodeError, match=f"thing.dcm: it is {says}"):
        probe([path])
    (skip,) = assemble([path]).skipped
    assert says in skip.reason
