"""Decoding a volume holds little more than its array: no second copy on the way."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from datamint_like.imaging import decode_stored, probe

from .nifti_pair_files import AFFINE

SHAPE = (256, 256, 80)  # 10 MB of int16


@pytest.mark.parametrize(
    ("stored", "slope", "bytes_a_voxel"),
    [("<i2", 1.0, 2), (">i2", 1.0, 2), ("<i2", 0.5, 4), ("<f8", 1.0, 4)],
    ids=["int16", "big-endian", "scaled to float32", "float64 as float32"],
)
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_nifti_is_decoded_in_little_more_than_its_array(stored, slope, bytes_a_voxel, ending, tmp_path: Path):
    header = nib.Nifti1Header(endianness=stored[0])
    header.set_data_dtype(stored)
    data = bytearray(nib.Nifti1Image(np.ones(SHAPE, stored), AFFINE, header).to_bytes())
    struct.pack_into(stored[0] + "2f", data, 112, slope, 0.0)
    path = tmp_path / f"volume{ending}"
    path.write_bytes(gzip.compress(data, 1) if ending == ".nii.gz" else data)
    facts = probe([path])
    tracemalloc.start()
    try:
        array = decode_stored([path], facts).array
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert array.nbytes == np.prod(SHAPE) * bytes_a_voxel
    assert array.nbytes <= peak < array.nbytes * 1.5
