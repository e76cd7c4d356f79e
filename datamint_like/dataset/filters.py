"""Which rows meet the criteria of `filter()`: questions to the snapshot's columns; records only for a function."""

from __future__ import annotations

import difflib
import fnmatch
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from types import NoneType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from datamint_like.backends.local import clock
from datamint_like.catalog.snapshot import Axis
from datamint_like.dataset.reader import Reader
from datamint_like.entities import Annotation, Resource
from datamint_like.exceptions import DatamintDatasetException, ValidationError

Rows = npt.NDArray[np.int64]
#: From and to: ISO 8601 texts or dates, both included, None for an open end.
Dates: TypeAlias = tuple[str | date | None, str | date | None]
#: A number of pixels (or voxels) in all, or extents (H, W) or (D, H, W).
Extent: TypeAlias = int | tuple[int, int] | tuple[int, int, int]
#: Least and most, both included, None for an open end.
Sizes: TypeAlias = tuple[Extent | None, Extent | None]
#: Two numbers up to this (the most rows that DICOM has) are taken for lengths of a picture, not for how many pixels.
_LONGEST = 65_535


@dataclass(frozen=True)
class Criteria:
    """What a resource and its kept annotations must meet, all of it; None is no demand."""

    tags: tuple[str, ...] | None
    filename_pattern: str | None
    has_annotations: bool | None
    annotation_names: tuple[str, ...] | None
    custom_fn: Callable[[Resource, Sequence[Annotation]], bool] | None
    modality: tuple[str, ...] | None = None
    patient: tuple[str, ...] | None = None
    date: tuple[str | None, str | None] | None = None
    size: Sizes | None = None

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
        for name in ("tags", "annotation_names", "modality", "patient"):
            if getattr(self, name) == ():
                raise DatamintDatasetException(f"{name} is empty, which no resource meets: name at least one, or None.")


