"""PNG, JPEG, WebP and BMP images: gray, gray with alpha, RGB, RGBA, palette; EXIF orientation honoured."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import IO

import cv2
import numpy as np

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._bmp import bmp_pixels, parse_bmp
from datamint_like.imaging._planes import split_into
from datamint_like.imaging._raster_header import RasterHeader, check_end, check_whole, parse_header
from datamint_like.imaging._reading_errors import reading, refuse_oversized
from datamint_like.imaging._sources import only_one
from datamint_like.imaging._upright import upright, upright_size
from datamint_like.imaging._webp_header import parse_webp
from datamint_like.imaging.sniff import is_bmp, is_raster, is_webp
from datamint_like.imaging.types import Array, HeaderFacts, SourceFile, StoredImage

#: Bytes that tell which of the formats a file is.
_START = 32
#: Colours as they are stored but for their order.
_AS_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION


class RasterDecoder:
    """PNG, JPEG, WebP and BMP: values as stored (16-bit gray is int32), colour as RGB."""

    format = "raster"
    version = 1

    def accepts(self, head: bytes, filename: str) -> bool:
        """Whether the file starts as one of the formats."""
        return is_raster(head)

    def probe(self, files: Sequence[SourceFile]) -> HeaderFacts:
        """The facts by the header; a file whose end is missing is refused."""
        source = only_one(files, "an image resource")
        with reading(source), open(source.path, "rb") as file:
            header = _header_of(file)
            check_end(file, header)
            return facts_of(header)

    def decode(self, files: Sequence[SourceFile], *, max_voxels: int, dtype: str | None = None) -> StoredImage:
        """The array (C, 1, J, I)."""
        source = only_one(files, "an image resource")
        with reading(source), open(source.path, "rb") as file:
            return decode_bytes(file.read(), max_voxels=max_voxels, dtype=dtype)


def facts_of(header: RasterHeader) -> HeaderFacts:
    """The header facts of an image with this header."""
    return HeaderFacts(
        format="raster",
        kind="image",
        mimetype=header.mimetype,
        channels=header.channels,
        shape=(1, *upright_size(header.orientation, header.height, header.width)),
        dtype="int32" if header.bits == 16 else "uint8",
        details={"bits": header.bits, "exif_orientation": header.orientation},
    )


def facts_of_bytes(data: bytes) -> HeaderFacts:
    """The header facts of the image in memory.

    Raises:
        DecodeError: It is none of the formats, or its header is damaged.
    """
    return facts_of(_header_of(io.BytesIO(data)))


def decode_bytes(data: bytes, *, max_voxels: int, dtype: str | None = None) -> StoredImage:
    """The image (C, 1, J, I) in memory, in `dtype` where one is given, else in the header's type.

    Raises:
        DecodeError: It is none of the formats, is damaged, or claims more than `max_voxels`.
    """
    header = _header_of(io.BytesIO(data))
    facts = facts_of(header)
    refuse_oversized(facts.channels * facts.shape[1] * facts.shape[2], max_voxels)
    check_whole(data, header)
    image = _image(data, header)
    del data  # the encoded bytes of a file, which need not be in memory beside both the image and the array
    return StoredImage(array=_upright_planes(image, header, facts.shape, dtype or facts.dtype), facts=facts)


def _header_of(file: IO[bytes]) -> RasterHeader:
    """The header of the picture in an open file at its start."""
    start = file.read(_START)
    file.seek(0)
    return (parse_webp if is_webp(start) else parse_bmp if is_bmp(start) else parse_header)(file)


def _imdecode(data: bytes, flags: int) -> Array:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise DecodeError("it is damaged: OpenCV cannot read it. Copy the file again.")
    return np.asarray(image)


def _image(data: bytes, header: RasterHeader) -> Array:
    """The image as it is stored (J, I, C), colours in the order B, G, R, A; those of `_is_rgb` R, G, B."""
    if header.mimetype == "image/bmp":
        image = bmp_pixels(data)
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)) if _is_rgb(header) else image
    else:
        image = _imdecode(data, _AS_RGB if _is_rgb(header) else cv2.IMREAD_UNCHANGED)
    image = image[..., None] if image.ndim == 2 else image
    if image.shape[:2] != (header.height, header.width):
        raise DecodeError(f"expected {header.height} x {header.width} pixels by its header, found {image.shape[:2]}.")
    return image


def _is_rgb(header: RasterHeader) -> bool:
    """Whether the image is read as R, G, B, pixel by pixel, as transforms take it."""
    return header.channels == 3 and header.bits == 8


def _upright_planes(image: Array, header: RasterHeader, shape: tuple[int, int, int], dtype: str) -> Array:
    """The upright array (C, 1, J, I), colours in the order R, G, B, A; the image as it lies, where it is that already.

    Colours then lie pixel by pixel behind a view.
    """
    colours = (0, 1, 2) if _is_rgb(header) else (2, 1, 0)
    picks = {1: (0,), 2: (0, 3), 3: colours, 4: (2, 1, 0, 3)}[header.channels]
    if max(picks) >= image.shape[2]:
        raise DecodeError(f"expected {header.channels} channels by its header, found {image.shape[2]}.")
    turned = upright(image.transpose(2, 0, 1), header.orientation)
    is_ready = picks == tuple(range(image.shape[2])) and image.dtype == dtype
    if is_ready and image.flags.c_contiguous and header.orientation == 1:
        return turned[:, None]
    array = np.empty((header.channels, *shape), dtype=dtype)
    if len(picks) == image.shape[2] and split_into([array[picks.index(at), 0] for at in range(len(picks))], turned):
        return array
    for channel, source in enumerate(picks):
        array[channel, 0] = turned[source]
    return array
