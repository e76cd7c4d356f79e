"""Which shape the masks of one resource show, where its header is not at hand."""

from __future__ import annotations

import math
from collections.abc import Iterable

from datamint_like.annotations import MaskPiece, is_of_one_frame
from datamint_like.entities import Annotation
from datamint_like.exceptions import GeometryError


def depth_of(annotations: Iterable[Annotation]) -> int:
    """Planes up to the last frame that an annotation is on; at least one."""
    return 1 + max((each.frame_index or 0 for each in annotations if is_of_one_frame(each)), default=0)


def shape_of(pieces: Iterable[MaskPiece], depth: int) -> tuple[int, int, int]:
    """(D, H, W) of the resource that masks lie on: those of the whole tell D, which is `depth` at least.

    Raises:
        GeometryError: They differ in rows or columns.
    """
    pieces = list(pieces)
    sizes = sorted({piece.array.shape[-2:] for piece in pieces})
    if len(sizes) > 1:
        raise GeometryError(f"Masks of one resource are of one size; found rows x columns {sizes}.")
    whole = {piece.array.shape[0] for piece in pieces if piece.frame_index is None}
    rows, columns = sizes[0]
    return max({depth, *whole}), rows, columns


def refuse_oversized(masks: int, shape: tuple[int, int, int], max_voxels: int) -> None:
    """A frame number may claim any depth; the memory for it is asked for only within the limit of one resource.

    Raises:
        GeometryError: So many masks of this shape are more.
    """
    if masks * math.prod(shape) > max_voxels:
        raise GeometryError(
            f"{masks} masks of shape {shape} are more than the limit of {max_voxels:,} voxels. Is a frame number "
            "wrong? If all is right, raise the limit with DATAMINT_LIKE_MAX_VOXELS."
        )
