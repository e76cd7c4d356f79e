"""Decoded masks of one resource, stacked into the instances of each annotator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from datamint_like.annotations.labelspace import LabelSpace
from datamint_like.exceptions import DatamintDatasetException, GeometryError

Mask = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.int64]
Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class MaskPiece:
    """One decoded mask annotation, in stored orientation.

    Attributes:
        author: Whose it is.
        identifier: Class name.
        frame_index: The stored plane it covers, or None where it covers the whole resource.
        array: 0/1, uint8: (J, I) for a plane, (K, J, I) for the whole resource.
    """

    author: str
    identifier: str
    frame_index: int | None
    array: Mask


def stack_instances(
    pieces: Sequence[MaskPiece], space: LabelSpace, stored_shape: Shape, *, multi_frame: bool
) -> dict[str, tuple[Mask, Codes]]:
    """Each author's instances (n, K, J, I), uint8 0/1, and their class codes (n,), int64; authors sorted.

    Within an author, masks of single frames come first. In a volume or video those of one class are one instance,
    in the order the classes are first seen (two masks of one frame are united); in a 2-D image each mask is its own
    instance. Masks of the whole resource follow, one instance each, in the order given.

    Args:
        pieces: The masks that the dataset keeps, in the store's order.
        space: Where the class codes come from.
        stored_shape: Planes, rows and columns (K, J, I) of the resource.
        multi_frame: Whether the resource is a volume or video.

    Raises:
        GeometryError: A mask has another shape than the resource, or a frame that the resource lacks.
        DatamintDatasetException: A class is not in the label space.

    Example:
        >>> space = LabelSpace({"liver": 1}, (), (), ())
        >>> pieces = [MaskPiece("ana", "liver", frame, np.ones((2, 2), np.uint8)) for frame in (0, 2)]
        >>> masks, codes = stack_instances(pieces, space, (3, 2, 2), multi_frame=True)["ana"]
        >>> masks.shape, masks.any((0, 2, 3)).tolist(), codes.tolist()
        ((1, 3, 2, 2), [True, False, True], [1])
    """
    groups = {}
    for author in sorted({piece.author for piece in pieces}):
        own = [piece for piece in pieces if piece.author == author]
        groups[author] = list(instance_groups(own, multi_frame=multi_frame))
    whole = np.zeros((sum(map(len, groups.values())), *stored_shape), np.uint8)  # one stack: transforms take it so
    result, first = {}, 0
    for author, instances in groups.items():
        masks = whole[first : first + len(instances)]
        for mask, group in zip(masks, instances, strict=True):
            _paint(mask, group)
        result[author] = masks, np.array([_code(group[0], space) for group in instances], np.int64)
        first += len(instances)
    return result


def instance_groups(pieces: Iterable[MaskPiece], *, multi_frame: bool) -> Iterator[list[MaskPiece]]:
    """The pieces of each instance of one author, in the order in which `stack_instances` has them.

    Example:
        >>> pieces = [MaskPiece("ana", "liver", frame, np.ones((2, 2), np.uint8)) for frame in (0, 2)]
        >>> [len(group) for group in instance_groups(pieces, multi_frame=True)]
        [2]
    """
    framed: dict[str, list[MaskPiece]] = {}
    whole = []
    for position, piece in enumerate(pieces):
        if piece.frame_index is None:
            whole.append([piece])
        else:
            key = piece.identifier if multi_frame else str(position)
            framed.setdefault(key, []).append(piece)
    yield from framed.values()
    yield from whole


def _code(piece: MaskPiece, space: LabelSpace) -> int:
    try:
        return space.segmentation_codes[piece.identifier]
    except KeyError:
        raise DatamintDatasetException(
            f"A mask of {piece.author!r} is of class {piece.identifier!r}, which the label space lacks "
            f"(it has {list(space.segmentation_codes)}). Add the class to the worklist, or allow external annotations."
        ) from None


def _paint(mask: Mask, group: Sequence[MaskPiece]) -> None:
    """Unites the pieces into one instance (K, J, I)."""
    for piece in group:
        target = mask if piece.frame_index is None else _plane(mask, piece)
        array = piece.array
        if piece.frame_index is None and array.ndim == 2 and mask.shape[0] == 1:
            array = array[np.newaxis]
        if array.shape != target.shape:
            part = "the resource" if piece.frame_index is None else f"frame {piece.frame_index}"
            raise GeometryError(
                f"The mask {piece.identifier!r} of {piece.author!r} on {part} has shape {array.shape}; "
                f"expected {target.shape}. Upload a mask of the grid of its image."
            )
        np.maximum(target, array != 0, out=target, casting="unsafe")


def _plane(mask: Mask, piece: MaskPiece) -> Mask:
    frame = piece.frame_index
    if frame is None or not 0 <= frame < mask.shape[0]:
        raise GeometryError(
            f"The mask {piece.identifier!r} of {piece.author!r} is on frame {frame}; "
            f"the resource has frames 0 to {mask.shape[0] - 1}. Delete or correct that annotation."
        )
    plane: Mask = mask[frame]
    return plane
