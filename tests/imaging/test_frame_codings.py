"""Frames of every coding are those that other readers give, bit for bit where nothing is lost."""

from __future__ import annotations

import io
import warnings
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.dicom.header import read_header, read_whole
from datamint_like.imaging.dicom.pixels import iter_frames
from datamint_like.imaging.types import SourceFile

from .dicom_files import write_slice

DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"


def frames(path: Path, *, annotations: bool = False) -> np.ndarray:
    source = SourceFile(path, path.name)
    with reading(source):
        return np.stack(list(iter_frames(read_whole(source, annotations=annotations))))


def of_pydicom(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert path is not None
    return Path(path)


def name_syntax(path: Path, syntax: str) -> None:
    """Put another syntax into the meta header: pydicom writes none that it does not know."""
    data = path.read_bytes()
    at = data.index(b"\x02\x00\x10\x00UI")
    old, uid = int.from_bytes(data[at + 6 : at + 8], "little"), syntax.encode() + b"\0" * (len(syntax) % 2)
    length = int.from_bytes(data[140:144], "little") + len(uid) - old  # of group 2, its first element
    path.write_bytes(
        data[:140]
        + length.to_bytes(4, "little")
        + data[144 : at + 6]
        + len(uid).to_bytes(2, "little")
        + uid
        + data[at + 8 + old :]
    )


def rewritten(path: Path, syntax: str, data: bytes, target: Path) -> Path:
    """The file with other encapsulated pixels."""
    dataset = pydicom.dcmread(path)
    dataset.PixelData = data
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.save_as(target, implicit_vr=False, little_endian=True)
    name_syntax(target, syntax)
    return target


def by_pydicom(path: Path) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path).pixel_array


def packed(bits: np.ndarray) -> bytes:
    data = np.packbits(bits.ravel(), bitorder="little").tobytes()
    return data + b"\0" * (len(data) % 2)


def write_bits(path: Path, bits: np.ndarray) -> Path:
    """A file of single bits (frames, J, I), whose frames follow each other without a gap."""
    write_slice(
        path, bits[0], BitsAllocated=1, BitsStored=1, HighBit=0, NumberOfFrames=len(bits), ImagePositionPatient=None
    )
    dataset = pydicom.dcmread(path)
    dataset.PixelData = packed(bits)
    dataset.save_as(path)
    return path


@settings(deadline=None, max_examples=40)
@given(count=st.integers(1, 5), rows=st.integers(1, 13), columns=st.integers(1, 13), seed=st.integers(0, 2**20))
def test_frames_of_single_bits_need_not_start_at_a_byte(
    count: int, rows: int, columns: int, seed: int, tmp_path_factory: pytest.TempPathFactory
):
    bits = np.random.default_rng(seed).integers(0, 2, (count, rows, columns)).astype(np.uint8)
    folder = tmp_path_factory.mktemp("bits")
    path = write_bits(folder / "a.dcm", bits)
    assert np.array_equal(frames(path), bits)
    assert np.array_equal(pydicom.dcmread(path).pixel_array.reshape(bits.shape), bits)
    streams = []
    for frame in bits:
        deflate = zlib.compressobj(wbits=-15)
        stream = deflate.compress(packed(frame)) + deflate.flush()
        streams.append(stream + b"\0" * (len(stream) % 2))
    alone = rewritten(path, DEFLATED_FRAMES, encapsulate(streams), folder / "b.dcm")
    assert np.array_equal(frames(alone), bits)


@pytest.mark.parametrize("name", ["liver_deflate.dcm", "liver_rle.dcm"])
def test_bits_in_deflated_and_run_length_frames_are_those_of_the_plain_file(name: str, real_data: Path):
    expected = pydicom.dcmread(real_data / "seg" / "liver.dcm").pixel_array
    assert np.array_equal(frames(real_data / "compressed" / name, annotations=True), expected)


