"""How many voxels each mask has on each slice: counted when masks are packed, kept among the facts of the pack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class MaskVoxels:
    """One mask of a volume.

    Attributes:
        author: Who drew it.
        number: Which of the author's masks it is.
        name: Its class.
        counts: int64 (slices,): its voxels on each slice.
    """

    author: str
    number: int
    name: str
    counts: npt.NDArray[np.int64]


def counts_on_slices(masks: npt.NDArray[np.uint8], axis: int) -> list[list[Any]]:
    """For each mask of (n, D, H, W) its first slice along `axis` with a voxel, and the counts up to its last: as JSON.

    A mask at a time, so that no copy of all is made.
    """
    across = tuple(n for n in range(3) if n != axis)
    return [_trimmed(np.count_nonzero(mask, axis=across)) for mask in masks]


def mask_voxels(facts: Mapping[str, Any], slices: int) -> Iterator[MaskVoxels]:
    """What the facts of a pack of masks say of each mask, on so many slices."""
    trimmed = iter(facts["voxels"])
    for author, names in facts["authors"]:
        for number, name in enumerate(names):
            first, found = next(trimmed)
            counts = np.zeros(slices, dtype=np.int64)
            counts[first : first + len(found)] = found
            yield MaskVoxels(author, number, name, counts)


def _trimmed(counts: npt.NDArray[Any]) -> list[Any]:
    filled = np.flatnonzero(counts)
    if not len(filled):
        return [0, []]
    return [int(filled[0]), counts[filled[0] : filled[-1] + 1].tolist()]
