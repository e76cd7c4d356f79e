"""Label maps as NIfTI bytes, the same bytes each time."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
from isal import igzip
from nibabel.nifti1 import Nifti1Image

from datamint_like.imaging.types import Array


def label_type(array: Array) -> str:
    """The smallest integer type that holds these labels."""
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    if low >= 0 and high <= 255:
        return "uint8"
    return "int16" if low >= -(1 << 15) and high < 1 << 15 else "int32"


def nifti_gz(xyz: Array, affine: npt.NDArray[np.float64]) -> bytes:
    """A .nii.gz of an integer array (x, y, z) with this affine."""
    image: Any = cast("Any", Nifti1Image)(np.asarray(xyz, dtype=label_type(xyz)), affine)
    image.header.set_xyzt_units("mm")
    data: bytes = igzip.compress(image.to_bytes(), 1, mtime=0)
    return data
