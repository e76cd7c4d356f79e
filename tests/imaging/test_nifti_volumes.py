from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import ReadOptions, decode_stored, probe, read
from datamint_like.imaging.nifti import decode_bytes

FILES = [
    "anatomical.nii",
    "functional.nii",
    "example_nifti2.nii.gz",
    "standard.nii.gz",
    "mni152_t1.nii.gz",
    "dipy_small_64D.nii",
    "dipy_aniso_vox.nii.gz",
]
AFFINE = np.array([[-2, 0.1, 0, 90], [0, 2, 0.2, -126], [0, 0, 2.5, -72], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("name", FILES)
def test_values_and_affine_are_those_of_nibabel(name: str, real_data: Path):
    path = real_data / "nifti" / name
    truth = nib.load(path)
    facts = probe([path])
    array = decode_stored([path], facts).array
    expected = np.asarray(truth.dataobj)
    expected = expected[..., None] if expected.ndim == 3 else expected
    assert array.shape == (facts.channels, *facts.shape)
    assert str(array.dtype) == facts.dtype
    assert array.flags.writeable
    assert np.array_equal(array, expected.T.astype(facts.dtype))
    assert facts.affine is not None
    assert np.allclose(facts.affine.matrix[:, [2, 1, 0, 3]], truth.affine)


def test_a_read_volume_is_the_closest_canonical_of_nibabel(real_data: Path):
    path = real_data / "nifti" / "mni152_t1.nii.gz"
    item = read([path], probe([path]))
    turned = nib.load(path).as_reoriented(nib.orientations.axcodes2ornt(nib.aff2axcodes(nib.load(path).affine)))
    lps = nib.load(path).as_reoriented(
        nib.orientations.ornt_transform(
            nib.orientations.io_orientation(turned.affine), nib.orientations.axcodes2ornt("LPS")
        )
    )
    assert np.array_equal(item.array[0], np.asarray(lps.dataobj).T)
    assert item.affine is not None
    assert np.allclose(item.affine.matrix[:, [2, 1, 0, 3]], lps.affine)


def make(array: np.ndarray, slope: float = 1.0, inter: float = 0.0, kind=nib.Nifti1Image) -> bytes:
    image = kind(array, AFFINE, dtype=array.dtype)
    image.header.set_slope_inter(slope, inter)
    data = bytearray(image.to_bytes())
    if (slope, inter) != (1.0, 0.0) and kind is nib.Nifti1Image:
        data[112:120] = np.array([slope, inter], dtype="<f4").tobytes()
    return bytes(data)


@pytest.mark.parametrize(
    ("stored", "slope", "inter", "dtype"),
    [
        ("u1", 1, 0, "uint8"),
        ("i1", 1, 0, "int16"),
        ("i2", 1, 0, "int16"),
        ("u2", 1, 0, "int32"),
        ("i4", 1, 0, "int32"),
        ("i8", 1, 0, "int32"),
        ("f4", 1, 0, "float32"),
        ("f8", 1, 0, "float32"),
        ("u1", 2, -3, "int16"),
        ("i2", 3, 10, "int32"),
        ("i2", 0.5, 0, "float32"),
    ],
)
def test_the_header_decides_the_type(stored: str, slope: float, inter: float, dtype: str):
    values = np.arange(24, dtype=stored).reshape(2, 3, 4)
    found = decode_bytes(make(values, slope, inter), max_voxels=99)
    assert found.facts.dtype == str(found.array.dtype) == dtype
    assert np.array_equal(found.array[0].T, values.astype(float) * slope + inter)


@settings(deadline=None)
@given(
    st.sampled_from(["<i2", ">i2", "<f4", ">f4", ">u1"]),
    st.lists(st.integers(1, 5), min_size=2, max_size=4),
    st.booleans(),
    st.sampled_from([nib.Nifti1Image, nib.Nifti2Image]),
)
def test_any_shape_byte_order_and_compression_comes_back(dtype, shape, compressed, kind):
    values = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    header = kind.header_class(endianness="<" if dtype[0] == "<" else ">")
    header.set_data_dtype(dtype)
    data = kind(values, AFFINE, header).to_bytes()
    found = decode_bytes(gzip.compress(data) if compressed else data, max_voxels=10_000)
    full = values.reshape(tuple(shape) + (1,) * (4 - len(shape)))
    assert np.array_equal(found.array, full.T)
    assert found.facts.kind == ("image" if full.shape[2] == 1 else "volume")


def test_sform_goes_before_qform_as_in_nibabel(tmp_path: Path):
    for sform, qform in ((2, 1), (0, 1), (0, 0)):
        image = nib.Nifti1Image(np.zeros((3, 4, 5), np.uint8), None)
        image.set_sform(AFFINE, code=sform)
        image.set_qform(np.diag([3.0, 3, 3, 1]), code=qform)
        nib.save(image, tmp_path / "a.nii")
        affine = probe([tmp_path / "a.nii"]).affine
        assert affine is not None
        assert np.allclose(affine.matrix[:, [2, 1, 0, 3]], nib.load(tmp_path / "a.nii").affine)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("share", [0.001, 0.2, 0.9])
def test_a_truncated_nifti_is_a_decode_error_that_names_it(compressed: bool, share: float, tmp_path: Path):
    data = make(np.random.default_rng(1).integers(0, 999, (20, 20, 20), dtype=np.int16))
    data = gzip.compress(data) if compressed else data
    path = tmp_path / "cut.nii"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DecodeError, match=r"cut\.nii: "):
        decode_stored([path], probe([path]))


def test_a_wrong_crc_is_a_decode_error(tmp_path: Path):
    data = bytearray(gzip.compress(make(np.zeros((20, 20, 20), np.int16))))
    data[-6] ^= 0xFF
    (tmp_path / "a.nii.gz").write_bytes(data)
    with pytest.raises(DecodeError, match=r"a\.nii\.gz: "):
        decode_stored([tmp_path / "a.nii.gz"], probe([tmp_path / "a.nii.gz"]))


def test_a_header_that_claims_a_trillion_voxels_is_refused_before_allocation(tmp_path: Path):
    data = bytearray(make(np.zeros((2, 2, 2), np.int16), kind=nib.Nifti2Image))
    data[16:56] = np.array([3, 10_000, 10_000, 10_000, 1], dtype="<i8").tobytes()
    path = tmp_path / "huge.nii"
    path.write_bytes(data)
    with pytest.raises(DecodeError, match=r"huge\.nii: it is cut short: expected 2,000,000,000,000 bytes of voxels"):
        probe([path])
    with pytest.raises(DecodeError, match=r"its header claims 1,000,000,000,000 voxels"):
        decode_bytes(bytes(data), max_voxels=ReadOptions.max_voxels)


@pytest.mark.parametrize(
    ("shape", "dtype", "says"),
    [
        (
            (2, 2, 2, 1, 3),
            np.int16,
            r"it is 5-D, shape \(2, 2, 2, 1, 3\), intent code 0: vectors or .*Save",
        ),
        ((2, 2, 2), np.complex64, r"its voxels are of type complex64 \(code 32\).*Save magnitude and phase"),
        ((2, 2, 2), np.complex128, r"its voxels are of type complex128 \(code 1792\)"),
        ((5,), np.int16, r"its shape \(5,\) is no image of 2, 3 or 4 axes"),
    ],
)
def test_what_is_no_image_of_four_axes_is_a_decode_error(shape, dtype, says, tmp_path: Path):
    nib.save(nib.Nifti1Image(np.zeros(shape, dtype), AFFINE), tmp_path / "odd.nii")
    with pytest.raises(DecodeError, match=rf"^odd\.nii: {says}"):
        probe([tmp_path / "odd.nii"])


def test_values_that_no_integer_type_of_torch_holds_are_a_decode_error(tmp_path: Path):
    (tmp_path / "a.nii").write_bytes(make(np.full((2, 2, 2), 2**40, dtype=np.int64)))
    with pytest.raises(DecodeError, match="do not fit int32"):
        decode_stored([tmp_path / "a.nii"], probe([tmp_path / "a.nii"]))
