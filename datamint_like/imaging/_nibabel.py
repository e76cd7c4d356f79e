"""What we use of nibabel. It imports pydicom, which must be imported our way before (see `imaging/dicom`)."""

from __future__ import annotations

import datamint_like.imaging.dicom  # noqa: F401

# isort: split
from nibabel.nifti1 import Nifti1Header, Nifti1Image, Nifti1Pair
from nibabel.nifti2 import Nifti2Header

__all__ = ["Nifti1Header", "Nifti1Image", "Nifti1Pair", "Nifti2Header"]
