"""A snapshot made of an earlier one and of what changed since, row for row as one made of everything.

Rows that stay are copied from file to file, in runs that move by the same number; those that changed are packed anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from datamint_like.backends.base import Changes, ProjectContent
from datamint_like.catalog.snapshot import Rows, Snapshot
from datamint_like.catalog.writing import Filling, build_tables, write_meta
from datamint_like.exceptions import CacheError

_RESOURCE = "id, digest, kind, patient, filename, tags, d, h, w, uneven_axis, k, j, i"
_COPIES = (
    f"INSERT INTO resource SELECT row + :by, {_RESOURCE} FROM base.resource WHERE row BETWEEN :first AND :last",
    "INSERT INTO packed SELECT row + :by, record, annotations FROM base.packed WHERE row BETWEEN :first AND :last",
    "INSERT INTO said SELECT row + :by, term, count FROM base.said WHERE row BETWEEN :first AND :last",
)
#: What is said of the rows that stay, as rows of `term`.
_TERMS = """
SELECT term, author, type, scope, identifier, value, status, of_one_frame, term.count - COALESCE(dropped.count, 0)
FROM base.term LEFT JOIN (
    SELECT term, SUM(count) AS count FROM base.said WHERE row IN (SELECT row FROM dropped) GROUP BY term
) AS dropped USING (term)
WHERE term.count > COALESCE(dropped.count, 0)
"""


class UnfitBaseError(Exception):
    """The earlier snapshot is not the state that the changes begin with, or cannot be read."""


@dataclass(frozen=True)
class Plan:
    """Where the rows of an earlier snapshot go.

    Attributes:
        dropped: Rows that leave or change, ascending.
        runs: (first, last, by how much they move) of the rows that stay, ascending.
        places: For each changed resource, in order, its row.
    """

    dropped: Rows
    runs: list[tuple[int, int, int]]
    places: list[int]


def write_changed(path: Path, base: Snapshot, content: ProjectContent, store_url: str) -> None:
    """Put at `path` the snapshot that `base` becomes by the changes of `content`, whole or not at all.

    Raises:
        UnfitBaseError: `base` is not what the changes begin with, or cannot be read.
        sqlite3.Error, OSError: The disk is full or cannot be written; nothing is left behind.
        DatamintException: The content could not be read; nothing is left behind.
    """
    changes = content.changes
    if changes is None or changes.since != base.meta.revision:
        raise UnfitBaseError("these are no changes of this revision")
    plan = plan_of(len(base), _named_rows(base, changes), changes)

    def fill(connection: sqlite3.Connection) -> None:
        _attach(connection, base.path)
        _copy(connection, plan)
        filling = Filling(connection, base.packing)
        filling.keep(connection.execute(_TERMS).fetchall())
        for place, row in zip(plan.places, content.rows, strict=True):
            filling.add(place, row)
        filling.finish()
        write_meta(connection, content, store_url, filling.packing, changes.total)

    build_tables(path, fill)


def plan_of(count: int, rows: dict[str, int], changes: Changes) -> Plan:
    """Where each of `count` rows goes, and each changed one.

    Args:
        count: Rows of the earlier state.
        rows: The row of each resource that the changes name, if the earlier state held it.
        changes: What changed.

    Raises:
        UnfitBaseError: The changes are not of this state.

    Example:
        >>> changes = Changes("1", gone=("a",), places=(("b", "c"),), total=2)
        >>> plan_of(3, {"a": 0, "b": 1, "c": 2}, changes)  # of a, b, c stays c, and b comes behind it
        Plan(dropped=array([0, 1]), runs=[(2, 2, -2)], places=[1])
    """
    leaving = {*changes.gone, *(resource_id for resource_id, _ in changes.places)}
    dropped = np.array(sorted(rows[each] for each in leaving if each in rows), dtype=np.int64)
    behind: dict[str, int] = {}  # changed resources and the row that stays before them, -1 before all
    last = -1
    for resource_id, before in changes.places:
        stays = -2 if before is None or before in leaving else rows.get(before, -2)
        anchor = -1 if before is None else behind.get(before, stays)
        if anchor < last or resource_id in behind:
            raise UnfitBaseError(f"resource {resource_id} has no place in it")
        behind[resource_id] = last = anchor
    anchors = np.array(list(behind.values()), dtype=np.int64)
    if count - len(dropped) + len(anchors) != changes.total:
        raise UnfitBaseError("it holds another number of resources")
    places = anchors + 1 - np.searchsorted(dropped, anchors, "right") + np.arange(len(anchors))
    return Plan(dropped, list(_runs(count, dropped, anchors)), places.tolist())


def _runs(count: int, dropped: Rows, anchors: Rows) -> Iterator[tuple[int, int, int]]:
    bounds = np.unique(np.concatenate([[0, count], dropped, dropped + 1, anchors + 1]))
    starts, stops = bounds[:-1], bounds[1:]
    stay = ~np.isin(starts, dropped)
    by = np.searchsorted(anchors, starts, "left") - np.searchsorted(dropped, starts, "left")
    for first, stop, shift in zip(starts[stay].tolist(), stops[stay].tolist(), by[stay].tolist(), strict=True):
        yield first, stop - 1, shift


def _named_rows(base: Snapshot, changes: Changes) -> dict[str, int]:
    ids = {*changes.gone, *(each for place in changes.places for each in place if each is not None)}
    try:
        return base.rows_of(ids)
    except CacheError as error:
        raise UnfitBaseError(str(error)) from error


def _attach(connection: sqlite3.Connection, base: Path) -> None:
    """Let the earlier snapshot be read as `base`."""
    try:
        connection.execute("ATTACH ? AS base", (f"file:{quote(str(base))}?immutable=1&mode=ro",))
    except sqlite3.Error as error:
        raise UnfitBaseError(str(error)) from error
    connection.execute("PRAGMA temp_store=MEMORY")


def _copy(connection: sqlite3.Connection, plan: Plan) -> None:
    connection.execute("CREATE TEMP TABLE dropped (row INTEGER PRIMARY KEY)")
    connection.executemany("INSERT INTO dropped VALUES (?)", ((row,) for row in plan.dropped.tolist()))
    runs = [{"first": first, "last": last, "by": by} for first, last, by in plan.runs]
    for copy in _COPIES:
        connection.executemany(copy, runs)
