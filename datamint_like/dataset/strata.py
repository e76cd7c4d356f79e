"""Cutting shuffled units into parts that keep the share of every stratum: whole numbers only, so equal everywhere."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence


def stratified(order: Sequence[int], strata: Sequence[Hashable], sizes: Sequence[int]) -> list[list[int]]:
    """The units in parts of these sizes, each with its share of every stratum, rounded down or up.

    Each stratum's units go to the parts one after another, in shuffled order, as many as `rounded_shares` says.

    Args:
        order: The units, shuffled.
        strata: What each unit is, by its number.
        sizes: How many units each part takes; they sum to `len(order)`.

    Returns:
        For each part its units, in the order of `order`.

    Example:
        >>> stratified([0, 1, 2, 3, 4, 5], ["a", "a", "b", "b", "b", "b"], [3, 3])
        [[0, 2, 3], [1, 4, 5]]
    """
    members: dict[Hashable, list[int]] = {}
    for unit in order:
        members.setdefault(strata[unit], []).append(unit)
    part_of = [0] * len(strata)
    for units, counts in zip(members.values(), rounded_shares([len(m) for m in members.values()], sizes), strict=True):
        parts = (part for part, count in enumerate(counts) for _ in range(count))
        for unit, part in zip(units, parts, strict=True):
            part_of[unit] = part
    result: list[list[int]] = [[] for _ in sizes]
    for unit in order:
        result[part_of[unit]].append(unit)
    return result


def rounded_shares(rows: Sequence[int], columns: Sequence[int]) -> list[list[int]]:
    """The table `rows[r] * columns[c] / total`, each cell rounded down or up so that both margins stay exact.

    Such a rounding always exists (Bacharach 1966). Every row takes the cells with the largest fractions that are
    free; where none is, earlier rows make room along the shortest chain of exchanges.

    Args:
        rows: Sums of the rows.
        columns: Sums of the columns; both sum to the same total.
    """
    total = sum(columns)
    cells = [[row * column // total if total else 0 for column in columns] for row in rows]
    free = [column - sum(line[c] for line in cells) for c, column in enumerate(columns)]
    fractions = [[row * column % total if total else 0 for column in columns] for row in rows]
    raised: list[set[int]] = [set() for _ in rows]
    for row, wanted in enumerate(rows):
        for _ in range(wanted - sum(cells[row])):
            _raise_one(row, fractions, raised, free)
    return [[cell + (c in up) for c, cell in enumerate(line)] for line, up in zip(cells, raised, strict=True)]


def _raise_one(row: int, fractions: list[list[int]], raised: list[set[int]], free: list[int]) -> None:
    """Raise one more cell of a row: breadth first, from a full column to those that its holders can take instead."""
    came_from: dict[int, tuple[int, int | None]] = {}
    for column in _reachable(row, fractions, raised, came_from):
        if free[column]:
            free[column] -= 1
            _exchange(column, came_from, raised)
            return
    raise AssertionError("a rounding that keeps both margins exists")


def _reachable(
    row: int, fractions: list[list[int]], raised: list[set[int]], came_from: dict[int, tuple[int, int | None]]
) -> Iterator[int]:
    """The columns that can be raised for a row, nearest first; `came_from` tells by which row, giving up which."""
    queue: list[int] = []
    for column in _candidates(fractions[row], raised[row]):
        came_from[column] = row, None
        queue.append(column)
        yield column
    for column in queue:  # it grows while it is walked
        for holder, up in enumerate(raised):
            if len(queue) == len(fractions[row]):
                return
            if column in up:
                for other in _candidates(fractions[holder], up):
                    if other not in came_from:
                        came_from[other] = holder, column
                        queue.append(other)
                        yield other


def _candidates(fractions: Sequence[int], raised: set[int]) -> list[int]:
    """The columns that a row can still raise, the largest fraction first, then in order."""
    open_columns = [c for c, fraction in enumerate(fractions) if fraction and c not in raised]
    return sorted(open_columns, key=lambda c: -fractions[c])


def _exchange(column: int, came_from: dict[int, tuple[int, int | None]], raised: list[set[int]]) -> None:
    """Along the chain, each row gives up the column before and takes the one after."""
    step: int | None = column
    while step is not None:
        row, before = came_from[step]
        raised[row].add(step)
        if before is not None:
            raised[row].discard(before)
        step = before
