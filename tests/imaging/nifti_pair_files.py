"""NIfTI header and image files, made by nibabel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

#: Oblique: turned by the angle of 3, 4, 5 about z.
AFFINE = np.array([[-1.6, -1.2, 0, 90], [-1.2, 1.6, 0, -126], [0, 0, 2.5, -72], [0, 0, 0, 1.0]])


def write_pair(
    folder: Path, values: np.ndarray, *, stem: str = "brain", ending: str = "", version: int = 1, order: str = "<"
) -> tuple[Path, Path]:
    """`stem.hdr` and `stem.img` (`ending=".gz"`: compressed) with these values (x, y, z[, t])."""
    kind: Any = nib.Nifti1Pair if version == 1 else nib.Nifti2Pair
    header = kind.header_class(endianness=order)
    header.set_data_dtype(values.dtype)
    header.set_xyzt_units("mm", "sec")
    folder.mkdir(parents=True, exist_ok=True)
    image = kind(values, AFFINE, header)
    image.header.set_slope_inter(1, 0)
    nib.save(image, folder / f"{stem}.img{ending}")
    return folder / f"{stem}.hdr{ending}", folder / f"{stem}.img{ending}"


def ramp(dtype: str = "<i2", shape: tuple[int, ...] = (3, 4, 5)) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)
