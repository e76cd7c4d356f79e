"""Each transfer syntax is read, or refused by name with what could not read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import UID_dictionary

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import assemble, decode_stored, probe

from .dicom_files import write_slice
from .test_frame_codings import of_pydicom, rewritten

SYNTAXES = sorted({uid for uid, (_, kind, *_) in UID_dictionary.items() if kind == "Transfer Syntax"})
DEFLATED_FRAMES, PRIVATE = "1.2.840.10008.1.2.8.1", "1.2.3.4.5"
READ = {
    "1.2.840.10008.1.2": "MR_small_implicit.dcm",
    "1.2.840.10008.1.2.1": "MR_small.dcm",
    "1.2.840.10008.1.2.1.99": "image_dfl.dcm",
    "1.2.840.10008.1.2.2": "MR_small_bigendian.dcm",
    "1.2.840.10008.1.2.4.50": "SC_rgb_jpeg_lossy_gdcm.dcm",
    "1.2.840.10008.1.2.4.51": "JPGExtended.dcm",
    "1.2.840.10008.1.2.4.70": "SC_rgb_jpeg_gdcm.dcm",
    "1.2.840.10008.1.2.4.80": "MR_small_jpeg_ls_lossless.dcm",
    "1.2.840.10008.1.2.4.81": "JPEGLSNearLossless_16.dcm",
    "1.2.840.10008.1.2.4.90": "MR_small_jp2klossless.dcm",
    "1.2.840.10008.1.2.4.91": "JPEG2000.dcm",
    "1.2.840.10008.1.2.5": "MR_small_RLE.dcm",
}
#: Read, with pixels that the tests make or that only the larger real data has.
READ_TOO = {
    "1.2.840.10008.1.2.1.98",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
    DEFLATED_FRAMES,
}
REFUSED = [*(uid for uid in SYNTAXES if uid not in READ and uid not in READ_TOO), PRIVATE]


@pytest.mark.parametrize("syntax", sorted(READ))
def test_a_file_of_each_plain_and_compressed_syntax_is_read(syntax: str):
    path = of_pydicom(READ[syntax])
    facts = probe([path])
    assert facts.details["TransferSyntaxUID"] == syntax
    assert decode_stored([path], facts).array.any()


@pytest.mark.parametrize("syntax", REFUSED)
def test_every_other_syntax_is_refused_by_name_with_the_plugins_there_are(syntax: str, tmp_path: Path):
    native = write_slice(tmp_path / "a.dcm", np.zeros((4, 4), np.int16))
    path = rewritten(native, syntax, encapsulate([b"\0" * 32]), tmp_path / "refused.dcm")
    (skip,) = assemble([path]).skipped
    assert skip.reason.startswith("refused.dcm: ")
    assert f"{syntax})" in skip.reason
    assert "pylibjpeg" in skip.reason or "JPIP" in skip.reason
    with pytest.raises(DecodeError, match=r"^refused\.dcm: "):
        probe([path])


def test_uncompressed_frames_in_fragments_are_read(tmp_path: Path):
    pixels = np.arange(2 * 3 * 5, dtype=np.uint16).reshape(2, 3, 5)
    native = write_slice(tmp_path / "a.dcm", pixels[0], Modality="MR", NumberOfFrames=2, BitsStored=15)
    data = encapsulate([frame.tobytes() for frame in pixels])
    path = rewritten(native, "1.2.840.10008.1.2.1.98", data, tmp_path / "b.dcm")
    assert np.array_equal(decode_stored([path], probe([path])).array[0], pixels)


def test_jpeg_lossless_of_any_predictor_is_read(tmp_path: Path):
    """Process 14 with the first predictor is what its own syntax (4.70) holds, too."""
    dataset = pydicom.dcmread(of_pydicom("SC_rgb_jpeg_gdcm.dcm"))
    path = rewritten(
        of_pydicom("SC_rgb_jpeg_gdcm.dcm"), "1.2.840.10008.1.2.4.57", dataset.PixelData, tmp_path / "b.dcm"
    )
    plain = of_pydicom("SC_rgb_jpeg_gdcm.dcm")
    assert np.array_equal(decode_stored([path], probe([path])).array, decode_stored([plain], probe([plain])).array)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"])
def test_high_throughput_jpeg_2000_is_read_under_each_of_its_names(syntax: str, real_data: Path, tmp_path: Path):
    source = real_data / "compressed" / "HTJ2KLossless_08_RGB.dcm"
    path = rewritten(source, syntax, pydicom.dcmread(source).PixelData, tmp_path / "b.dcm")
    found = decode_stored([path], probe([path])).array
    assert np.array_equal(np.moveaxis(found[:, 0], 0, -1), pydicom.dcmread(source).pixel_array)


def test_a_damaged_frame_names_its_syntax_and_plugin(tmp_path: Path):
    for name, plugin in (
        ("MR_small_jp2klossless.dcm", "pylibjpeg-openjpeg"),
        ("MR_small_jpeg_ls_lossless.dcm", "pyjpegls"),
        ("SC_rgb_jpeg_gdcm.dcm", "gdcm"),
    ):
        source = of_pydicom(name)
        syntax = str(pydicom.dcmread(source).file_meta.TransferSyntaxUID)
        path = rewritten(source, syntax, encapsulate([b"\x12\x34" * 400]), tmp_path / "bad.dcm")
        with pytest.raises(DecodeError, match=rf"^bad\.dcm: its pixels \(.*, {syntax}\) cannot be decoded by {plugin}"):
            decode_stored([path], probe([path]))
