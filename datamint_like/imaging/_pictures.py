"""A picture in memory, of whichever format, as the gray values of a mask."""

from __future__ import annotations

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging import raster
from datamint_like.imaging._layout import contiguous
from datamint_like.imaging.sniff import describe, is_raster, is_tiff
from datamint_like.imaging.tiff import decoder as tiff
from datamint_like.imaging.types import Array


def decode_gray(data: bytes, *, max_voxels: int) -> Array:
    """The (J, I) gray values of a PNG, JPEG, WebP, BMP or TIFF of one page; of colours the largest of R, G and B.

    Raises:
        DecodeError: It is none of them, is damaged, or claims more than `max_voxels`.
        GeometryError: It has several pages.
    """
    size_of_gray(data)
    decode = tiff.decode_bytes if is_tiff(data) else raster.decode_bytes
    array = decode(data, max_voxels=max_voxels).array
    has_alpha = array.shape[0] in (2, 4)
    gray: Array = contiguous(array[:, 0])[: array.shape[0] - has_alpha].max(axis=0)
    return gray


def size_of_gray(data: bytes) -> tuple[int, int]:
    """Rows and columns of a PNG, JPEG, WebP, BMP or TIFF of one page, by its header.

    Raises:
        DecodeError: It is none of them, or its header is damaged.
        GeometryError: It has several pages.
    """
    if not (is_tiff(data) or is_raster(data)):
        raise DecodeError(f"it is {describe(data)}; the mask of a frame is a PNG, JPEG, WebP, BMP or TIFF.")
    pages, rows, columns = (tiff.facts_of_bytes if is_tiff(data) else raster.facts_of_bytes)(data).shape
    if pages != 1:
        raise GeometryError(f"the mask of one frame has {pages} pages. Give a page for each frame.")
    return rows, columns