def test_the_header_of_a_segmentation_is_read_only_where_asked_for(real_data: Path):
    path = real_data / "seg" / "liver.dcm"
    source = SourceFile(path, path.name)
    assert read_header(source, annotations=True).pixels.frames == 3
    for look in (read_header, read_whole):
        with pytest.raises(DecodeError, match="it is a segmentation"):
            look(source)


def test_a_deflated_frame_that_inflates_without_end_is_cut_at_its_size(tmp_path: Path):
    path = write_slice(tmp_path / "a.dcm", np.zeros((4, 4), np.uint8))
    deflate = zlib.compressobj(wbits=-15)
    bomb = b"".join(deflate.compress(b"\0" * (1 << 20)) for _ in range(64)) + deflate.flush()
    rewritten(path, DEFLATED_FRAMES, encapsulate([bomb + b"\0" * (len(bomb) % 2)]), tmp_path / "b.dcm")
    assert frames(tmp_path / "b.dcm").shape == (1, 4, 4)
    rewritten(path, DEFLATED_FRAMES, encapsulate([b"\xff" * 8]), tmp_path / "c.dcm")
    with pytest.raises(DecodeError, match="deflated"):
        frames(tmp_path / "c.dcm")


COLOUR = [
    "SC_jpeg_no_color_transform.dcm",
    "SC_jpeg_no_color_transform_2.dcm",
    "SC_rgb_dcmtk_+eb+cr.dcm",
    "SC_rgb_dcmtk_+eb+cy+n1.dcm",
    "SC_rgb_dcmtk_+eb+cy+n2.dcm",
    "SC_rgb_dcmtk_+eb+cy+np.dcm",
    "SC_rgb_dcmtk_+eb+cy+s2.dcm",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm",
    "SC_rgb_gdcm_KY.dcm",
    "SC_rgb_jls_lossy_line.dcm",
    "SC_rgb_jls_lossy_sample.dcm",
    "SC_rgb_jpeg.dcm",
    "SC_rgb_jpeg_app14_dcmd.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_jpeg_lossy_gdcm.dcm",
    "SC_rgb_rle.dcm",
    "SC_rgb_rle_2frame.dcm",
    "SC_rgb_small_odd_big_endian.dcm",
    "SC_rgb_small_odd_jpeg.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "GDCMJ2K_TextGBR.dcm",
    "examples_jpeg2k.dcm",
    "examples_rgb_color.dcm",
]
GRAY = [
    "693_J2KI.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "JPEG2000.dcm",
    "JPEGLSNearLossless_08.dcm",
    "JPEGLSNearLossless_16.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_expb.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_padded.dcm",
    "examples_overlay.dcm",
    "rtdose_expb.dcm",
    "rtdose_rle.dcm",
    "SC_rgb_rle_16bit.dcm",
    "SC_rgb_rle_32bit_2frame.dcm",
]


@pytest.mark.parametrize("name", COLOUR + GRAY)
def test_frames_are_those_of_pydicom(name: str):
    path = of_pydicom(name)
    found = frames(path)
    assert np.array_equal(found, by_pydicom(path).reshape(found.shape))


@pytest.mark.parametrize("name", [name for name in COLOUR if "big_endian" not in name])
def test_colour_is_that_of_simpleitk(name: str):
    """Not the bytes of 8 bit in big-endian words, which pydicom swaps and GDCM does not."""
    path = of_pydicom(name)
    found = frames(path)
    assert np.array_equal(found, sitk.GetArrayFromImage(sitk.ReadImage(str(path))).reshape(found.shape))


def smooth(rows: int = 32, columns: int = 48) -> np.ndarray:
    """A picture (J, I, 3) with slow changes, so that subsampled colour loses little."""
    j, i = np.mgrid[:rows, :columns]
    return np.stack([4 * j + 60, 3 * i + 40, 200 - 2 * j - i], -1).clip(0, 255).astype(np.uint8)


