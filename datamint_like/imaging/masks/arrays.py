"""NumPy files: the one array of a .npy or .npz, never unpickled."""

from __future__ import annotations

import io
import math
import zipfile
from typing import IO, Any

import numpy as np

from datamint_like.config import DEFAULT_MAX_VOXELS
from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import reading, refuse_larger, refuse_oversized
from datamint_like.imaging.types import Array

NPY = b"\x93NUMPY"
_HEADERS: dict[tuple[int, int], Any] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_LONGEST_HEADER = 1 << 16


def decode_numpy(
    payload: bytes, *, name: str, max_voxels: int = DEFAULT_MAX_VOXELS, image: tuple[int, int, int] | None = None
) -> Array:
    """The array of a .npy file, or the only one of a .npz.

    Args:
        payload: The bytes of the file.
        name: What the file is called in errors.
        max_voxels: Refuse a header that claims more.
        image: The shape (K, J, I) of the image that a mask is for; an array that is too large for it is not read.

    Raises:
        DecodeError: It is damaged or too large, holds objects (which could run code), or several arrays.
        GeometryError: It is larger than any mask of the image.

    Example:
        >>> np.save("mask.npy", np.eye(3, dtype=np.uint8))
        >>> decode_numpy(Path("mask.npy").read_bytes(), name="mask.npy").shape
        (3, 3)
    """
    with reading(name):
        if payload.startswith(NPY):
            return _array(io.BytesIO(payload), len(payload), max_voxels, image)
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            member = _only_member(archive)
            refuse_oversized(member.file_size // 8, max_voxels)
            with archive.open(member) as file:
                return _array(file, member.file_size, max_voxels, image)


def is_npz(payload: bytes) -> bool:
    """Whether these bytes are a ZIP archive whose first file is a .npy."""
    return payload.startswith(b"PK\x03\x04") and b".npy" in payload[: 30 + 256]


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The entry of the one array of an archive.

    Raises:
        DecodeError: It holds none, or several.
    """
    names = [each for each in archive.infolist() if each.filename.endswith(".npy")]
    if len(names) != 1:
        listed = ", ".join(each.filename.removesuffix(".npy") for each in names[:10]) or "none"
        raise DecodeError(f"it holds {len(names)} arrays ({listed}); a mask is one. Save the one with numpy.save.")
    return names[0]


def _array(stream: IO[bytes], size: int, max_voxels: int, image: tuple[int, int, int] | None) -> Array:
    """The array of a .npy of `size` bytes, held against the limits by its header before its values are read."""
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise DecodeError(f"it is a .npy of version {version[0]}.{version[1]}; 1.0 and 2.0 can be read.")
    shape, fortran, dtype = _HEADERS[version](stream, max_header_size=_LONGEST_HEADER)
    if dtype.hasobject or dtype.kind not in "biuf":
        raise DecodeError(f"it holds values of type {dtype}; a mask holds integers or booleans.")
    voxels = math.prod(shape)
    refuse_oversized(voxels, max_voxels)
    refuse_larger(shape, image)
    wanted, left = voxels * dtype.itemsize, size - stream.tell()
    data = stream.read(wanted) if wanted <= left else b""
    if len(data) < wanted:
        found = min(left, len(data) or left)
        raise DecodeError(f"it is cut short: expected {wanted:,} bytes of values, found {found:,}.")
    values = np.frombuffer(data, dtype, count=voxels)
    return values.reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="))
