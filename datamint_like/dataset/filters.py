"""Which rows meet the criteria of `filter()`."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from datamint_like.dataset.reader import Reader
from datamint_like.entities import Annotation, Resource
from datamint_like.exceptions import DatamintDatasetException


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

    def met_by(self, resource: Resource, annotations: Sequence[Annotation]) -> bool:
        """Whether the resource stays."""
        if self.tags is not None and not set(self.tags) & set(resource.tags):
            return False
        if self.filename_pattern is not None and not fnmatch.fnmatch(resource.filename, self.filename_pattern):
            return False
        if self.has_annotations is not None and bool(annotations) != self.has_annotations:
            return False
        if self.annotation_names is not None and not {a.identifier for a in annotations} & set(self.annotation_names):
            return False
        return self.custom_fn is None or bool(self.custom_fn(resource, annotations))


def matching_rows(criteria: Criteria, reader: Reader, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Those of the snapshot's rows whose resource meets the criteria, each once."""
    snapshot = reader.prepared.snapshot
    kept = [row for row in np.unique(rows).tolist() if criteria.met_by(snapshot.resource(row), reader.annotations(row))]
    return np.array(kept, dtype=np.int64)
