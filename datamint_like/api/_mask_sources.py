"""Masks of other libraries (tensors, nibabel images) as arrays or bytes; palette pictures by their indices."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from datamint_like.exceptions import ValidationError
from datamint_like.imaging.sniff import is_png

_SIGNATURE = 8
_GREY, _PALETTE = 0, 3  # colour types of PNG
_KEPT = frozenset({b"IHDR", b"IDAT", b"eXIf", b"IEND"})


def plain_source(given: Any, image: tuple[int, int, int] | None = None) -> Any:
    """The mask as an array, bytes or path: a tensor becomes an array, a nibabel image the bytes of its file.

    What is neither stays, for whoever reads it to judge.

    Raises:
        ValidationError: The tensor or image cannot be read.
        GeometryError: The nibabel image, which may not be in memory yet, is too large for `image` (K, J, I).
    """
    is_image = any(kind.__module__.startswith("nibabel.") for kind in type(given).__mro__)
    if not is_image and (isinstance(given, np.ndarray) or not hasattr(given, "__array__")):
        return given
    if is_image:
        from datamint_like.imaging._reading_errors import reading, refuse_larger

        with reading("The mask"):
            refuse_larger(tuple(given.shape), image)
    try:
        if is_image:
            return (given if hasattr(given, "to_bytes") else _in_one_file(given)).to_bytes()
        return np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    except Exception as error:  # whatever its library raises for an image without file or a type that numpy lacks
        kind = type(given).__name__
        raise ValidationError(f"The mask, a {kind}, cannot be read ({error}). Give it as an array or file.") from error


def _in_one_file(image: Any) -> Any:
    """A nibabel image that was loaded from header and image, as one whose bytes are one file."""
    from datamint_like.imaging._nibabel import Nifti1Image

    return Nifti1Image(np.asanyarray(image.dataobj), image.affine)  # type: ignore[no-untyped-call]


def is_palette(data: bytes) -> bool:
    """Whether these bytes are a PNG whose pixels are indices of a palette."""
    return is_png(data) and len(data) > _SIGNATURE + 17 and data[_SIGNATURE + 17] == _PALETTE


def palette_as_grey(data: bytes) -> tuple[bytes, int]:
    """A palette PNG as the grey PNG of its indices, and how many grey values a reader makes of one index.

    Grey of fewer than 8 bits is stretched to 0-255 by readers (W3C PNG, section 13.12).
    """
    made, step = [data[:_SIGNATURE]], 1
    for kind, content in _chunks(data):
        if kind not in _KEPT:
            continue  # the palette, its transparency, and what describes colours
        if kind == b"IHDR":
            step = 255 // (2 ** content[8] - 1)
            content = content[:9] + bytes([_GREY]) + content[10:]
        made.append(struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content)))
    return b"".join(made), step


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of each whole chunk of a PNG that was read without an error before."""
    at = _SIGNATURE
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length
