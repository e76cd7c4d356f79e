"""A dataset in numbers and names, read from its snapshot without decoding anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from datamint_like.annotations import BOX_TYPE, LabelSpace
from datamint_like.dataset.prepared import Prepared

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Counts:
    """How many of what.

    Attributes:
        items: Items of the dataset.
        resources: Resources behind them; slices share their volume.
        annotated: Resources with a kept annotation.
        patients: Different patient ids that are known.
        without_patient: Resources without one.
        annotations: (type, identifier) to the number of kept annotations.
        annotators: Author to the number of kept annotations.
    """

    items: int
    resources: int
    annotated: int
    patients: int
    without_patient: int
    annotations: Mapping[tuple[str, str], int]
    annotators: Mapping[str, int]


def counts_of(prepared: Prepared, resource_rows: npt.NDArray[np.int64]) -> Counts:
    """The counts over the items whose resources stand in these rows of the snapshot (one row an item)."""
    rows = np.unique(resource_rows)
    patients = prepared.snapshot.column("patient")
    known = [patients[row] for row in rows.tolist() if patients[row]]
    condition, values = prepared.condition, prepared.values
    tally = prepared.snapshot.count_by("type, identifier", condition, values, rows)
    authors = prepared.snapshot.count_by("COALESCE(author, 'unknown')", condition, values, rows)
    return Counts(
        items=len(resource_rows),
        resources=len(rows),
        annotated=int(np.isin(rows, prepared.snapshot.annotated_rows(condition, values)).sum()),
        patients=len(set(known)),
        without_patient=len(rows) - len(known),
        annotations={(kind, name): count for kind, name, count in tally},
        annotators=dict(authors),
    )


def class_colours(prepared: Prepared) -> dict[str, Colour]:
    """Segmentation class to its colour (R, G, B), 0 to 255, where a worklist of the project names one."""
    told: list[tuple[str, Sequence[int] | None]] = []
    for worklist in prepared.snapshot.meta.worklists:
        told += [(name, each.color) for name, each in worklist.segmentation_group.items()]
        told += [(spec.identifier, spec.color) for spec in worklist.annotations if spec.type == "segmentation"]
    return _first_colours(told, prepared.space.segmentation_codes)


def box_colours(prepared: Prepared) -> dict[str, Colour]:
    """Name of a box to its colour (R, G, B), 0 to 255, where a worklist of the project gives it one."""
    specs = (spec for worklist in prepared.snapshot.meta.worklists for spec in worklist.annotations)
    told = [(spec.identifier, spec.color) for spec in specs if spec.type == BOX_TYPE]
    return _first_colours(told, prepared.space.box_codes)


def _first_colours(told: Iterable[tuple[str, Sequence[int] | None]], names: Iterable[str]) -> dict[str, Colour]:
    """The first true colour of each name, in the order of the names."""
    colours: dict[str, Colour] = {}
    for name, colour in told:
        if colour is not None and len(colour) >= 3 and all(0 <= part <= 255 for part in colour[:3]):
            colours.setdefault(name, (colour[0], colour[1], colour[2]))
    return {name: colours[name] for name in names if name in colours}


def label_space_in_words(space: LabelSpace) -> dict[str, list[str]]:
    """The names of each part of a label space, in the order of their codes."""
    return {
        "segmentation classes": list(space.segmentation_codes),
        "image labels": list(space.image_labels),
        "frame labels": list(space.frame_labels),
        "image categories": [f"{name}: {value}" for name, value in space.image_categories],
    }
