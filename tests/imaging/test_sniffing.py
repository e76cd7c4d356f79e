from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pytest

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import assemble, probe
from datamint_like.imaging.registry import decoder_of
from datamint_like.imaging.sniff import (
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
