"""Which rows meet the criteria of `filter()`: questions to the snapshot's columns; records only for a function."""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import NoneType

import numpy as np
import numpy.typing as npt

from datamint_like.dataset.reader import Reader
from datamint_like.entities import Annotation, Resource
from datamint_like.exceptions import DatamintDatasetException

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Criteria:
    """What a resource and its kept annotations must meet, all of it; None is no demand."""

    tags: tuple[str, ...] | None
    filename_pattern: str | None
    has_annotations: bool | None
    annotation_names: tuple[str, ...] | None
    custom_fn: Callable[[Resource, Sequence[Annotation]], bool] | None

    def __post_init__(self) -> None:
        if all(value is None for value in vars(self).values()):
            raise DatamintDatasetException(f"filter() needs a criterion: one of {', '.join(vars(self))}.")
        for name, fits, what in (
            ("filename_pattern", isinstance(self.filename_pattern, (str, NoneType)), "a text such as '*.png'"),
            ("has_annotations", isinstance(self.has_annotations, (bool, np.bool_, NoneType)), "True or False"),
            ("custom_fn", self.custom_fn is None or callable(self.custom_fn), "a function (resource, annotations)"),
        ):
            if not fits:
                raise DatamintDatasetException(f"{name} is {what}, not {getattr(self, name)!r}.")


def matching_rows(criteria: Criteria, reader: Reader, rows: Rows) -> Rows:
    """Those of the snapshot's `rows` (ascending, each once) whose resource meets the criteria."""
    snapshot, condition, values = reader.prepared.snapshot, reader.prepared.condition, reader.prepared.values
    if criteria.tags is not None:
        tagged = "EXISTS (SELECT 1 FROM json_each(tags) AS t WHERE t.value IN (SELECT value FROM json_each(:wanted)))"
        rows = np.intersect1d(rows, snapshot.rows_where(tagged, wanted=json.dumps(criteria.tags)))
    if criteria.has_annotations is not None:
        annotated = np.isin(rows, snapshot.annotated_rows(condition, values))
        rows = rows[annotated == criteria.has_annotations]
    if criteria.annotation_names is not None:
        named = f"{condition} AND identifier IN (SELECT value FROM json_each(:names))"
        wanted = {**values, "names": json.dumps(criteria.annotation_names)}
        rows = np.intersect1d(rows, snapshot.annotated_rows(named, wanted))
    if criteria.filename_pattern is not None:
        matches = re.compile(fnmatch.translate(os.path.normcase(criteria.filename_pattern))).match
        names = snapshot.column("filename")
        rows = rows[[matches(os.path.normcase(names[row])) is not None for row in rows.tolist()]]
    if criteria.custom_fn is not None:
        keep = criteria.custom_fn
        rows = rows[[bool(keep(snapshot.resource(row), reader.annotations(row))) for row in rows.tolist()]]
    return rows
