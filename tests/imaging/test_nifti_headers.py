"""What a NIfTI header says: values, place and type, as nibabel reads them, whatever the header's slips."""

from __future__ import annotations

import gzip
import io
import logging
import math
import struct
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging import decode_stored, probe
from datamint_like.imaging.nifti import decode_bytes
from datamint_like.imaging.nifti_header import parse_header

from .nifti_pair_files import AFFINE, ramp

TYPES = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]
small = st.floats(-50, 50, allow_nan=False, width=32)
#: Fields of a NIfTI-1 header: where, and how they are packed.
FIELDS = {
    "qfac": (76, "f"),
    "dx": (80, "f"),
    "vox_offset": (108, "f"),
    "slope": (112, "f"),
    "inter": (116, "f"),
    "units": (123, "B"),
    "qform_code": (252, "h"),
    "sform_code": (254, "h"),
    "sform": (280, "12f"),
    "dim": (40, "8h"),
    "datatype": (70, "h"),
}


def nifti(values: np.ndarray | None = None, order: str = "<", **fields: Any) -> bytes:
    """A NIfTI-1 with these values (x, y, z) whose header fields are overwritten."""
    values = ramp() if values is None else values
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(values.dtype)
    image = nib.Nifti1Image(values, AFFINE, header)
    image.header.set_slope_inter(1, 0)
    data = bytearray(image.to_bytes())
    for name, value in fields.items():
        where, form = FIELDS[name]
        struct.pack_into(order + form, data, where, *(value if isinstance(value, tuple) else (value,)))
    return bytes(data)


def loaded(data: bytes) -> Any:
    """What nibabel makes of the bytes, without its log."""
    logger = logging.getLogger("nibabel.global")
    logger.disabled = True
    try:
        return nib.Nifti1Image.from_bytes(data)
    finally:
        logger.disabled = False


def check_place(data: bytes) -> None:
    affine = decode_bytes(data, max_voxels=1000).facts.affine
    assert affine is not None
    assert np.array_equal(affine.matrix[:, [2, 1, 0, 3]], loaded(data).affine)


@st.composite
def headers(draw: st.DrawFn) -> tuple[Any, np.ndarray]:
    """A nibabel image of any version, byte order, type, number of axes, scaling and place, and its stored values."""
    kind = draw(st.sampled_from([nib.Nifti1Image, nib.Nifti2Image, nib.Nifti1Pair, nib.Nifti2Pair]))
    dtype = np.dtype(draw(st.sampled_from(TYPES))).newbyteorder(draw(st.sampled_from("<>")))
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=4)))
    values = np.random.default_rng(draw(st.integers(0, 999))).integers(0, 100, shape).astype(dtype)
    header = kind.header_class(endianness="<" if dtype.str[0] == "|" else dtype.str[0])
    header.set_data_dtype(dtype)
    image = kind(values, None, header)
    matrix = np.eye(4)
    matrix[:3] = np.reshape(draw(st.lists(small, min_size=12, max_size=12)), (3, 4))
    matrix[:3, :3] += np.diag(np.copysign(200, matrix[:3, :3].diagonal()))
    image.set_sform(matrix, draw(st.integers(0, 5)))
    image.set_qform(matrix, draw(st.integers(0, 5)))
    image.header.set_slope_inter(draw(st.sampled_from([1, 2, 0.5, -3, 0.25])), draw(st.sampled_from([0, 7, -0.5])))
    return image, values


def stored_as_files(image: Any, values: np.ndarray, folder: Path, compressed: bool) -> list[Path]:
    """The image's header with these stored values, as nibabel lays them out, in one file or two."""
    head, body = io.BytesIO(), values.tobytes(order="F")
    header = image.header.copy()
    if header.is_single:
        header["vox_offset"] = header.single_vox_offset
    header.write_to(head)
    contents = [head.getvalue() + body] if header.is_single else [head.getvalue(), body]
    names = ["a.nii"] if header.is_single else ["a.hdr", "a.img"]
    paths = [folder / (name + (".gz" if compressed else "")) for name in names]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(gzip.compress(content, 1) if compressed else content)
    return paths