def refuse_unknown(keywords: Iterable[str]) -> None:
    """Nothing, where there are no keywords that `filter` does not know.

    Raises:
        TypeError: There are; it names the criteria there are, and the one that was likely meant.
    """
    known = [field.name for field in fields(Criteria)]
    for keyword in keywords:
        close = difflib.get_close_matches(keyword, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise TypeError(
            f"filter() has no criterion {keyword!r}.{hint} There are {', '.join(known)}; custom_fn= takes a function "
            "for all else."
        )


def matching_rows(criteria: Criteria, reader: Reader, rows: Rows) -> Rows:
    """Those of the snapshot's `rows` (ascending, each once) whose resource meets the criteria."""
    snapshot, condition, values = reader.prepared.snapshot, reader.prepared.condition, reader.prepared.values
    if criteria.tags is not None:
        tagged = "EXISTS (SELECT 1 FROM json_each(tags) AS t WHERE t.value IN (SELECT value FROM json_each(:wanted)))"
        tagged = f"tags IN (SELECT tags FROM (SELECT DISTINCT tags FROM resource) WHERE {tagged})"
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
        rows = rows[_mask(matches(os.path.normcase(names[row])) is not None for row in rows.tolist())]
    if criteria.patient is not None:
        patients = snapshot.column("patient")
        rows = rows[_mask(patients[row] in criteria.patient for row in rows.tolist())]
    if criteria.size is not None:
        rows = rows[_sized(criteria.size, reader, rows)]
    if criteria.modality is not None or criteria.date is not None:
        rows = rows[_mask(_made(criteria, snapshot.resource(row)) for row in rows.tolist())]
    if criteria.custom_fn is not None:
        keep = criteria.custom_fn
        rows = rows[_mask(_verdicts(keep(*reader.annotated_resource(row)) for row in rows.tolist()))]
    return rows


def _verdicts(answers: Iterable[object]) -> list[bool]:
    """What a function of the user's own says about each resource, by truth; None is no, as `re.search` means it.

    Raises:
        DatamintDatasetException: It says None of all (a forgotten `return`), or many things of one.
    """
    found = list(answers)
    if found and all(answer is None for answer in found):
        raise DatamintDatasetException(
            f"custom_fn returned None for each of {len(found)} resources: it must return True or False; is a `return` "
            "missing, or a bool(...) around what it returns?"
        )
    many = next((answer for answer in found if getattr(answer, "ndim", 0)), None)  # of NumPy, torch or pandas
    if many is not None:
        raise DatamintDatasetException(
            f"custom_fn returned an array ({type(many).__name__}): it must return one True or False; put "
            ".any() or .all() behind it."
        )
    return [bool(answer) for answer in found]


def _mask(verdicts: Iterable[bool]) -> npt.NDArray[np.bool_]:
    """True and False as a mask, of no rows too."""
    return np.fromiter(verdicts, dtype=bool)


def stamps_of(dates: object) -> tuple[str | None, str | None] | None:
    """The bounds of `date=` as time stamps of the store; a bare date as the end means its whole day.

    Raises:
        DatamintDatasetException: It is no pair of ISO 8601 texts or dates, or the end lies before the start.
    """
    if dates is None:
        return None
    if not isinstance(dates, (tuple, list)) or len(dates) != 2:
        raise DatamintDatasetException(
            f"date is a pair (from, to), such as ('2026-01-01', '2026-01-31') or ('2026-01-01', None), not {dates!r}."
        )
    try:
        first, last = (bound.isoformat() if isinstance(bound, date) else bound for bound in dates)
        start, end = None if first is None else clock.parse(first), None if last is None else clock.end_of(last)
    except ValidationError as error:
        raise DatamintDatasetException(f"date: {error}") from error
    if start is not None and end is not None and end < start:
        raise DatamintDatasetException(
            f"date ends before it starts: from {start} to {end}. Give (from, to), the earlier one first."
        )
    return start, end


def sizes_of(sizes: object) -> Sizes | None:
    """The bounds of `size=`, checked.

    Raises:
        DatamintDatasetException: It is no pair of extents, looks like one extent, or the least is above the most.
    """
    if sizes is None:
        return None
    if not isinstance(sizes, (tuple, list)) or len(sizes) != 2 or not all(map(_is_extent, sizes)):
        raise DatamintDatasetException(
            "size is a pair (least, most) of (H, W), (D, H, W), a number of pixels in all, or None, such as "
            f"((256, 256), None); not {sizes!r}."
        )
    least, most = (tuple(bound) if isinstance(bound, list) else bound for bound in sizes)
    if least is not None and most is not None and _nothing_between(least, most):
        raise DatamintDatasetException(
            f"size is above its own limit: no item has at least {least!r} and at most {most!r}. Give (least, most), "
            "the smaller one first."
        )
    if isinstance(least, int) and isinstance(most, int) and least > 0 and most <= _LONGEST:
        raise DatamintDatasetException(
            f"size={sizes!r} would be from {least} to {most} pixels in all, which looks like lengths. size is (least, "
            f"most): write (({least}, {most}), ({least}, {most})) for exactly {least} x {most}, or (({least}, {most}), "
            f"None) for at least that; for numbers of pixels filter by ({least}, None), then by (None, {most})."
        )
    return least, most


def _nothing_between(least: Extent, most: Extent) -> bool:
    """Whether no shape can reach `least` and not exceed `most`; lengths are compared from the last axis."""
    if isinstance(most, int):
        return (least if isinstance(least, int) else math.prod(max(1, length) for length in least)) > most
    if isinstance(least, int):
        return len(most) == 3 and least > math.prod(most)
    return any(low > high for low, high in zip(reversed(least), reversed(most), strict=False))


def _is_extent(bound: object) -> bool:
    if isinstance(bound, (tuple, list)):
        return len(bound) in (2, 3) and all(_is_extent(n) and isinstance(n, int) for n in bound)
    return bound is None or (isinstance(bound, int) and not isinstance(bound, bool))


def _sized(sizes: Sizes, reader: Reader, rows: Rows) -> npt.NDArray[np.bool_]:
    """For each row whether its item (of slices: their volume) is of a size within the bounds."""
    native = reader.options.read.orientation == "native"
    axes: tuple[Axis, ...] = ("k", "j", "i") if native else ("d", "h", "w")
    shape = np.array([reader.prepared.snapshot.column(axis) for axis in axes], dtype=np.int64)[:, rows]
    fits = np.ones(len(rows), dtype=bool)
    for bound, compare in zip(sizes, (np.greater_equal, np.less_equal), strict=True):
        if isinstance(bound, int):
            fits &= compare(shape.prod(axis=0), bound)
        elif bound is not None:
            wanted = np.array(bound, dtype=np.int64)[:, None]
            fits &= compare(shape[-len(bound) :], wanted).all(axis=0)
    return fits


def _made(criteria: Criteria, resource: Resource) -> bool:
    """Whether a resource has a modality asked for (in any case of letters), and was created in time."""
    modality = (resource.modality or "").casefold()
    if criteria.modality is not None and modality not in {each.casefold() for each in criteria.modality}:
        return False
    if criteria.date is None:
        return True
    first, last = criteria.date
    created = clock.parse(resource.created_at)
    return (first is None or first <= created) and (last is None or created <= last)
