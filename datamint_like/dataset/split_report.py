"""What the parts of a split hold, in numbers, and the proof that they share nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from datamint_like._words import counted
from datamint_like.dataset.holdings import Holdings
from datamint_like.dataset.marks import Mark, Rows, marks_of
from datamint_like.dataset.prepared import Prepared


@dataclass(frozen=True)
class PartReport:
    """The numbers of one part.

    Attributes:
        name: The part.
        items: Items: resources, or slices of them.
        resources: Different resources.
        patients: Different known patients.
        without_patient: Resources whose patient is not known.
        balance: For each category value, label, class and box name, how many resources have it.
    """

    name: str
    items: int
    resources: int
    patients: int
    without_patient: int
    balance: Mapping[str, int]


@dataclass(frozen=True)
class Overlap:
    """How many resources and known patients two parts share."""

    first: str
    second: str
    resources: int
    patients: int


@dataclass(frozen=True, repr=False)
class SplitReport:
    """The parts of a split side by side; it prints as a table.

    Attributes:
        parts: The numbers of each part, in the order of the split.
        overlaps: What each two parts share: counted over all of their resources and patients.

    Example:
        >>> report = dataset.split(train=0.7, val=0.3, seed=42).report()
        >>> report.disjoint_resources, report.disjoint_patients
        (True, True)
        >>> report.parts[0].balance["segmentation lung"]
        2
    """

    parts: tuple[PartReport, ...]
    overlaps: tuple[Overlap, ...]

    @property
    def disjoint_resources(self) -> bool:
        """Whether no resource is in two parts."""
        return not any(each.resources for each in self.overlaps)

    @property
    def disjoint_patients(self) -> bool:
        """Whether no known patient is in two parts."""
        return not any(each.patients for each in self.overlaps)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain dicts, lists, numbers and texts, for JSON.

        Example:
            >>> report = dataset.split(train=0.7, val=0.3, seed=42).report()
            >>> report.as_dict()["parts"]["train"]["items"]
            2
        """
        return {
            "parts": {
                part.name: {
                    "items": part.items,
                    "resources": part.resources,
                    "patients": part.patients,
                    "without_patient": part.without_patient,
                    "balance": dict(part.balance),
                }
                for part in self.parts
            },
            "overlaps": [
                {"parts": [each.first, each.second], "resources": each.resources, "patients": each.patients}
                for each in self.overlaps
            ],
            "disjoint_resources": self.disjoint_resources,
            "disjoint_patients": self.disjoint_patients,
        }

    def __repr__(self) -> str:
        columns = [*self.parts]
        lines = [["", *(part.name for part in columns)]]
        lines += _lines(columns)
        widths = [max(len(line[column]) for line in lines) for column in range(len(columns) + 1)]
        table = [
            "  ".join(cell.rjust(width) if n else cell.ljust(width) for n, (cell, width) in enumerate(cells)).rstrip()
            for cells in (list(zip(line, widths, strict=True)) for line in lines)
        ]
        return "\n".join([*table, *self._proofs()])

    def _proofs(self) -> list[str]:
        """A sentence on resources, and one on patients."""
        unknown = sum(part.without_patient for part in self.parts)
        are = "is" if unknown == 1 else "are"
        aside = f" ({counted(unknown, 'resource')} without a patient id {are} not judged)" if unknown else ""
        return [
            _proof("resource", self.overlaps, lambda each: each.resources),
            _proof("patient", self.overlaps, lambda each: each.patients) + aside,
        ]


def _lines(parts: Sequence[PartReport]) -> list[list[str]]:
    """Sizes, then a line for each mark: how many resources have it, and the share of the part's."""
    lines = [["items", *(f"{part.items}" for part in parts)], ["resources", *(f"{part.resources}" for part in parts)]]
    lines.append(["patients", *(f"{part.patients}" for part in parts)])
    if any(part.without_patient for part in parts):
        lines.append(["without patient id", *(f"{part.without_patient}" for part in parts)])
    for mark in parts[0].balance if parts else ():
        counts = [(part.balance[mark], part.resources) for part in parts]
        lines.append([mark, *(f"{count} ({count / of:.0%})" if of else "0" for count, of in counts)])
    return lines


def _proof(what: str, overlaps: Iterable[Overlap], count: Callable[[Overlap], int]) -> str:
    shared = [f"{each.first} and {each.second} share {count(each)}" for each in overlaps if count(each)]
    return f"{what}s: {'; '.join(shared)}" if shared else f"no {what} is in two parts"


def report_of(parts: Mapping[str, Holdings], prepared: Prepared) -> SplitReport:
    """The report of some parts of one dataset."""
    rows = {name: np.unique(part._resource_rows()) for name, part in parts.items()}
    known = prepared.snapshot.column("patient")
    patients = {name: {known[row] for row in held.tolist() if known[row]} for name, held in rows.items()}
    marked = [(mark, mark.rows(prepared)) for mark in marks_of(prepared.space)]
    return SplitReport(
        tuple(
            PartReport(
                name=name,
                items=len(part),
                resources=len(rows[name]),
                patients=len(patients[name]),
                without_patient=sum(not known[row] for row in rows[name].tolist()),
                balance=_balance(rows[name], marked),
            )
            for name, part in parts.items()
        ),
        tuple(
            Overlap(
                first,
                second,
                len(np.intersect1d(rows[first], rows[second], assume_unique=True)),
                len(patients[first] & patients[second]),
            )
            for first, second in combinations(parts, 2)
        ),
    )


def _balance(rows: Rows, marked: Iterable[tuple[Mark, Rows]]) -> dict[str, int]:
    return {str(mark): int(np.isin(rows, having).sum()) for mark, having in marked}
