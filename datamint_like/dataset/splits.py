"""Splitting: who goes together, how ratios cut, and what a project's assignments say.

Promises: equal seeds give equal parts; parts are disjoint; slices of one volume, and with `by_patient` all
resources of one patient, are never in two parts.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from types import NoneType
from typing import Literal

import numpy as np
import numpy.typing as npt

from datamint_like._warn import warn_user
from datamint_like.backends import open_backend
from datamint_like.dataset.options import Source, settle_flags
from datamint_like.dataset.prepared import Prepared
from datamint_like.dataset.rows import RowNumbers, as_row_numbers
from datamint_like.exceptions import DatamintDatasetException, PatientLeakageWarning

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SplitOrigin:
    """Which part of which split a dataset is."""

    name: str | None
    source: Literal["local", "project_api"] | None
    as_of_timestamp: str | None = None


UNSPLIT = SplitOrigin(None, None)
Parts = dict[str, tuple[SplitOrigin, RowNumbers]]
_Sides = dict[str, tuple[SplitOrigin, Rows]]


@dataclass(frozen=True)
class SplitRequest:
    """The arguments of one `split()`, checked against each other."""

    seed: int | None
    use_server_splits: bool | None
    use_project_splits: bool | None
    as_of_timestamp: str | None
    by_patient: bool
    ratios: Mapping[str, float]

    def __post_init__(self) -> None:
        settle_flags(self, "by_patient")
        for keyword in ("use_server_splits", "use_project_splits"):
            if getattr(self, keyword) is not None:
                settle_flags(self, keyword)
        if self.use_server_splits:
            raise NotImplementedError(
                "use_server_splits= (split:* tags) is not available yet and deprecated: assign project splits instead."
            )
        if self.ratios and (self.use_project_splits or self.as_of_timestamp is not None):
            raise DatamintDatasetException(
                "Ratios make a new split; use_project_splits and as_of_timestamp read the project's. Give one of them."
            )
        if not self.ratios and self.use_project_splits is False:
            raise DatamintDatasetException("use_project_splits=False needs ratios, such as train=0.8, val=0.2.")
        if not self.ratios and (self.by_patient or self.seed is not None):
            raise DatamintDatasetException("seed= and by_patient= shape a split by ratios: add train=0.8, val=0.2.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, (int, NoneType)):
            raise DatamintDatasetException(f"seed is a whole number or None, not {self.seed!r}.")
        if self.ratios:
            check_ratios(self.ratios)


def check_ratios(ratios: Mapping[str, float]) -> None:
    """Refuse ratios that are no shares of a whole.

    Raises:
        DatamintDatasetException: Fewer than two, one not above 0, or a sum more than 0.01 away from 1.
    """
    for name, ratio in ratios.items():
        if isinstance(ratio, bool) or not isinstance(ratio, Real):
            raise DatamintDatasetException(f"A split ratio is a number: {name}={ratio!r} is not (or no such keyword).")
        if not ratio > 0:
            raise DatamintDatasetException(f"Each split ratio must be above 0: {name}={ratio!r} is not.")
    if len(ratios) < 2:
        raise DatamintDatasetException("A split needs at least two parts, such as train=0.8, val=0.2.")
    if abs(sum(ratios.values()) - 1) > 0.01 + 1e-9:  # the sum itself is rounded
        raise DatamintDatasetException(f"Split ratios must sum to 1; {dict(ratios)} sum to {sum(ratios.values()):.4g}.")


@dataclass(frozen=True)
class Groups:
    """The rows of a dataset, and what they belong to.

    Attributes:
        rows: The dataset's row numbers, in its order.
        resource: The snapshot's row of each.
        patients: The patient id of every row of the snapshot, None where unknown.
    """

    rows: Rows
    resource: Rows
    patients: Sequence[str | None]

    def members(self, *, by_patient: bool) -> list[Rows]:
        """Positions that must stay together: one array a resource (or patient), in order of first appearance."""
        keys: list[object]
        keys = [self.patients[row] or int(row) for row in self.resource] if by_patient else self.resource.tolist()
        together: dict[object, list[int]] = {}
        for position, key in enumerate(keys):
            together.setdefault(key, []).append(position)
        return [np.array(positions, dtype=np.int64) for positions in together.values()]


def split(request: SplitRequest, groups: Groups, prepared: Prepared, source: Source, *, api_key: str | None) -> Parts:
    """The parts that a request asks for, as row numbers.

    Warns:
        PatientLeakageWarning: A known patient is in two parts.
    """
    parts = _by_ratio(request, groups) if request.ratios else _by_assignment(request, groups, prepared, source, api_key)
    _warn_of_leakage(parts, groups)
    return {name: (origin, as_row_numbers(groups.rows[positions])) for name, (origin, positions) in parts.items()}


def cut(count: int, ratios: Sequence[float], seed: int | None) -> list[list[int]]:
    """`range(count)` shuffled by `random.Random(seed)`, in consecutive chunks of `round(ratio * count)`.

    The last chunk takes the rest; `round` is Python's (half to even).

    Example:
        >>> cut(5, [0.8, 0.2], seed=42)
        [[3, 1, 2, 4], [0]]
    """
    order = list(range(count))
    random.Random(seed).shuffle(order)
    chunks, start = [], 0
    for ratio in ratios[:-1]:
        stop = start + round(ratio * count)
        chunks.append(order[start:stop])
        start = stop
    return [*chunks, order[start:]]


def _by_ratio(request: SplitRequest, groups: Groups) -> _Sides:
    members = groups.members(by_patient=request.by_patient)
    chunks = cut(len(members), list(request.ratios.values()), request.seed)
    nothing = np.zeros(0, dtype=np.int64)
    return {
        name: (SplitOrigin(name, "local"), np.concatenate([nothing, *(members[n] for n in chunk)]))
        for name, chunk in zip(request.ratios, chunks, strict=True)
    }


def _by_assignment(
    request: SplitRequest, groups: Groups, prepared: Prepared, source: Source, api_key: str | None
) -> _Sides:
    project = prepared.snapshot.meta.project
    if project is None:
        raise DatamintDatasetException(
            "A dataset of resources has no project splits: give ratios, such as train=0.8, val=0.2."
        )
    backend = open_backend(source.store_url, api_key=api_key)
    try:
        instant = request.as_of_timestamp if request.as_of_timestamp is not None else backend.now()
        assigned = {s.resource_id: s.split_name for s in backend.list_splits(project.id, as_of=instant)}
    finally:
        backend.close()
    if not assigned:
        raise DatamintDatasetException(
            f"Project {project.name!r} has no split assignments as of {instant}: assign some with "
            "api.projects.assign_splits, or give ratios, such as train=0.8, val=0.2."
        )
    ids = prepared.snapshot.column("id")
    positions: dict[str, list[int]] = {}
    for position, row in enumerate(groups.resource.tolist()):
        name = assigned.get(ids[row])
        if name is not None:
            positions.setdefault(name, []).append(position)
    return {
        name: (SplitOrigin(name, "project_api", instant), np.array(found, dtype=np.int64))
        for name, found in positions.items()
    }


def _warn_of_leakage(parts: _Sides, groups: Groups) -> None:
    sides: dict[str, set[str]] = {}
    for name, (_, positions) in parts.items():
        for row in np.unique(groups.resource[positions]):
            patient = groups.patients[row]
            if patient:
                sides.setdefault(patient, set()).add(name)
    shared = sum(len(names) > 1 for names in sides.values())
    if shared:
        warn_user(
            f"{shared} of {len(sides)} patients have images in more than one part of this split: what is measured on "
            "one part was partly seen in another. Split with by_patient=True.",
            PatientLeakageWarning,
        )
