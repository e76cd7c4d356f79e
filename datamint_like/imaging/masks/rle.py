"""COCO run-length encoding: the mask of one picture as lengths of runs, column by column.

`{"size": [rows, columns], "counts": ...}`, with counts as numbers, or as the compressed text of pycocotools: each
number, from the third on less the one two before, in groups of 5 bits, lowest first, each plus 48 as a character;
bit 6 of a group says that more follow, bit 5 of the last is the sign.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from datamint_like.config import DEFAULT_MAX_VOXELS
from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import reading, refuse_larger, refuse_oversized

_OFFSET, _MORE, _SIGN, _BITS = 48, 0x20, 0x10, 5


def decode_rle(
    payload: bytes | Mapping[str, Any],
    *,
    name: str,
    max_voxels: int = DEFAULT_MAX_VOXELS,
    image: tuple[int, int, int] | None = None,
) -> npt.NDArray[np.uint8]:
    """The mask (J, I) of a COCO RLE, JSON bytes or a dict: uint8, 1 in every second run.

    Args:
        payload: The bytes of the file, or what they say.
        name: What the mask is called in errors.
        max_voxels: Refuse a size above it.
        image: The shape (K, J, I) of the image that a mask is for; one that is too large for it is not made.

    Raises:
        DecodeError: It is no RLE, its runs do not make the size it says, or that is above `max_voxels`.
        GeometryError: It is larger than any mask of the image.

    Example:
        >>> decode_rle({"size": [2, 3], "counts": [1, 3, 2]}, name="mask").tolist()  # runs go down the columns
        [[0, 1, 0], [1, 1, 0]]
    """
    with reading(name):
        rows, columns, counts = _parts(payload, max_voxels)
        refuse_larger((rows, columns), image)
        runs, total = np.array(counts, dtype=np.int64), rows * columns
        if int(runs.sum()) != total:
            raise DecodeError(f"its runs make {int(runs.sum()):,} pixels, but its size {rows} x {columns} = {total:,}.")
        values = (np.arange(runs.size) & 1).astype(np.uint8)
        return np.ascontiguousarray(np.repeat(values, runs).reshape(columns, rows).T)


def is_rle(value: object) -> bool:
    """Whether a parsed value is a COCO RLE."""
    return isinstance(value, Mapping) and set(value) >= {"size", "counts"}


def _parts(payload: bytes | Mapping[str, Any], max_voxels: int) -> tuple[int, int, list[int]]:
    """Rows, columns and the runs.

    Raises:
        DecodeError: It is no RLE, or claims more than `max_voxels`.
    """
    value = _parsed(payload) if isinstance(payload, (bytes, bytearray)) else payload
    if isinstance(value, Mapping) and is_rle(value.get("segmentation")):
        value = value["segmentation"]  # an annotation of a COCO file
    if not is_rle(value):
        raise DecodeError('it is no COCO RLE, which is {"size": [rows, columns], "counts": ...} for one mask.')
    size, counts = value["size"], value["counts"]
    sizes = [int(extent) for extent in size] if isinstance(size, (list, tuple)) else []
    if len(sizes) != 2 or min(sizes) < 1:
        raise DecodeError(f"its size is {size!r:.80}, expected [rows, columns].")
    refuse_oversized(sizes[0] * sizes[1], max_voxels)
    if isinstance(counts, (str, bytes)):
        counts = _uncompressed(counts.encode("ascii") if isinstance(counts, str) else counts)
    whole = isinstance(counts, (list, tuple)) and all(type(n) is int for n in counts)
    if not whole or len(counts) > sizes[0] * sizes[1] + 2:
        raise DecodeError("its counts are neither a list of whole numbers nor a text of pycocotools.")
    odd = next((n for n in counts if not 0 <= n <= sizes[0] * sizes[1]), None)
    if odd is not None:
        raise DecodeError(f"it has a run of {odd:,} pixels in a mask of {sizes[0] * sizes[1]:,}.")
    return sizes[0], sizes[1], list(counts)


def _parsed(payload: bytes | bytearray) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise DecodeError("it is no JSON, as which a COCO RLE is written.") from error


def _uncompressed(text: bytes) -> list[int]:
    """The runs in the compressed text of pycocotools.

    Raises:
        DecodeError: The text holds other characters, or ends inside a number.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        group = character - _OFFSET
        if not 0 <= group < 64 or shift > 60:
            raise DecodeError("its counts hold characters that the compressed form does not have.")
        value |= (group & 0x1F) << shift
        shift += _BITS
        if group & _MORE:
            continue
        if group & _SIGN:
            value |= -1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise DecodeError("its counts end inside a number: the text is cut short.")
    return runs
