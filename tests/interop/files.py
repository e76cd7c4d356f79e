"""The files that the tour uploads: shipped images as they are, a small volume with its labels, and a video."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np

from tests.conftest import REPOSITORY
from tests.imaging.video_files import numbered

_IMAGES = REPOSITORY / "datamint_like" / "demo" / "images"
_COPIED = {
    "chest.png": "xray/nih_00000001_000.png",
    "chest_mask.png": "xray/nih_00000001_000_mask.png",
    "chest.jpg": "xray/nih_00027426_000.jpg",
    "deep.png": "xray/cr_16bit.png",
    "slice.dcm": "ct_philips/IM0020.dcm",
}
_SLICES = 5
_FRAMES = 8


def write_files(folder: Path) -> Path:
    """Write everything into a new folder; the folder."""
    (folder / "series").mkdir(parents=True)
    for name, source in _COPIED.items():
        shutil.copy(_IMAGES / source, folder / name)
    for path in sorted((_IMAGES / "ct_philips").iterdir())[:_SLICES]:
        shutil.copy(path, folder / "series" / path.name)
    _write_volume(folder)
    numbered(folder / "clip.mp4", "libx264", count=_FRAMES)
    return folder


def _write_volume(folder: Path) -> None:
    """`brain.nii.gz` (12, 10, 6), each voxel of its own value, and `brain_mask.nii.gz` with labels 1 and 2."""
    affine = np.diag([0.5, 0.5, 3.0, 1.0])
    affine[:3, 3] = (-20.0, -10.0, 5.0)
    voxels = np.arange(12 * 10 * 6, dtype=np.int16).reshape(12, 10, 6)
    labels = np.zeros((12, 10, 6), np.uint8)
    labels[1, 2, 3] = 1
    labels[4:8, 5, 0:2] = 2
    nib.save(nib.Nifti1Image(voxels, affine), folder / "brain.nii.gz")
    nib.save(nib.Nifti1Image(labels, affine), folder / "brain_mask.nii.gz")
