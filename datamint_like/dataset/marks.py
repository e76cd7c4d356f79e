"""What annotations say of whole resources: which rows have a label, a category's value, a class or a box."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from datamint_like.annotations import OF_ONE_FRAME_SQL, LabelSpace
from datamint_like.dataset.prepared import Prepared
from datamint_like.exceptions import DatamintDatasetException

Rows = npt.NDArray[np.int64]
MarkKind = Literal["category", "image label", "frame label", "segmentation", "box"]

_CONDITIONS: dict[MarkKind, str] = {
    "category": "type = 'category' AND value = :mark_value",
    "image label": f"type = 'label' AND NOT ({OF_ONE_FRAME_SQL})",
    "frame label": f"type = 'label' AND {OF_ONE_FRAME_SQL}",
    "segmentation": "type = 'segmentation'",
    "box": "type = 'square'",
}


@dataclass(frozen=True, order=True)
class Mark:
    """One thing that a resource has or has not: a name, of a category with one of its values."""

    kind: MarkKind
    name: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" = {self.value}" if self.kind == "category" else "")

    def rows(self, prepared: Prepared) -> Rows:
        """The snapshot's rows, ascending, that a kept annotation gives this mark, whoever its author is."""
        condition = f"{prepared.condition} AND identifier = :mark_name AND {_CONDITIONS[self.kind]}"
        wanted = {**prepared.values, "mark_name": self.name, "mark_value": self.value}
        return prepared.snapshot.annotated_rows(condition, wanted)


def marks_of(space: LabelSpace) -> Iterator[Mark]:
    """Every mark of a label space, kind by kind, in the order of the codes."""
    yield from (Mark("category", name, value) for name, value in space.image_categories)
    yield from (Mark("image label", name) for name in space.image_labels)
    yield from (Mark("frame label", name) for name in space.frame_labels)
    yield from (Mark("segmentation", name) for name in space.segmentation_codes)
    yield from (Mark("box", name) for name in space.box_labels)


def marks_named(name: str, prepared: Prepared) -> list[Mark]:
    """The marks that a name means: all values of a category, else an image label, frame label, class or box.

    Raises:
        DatamintDatasetException: Nothing has that name.
    """
    marks = list(marks_of(prepared.space))
    named = [mark for mark in marks if mark.name == name]
    if not named:
        known = list(dict.fromkeys(mark.name for mark in marks))
        raise DatamintDatasetException(
            f"stratify= names a category, label, segmentation class or box of the dataset; {name!r} is none. "
            f"It has {known if known else 'none of them'}."
        )
    return [mark for mark in named if mark.kind == named[0].kind]


def strata_of(name: str, prepared: Prepared) -> list[Rows]:
    """The rows of the snapshot that anyone gave each value of a category, or the label or class."""
    return [mark.rows(prepared) for mark in marks_named(name, prepared)]
