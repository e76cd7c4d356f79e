"""PNG and JPEG images: 8 and 16 bit, gray, gray with alpha, RGB, RGBA, palette; EXIF orientation honoured."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._raster_header import RasterHeader, check_end, check_whole, parse_header
from datamint_like.imaging._reading_errors import reading, refuse_oversized
from datamint_like.imaging._sources import only_one
from datamint_like.imaging.sniff import is_picture
from datamint_like.imaging.types import Array, HeaderFacts, SourceFile, StoredImage

#: How an upright array is made from a stored one, by the EXIF tag Orientation: transposed, flipped rows, columns.
_EXIF = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


class RasterDecoder:
    """PNG and JPEG: values as stored (16-bit gray is int32), colour as RGB."""

    format = "raster"
    version = 1

    def accepts(self, head: bytes, filename: str) -> bool:
        """Whether the file starts as a PNG or a JPEG."""
        return is_picture(head)

    def probe(self, files: Sequence[SourceFile]) -> HeaderFacts:
        """The facts by the header; a file whose end is missing is refused."""
        source = only_one(files, "an image resource")
        with reading(source), open(source.path, "rb") as file:
            header = parse_header(file)
            check_end(file, header)
            return facts_of(header)

    def decode(self, files: Sequence[SourceFile], *, max_voxels: int, dtype: str | None = None) -> StoredImage:
        """The array (C, 1, J, I)."""
        source = only_one(files, "an image resource")
        with reading(source), open(source.path, "rb") as file:
            return decode_bytes(file.read(), max_voxels=max_voxels, dtype=dtype)


def facts_of(header: RasterHeader) -> HeaderFacts:
    """The header facts of an image with this header."""
    turned = _EXIF[header.orientation][0]
    rows, columns = (header.width, header.height) if turned else (header.height, header.width)
    return HeaderFacts(
        format="raster",
        kind="image",
        mimetype=header.mimetype,
        channels=header.channels,
        shape=(1, rows, columns),
        dtype="int32" if header.bits == 16 else "uint8",
        details={"bits": header.bits, "exif_orientation": header.orientation},
    )


def decode_bytes(data: bytes, *, max_voxels: int, dtype: str | None = None) -> StoredImage:
    """The image (C, 1, J, I) in memory, in `dtype` where one is given, else in the header's type.

    Raises:
        DecodeError: It is neither PNG nor JPEG, is damaged, or claims more than `max_voxels`.
    """
    header = parse_header(io.BytesIO(data))
    facts = facts_of(header)
    refuse_oversized(facts.channels * facts.shape[1] * facts.shape[2], max_voxels)
    check_whole(data, header)
    return StoredImage(array=_pixels(data, header, facts.shape, dtype or facts.dtype), facts=facts)


def decode_gray(data: bytes, *, max_voxels: int) -> Array:
    """The (J, I) gray values of a PNG or JPEG in memory; of a colour image the largest of R, G and B.

    Raises:
        DecodeError: It is neither PNG nor JPEG, is damaged, or claims more than `max_voxels`.
    """
    array = decode_bytes(data, max_voxels=max_voxels).array[:, 0]
    has_alpha = array.shape[0] in (2, 4)
    gray: Array = array[: array.shape[0] - has_alpha].max(axis=0)
    return gray


def _imdecode(data: bytes) -> Array:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise DecodeError("it is damaged: OpenCV cannot read it. Copy the file again.")
    return np.asarray(image)


def _pixels(data: bytes, header: RasterHeader, shape: tuple[int, int, int], dtype: str) -> Array:
    """The upright array (C, 1, J, I), colours in the order R, G, B, A."""
    image = _imdecode(data)
    image = image[..., None] if image.ndim == 2 else image
    if image.shape[:2] != (header.height, header.width):
        raise DecodeError(f"expected {header.height} x {header.width} pixels by its header, found {image.shape[:2]}.")
    picks = {1: (0,), 2: (0, 3), 3: (2, 1, 0), 4: (2, 1, 0, 3)}[header.channels]
    if max(picks) >= image.shape[2]:
        raise DecodeError(f"expected {header.channels} channels by its header, found {image.shape[2]}.")
    transpose, flip_rows, flip_columns = _EXIF[header.orientation]
    planes = image.transpose(2, 1, 0) if transpose else image.transpose(2, 0, 1)
    upright = planes[:, :: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
    array = np.empty((header.channels, *shape), dtype=dtype)
    for channel, source in enumerate(picks):
        array[channel, 0] = upright[source]
    return array
