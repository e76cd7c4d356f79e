"""Small mask files that inflate to hundreds of megabytes are held against their resource before they are inflated."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from datamint_like import Api
from datamint_like.exceptions import DecodeError, GeometryError
from tests.memory import memory_peak, zeros

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

LARGE = 400 << 20  # bytes, here one a voxel
SIDES = (1024, 1024, 400)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
SMALL = LARGE // 8


@pytest.fixture
def small(api: Api, tmp_path: Path) -> str:
    """A resource of 9 x 10 x 11 voxels."""
    nib.save(nib.Nifti1Image(np.arange(990, dtype=np.int16).reshape(9, 10, 11), AFFINE), tmp_path / "v.nii.gz")
    return api.resources.upload_resource(tmp_path / "v.nii.gz")


def header(kind: type[Any] = nib.Nifti1Image, affine: Any = AFFINE) -> bytes:
    made = kind(np.zeros((1, 1, 1), np.uint8), affine)
    made.header.set_data_shape(SIDES)
    return bytes(made.header.binaryblock)


def nifti(folder: Path, affine: Any = AFFINE) -> Path:
    path = folder / "m.nii.gz"
    path.write_bytes(gzip.compress(header(affine=affine) + bytes(4)) + zeros(LARGE, 31))
    return path


def without_place(folder: Path) -> Path:
    return nifti(folder, np.eye(4))


def pair(folder: Path) -> Path:
    (folder / "m.hdr").write_bytes(header(nib.Nifti1Pair))
    (folder / "m.img.gz").write_bytes(zeros(LARGE, 31))
    return folder / "m.hdr"


def loaded(folder: Path) -> Any:
    return nib.load(nifti(folder))


def npz(folder: Path) -> Path:
    start = io.BytesIO()
    np.lib.format.write_array_header_1_0(start, {"descr": "|u1", "fortran_order": False, "shape": SIDES})
    with (
        zipfile.ZipFile(folder / "m.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a.npy", "w", force_zip64=True) as file,
    ):
        file.write(start.getvalue())
        for _ in range(LARGE >> 20):
            file.write(bytes(1 << 20))
    return folder / "m.npz"


def run_lengths(folder: Path) -> Any:
    return {"size": [20_480, 20_480], "counts": [20_480**2]}


def picture(folder: Path) -> Path:
    """A PNG of 20480 x 20480 gray pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    side = (20_480).to_bytes(4, "big")
    packer, row = zlib.compressobj(1), bytes(20_481)
    data = b"".join([*(packer.compress(row) for _ in range(20_480)), packer.flush()])
    chunks = chunk(b"IHDR", side * 2 + b"\x08\0\0\0\0") + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    (folder / "m.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return folder / "m.png"


MASKS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a NIfTI": (nifti, r"m\.nii\.gz: it lies on another grid: the mask has shape \(k, j, i\) \(400, 1024, 1024\)"),
    "a NIfTI without a place": (without_place, r"m\.nii\.gz: The mask has shape \(1024, 1024, 400\), the image"),
    "a NIfTI pair": (pair, r"m\.hdr: it lies on another grid: its shape is \(1024, 1024, 400, 1\)"),
    "a NIfTI that nibabel opened": (loaded, r"it lies on another grid: its shape is \(1024, 1024, 400\)"),
    "a .npz": (npz, r"m\.npz: it lies on another grid: its shape is \(1024, 1024, 400\), that of the image"),
    "a run-length code": (run_lengths, r"it lies on another grid: its shape is \(20480, 20480\)"),
    "a picture": (picture, r"m\.png has frames of 20480 rows x 20480 columns, but v\.nii\.gz .* has 10 x 9"),
}


@pytest.mark.parametrize("case", MASKS)
def test_a_mask_of_another_grid_is_refused_before_it_is_inflated(
    api: Api, small: str, tmp_path: Path, case: str
) -> None:
    make, reason = MASKS[case]
    given = make(tmp_path)

    def work() -> None:
        with pytest.raises(GeometryError, match=reason):
            api.annotations.upload_segmentations(small, given, name="liver")

    assert memory_peak(work) < SMALL
    assert api.annotations.get_list(small) == []


@pytest.mark.parametrize("make", [nifti, npz])
def test_bytes_are_held_against_the_grid_like_files(api: Api, small: str, tmp_path: Path, make: Any) -> None:
    given = make(tmp_path).read_bytes()

    def work() -> None:
        with pytest.raises(GeometryError, match="lies on another grid"):
            api.annotations.upload_volume_segmentation(small, given, name="liver")

    assert memory_peak(work) < SMALL


def test_a_mask_that_is_resampled_is_held_against_the_limit_of_voxels(
    api: Api, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = nifti(tmp_path)
    monkeypatch.setenv("DATAMINT_LIKE_MAX_VOXELS", "1000000")

    def work() -> None:
        with pytest.raises(DecodeError, match=r"m\.nii\.gz: its header claims 419,430,400 voxels, more than .* 1,000,"):
            api.annotations.upload_volume_segmentation(small, given, name="liver", resample_masks=True)

    assert memory_peak(work) < SMALL


def test_a_larger_mask_is_still_resampled(api: Api, small: str, tmp_path: Path) -> None:
    fine = np.zeros((36, 40, 44), np.uint8)
    fine[:18] = 1
    nib.save(nib.Nifti1Image(fine, np.diag([0.5, 0.5, 0.5, 1.0])), tmp_path / "fine.nii.gz")
    for given in (tmp_path / "fine.nii.gz", nib.load(tmp_path / "fine.nii.gz")):
        api.annotations.upload_volume_segmentation(small, given, name="liver", resample_masks=True)
    assert len(api.annotations.get_list(small)) == 2
