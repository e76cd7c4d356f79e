"""Planes that traits tell apart: channels in one order where positions repeat, stacks where they interleave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from datamint_like.exceptions import GeometryError
from datamint_like.imaging.dicom.frames import Frame
from datamint_like.imaging.dicom.positions import Vector
from datamint_like.imaging.dicom.traits import STACK_TRAITS, Ids, columns_of, ids_of

#: Traits whose values in one channel are one value, wherever they differ at a position.
_EXACT = ("echo time", "b-value", "flip angle")
#: Traits that may vary a little from plane to plane; a channel must not hold the value of another channel.
_LOOSE = ("time point", "inversion time", "gradient direction")
#: Traits that sort planes only where instance numbers do not.
_AFTER_NUMBER = ("inversion time", "flip angle", "gradient direction", "trigger time")
#: A plane of an even stack may lie this share of a step from its place.
_EVEN = 0.05
Table = npt.NDArray[np.int64]


def channels_of(frames: Sequence[Frame], ranks: Ids) -> tuple[tuple[int, ...], ...]:
    """For each channel the frame numbers of its planes; every position (by its rank) holds equally many frames.

    A trait that takes the same values at every position tells the channels apart. They are in order of
    acquisition where that gives each channel one value of each such trait, else in order of the traits.

    Raises:
        GeometryError: Traits contradict each other, or nothing tells planes apart.
    """
    size = len(frames) // (int(ranks.max()) + 1)
    columns = {name: ids for name, ids in columns_of([f.traits for f in frames]).items() if ids.any()}
    at = np.argsort(ranks, kind="stable").reshape(-1, size)
    varying = {name for name, ids in columns.items() if np.any(np.ptp(ids[at], axis=1))}
    telling = [name for name in columns if name != "moment" and name in varying and _is_alike(columns[name][at])]
    instances = np.array([frame.instance for frame in frames], dtype=np.int64).T
    late = [ids for name, ids in columns.items() if name in _AFTER_NUMBER]
    acquired = [*(ids for name, ids in columns.items() if name not in _AFTER_NUMBER), *instances, *late]
    for keys in (acquired, [*(columns[name] for name in telling), *acquired]):
        grid = np.lexsort((*keys[::-1], ranks)).reshape(-1, size)
        mixed = [name for name in telling if np.any(np.ptp(columns[name][grid], axis=0))]
        if not mixed:
            break
    kept = [columns[name] for name in telling if name not in mixed]
    if not all(map(_may_mix, mixed)) or (mixed and not _are_told_apart(grid[0], kept)):
        _refuse_mixed(telling, mixed, columns, grid)
    _refuse_copies(grid, acquired)
    if not _are_told_apart(grid[0], kept):
        _refuse_contradictions(columns, varying - set(telling), grid)
    return tuple(tuple(int(n) for n in channel) for channel in grid.T)


def interleaved(frames: Sequence[Frame], ranks: Ids, distances: Vector) -> tuple[str, Ids] | None:
    """The trait by which frames are even stacks of one step that lie between each other, and each frame's stack.

    None where no time point, echo time or b-value divides the positions so.
    """
    firsts = np.unique(ranks, return_index=True)[1]
    for name in STACK_TRAITS:
        stacks = ids_of([frame.traits for frame in frames], name)
        of_rank = stacks[firsts]
        counts = np.bincount(of_rank)
        if len(counts) < 2 or counts[0] < 2 or np.ptp(counts) or np.any(of_rank[ranks] != stacks):
            continue
        places = distances[firsts]
        table = np.stack([places[of_rank == stack] for stack in range(len(counts))])
        gaps = np.diff(table, axis=1)
        step = float(np.median(gaps))
        if np.all(np.abs(gaps - step) <= _EVEN * step) and np.ptp(table[:, 0]) < step:
            return name, stacks
    return None


def _is_alike(table: Table) -> bool:
    """Whether each position (row) holds the same values, in any order."""
    ordered = np.sort(table, axis=1)
    return bool(np.all(ordered == ordered[0]))


def _may_mix(name: str) -> bool:
    """Whether a trait says when a plane was acquired more than what it is, so that others overrule it."""
    return name == "trigger time" or name.startswith("dimension")


def _are_told_apart(row: Ids, keys: Sequence[Ids]) -> bool:
    return bool(keys) and len(np.unique(np.stack([key[row] for key in keys]), axis=1).T) == len(row)


def _refuse_mixed(telling: Sequence[str], mixed: Sequence[str], columns: dict[str, Ids], grid: Table) -> None:
    """Stop where traits that each tell planes apart do not come in the same combinations at every position.

    Raises:
        GeometryError: Always.
    """
    tables = [columns[name][grid] for name in mixed]
    worst = min(int(np.argmax(np.any(table != table[0], axis=1))) for table in tables)
    named = " and ".join(dict.fromkeys([telling[0], *mixed]))
    raise GeometryError(
        f"its planes at one position differ by {named}, but position {worst + 1} along the normal holds them in other "
        "combinations than position 1, so that a channel would mix them. Correct the header, or import a file for each."
    )


def _refuse_contradictions(columns: dict[str, Ids], names: set[str], grid: Table) -> None:
    """Stop where time or number alone orders the planes, and a channel would mix values of another trait.

    Raises:
        GeometryError: It would.
    """
    for name in (*_EXACT, *_LOOSE):
        if name not in names:
            continue
        table = columns[name][grid]
        ends = table.min(axis=0), table.max(axis=0)
        values = sum(len(np.unique(channel)) for channel in table.T)
        if (name in _EXACT and np.any(ends[0] != ends[1])) or (name in _LOOSE and values > len(np.unique(table))):
            other = int(np.argmax(np.any(np.sort(table, axis=1) != np.sort(table[0]), axis=1)))
            raise GeometryError(
                f"its planes at one position differ by {name}, but position {other + 1} along the normal holds other "
                f"values of it than position 1, so that a channel would mix them. Leave out what is incomplete, or "
                "import a file for each."
            )


def _refuse_copies(grid: Table, keys: Sequence[Ids]) -> None:
    table = np.stack([key[grid] for key in keys])
    if np.any(np.all(table[..., 1:] == table[..., :-1], axis=0)):
        raise GeometryError(
            f"{grid.shape[1]} planes lie at one position and neither time, echo nor instance number tells them apart."
        )
