"""Splitting: who goes together, how ratios cut, and what a project's assignments say.

Promises: equal seeds give equal parts; parts by ratio or fold are disjoint; slices of one volume, and with
`by_patient` all resources of one patient, are never in two parts; `stratify` gives each part its share, rounded down
or up, of each value.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from types import NoneType
from typing import Literal

import numpy as np
import numpy.typing as npt

from datamint_like._warn import warn_user
from datamint_like._words import counted
from datamint_like.dataset.options import Source, settle_flags
from datamint_like.dataset.prepared import Prepared
from datamint_like.dataset.rows import RowNumbers, as_row_numbers, expand
from datamint_like.dataset.saved_splits import assignments
from datamint_like.dataset.strata import stratified
from datamint_like.exceptions import DatamintDatasetException, DatamintWarning, PatientLeakageWarning

#: What a resource tag starts with that names a part: `split:train`.
TAG_PREFIX = "split:"
Mode = Literal["ratios", "project", "tags"]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SplitOrigin:
    """Which part of which split a dataset is."""

    name: str | None
    source: Literal["local", "project_api", "server_tags"] | None
    as_of_timestamp: str | None = None


UNSPLIT = SplitOrigin(None, None)
Parts = dict[str, tuple[SplitOrigin, RowNumbers]]
#: For each value that `stratify` keeps in proportion, the rows of the snapshot that have it.
Strata = Sequence[npt.NDArray[np.int64]]
_Sides = dict[str, tuple[SplitOrigin, Rows]]


@dataclass(frozen=True)
class Shuffle:
    """How units are drawn: by which seed, and what stays together or in proportion."""

    seed: int | None
    by_patient: bool = False
    stratify: str | None = None

    def __post_init__(self) -> None:
        settle_flags(self, "by_patient")
        if isinstance(self.seed, bool) or not isinstance(self.seed, (int, NoneType)):
            raise DatamintDatasetException(f"seed is a whole number or None, not {self.seed!r}.")
        if not isinstance(self.stratify, (str, NoneType)):
            raise DatamintDatasetException(
                f"stratify is the name of a category, label, segmentation class or box, not {self.stratify!r}."
            )


@dataclass(frozen=True)
class SplitRequest:
    """The arguments of one `split()`, checked against each other."""

    shuffle: Shuffle
    use_server_splits: bool | None
    use_project_splits: bool | None
    as_of_timestamp: str | None
    ratios: Mapping[str, float]

    def __post_init__(self) -> None:
        for keyword in ("use_server_splits", "use_project_splits"):
            if getattr(self, keyword) is not None:
                settle_flags(self, keyword)
        if self.ratios:
            if self.use_project_splits or self.use_server_splits or self.as_of_timestamp is not None:
                raise DatamintDatasetException(
                    "Ratios make a new split; use_project_splits, use_server_splits and as_of_timestamp read one that "
                    "is there. Give one of them."
                )
            check_ratios(self.ratios)
        elif self.shuffle != Shuffle(None):
            raise DatamintDatasetException(
                "seed=, by_patient= and stratify= shape a split by ratios: add train=0.8, val=0.2."
            )
        if self.use_server_splits and (self.use_project_splits or self.as_of_timestamp is not None):
            raise DatamintDatasetException(
                "use_server_splits reads the tags as they are now; use_project_splits and as_of_timestamp read the "
                "project's assignments. Give one of them."
            )

    def mode(self, *, of_project: bool) -> Mode:
        """Where the parts come from: ratios, else what was asked for, else the project, else `split:*` tags."""
        if self.ratios:
            return "ratios"
        if self.use_server_splits:
            return "tags"
        if self.use_project_splits or self.as_of_timestamp is not None:
            return "project"
        return "project" if of_project and self.use_project_splits is None else "tags"


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
class Units:
    """Positions in groups that must stay together, numbered in order of first appearance.

    Attributes:
        unit: The unit of each position.
        positions: All positions, unit by unit, each unit's in order.
        starts: Where each unit begins in `positions`, and their number last.
    """

    unit: Rows
    positions: Rows
    starts: Rows

    @classmethod
    def of(cls, keys: Rows) -> Units:
        """Positions with equal keys together."""
        _, first, groups = np.unique(keys, return_index=True, return_inverse=True)
        number = np.empty(len(first), dtype=np.int64)
        number[np.argsort(first)] = np.arange(len(first))
        unit = number[groups]
        starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(np.bincount(unit, minlength=len(first)))])
        return cls(unit, np.argsort(unit, kind="stable"), starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def of_units(self, units: Sequence[int]) -> Rows:
        """The positions of some units, unit by unit."""
        return self.positions[expand(np.array(units, dtype=np.int64), self.starts)]


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

    @cached_property
    def patient(self) -> Rows:
        """A number for the patient of each of the dataset's rows: below 0 where unknown, then one a resource."""
        known: dict[str, int] = {}
        each = ((known.setdefault(name, len(known)) if name else -1 - row) for row, name in enumerate(self.patients))
        return np.fromiter(each, dtype=np.int64, count=len(self.patients))[self.resource]

    def units(self, *, by_patient: bool) -> Units:
        """Positions that must stay together: those of a resource, or of a patient."""
        return Units.of(self.patient if by_patient else self.resource)

    def strata(self, units: Units, having: Strata) -> list[int]:
        """For each unit a number that stands for all the values that its resources have."""
        found = np.zeros(len(units), dtype=np.int64)
        for rows in having:
            has = np.zeros(len(units), dtype=np.int64)
            has[units.unit[np.isin(self.resource, rows)]] = 1
            found = np.unique(2 * found + has, return_inverse=True)[1]
        numbers: list[int] = found.tolist()
        return numbers