def write_colour(path: Path, data: bytes, shape: tuple[int, int], photometric: str, **elements: object) -> Path:
    write_slice(
        path,
        np.zeros(shape, np.uint8),
        SamplesPerPixel=3,
        PhotometricInterpretation=photometric,
        PlanarConfiguration=elements.pop("PlanarConfiguration", 0),
        Modality="OT",
        ImagePositionPatient=None,
        **elements,
    )
    dataset = pydicom.dcmread(path)
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset.save_as(path)
    return path


def to_ybr(rgb: np.ndarray, *, partial: bool = False) -> np.ndarray:
    """By the formulas of PS3.3 C.7.6.3.1.2, unrounded."""
    r, g, b = np.moveaxis(rgb.astype(float), -1, 0)
    if partial:
        rows = [(0.2568, 0.5041, 0.0979, 16), (-0.1482, -0.2910, 0.4392, 128), (0.4392, -0.3678, -0.0714, 128)]
    else:
        rows = [(0.299, 0.587, 0.114, 0), (-0.1687, -0.3313, 0.5, 128), (0.5, -0.4187, -0.0813, 128)]
    return np.stack([x * r + y * g + z * b + c for x, y, z, c in rows], -1)


def subsampled(ybr: np.ndarray) -> bytes:
    """Two luminances, then the mean differences of both pixels."""
    pairs = ybr.reshape(ybr.shape[0], -1, 2, 3)
    quads = np.concatenate([pairs[..., 0], pairs[..., 1:].mean(axis=2)], axis=-1)
    return np.rint(quads).astype(np.uint8).tobytes()


@pytest.mark.parametrize("partial", [False, True])
def test_native_colour_differences_shared_by_two_pixels_come_out_as_rgb(partial: bool, tmp_path: Path):
    rgb = smooth()
    name = "YBR_PARTIAL_422" if partial else "YBR_FULL_422"
    path = write_colour(tmp_path / "a.dcm", subsampled(to_ybr(rgb, partial=partial)), rgb.shape[:2], name)
    assert read_header(SourceFile(path, path.name)).pixels.native_length == 32 * 48 * 2
    assert np.abs(frames(path)[0].astype(int) - rgb).max() <= 4


def test_a_file_that_says_422_and_is_not_subsampled_is_read_as_it_is(tmp_path: Path):
    rgb = smooth()
    data = np.rint(to_ybr(rgb)).astype(np.uint8).tobytes()
    path = write_colour(tmp_path / "a.dcm", data, rgb.shape[:2], "YBR_FULL_422")
    assert np.abs(frames(path)[0].astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("planar", [0, 1])
def test_native_full_colour_differences_by_pixel_and_by_plane(planar: int, tmp_path: Path):
    rgb = smooth()
    ybr = np.rint(to_ybr(rgb)).astype(np.uint8)
    data = (np.moveaxis(ybr, -1, 0) if planar else ybr).tobytes()
    path = write_colour(tmp_path / "a.dcm", data, rgb.shape[:2], "YBR_FULL", PlanarConfiguration=planar)
    assert np.abs(frames(path)[0].astype(int) - rgb).max() <= 2
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).reshape(rgb.shape)
    assert np.abs(frames(path)[0].astype(int) - theirs).max() <= 1


def jpeg(rgb: np.ndarray, *, subsampling: int = 0) -> bytes:
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(rgb).save(target, "JPEG", quality=95, subsampling=subsampling)
    return target.getvalue()


def adobe(transform: int) -> bytes:
    return b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])


def without_jfif(data: bytes) -> bytes:
    assert data[2:4] == b"\xff\xe0"
    return data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]


@pytest.mark.parametrize("label", ["RGB", "YBR_FULL_422", "YBR_FULL"])
@pytest.mark.parametrize("how", ["jfif", "subsampled", "adobe"])
def test_a_jpeg_tells_its_colour_whatever_the_label_says(label: str, how: str, tmp_path: Path):
    rgb = smooth()
    data = jpeg(rgb, subsampling=2 if how == "subsampled" else 0)
    if how != "jfif":
        bare = without_jfif(data)
        data = bare[:2] + (adobe(1) if how == "adobe" else b"") + bare[2:]
    native = write_colour(tmp_path / "a.dcm", rgb.tobytes(), rgb.shape[:2], label)
    path = rewritten(
        native, "1.2.840.10008.1.2.4.50", encapsulate([data + b"\0" * (len(data) % 2)]), tmp_path / "b.dcm"
    )
    assert np.abs(frames(path)[0].astype(int) - rgb).max() <= 10


