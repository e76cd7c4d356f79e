"""NumPy files: the one array of a .npy or .npz, never unpickled."""

from __future__ import annotations

import io
import math
import zipfile
from typing import Any

import numpy as np

from datamint_like.config import DEFAULT_MAX_VOXELS
from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import reading, refuse_oversized
from datamint_like.imaging.types import Array

NPY = b"\x93NUMPY"
_HEADERS: dict[tuple[int, int], Any] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_LONGEST_HEADER = 1 << 16


def decode_numpy(payload: bytes, *, name: str, max_voxels: int = DEFAULT_MAX_VOXELS) -> Array:
    """The array of a .npy file, or the only one of a .npz.

    Raises:
        DecodeError: It is damaged or too large, holds objects (which could run code), or several arrays.
    """
    with reading(name):
        if payload.startswith(NPY):
            return _array(payload, max_voxels)
        return _array(_member(payload, max_voxels), max_voxels)


def is_npz(payload: bytes) -> bool:
    """Whether these bytes are a ZIP archive whose first file is a .npy."""
    return payload.startswith(b"PK\x03\x04") and b".npy" in payload[: 30 + 256]


def _member(payload: bytes, max_voxels: int) -> bytes:
    """The only file of an archive, inflated no further than it says and the limit allows."""
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        names = [each for each in archive.infolist() if each.filename.endswith(".npy")]
        if len(names) != 1:
            listed = ", ".join(each.filename.removesuffix(".npy") for each in names[:10]) or "none"
            raise DecodeError(f"it holds {len(names)} arrays ({listed}); a mask is one. Save the one with numpy.save.")
        refuse_oversized(names[0].file_size // 8, max_voxels)
        with archive.open(names[0]) as file:
            return file.read(names[0].file_size)


def _array(payload: bytes, max_voxels: int) -> Array:
    stream = io.BytesIO(payload)
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise DecodeError(f"it is a .npy of version {version[0]}.{version[1]}; 1.0 and 2.0 can be read.")
    shape, fortran, dtype = _HEADERS[version](stream, max_header_size=_LONGEST_HEADER)
    if dtype.hasobject or dtype.kind not in "biuf":
        raise DecodeError(f"it holds values of type {dtype}; a mask holds integers or booleans.")
    voxels = math.prod(shape)
    refuse_oversized(voxels, max_voxels)
    left = len(payload) - stream.tell()
    if left < voxels * dtype.itemsize:
        raise DecodeError(f"it is cut short: expected {voxels * dtype.itemsize:,} bytes of values, found {left:,}.")
    values = np.frombuffer(payload, dtype, count=voxels, offset=stream.tell())
    return values.reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="))
