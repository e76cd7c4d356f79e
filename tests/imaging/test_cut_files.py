"""Files cut short by a copy that stopped are refused when they are looked at, before anything is decoded."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from datamint_like.exceptions import DecodeError
from datamint_like.imaging import assemble, decode_stored, probe

SHIPPED = [
    "ct_ge/IM0000.dcm",
    "ultrasound/examples_ybr_color.dcm",
    "xray/cr_16bit.png",
    "xray/nih_00000001_000.png",
    "xray/nih_00000001_000.jpg",
]
REAL = [
    "compressed/HTJ2KLossless_08_RGB.dcm",
    "compressed/JLSL_16_15_1_1F.dcm",
    "compressed/JPGExtended.dcm",
    "compressed/JPGLosslessP14SV1_1s_1f_8b.dcm",
    "compressed/MR2_J2KI.dcm",
    "compressed/SC_rgb_jpeg_dcmtk.dcm",
    "compressed/emri_small_RLE.dcm",
    "compressed/emri_small_big_endian.dcm",
    "compressed/emri_small_jpeg_2k_lossless.dcm",
    "compressed/emri_small_jpeg_ls_lossless.dcm",
    "compressed/explicit_VR-UN.dcm",
    "compressed/image_dfl.dcm",
    "compressed/mr_uncompressed/IM-0001-0001-0001.dcm",
    "ct_enhanced/eCT_Supplemental.dcm",
    "mr_enhanced/philips_fieldmap_2echo.dcm",
    "nifti/anatomical.nii",
    "nifti/example_nifti2.nii.gz",
    "nifti/mni152_t1.nii.gz",
    "nifti/mni152_gm.nii.gz",
    "parametric_map/parametric_map_float.dcm",
    "rtstruct/rtdose.dcm",
    "ultrasound/OBXXXX1A_rle_2frame.dcm",
    "ultrasound/US1_J2KI.dcm",
    "ultrasound/color-pl.dcm",
    "ultrasound/examples_palette.dcm",
    "xray/RG3_J2KR.dcm",
    "xray/vlut_04.dcm",
]
CUTS = {"header only": 600, "half": -2, "minus 100 bytes": -100, "minus 8 bytes": -8, "minus 1 byte": -1}


def cut(data: bytes, where: str) -> bytes:
    at = CUTS[where]
    return data[: len(data) // 2 if where == "half" else min(at, len(data) // 2) if at > 0 else at]


def refused_or_the_same(original: Path, where: str, folder: Path) -> None:
    path = folder / f"short_{original.name}"
    path.write_bytes(cut(original.read_bytes(), where))
    assembly = assemble([path])
    if assembly.groups:
        assert where.startswith("minus")
        whole = decode_stored([original], probe([original]))
        assert np.array_equal(decode_stored([path], assembly.groups[0].facts).array, whole.array, equal_nan=True)
        return
    (skip,) = assembly.skipped
    assert skip.reason.startswith(f"{path.name}: ")
    if where == "half":
        assert "cut short" in skip.reason


@pytest.mark.parametrize("where", CUTS)
@pytest.mark.parametrize("name", SHIPPED)
def test_a_cut_shipped_file_is_refused_by_name_or_decodes_the_same(
    name: str, where: str, demo_images: Path, tmp_path: Path
):
    refused_or_the_same(demo_images / name, where, tmp_path)


@pytest.mark.parametrize("where", CUTS)
@pytest.mark.parametrize("name", REAL)
def test_a_cut_real_file_is_refused_by_name_or_decodes_the_same(name: str, where: str, real_data: Path, tmp_path: Path):
    refused_or_the_same(real_data / name, where, tmp_path)


@pytest.mark.parametrize("trailing", [b"\0" * 7, b"note" * 20_000])
@pytest.mark.parametrize("name", ["cr_16bit.png", "nih_00000001_000.jpg"])
def test_bytes_behind_a_picture_do_not_matter(name: str, trailing: bytes, demo_images: Path, tmp_path: Path):
    original = demo_images / "xray" / name
    path = tmp_path / name
    path.write_bytes(original.read_bytes() + trailing)
    (group,) = assemble([path]).groups
    whole = decode_stored([original], probe([original]))
    assert np.array_equal(decode_stored([path], group.facts).array, whole.array)


@pytest.fixture
def volume() -> bytes:
    values = np.random.default_rng(0).integers(0, 999, (20, 30, 40)).astype(np.int16)
    return bytes(nib.Nifti1Image(values, np.eye(4)).to_bytes())


def test_a_small_file_that_claims_the_largest_volume_is_refused(volume: bytes, tmp_path: Path):
    data = bytearray(volume[:4096])
    data[42:48] = np.full(3, 32767, np.int16).tobytes()
    for name, content in {"a.nii": bytes(data), "a.nii.gz": gzip.compress(data)}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DecodeError, match=rf"^{name}: it is cut short: expected 70,362,301,923,\d+ bytes"):
            probe([tmp_path / name])


@pytest.mark.parametrize("where", ["in a member", "between members", "padded"])
def test_gzip_files_of_several_members_or_with_padding_are_counted(where: str, volume: bytes, tmp_path: Path):
    members = [gzip.compress(volume[:20_000]), gzip.compress(volume[20_000:])]
    if where == "padded":
        (tmp_path / "a.nii.gz").write_bytes(gzip.compress(volume + b"\0" * 1000))
    else:
        (tmp_path / "a.nii.gz").write_bytes(b"".join(members))
    facts = probe([tmp_path / "a.nii.gz"])
    expected = np.asanyarray(nib.Nifti1Image.from_bytes(volume).dataobj).T
    assert np.array_equal(decode_stored([tmp_path / "a.nii.gz"], facts).array[0], expected)
    whole = (tmp_path / "a.nii.gz").read_bytes()
    short = {"in a member": whole[:-900], "between members": members[0], "padded": whole[: len(whole) // 2]}[where]
    (tmp_path / "b.nii.gz").write_bytes(short)
    with pytest.raises(
        DecodeError, match=r"^b\.nii\.gz: it is cut short: expected 48,\d+ bytes .* Copy the file again"
    ):
        probe([tmp_path / "b.nii.gz"])


def bgzf(data: bytes) -> bytes:
    """The bytes as bgzip packs them: members of up to 64 KB that tell their length, an empty one at the end."""
    made = []
    for at in [*range(0, len(data), 20_000), len(data)]:
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        piece = data[at : at + 20_000]
        body = packer.compress(piece) + packer.flush()
        head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", len(body) + 25)
        made.append(head + body + struct.pack("<II", zlib.crc32(piece), len(piece)))
    return b"".join(made)


def test_a_file_of_bgzip_is_counted_without_inflating_it(volume: bytes, tmp_path: Path, monkeypatch):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(bgzf(volume))
    assert gzip.decompress(path.read_bytes()) == volume
    with monkeypatch.context() as patch:
        patch.setattr("datamint_like.imaging._nifti_length._inflated_length", None)
        facts = probe([path])
    expected = np.asanyarray(nib.Nifti1Image.from_bytes(volume).dataobj).T
    assert np.array_equal(decode_stored([path], facts).array[0], expected)
    for short in (bgzf(volume[:40_000]), path.read_bytes()[:-500]):
        path.write_bytes(short)
        with pytest.raises(DecodeError, match=r"^a\.nii\.gz: it is cut short"):
            probe([path])
