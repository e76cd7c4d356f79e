"""PNG and JPEG images: 8 and 16 bit, gray, gray with alpha, RGB, RGBA, palette; EXIF orientation honoured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging._raster_header import RasterHeader, check_whole, parse_header
from datamint_like.imaging._reading_errors import reading, refuse_oversized
from datamint_like.imaging.sniff import is_jpeg, is_png
from datamint_like.imaging.types import Array, HeaderFacts, StoredImage

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
        return is_png(head) or is_jpeg(head)

    def probe(self, paths: Sequence[Path]) -> HeaderFacts:
        """The facts by the header chunks."""
        path = _only(paths)
        with reading(path), open(path, "rb") as file:
            return facts_of(parse_header(file))

    def decode(self, paths: Sequence[Path], *, max_voxels: int) -> StoredImage:
        """The array (C, 1, J, I)."""
        path = _only(paths)
        with reading(path), open(path, "rb") as file:
            header = parse_header(file)
            facts = facts_of(header)
            refuse_oversized(facts.channels * facts.shape[1] * facts.shape[2], max_voxels)
            file.seek(0)
            data = file.read()
            check_whole(data, header)
            return StoredImage(array=_pixels(data, header, facts), facts=facts)


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


def decode_gray(data: bytes) -> Array:
    """The (J, I) gray values of a PNG or JPEG in memory; the mean of the colours of a colour image.

    Raises:
        DecodeError: OpenCV cannot read it.
    """
    image = _imdecode(data)
    return image if image.ndim == 2 else image[..., :3].max(axis=-1)


def _imdecode(data: bytes) -> Array:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise DecodeError("it is damaged: OpenCV cannot read it. Copy the file again.")
    return np.asarray(image)


def _pixels(data: bytes, header: RasterHeader, facts: HeaderFacts) -> Array:
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
    array = np.empty((header.channels, *facts.shape), dtype=facts.dtype)
    for channel, source in enumerate(picks):
        array[channel, 0] = upright[source]
    return array


def _only(paths: Sequence[Path]) -> Path:
    if len(paths) != 1:
        raise GeometryError(f"{paths[0].name}: an image resource is one file, got {len(paths)}.")
    return paths[0]
