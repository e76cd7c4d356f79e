"""One .nii derived from a NIfTI header and its image, the same bytes each time."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from isal import igzip

from datamint_like.config import DEFAULT_MAX_VOXELS
from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import reading, refuse_larger, refuse_oversized
from datamint_like.imaging._sources import sources_of
from datamint_like.imaging.nifti import header_of, voxel_stream
from datamint_like.imaging.nifti_header import LONGEST_HEADER
from datamint_like.imaging.nifti_pairs import pair_up
from datamint_like.imaging.sniff import is_gzip, is_nifti2
from datamint_like.imaging.types import SourceFile

_GZIP: Any = igzip.GzipFile
_PIECE = 1 << 20


def write_single_nifti(files: Sequence[SourceFile], target: BinaryIO) -> None:
    """Write a header and its image to an open binary file as one .nii.

    The header stays as it is, byte order included, but for its magic and where the voxels start; whole extensions
    are kept, voxels are copied as stored.

    Raises:
        DecodeError: A part is damaged or cut short.
    """
    header = header_of(files)
    with reading(files[0]):
        target.write(_single_header(files[0]))
    with reading(files[1]), voxel_stream(files[1], header) as stream:
        stream.seek(header.offset)
        left = header.length
        while left:
            piece = stream.read(min(_PIECE, left))
            if not piece:
                raise DecodeError(
                    f"it is cut short: expected {header.length:,} bytes of voxels, found {header.length - left:,}. "
                    "Copy the file again."
                )
            target.write(piece)
            left -= len(piece)


def single_nifti_bytes(header: Path, *, image: tuple[int, int, int] | None = None) -> bytes:
    """One .nii of the header of a pair and the image of the same name beside it.

    Raises:
        DecodeError: The image is missing, or a part is damaged, cut short or too large.
        GeometryError: It is larger than any mask of an image of this shape (K, J, I), where one is given.
    """
    with reading(header.name):
        stem = header.name.lower().removesuffix(".gz").removesuffix("hdr")
        beside = [path for path in header.parent.iterdir() if path.name.lower().startswith(stem)]
    parts = sources_of(pair_up({*beside, header}).parts(header))
    claims = header_of(parts)
    with reading(header.name):
        refuse_oversized(math.prod(claims.shape) * claims.samples, DEFAULT_MAX_VOXELS)
        refuse_larger(claims.shape, image)
    target = io.BytesIO()
    write_single_nifti(parts, target)
    return target.getvalue()


def _single_header(source: SourceFile) -> bytes:
    """The header of a pair, with its extensions, as that of a single file."""
    with open(source.path, "rb") as file:
        gzipped = is_gzip(file.read(2))
        file.seek(0)
        stream = _GZIP(fileobj=file, mode="rb") if gzipped else file
        data = bytearray(stream.read(LONGEST_HEADER))
    two = is_nifti2(bytes(data[:16]))
    size, magic, where, form = (540, 4, 168, "q") if two else (348, 344, 108, "f")
    order = "<" if data[0] else ">"
    extensions = b"".join(_extensions(bytes(data[size:]), order))
    single = data[:size]
    single[magic : magic + 3] = b"n+2" if two else b"n+1"
    struct.pack_into(order + form, single, where, size + 4 + len(extensions))
    return bytes(single) + (b"\1\0\0\0" if extensions else bytes(4)) + extensions


def _extensions(data: bytes, order: str) -> Iterator[bytes]:
    """The whole extensions behind a header: each starts with its length, a multiple of 16, and a code."""
    at = 4
    while data[:1] not in (b"", b"\0") and at + 8 <= len(data):
        (length,) = struct.unpack_from(order + "i", data, at)
        if length < 16 or length % 16 or at + length > len(data):
            return
        yield data[at : at + length]
        at += length
