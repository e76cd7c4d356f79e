"""Label maps as NIfTI bytes, the same bytes each time."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
from isal import igzip

from datamint_like.imaging._nibabel import Nifti1Image
from datamint_like.imaging.types import Array


def nifti_gz(xyz: Array, affine: npt.NDArray[np.float64]) -> bytes:
    """A .nii.gz of a label map (x, y, z) of uint8, int16 or int32 with this affine, in that type."""
    image: Any = cast("Any", Nifti1Image)(xyz, affine)
    image.header.set_xyzt_units("mm")
    data: bytes = igzip.compress(image.to_bytes(), 1, mtime=0)
    return data
