"""What a mask given by a caller is: its kind by its content, with arrays and run lengths opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from datamint_like.api._mask_frames import bytes_of, name_of
from datamint_like.api._mask_sources import plain_source

#: Kinds that carry several named classes, each with its place.
SEGMENTED = frozenset({"seg", "rtstruct"})


def opened(given: Any, image: tuple[int, int, int] | None) -> tuple[Any, str | None]:
    """The mask as an array, bytes or path, and which kind it is; None for what no kind takes.

    A tensor, .npy, .npz and COCO RLE (dict or JSON) become arrays ("array"), a nibabel image the bytes of its file.
    `image` is the shape (K, J, I) of the resource: what is too large for it is not read; None lets any size pass.

    Raises:
        ValidationError: It cannot be read.
        DecodeError: It is a damaged .npy, .npz or COCO RLE.
        GeometryError: It is larger than any mask of the resource.
    """
    from datamint_like.imaging import decode_numpy, decode_rle, sniff_mask

    if isinstance(given, Mapping):
        return decode_rle(given, name="The mask", image=image), "array"
    source = plain_source(given, image)
    if isinstance(source, np.ndarray):
        return source, "array"
    data = bytes_of(source, image=image)
    kind = sniff_mask(data)
    if kind == "numpy":
        return decode_numpy(data, name=name_of(source), image=image), "array"
    if kind == "rle":
        return decode_rle(data, name=name_of(source), image=image), "array"
    return source, kind


def is_rle_given(given: Any) -> bool:
    """Whether a dict is itself a mask, in COCO RLE."""
    from datamint_like.imaging.masks.rle import is_rle

    return is_rle(given)