@pytest.mark.parametrize(("label", "says"), [("RGB", None), ("YBR_FULL", 0), ("YBR_FULL_422", 0)])
def test_a_jpeg_of_rgb_components_stays_rgb(label: str, says: int | None, tmp_path: Path):
    rgb = smooth()
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(rgb).save(target, "JPEG", quality=97, keep_rgb=True, subsampling=0)
    data = target.getvalue()
    native = write_colour(tmp_path / "a.dcm", rgb.tobytes(), rgb.shape[:2], label)
    path = rewritten(
        native, "1.2.840.10008.1.2.4.50", encapsulate([data + b"\0" * (len(data) % 2)]), tmp_path / "b.dcm"
    )
    assert np.abs(frames(path)[0].astype(int) - rgb).max() <= 10


def test_a_jpeg_of_8_bits_under_a_header_of_16_is_read(tmp_path: Path):
    from PIL import Image

    gray = smooth()[..., 0]
    target = io.BytesIO()
    Image.fromarray(gray).save(target, "JPEG", quality=95)
    data = target.getvalue()
    native = write_slice(tmp_path / "a.dcm", gray.astype(np.uint16), BitsStored=12, Modality="OT")
    path = rewritten(native, JPEGBaseline8Bit, encapsulate([data + b"\0" * (len(data) % 2)]), tmp_path / "b.dcm")
    assert np.array_equal(frames(path)[0], np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, "1.2.840.10008.1.2.4.90"])
def test_colour_of_16_bits_keeps_every_bit(planar: int, syntax: str, tmp_path: Path):
    rgb = np.random.default_rng(4).integers(0, 2**16, (64, 80, 3)).astype(np.uint16)
    data = (np.moveaxis(rgb, -1, 0) if planar else rgb).tobytes()
    path = write_colour(
        tmp_path / "a.dcm", data, (64, 80), "RGB", PlanarConfiguration=planar, BitsAllocated=16, BitsStored=16
    )
    dataset = pydicom.dcmread(path)
    dataset.HighBit = 15
    dataset["PixelData"].VR = "OW"
    if syntax != ExplicitVRLittleEndian:
        dataset.compress(syntax, rgb, encoding_plugin="pylibjpeg")
    dataset.save_as(path)
    assert np.array_equal(frames(path)[0], rgb)


def test_lossy_values_that_overshoot_end_at_the_limit_and_do_not_wrap(tmp_path: Path):
    sharp = np.zeros((64, 64), np.uint16)
    sharp[:, ::3] = 4095
    path = write_slice(tmp_path / "a.dcm", sharp, Modality="MR")
    dataset = pydicom.dcmread(path)
    dataset.compress("1.2.840.10008.1.2.4.91", encoding_plugin="pylibjpeg", j2k_cr=[30])
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.save_as(path)
    found = frames(path)[0].astype(int)
    assert found.max() <= 4095
    assert np.abs(found - sharp).max() < 4000


@pytest.mark.parametrize(("samples", "photometric"), [(4, "ARGB"), (4, "CMYK")])
def test_retired_colour_of_four_samples_is_refused_by_name(samples: int, photometric: str, tmp_path: Path):
    path = write_slice(
        tmp_path / "a.dcm",
        np.zeros((4, 16), np.uint8),
        Columns=4,
        SamplesPerPixel=samples,
        PhotometricInterpretation=photometric,
    )
    with pytest.raises(DecodeError, match=f"{photometric}, which is retired"):
        _ = read_header(SourceFile(path, path.name)).pixels
