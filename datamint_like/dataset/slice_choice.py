"""Which slices of each volume a dataset keeps, and how many around each it shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from datamint_like._warn import warn_user
from datamint_like._words import counted
from datamint_like.dataset.annotated_slices import annotated_planes, rows_with_marks
from datamint_like.dataset.options import whole_number
from datamint_like.dataset.slice_reader import SliceReader
from datamint_like.exceptions import DatamintDatasetException, DatamintWarning
from datamint_like.imaging.types import Kind

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SliceChoice:
    """The slices that are kept: all criteria together.

    Attributes:
        every: Keep slices 0, `every`, 2 * `every`, ... of each volume.
        only_annotated: Keep slices on which a kept segmentation or frame label lies, or a box in their plane.
        neighbors: How many slices on each side an item shows as channels.

    Raises:
        DatamintDatasetException: A value is none of these.
    """

    every: int = 1
    only_annotated: bool = False
    neighbors: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "every", whole_number("every", self.every, least=1))
        object.__setattr__(self, "neighbors", whole_number("neighbors", self.neighbors, least=0))
        if not isinstance(self.only_annotated, (bool, np.bool_)):
            raise DatamintDatasetException(f"only_annotated is True or False, not {self.only_annotated!r:.80}.")

    def warn_of_repeats(self, counts: Rows, kind: Kind) -> None:
        """Say so where neighbours reach beyond both ends from every slice: most of an item is then repeats.

        Args:
            counts: How many slices each volume (frames each video) has.
            kind: Which of these they are.

        Warns:
            DatamintWarning: One has no more slices than `neighbors`.
        """
        few = int(np.count_nonzero(counts <= self.neighbors))
        if self.neighbors and few:
            piece = "frame" if kind == "video" else "slice"
            warn_user(
                f"neighbors={self.neighbors} reaches beyond both ends of {few} of {counted(len(counts), kind)} (the "
                f"shortest has {counted(int(counts.min()), piece)}), where the first or last {piece} is repeated. Ask "
                "for fewer neighbours.",
                DatamintWarning,
            )

    def kept(self, slices: SliceReader, volumes: Rows, starts: Rows) -> Rows:
        """The slice numbers that are kept of some volume rows, volume by volume.

        Args:
            slices: Reads masks where only they tell where they lie.
            volumes: Rows of the snapshot.
            starts: Slice k of row r has the number `starts[r] + k`.
        """
        marked = set(rows_with_marks(slices.reader.prepared).tolist()) if self.only_annotated else set()
        found = [np.zeros(0, dtype=np.int64)]
        for row in volumes.tolist():
            start, stop = int(starts[row]), int(starts[row + 1])
            numbers = np.arange(start, stop, self.every, dtype=np.int64)
            if self.only_annotated:
                numbers = numbers[annotated_planes(slices, row)[numbers - start]] if row in marked else numbers[:0]
            found.append(numbers)
        return np.concatenate(found)