def split(
    request: SplitRequest,
    groups: Groups,
    prepared: Prepared,
    source: Source,
    strata: Strata | None,
    *,
    api_key: str | None,
) -> Parts:
    """The parts that a request asks for, as row numbers.

    Warns:
        PatientLeakageWarning: A known patient is in two parts.
        DatamintWarning: Too few resources (or patients) for the ratios: a part is empty.
        DeprecationWarning: The parts come from `split:*` tags.
    """
    mode = request.mode(of_project=prepared.snapshot.meta.project is not None)
    if mode == "ratios":
        parts = _by_ratio(request, groups, strata)
    elif mode == "project":
        parts = _by_assignment(request, groups, prepared, source, api_key)
    else:
        parts = _by_tag(groups, prepared)
    warn_of_leakage({name: positions for name, (_, positions) in parts.items()}, groups)
    return {name: (origin, as_row_numbers(groups.rows[positions])) for name, (origin, positions) in parts.items()}


def folds(count: int, shuffle: Shuffle, groups: Groups, strata: Strata | None) -> list[RowNumbers]:
    """The rows in `count` parts of equal size (the first ones take one unit more), for cross-validation.

    Warns:
        PatientLeakageWarning: A known patient is in two of them.

    Raises:
        DatamintDatasetException: `count` is no whole number from 2 to the number of units.
    """
    units = groups.units(by_patient=shuffle.by_patient)
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 2:
        raise DatamintDatasetException(f"kfold(n) takes a whole number of folds from 2, not {count!r}.")
    if count > len(units):
        raise DatamintDatasetException(
            f"{count} folds need as many {'patients' if shuffle.by_patient else 'resources'}; there are {len(units)}."
        )
    order = list(range(len(units)))
    random.Random(shuffle.seed).shuffle(order)
    sizes = [len(units) // count + (n < len(units) % count) for n in range(int(count))]
    chunks = _chunks(order, sizes) if strata is None else stratified(order, groups.strata(units, strata), sizes)
    parts = {f"fold {n}": units.of_units(chunk) for n, chunk in enumerate(chunks)}
    warn_of_leakage(parts, groups)
    return [as_row_numbers(groups.rows[positions]) for positions in parts.values()]


def cut(count: int, ratios: Sequence[float], seed: int | None) -> list[list[int]]:
    """`range(count)` shuffled by `random.Random(seed)`, in consecutive chunks of `round(ratio * count)`.

    The last chunk takes the rest; `round` is Python's (half to even).

    Example:
        >>> cut(5, [0.8, 0.2], seed=42)
        [[3, 1, 2, 4], [0]]
    """
    order = list(range(count))
    random.Random(seed).shuffle(order)
    sizes: list[int] = []
    for ratio in ratios[:-1]:
        sizes.append(min(round(ratio * count), count - sum(sizes)))
    return _chunks(order, [*sizes, count - sum(sizes)])


def _chunks(order: Sequence[int], sizes: Iterable[int]) -> list[list[int]]:
    chunks, start = [], 0
    for size in sizes:
        chunks.append(list(order[start : start + size]))
        start += size
    return chunks


def _by_ratio(request: SplitRequest, groups: Groups, strata: Strata | None) -> _Sides:
    units = groups.units(by_patient=request.shuffle.by_patient)
    chunks = cut(len(units), list(request.ratios.values()), request.shuffle.seed)
    _warn_of_empty_parts(request, [len(chunk) for chunk in chunks])
    if strata is not None:
        order, sizes = [n for chunk in chunks for n in chunk], [len(chunk) for chunk in chunks]
        chunks = stratified(order, groups.strata(units, strata), sizes)
    return {
        name: (SplitOrigin(name, "local"), units.of_units(chunk))
        for name, chunk in zip(request.ratios, chunks, strict=True)
    }


def _warn_of_empty_parts(request: SplitRequest, sizes: Sequence[int]) -> None:
    """Warn, with all sizes, where a part of a split by ratios has nothing in it."""
    empty = [repr(name) for name, size in zip(request.ratios, sizes, strict=True) if not size]
    if empty:
        units = counted(sum(sizes), "patient" if request.shuffle.by_patient else "resource")
        told = ", ".join(f"{name} {size}" for name, size in zip(request.ratios, sizes, strict=True))
        ratios = ", ".join(f"{name}={ratio:g}" for name, ratio in request.ratios.items())
        warn_user(
            f"Nothing is in the part{'s' if len(empty) > 1 else ''} {', '.join(empty)} of this split: {units} by "
            f"{ratios} give {told}. Take other ratios or more data, or kfold(n), whose parts all hold something.",
            DatamintWarning,
        )


def _by_tag(groups: Groups, prepared: Prepared) -> _Sides:
    """The parts that `split:<name>` tags name, in order of first appearance; two such tags put a resource in both."""
    warn_user(
        "split:* tags are deprecated: put the split into a project (split(...).save(), or "
        "api.projects.assign_splits) and read it with use_project_splits=True.",
        DeprecationWarning,
    )
    tags = prepared.snapshot.column("tags")
    named = {
        own: [tag.removeprefix(TAG_PREFIX) for tag in dict.fromkeys(json.loads(own)) if tag.startswith(TAG_PREFIX)]
        for own in set(tags)
    }
    positions: dict[str, list[int]] = {}
    for position, row in enumerate(groups.resource.tolist()):
        for name in filter(None, named[tags[row]]):
            positions.setdefault(name, []).append(position)
    if not positions:
        raise DatamintDatasetException(
            "No resource of this dataset has a split:<name> tag: give ratios, such as train=0.8, val=0.2."
        )
    return _sides(positions, "server_tags", None)


def _sides(
    positions: Mapping[str, list[int]], source: Literal["project_api", "server_tags"], instant: str | None
) -> _Sides:
    return {
        name: (SplitOrigin(name, source, instant), np.array(found, dtype=np.int64)) for name, found in positions.items()
    }


def _by_assignment(
    request: SplitRequest, groups: Groups, prepared: Prepared, source: Source, api_key: str | None
) -> _Sides:
    project = prepared.snapshot.meta.project
    if project is None:
        raise DatamintDatasetException(
            "A dataset made of resources= has no project splits: make it with project=, or give ratios, such as "
            "train=0.8, val=0.2."
        )
    instant, assigned = assignments(project, prepared, source, request.as_of_timestamp, api_key=api_key)
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
    return _sides(positions, "project_api", instant)


def warn_of_leakage(parts: Mapping[str, Rows], groups: Groups) -> None:
    """Warn, with a count, where a known patient is in more than one part (given as positions)."""
    sides = [np.unique(own[own >= 0]) for own in (groups.patient[positions] for positions in parts.values())]
    _, counts = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *sides]), return_counts=True)
    shared = int((counts > 1).sum())
    if shared:
        warn_user(
            f"{shared} of {len(counts)} patients have images in more than one part of this split: what is measured on "
            "one part was partly seen in another. Split with by_patient=True.",
            PatientLeakageWarning,
        )