@settings(deadline=None, max_examples=150)
@given(headers(), st.booleans())
def test_any_valid_header_gives_the_values_and_the_place_of_nibabel(tmp_path_factory, made, compressed):
    image, values = made
    paths = stored_as_files(image, values, tmp_path_factory.mktemp("nifti"), compressed)
    truth = nib.load(paths[0])
    facts = probe(paths)
    array = decode_stored(paths, facts).array
    expected = truth.get_fdata().reshape(values.shape + (1,) * (4 - values.ndim)).T
    assert array.dtype == facts.dtype
    assert np.array_equal(array, expected.astype(facts.dtype))
    whole = all(float(image.header[name]).is_integer() for name in ("scl_slope", "scl_inter"))
    assert (facts.dtype == "float32") == (values.dtype.kind == "f" or not whole)
    assert facts.affine is not None
    assert np.array_equal(facts.affine.matrix[:, [2, 1, 0, 3]], truth.affine)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "slips",
    [
        {"qfac": 0.0, "sform_code": 0, "qform_code": 1},
        {"qfac": -1.0, "sform_code": 0, "qform_code": 1},
        {"qfac": 5.0, "sform_code": 0, "qform_code": 1},
        {"qfac": math.nan, "sform_code": 0, "qform_code": 1},
        {"dx": -2.0, "sform_code": 0, "qform_code": 1},
        {"dx": 0.0, "sform_code": 0, "qform_code": 1},
        {"dx": -2.0, "sform_code": 0, "qform_code": 0},
        {"sform_code": 0, "qform_code": 0},
        {"sform_code": 99, "qform_code": 1},
        {"sform_code": 99, "qform_code": -7},
        {"sform_code": 1, "qform_code": 0, "qfac": 0.0},
        {"units": 255},
        {"units": 0},
    ],
    ids=str,
)
def test_slips_of_a_header_are_mended_as_nibabel_mends_them(order: str, slips: dict[str, Any]):
    check_place(nifti(order=order, **slips))


def test_a_qform_whose_quaternion_is_slightly_too_long_is_taken(tmp_path: Path):
    data = bytearray(nifti(sform_code=0, qform_code=1))
    struct.pack_into("<3f", data, 256, 0.0, 0.6, 0.80000001)
    check_place(bytes(data))


@pytest.mark.parametrize("unit", ["meter", "mm", "micron", "unknown"])
@pytest.mark.parametrize("codes", [(1, 0), (0, 1)])
def test_the_place_is_in_millimetres_whatever_the_unit_as_in_simpleitk(unit: str, codes: tuple[int, int], tmp_path):
    factor = {"meter": 1000, "micron": 0.001}.get(unit, 1)
    image = nib.Nifti1Image(ramp(), None)
    image.set_sform(AFFINE, codes[0])
    image.set_qform(AFFINE, codes[1])
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "a.nii")
    facts = probe([tmp_path / "a.nii"])
    assert facts.affine is not None
    assert facts.details["space_units"] == unit
    assert np.allclose(facts.affine.matrix[:3, [2, 1, 0, 3]], AFFINE[:3] * factor, rtol=1e-5, atol=1e-6 * factor)
    other = sitk.ReadImage(tmp_path / "a.nii")
    assert np.allclose(facts.affine.spacing[::-1], other.GetSpacing(), rtol=1e-5)
    assert np.allclose(np.array(facts.affine.origin) * (-1, -1, 1), other.GetOrigin(), rtol=1e-5)


@pytest.mark.parametrize("slope", [0.0, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("inter", [0.0, 5.0, math.nan])
def test_a_slope_that_is_no_number_means_values_as_stored(slope: float, inter: float):
    found = decode_bytes(nifti(slope=slope, inter=inter), max_voxels=1000)
    assert found.facts.dtype == "int16"
    assert np.array_equal(found.array[0].T, ramp())
    assert np.array_equal(found.array[0].T, loaded(nifti(slope=slope, inter=inter)).dataobj)


@pytest.mark.parametrize("inter", [math.nan, math.inf])
def test_a_slope_with_an_intercept_that_is_no_number_is_a_decode_error(inter: float):
    with pytest.raises(DecodeError, match=r"slope 2 and intercept (nan|inf), which is no number\. Set scl_inter"):
        decode_bytes(nifti(slope=2.0, inter=inter), max_voxels=1000)


def test_a_slope_beyond_all_integers_gives_floats():
    found = decode_bytes(nifti(slope=1e30), max_voxels=1000)
    assert found.facts.dtype == "float32"
    assert np.allclose(found.array[0].T, ramp() * 1e30)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"sform": (0.0,) * 12},
            r"its sform \(code 2\) gives the voxels no place .*axes lie in one plane.*\.set_sform\(",
        ),
        ({"sform": (math.nan,) * 12}, r"its sform \(code 2\) gives the voxels no place .*must be finite"),
        ({"sform": (1.0, 1, 0, 0) * 3}, r"its sform \(code 2\) .*in one plane.*or set its code to 0"),
        ({"sform_code": 0, "qform_code": 3, "dx": math.inf}, r"its qform \(code 3\) gives the voxels no place"),
    ],
    ids=str,
)
def test_axes_that_span_no_space_are_a_geometry_error_that_says_what_to_do(fields, says, tmp_path: Path):
    (tmp_path / "flat.nii").write_bytes(nifti(**fields))
    with pytest.raises(GeometryError, match=rf"^flat\.nii: {says}"):
        probe([tmp_path / "flat.nii"])


