"""A snapshot: everything a dataset reads of a project, frozen in one SQLite file.

Promises: a snapshot never changes once it has its name; any number of processes and threads read it at once,
also from a network or read-only disk; it pickles as its path.

Layout (version 5), rows numbered from 0 in dataset order: `meta(key, value)`; `resource(row, ...)`, the columns that
filters query; `packed(row, record, annotations)`, the record with its parts, and the annotations in order, as
`packing.py` has it, so that an item costs one look-up; `term(term, ..., count)`, each distinct thing that annotations
say, by which they are found and counted, and `said(row, term, count)`, how often it is said of a row.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import msgspec
import numpy as np
import numpy.typing as npt

from datamint_like._cache.leases import pinned
from datamint_like._cache.use import InUse, is_looking
from datamint_like.backends.base import ContentRow
from datamint_like.backends.remote.versions import stem_of
from datamint_like.catalog.leaving import Writable
from datamint_like.catalog.packing import DAMAGED, LAYOUT, Packing
from datamint_like.entities import Annotation, AnnotationWorklist, Part, Project, Resource
from datamint_like.exceptions import CacheError
from datamint_like.imaging.types import Kind

FORMAT = 5
Rows = npt.NDArray[np.int64]
#: The columns that hold the extents of a volume: canonical, then as stored.
Axis = Literal["d", "h", "w", "k", "j", "i"]
REBUILD = "Build the dataset again with auto_update=True while its store may be asked."
_AT_ONCE = 256  # rows in memory where all are gone through


class Meta(msgspec.Struct, frozen=True):
    """What holds for the snapshot as a whole.

    Attributes:
        format: Version of the layout.
        layout: The fields whose values the records hold, in order.
        revision: Of the project.
        store_url: Of its store.
        project: None for a list of resources.
        worklists: The project's schemas.
        count: How many rows there are.
    """

    format: int
    layout: tuple[tuple[str, ...], ...]
    revision: str
    store_url: str
    project: Project | None
    worklists: tuple[AnnotationWorklist, ...]
    count: int


class _Format(msgspec.Struct, frozen=True):
    """The part of `Meta` that every format has."""

    format: int


def _decode_meta(raw: bytes, path: Path) -> Meta:
    try:
        found = msgspec.msgpack.decode(raw, type=_Format).format
        if found == FORMAT:
            meta = msgspec.msgpack.decode(raw, type=Meta)
            if meta.layout == LAYOUT:
                return meta
            reason = "holds other fields than those of this version"
        else:
            reason = f"has format {found}, this version reads {FORMAT}"
    except msgspec.MsgspecError as error:
        reason = f"is damaged ({error})"
    raise CacheError(f"The snapshot {path.name} {reason}. {REBUILD}")


class Snapshot(Writable):
    """An open snapshot. Rows are numbered from 0 in dataset order.

    Example:
        >>> from datamint_like.catalog import sync_project
        >>> snapshot = sync_project(api.backend, "chest", Path("cache"))
        >>> len(snapshot), snapshot.meta.project.name
        (3, 'chest')
    """

    def __init__(self, path: Path, *, stays: bool = False) -> None:
        """Open the snapshot at `path`; one that `stays` is not removed where it shows damage.

        Raises:
            CacheError: It is not there, or is not a snapshot of this version.
        """
        self.path = path
        self._stays = stays
        self._local = threading.local()
        self._in_use = InUse(path)
        self._pin = pinned(path, "catalog")
        (raw,) = self._one("SELECT value FROM meta WHERE key = 'snapshot'")
        self.meta = _decode_meta(raw, path)

    def __reduce__(self) -> tuple[Callable[..., Snapshot], tuple[Path]]:
        return partial(Snapshot, stays=True) if self._stays else Snapshot, (self.path,)

    def __len__(self) -> int:
        return self.meta.count

    def row(self, row: int) -> ContentRow:
        """All there is of one row, in one look-up.

        Example:
            >>> found = snapshot.row(0)
            >>> found.resource.filename, len(found.annotations), len(found.parts)
            ('nih_00000001_000.png', 3, 1)
        """
        record, said = self._one("SELECT record, annotations FROM packed WHERE row = ?", row)
        return self._unpacked(row, record, said)

    def each_row(self) -> Iterator[ContentRow]:
        """All there is of every row, in order, some at a time in memory.

        Example:
            >>> [len(row.annotations) for row in snapshot.each_row()]
            [3, 3, 2]
        """
        return (found for _, found in self.some_rows(range(len(self))))

    def some_rows(self, rows: Iterable[int], *, annotations: bool = True) -> Iterator[tuple[int, ContentRow]]:
        """Each of some rows with all there is of it, in their order, some at a time in memory.

        Args:
            rows: Each once.
            annotations: False leaves them out, which is faster.

        Example:
            >>> [(row, found.resource.filename) for row, found in snapshot.some_rows([2, 0])]
            [(2, 'cr_16bit.png'), (0, 'nih_00000001_000.png')]
        """
        said, coming = "annotations" if annotations else "x''", iter(rows)
        chosen = f"SELECT row, record, {said} FROM packed WHERE row IN (SELECT value FROM json_each(?))"
        while some := list(islice(coming, _AT_ONCE)):
            found = {row: packed for row, *packed in self._all(chosen, json.dumps(some))}
            for row in some:
                if row not in found:
                    raise self._lacking()
                yield row, self._unpacked(row, *found[row])

    def resource(self, row: int) -> Resource:
        """The record of one row.

        Example:
            >>> snapshot.resource(0).filename
            'nih_00000001_000.png'
        """
        (record,) = self._one("SELECT record FROM packed WHERE row = ?", row)
        with self._undamaged(row):
            return self.packing.resource(record)

    def annotated_resource(self, row: int) -> tuple[Resource, list[Annotation]]:
        """The record of one row and all its annotations, in order.

        Example:
            >>> resource, annotations = snapshot.annotated_resource(0)
            >>> resource.filename, len(annotations)
            ('nih_00000001_000.png', 3)
        """
        record, said = self._one("SELECT record, annotations FROM packed WHERE row = ?", row)
        with self._undamaged(row):
            return self.packing.resource(record), self.packing.annotations(said)

    def annotations(self, row: int) -> list[Annotation]:
        """All annotations of one row, in order.

        Example:
            >>> [each.identifier for each in snapshot.annotations(0) if each.is_segmentation()]
            ['lung']
        """
        (said,) = self._one("SELECT annotations FROM packed WHERE row = ?", row)
        with self._undamaged(row):
            return self.packing.annotations(said)

    def parts(self, row: int) -> list[Part]:
        """The files of one row, in order.

        Example:
            >>> [part.filename for part in snapshot.parts(0)]
            ['nih_00000001_000.png']
        """
        (record,) = self._one("SELECT record FROM packed WHERE row = ?", row)
        with self._undamaged(row):
            return self.packing.parts(record)

    def rows_of(self, resource_ids: Iterable[str]) -> dict[str, int]:
        """The row of each of these resources that the snapshot holds.

        Example:
            >>> snapshot.rows_of([xray.id, "unknown"]) == {xray.id: 0}
            True
        """
        with self._readable():
            ask = self._connection().execute
            found = {each: ask("SELECT row FROM resource WHERE id = ?", (each,)).fetchone() for each in resource_ids}
        return {resource_id: row[0] for resource_id, row in found.items() if row is not None}

    def file_names(self) -> set[str]:
        """What the files of all rows, and of their masks, are kept under: digests, or versions where there are none.

        Example:
            >>> len(snapshot.file_names())
            5
        """
        found: set[str] = set()
        for row in self.each_row():
            found.update(part.sha256 for part in row.parts)
            found.update(stem_of(each) for each in row.annotations if each.is_segmentation())
        return found

    def fault(self) -> str | None:
        """What is wrong with the file as a database; None where nothing is.

        Example:
            >>> snapshot.fault() is None
            True
        """
        found = "; ".join(str(line) for (line,) in self._all("PRAGMA quick_check"))
        return None if found == "ok" else f"The snapshot {self.path.name} is damaged ({found:.300})."

    def rows_where(self, condition: str = "1", **values: Any) -> Rows:
        """The rows, ascending, that meet an SQL condition over the columns of `resource`.

        Example:
            >>> snapshot.rows_where("kind = :kind", kind="image").tolist()
            [0, 1, 2]
        """
        count, first, last = self._all(
            f"SELECT COUNT(*), MIN(row), MAX(row) FROM resource WHERE {condition}", **values
        )[0]
        if count and count == last - first + 1:  # as where all rows are of one kind: not a million one by one
            return np.arange(first, last + 1, dtype=np.int64)
        return self._numbers(f"SELECT row FROM resource WHERE {condition} ORDER BY row", values)

    def annotated_rows(self, condition: str, values: dict[str, Any]) -> Rows:
        """The rows, ascending, that have an annotation meeting an SQL condition over the columns of `term`.

        Example:
            >>> snapshot.annotated_rows("identifier = :name", {"name": "lung"}).tolist()
            [0, 1]
        """
        terms = f"SELECT term FROM term WHERE {condition}"
        return self._numbers(f"SELECT DISTINCT row FROM said WHERE term IN ({terms}) ORDER BY row", values)

    def names(self, columns: str, condition: str) -> list[tuple[Any, ...]]:
        """The distinct values of some columns of `term`, sorted.

        Example:
            >>> snapshot.names("identifier", "type = 'label'")
            [('chest',), ('leg',)]
        """
        return self._all(f"SELECT DISTINCT {columns} FROM term WHERE {condition} ORDER BY {columns}")

    def count_names(self, condition: str, values: dict[str, Any]) -> list[tuple[str, str, int]]:
        """(type, identifier, how many) of the annotations that meet an SQL condition, sorted.

        Example:
            >>> snapshot.count_names("type = :type", {"type": "label"})
            [('label', 'chest', 2), ('label', 'leg', 1)]
        """
        return [(kind, name, count) for kind, name, count in self.count_by("type, identifier", condition, values)]

    def count_by(
        self, columns: str, condition: str, values: dict[str, Any], rows: Rows | None = None
    ) -> list[tuple[Any, ...]]:
        """(the columns' values, how many) of the annotations that meet an SQL condition, sorted; of some rows alone.

        Example:
            >>> snapshot.count_by("author", "1", {})
            [('annotator.a@demo.example', 8)]
            >>> snapshot.count_by("author", "type = 'label'", {}, np.array([0, 2]))
            [('annotator.a@demo.example', 2)]
        """
        source, count = "term", "count"
        if rows is not None and len(rows) < len(self):
            chosen = "row IN (SELECT value FROM json_each(:counted_rows))"
            source = f"(SELECT term.*, said.count AS times FROM said JOIN term USING (term) WHERE {chosen})"
            count, values = "times", {**values, "counted_rows": json.dumps(rows.tolist())}
        sql = f"SELECT {columns}, SUM({count}) FROM {source} WHERE {condition} GROUP BY {columns} ORDER BY {columns}"
        return self._all(sql, **values)

    def column(self, name: str) -> list[Any]:
        """One column of `resource`, in row order.

        Example:
            >>> snapshot.column("filename")
            ['nih_00000001_000.png', 'nih_00027426_000.png', 'cr_16bit.png']
        """
        found = "lower(hex(digest))" if name == "digest" else name
        with self._readable():
            return [value for (value,) in self._connection().execute(f"SELECT {found} FROM resource ORDER BY row")]

    def slice_starts(self, axis: Axis, kind: Kind = "volume") -> Rows:
        """For each row the number of slices along an axis in all volumes (or videos) before it, and the total last.

        The axis is canonical (`"d"`, `"h"`, `"w"`) or the file's own (`"k"`, `"j"`, `"i"`). Rows of another kind
        have no slices; so slice n of row r is number `starts[r] + n`.

        Example:
            >>> from datamint_like.catalog import sync_project
            >>> sync_project(api.backend, "head-ct", Path("cache")).slice_starts("d").tolist()
            [0, 32]
        """
        counts = self._numbers(f"SELECT CASE kind WHEN '{kind}' THEN {axis} ELSE 0 END FROM resource ORDER BY row", {})
        return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])

    def _one(self, sql: str, *values: Any) -> tuple[Any, ...]:
        rows = self._all(sql, *values)
        if not rows:
            raise self._lacking()
        return rows[0]

    def _lacking(self) -> CacheError:
        return CacheError(f"The snapshot {self.path.name} lacks a row it should have. {REBUILD}")

    def _all(self, sql: str, *values: Any, **named: Any) -> list[tuple[Any, ...]]:
        with self._readable():
            return self._connection().execute(sql, named or values).fetchall()

    def _numbers(self, sql: str, values: dict[str, Any]) -> Rows:
        """The one column that a statement selects."""
        with self._readable():
            return np.fromiter((number for (number,) in self._connection().execute(sql, values)), dtype=np.int64)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Errors of SQLite, as what to do; the snapshot is in use."""
        self._in_use.note()
        try:
            yield
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise self._damaged("", error) from error
            raise CacheError(f"The snapshot {self.path.name} cannot be read ({error}). {REBUILD}") from error

    @contextmanager
    def _undamaged(self, row: int) -> Iterator[None]:
        """Errors of unpacking a row, as what to do."""
        try:
            yield
        except DAMAGED as error:
            raise self._damaged(f" in row {row}", error) from error

    def _damaged(self, where: str, error: Exception) -> CacheError:
        """What to say of a damaged snapshot; it is removed where it can be built again when it is needed next."""
        if not (self._stays or is_looking()):
            with suppress(OSError):  # others may have removed it, or nobody may
                self.path.unlink()
        gone = "" if self.path.exists() else " and was removed"
        return CacheError(f"The snapshot {self.path.name} is damaged{where} ({error}){gone}. {REBUILD}")

    def _unpacked(self, row: int, record: bytes, said: bytes) -> ContentRow:
        with self._undamaged(row):
            return self.packing.row(record, said)

    @cached_property
    def packing(self) -> Packing:
        """How its rows are packed.

        Example:
            >>> row = snapshot.row(0)
            >>> snapshot.packing.resource(snapshot.packing.pack(row)[0]) == row.resource
            True
        """
        (dictionary,) = self._one("SELECT value FROM meta WHERE key = 'dictionary'")
        return Packing(dictionary)

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection; a forked child opens its own."""
        if getattr(self._local, "pid", None) != os.getpid():
            uri = f"file:{quote(str(self.path))}?immutable=1&mode=ro"
            # Only its own thread uses it, but the garbage collector may close it in another.
            self._local.handle = _Handle(sqlite3.connect(uri, uri=True, check_same_thread=False))
            self._local.pid = os.getpid()
        connection: sqlite3.Connection = self._local.handle.connection
        return connection


class _Handle:
    """Closes its connection when the thread that made it, or the snapshot, is gone."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()