@pytest.mark.parametrize("size", [1e-5, 1e-3, 1e3])
def test_tiny_and_huge_voxels_keep_their_place(size: float):
    check_place(nifti(sform=tuple((AFFINE[:3] * size).ravel().tolist())))


@pytest.mark.parametrize(
    ("code", "name"),
    [(1, "binary"), (32, "complex64"), (1536, "float128"), (1792, "complex128"), (2048, "complex256"), (0, "unknown")],
)
def test_types_that_are_no_image_type_are_refused_by_name(code: int, name: str):
    with pytest.raises(DecodeError, match=rf"its voxels are of type {name} \(code {code}\).*Save "):
        parse_header(nifti(datatype=code))


@pytest.mark.parametrize("code", [3, 77, -5, 30000])
def test_a_code_that_is_no_type_is_a_decode_error(code: int):
    with pytest.raises(DecodeError, match=f"its header is damaged: no type of voxels has the code {code}"):
        parse_header(nifti(datatype=code))


def test_axes_of_one_behind_the_fourth_do_not_count():
    assert parse_header(nifti(dim=(7, 3, 4, 5, 1, 1, 1, 1))).shape == (3, 4, 5, 1)
    with pytest.raises(DecodeError, match=r"it is 7-D, shape \(3, 4, 5, 1, 1, 1, 2\)"):
        parse_header(nifti(dim=(7, 3, 4, 5, 1, 1, 1, 2)))


@pytest.mark.parametrize(
    "dim", [(3, 3, 0, 5, 1, 1, 1, 1), (3, 3, -4, 5, 1, 1, 1, 1), (0,) * 8, (1, 60, 1, 1, 1, 1, 1, 1)]
)
def test_a_shape_without_voxels_is_a_decode_error(dim):
    with pytest.raises(DecodeError, match="its shape"):
        parse_header(nifti(dim=dim))


@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("shape", [(4, 5, 6), (4, 5)])
@pytest.mark.parametrize("compressed", [False, True])
def test_colour_comes_as_channels(samples: int, shape: tuple[int, ...], compressed: bool):
    plain = np.random.default_rng(0).integers(0, 255, (*shape, samples)).astype(np.uint8)
    colour = plain.view([(letter, "u1") for letter in "RGBA"[:samples]])[..., 0]
    data = nib.Nifti1Image(colour, AFFINE).to_bytes()
    found = decode_bytes(gzip.compress(data) if compressed else data, max_voxels=1000)
    assert (found.facts.channels, found.facts.dtype) == (samples, "uint8")
    assert np.array_equal(np.moveaxis(found.array, 0, -1).squeeze(), np.swapaxes(plain, 0, len(shape) - 1).squeeze())


def test_colour_over_time_is_a_decode_error_that_says_what_to_do():
    colour = np.zeros((2, 2, 2, 3), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(DecodeError, match=r"colour over a fourth axis of 3.*Save each volume"):
        decode_bytes(nib.Nifti1Image(colour, AFFINE).to_bytes(), max_voxels=1000)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4"])
def test_a_label_intent_keeps_integers(dtype: str):
    image = nib.Nifti1Image(ramp(dtype), AFFINE)
    image.header.set_intent("label")
    found = decode_bytes(image.to_bytes(), max_voxels=1000)
    assert found.array.dtype.kind in "iu"
    assert found.facts.details["intent_code"] == 1002


def test_extensions_and_trailing_bytes_change_nothing(tmp_path: Path):
    image = nib.Nifti1Image(ramp(), AFFINE)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 5000))
    for data in (image.to_bytes() + b"behind", gzip.compress(image.to_bytes()) + gzip.compress(b"another member")):
        assert np.array_equal(decode_bytes(data, max_voxels=1000).array[0].T, ramp())
        (tmp_path / "a.nii").write_bytes(data)
        assert np.array_equal(decode_stored([tmp_path / "a.nii"], probe([tmp_path / "a.nii"])).array[0].T, ramp())


def test_values_are_scaled_in_float64_and_rounded_once():
    stored = np.array([[[16777217, -16777219]]], np.int32)
    found = decode_bytes(nifti(stored, slope=0.1, inter=0.3), max_voxels=10)
    slope, inter = float(np.float32(0.1)), float(np.float32(0.3))
    assert np.array_equal(found.array[0].T, (stored * slope + inter).astype(np.float32))


def test_a_nifti2_whose_line_ends_were_changed_is_a_decode_error():
    data = nib.Nifti2Image(ramp(), AFFINE).to_bytes()
    with pytest.raises(DecodeError, match="not a NIfTI file"):
        parse_header(data[:8] + b"\n\n\x1a\n" + data[12:])
    assert parse_header(data[:8] + bytes(4) + data[12:]).shape == (3, 4, 5, 1)
