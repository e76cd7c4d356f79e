"""A snapshot: everything a dataset reads of a project, frozen in one SQLite file.

Promises: a snapshot never changes once it has its name; any number of processes and threads read it at once,
also from a network or read-only disk; it pickles as its path.

Layout (version 4): `meta(key, value)`; `resource(row, ...)` with one row a resource, numbered from 0 in dataset
order: the columns that filters query, then its record, its annotations and its parts in order, each as MessagePack, so
that an item costs one look-up; `annotation(n, row, ...)`, the columns by which annotations are found and counted.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import msgspec
import numpy as np
import numpy.typing as npt

from datamint_like._files import build_file
from datamint_like.backends.base import ProjectContent
from datamint_like.entities import Annotation, AnnotationWorklist, Part, Project, Resource
from datamint_like.exceptions import CacheError
from datamint_like.imaging import canonical_shape, facts_of, frame_axis_of
from datamint_like.imaging.types import Kind

if TYPE_CHECKING:
    from datamint_like.catalog.export import ExportedTables, TableFormat

FORMAT = 4
Rows = npt.NDArray[np.int64]
#: The columns that hold the extents of a volume: canonical, then as stored.
Axis = Literal["d", "h", "w", "k", "j", "i"]
_REBUILD = "Build the dataset again with auto_update=True."
_AT_ONCE = 256  # rows in memory where all are gone through

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE resource (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, kind TEXT, patient TEXT,
    filename TEXT NOT NULL, tags TEXT NOT NULL,
    d INTEGER NOT NULL, h INTEGER NOT NULL, w INTEGER NOT NULL, uneven_axis INTEGER,
    k INTEGER NOT NULL, j INTEGER NOT NULL, i INTEGER NOT NULL,
    record BLOB NOT NULL, annotations BLOB NOT NULL, parts BLOB NOT NULL
);
CREATE TABLE annotation (
    n INTEGER PRIMARY KEY, row INTEGER NOT NULL, author TEXT, type TEXT NOT NULL, scope TEXT NOT NULL,
    identifier TEXT NOT NULL, value TEXT, frame_index INTEGER, status TEXT
);
CREATE INDEX annotation_row ON annotation (row);
CREATE INDEX annotation_name ON annotation (type, scope, identifier, value);
"""


_decode_resource = msgspec.msgpack.Decoder(Resource).decode
_decode_annotations = msgspec.msgpack.Decoder(list[Annotation]).decode
_decode_parts = msgspec.msgpack.Decoder(list[Part]).decode


class Row(msgspec.Struct, frozen=True):
    """All that a snapshot holds of one resource.

    Attributes:
        resource: Its record.
        annotations: All of them, in order.
        parts: Its files, in order.
    """

    resource: Resource
    annotations: list[Annotation]
    parts: list[Part]


class _Meta(msgspec.Struct, frozen=True):
    """What holds for the snapshot as a whole."""

    format: int
    revision: str
    store_url: str
    project: Project | None
    worklists: tuple[AnnotationWorklist, ...]


class _Format(msgspec.Struct, frozen=True):
    """The part of `_Meta` that every format has."""

    format: int


def _decode_meta(raw: bytes, path: Path) -> _Meta:
    try:
        found = msgspec.msgpack.decode(raw, type=_Format).format
        if found == FORMAT:
            return msgspec.msgpack.decode(raw, type=_Meta)
        reason = f"has format {found}, this version reads {FORMAT}"
    except msgspec.MsgspecError as error:
        reason = f"is damaged ({error})"
    raise CacheError(f"The snapshot {path.name} {reason}. {_REBUILD}")


class Snapshot:
    """An open snapshot. Rows are numbered from 0 in dataset order.

    Example:
        >>> from datamint_like.catalog import sync_project
        >>> snapshot = sync_project(api.backend, "chest", Path("cache"))
        >>> len(snapshot), snapshot.meta.project.name
        (3, 'chest')
    """

    def __init__(self, path: Path) -> None:
        """Open the snapshot at `path`.

        Raises:
            CacheError: It is not there, or is not a snapshot of this version.
        """
        self.path = path
        self._local = threading.local()
        (raw,) = self._one("SELECT value FROM meta WHERE key = 'snapshot'")
        self.meta = _decode_meta(raw, path)

    def __reduce__(self) -> tuple[type[Snapshot], tuple[Path]]:
        return Snapshot, (self.path,)

    def __len__(self) -> int:
        (count,) = self._one("SELECT COUNT(*) FROM resource")
        return int(count)

    def row(self, row: int) -> Row:
        """All there is of one row, in one look-up.

        Example:
            >>> found = snapshot.row(0)
            >>> found.resource.filename, len(found.annotations), len(found.parts)
            ('nih_00000001_000.png', 3, 1)
        """
        record, annotations, parts = self._one("SELECT record, annotations, parts FROM resource WHERE row = ?", row)
        return Row(_decode_resource(record), _decode_annotations(annotations), _decode_parts(parts))

    def each_row(self) -> Iterator[Row]:
        """All there is of every row, in order, some at a time in memory.

        Example:
            >>> [len(row.annotations) for row in snapshot.each_row()]
            [3, 3, 2]
        """
        chosen = "SELECT record, annotations, parts FROM resource WHERE row >= ? ORDER BY row LIMIT ?"
        start = 0
        while found := self._all(chosen, start, _AT_ONCE):
            start += len(found)
            for record, said, parts in found:
                yield Row(_decode_resource(record), _decode_annotations(said), _decode_parts(parts))

    def resource(self, row: int) -> Resource:
        """The record of one row.

        Example:
            >>> snapshot.resource(0).filename
            'nih_00000001_000.png'
        """
        (record,) = self._one("SELECT record FROM resource WHERE row = ?", row)
        return _decode_resource(record)

    def annotated_resource(self, row: int) -> tuple[Resource, list[Annotation]]:
        """The record of one row and all its annotations, in order.

        Example:
            >>> resource, annotations = snapshot.annotated_resource(0)
            >>> resource.filename, len(annotations)
            ('nih_00000001_000.png', 3)
        """
        record, annotations = self._one("SELECT record, annotations FROM resource WHERE row = ?", row)
        return _decode_resource(record), _decode_annotations(annotations)

    def annotations(self, row: int) -> list[Annotation]:
        """All annotations of one row, in order.

        Example:
            >>> [each.identifier for each in snapshot.annotations(0) if each.is_segmentation()]
            ['lung']
        """
        (annotations,) = self._one("SELECT annotations FROM resource WHERE row = ?", row)
        return _decode_annotations(annotations)

    def parts(self, row: int) -> list[Part]:
        """The files of one row, in order.

        Example:
            >>> [part.filename for part in snapshot.parts(0)]
            ['nih_00000001_000.png']
        """
        (parts,) = self._one("SELECT parts FROM resource WHERE row = ?", row)
        return _decode_parts(parts)

    def rows_where(self, condition: str = "1", **values: Any) -> Rows:
        """The rows, ascending, that meet an SQL condition over the columns of `resource`.

        Example:
            >>> snapshot.rows_where("kind = :kind", kind="image").tolist()
            [0, 1, 2]
        """
        found = self._all(f"SELECT row FROM resource WHERE {condition} ORDER BY row", **values)
        return np.fromiter((row for (row,) in found), dtype=np.int64)

    def annotated_rows(self, condition: str, values: dict[str, Any]) -> Rows:
        """The rows, ascending, that have an annotation meeting an SQL condition.

        Example:
            >>> snapshot.annotated_rows("identifier = :name", {"name": "lung"}).tolist()
            [0, 1]
        """
        found = self._all(f"SELECT DISTINCT row FROM annotation WHERE {condition} ORDER BY row", **values)
        return np.fromiter((row for (row,) in found), dtype=np.int64)

    def names(self, columns: str, condition: str) -> list[tuple[Any, ...]]:
        """The distinct values of some annotation columns, sorted.

        Example:
            >>> snapshot.names("identifier", "type = 'label'")
            [('chest',), ('leg',)]
        """
        return self._all(f"SELECT DISTINCT {columns} FROM annotation WHERE {condition} ORDER BY {columns}")

    def count_names(self, condition: str, values: dict[str, Any]) -> list[tuple[str, str, int]]:
        """(type, identifier, how many) of the annotations that meet an SQL condition, sorted.

        Example:
            >>> snapshot.count_names("type = :type", {"type": "label"})
            [('label', 'chest', 2), ('label', 'leg', 1)]
        """
        return [(kind, name, count) for kind, name, count in self.count_by("type, identifier", condition, values)]

    def count_by(self, columns: str, condition: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """(the columns' values, how many) of the annotations that meet an SQL condition, sorted.

        Example:
            >>> snapshot.count_by("author", "1", {})
            [('annotator.a@demo.example', 8)]
        """
        sql = f"SELECT {columns}, COUNT(*) FROM annotation WHERE {condition} GROUP BY {columns} ORDER BY {columns}"
        return self._all(sql, **values)

    def column(self, name: str) -> list[Any]:
        """One column of `resource`, in row order.

        Example:
            >>> snapshot.column("filename")
            ['nih_00000001_000.png', 'nih_00027426_000.png', 'cr_16bit.png']
        """
        return [value for (value,) in self._all(f"SELECT {name} FROM resource ORDER BY row")]

    def slice_starts(self, axis: Axis, kind: Kind = "volume") -> Rows:
        """For each row the number of slices along an axis in all volumes (or videos) before it, and the total last.

        The axis is canonical (`"d"`, `"h"`, `"w"`) or the file's own (`"k"`, `"j"`, `"i"`). Rows of another kind
        have no slices; so slice n of row r is number `starts[r] + n`.

        Example:
            >>> from datamint_like.catalog import sync_project
            >>> sync_project(api.backend, "head-ct", Path("cache")).slice_starts("d").tolist()
            [0, 32]
        """
        cut = self._all(f"SELECT CASE kind WHEN '{kind}' THEN {axis} ELSE 0 END FROM resource ORDER BY row")
        counts = np.fromiter((count for (count,) in cut), dtype=np.int64)
        return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])

    def export(self, folder: str | Path, format: TableFormat = "parquet") -> ExportedTables:
        """The paths of two tables written into `folder`: `resources` and `annotations`, as Parquet or JSON lines.

        Both are of the whole snapshot, whatever part of it a dataset holds; `row` counts resources in its order, and
        tells in both which resource a line is of. Times are UTC; `d`, `h`, `w` are the extents of an item in
        canonical orientation; `metadata` and `geometry` are JSON (in Parquet as text). The tables hold what the
        records hold: patient ids and the e-mails of annotators are among it.

        Args:
            folder: Where the tables go; it is made, and tables of an earlier export are replaced.
            format: `"parquet"` (needs pyarrow: `pip install "datamint-like[parquet]"`) or `"jsonl"`.

        Raises:
            MissingExtraError: Parquet is asked for and pyarrow is not installed.
            ValidationError: There is no such format, the folder cannot be written, or a time stamp is none.

        Example:
            >>> tables = dataset.snapshot.export("tables")
            >>> tables.resources.name, tables.annotations.name
            ('resources.parquet', 'annotations.parquet')
        """
        from datamint_like.catalog.export import export_snapshot

        return export_snapshot(self, Path(folder), format)

    def write_lock(self, path: str | Path) -> None:
        """Write the lock file of this state: `VolumeDataset(lock=path)` opens it again, here or elsewhere.

        Equal states give equal bytes. The file holds the records and the digests of all files, in plain text; no
        pixels, no masks and no key.

        Raises:
            ValidationError: It cannot be written.

        Example:
            >>> dataset.snapshot.write_lock("chest.lock")
            >>> ImageDataset(lock="chest.lock").fingerprint == dataset.fingerprint
            True
        """
        from datamint_like.catalog.lock import write_lock

        write_lock(self, Path(path))

    def _one(self, sql: str, *values: Any) -> tuple[Any, ...]:
        rows = self._all(sql, *values)
        if not rows:
            raise CacheError(f"The snapshot {self.path.name} lacks a row it should have. {_REBUILD}")
        return rows[0]

    def _all(self, sql: str, *values: Any, **named: Any) -> list[tuple[Any, ...]]:
        try:
            return self._connection().execute(sql, named or values).fetchall()
        except sqlite3.Error as error:
            raise CacheError(f"The snapshot {self.path.name} cannot be read ({error}). {_REBUILD}") from error

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


def write_snapshot(path: Path, content: ProjectContent, store_url: str) -> None:
    """Put the snapshot of `content` at `path`, whole or not at all.

    Raises:
        sqlite3.Error, OSError: The disk is full or cannot be written; nothing is left behind.

    Example:
        >>> content = api.backend.read_project(api.projects.get_by_name("chest").id)
        >>> write_snapshot(Path("chest.sqlite"), content, api.server_url)
        >>> len(Snapshot(Path("chest.sqlite")))
        3
    """

    def build(partial: Path) -> None:
        connection = sqlite3.connect(partial)
        try:
            connection.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_SCHEMA}")
            with connection:
                _fill(connection, content, store_url)
        finally:
            connection.close()

    build_file(path, build)


def _fill(connection: sqlite3.Connection, content: ProjectContent, store_url: str) -> None:
    meta = _Meta(FORMAT, content.revision, store_url, content.project, content.worklists)
    connection.execute("INSERT INTO meta VALUES ('snapshot', ?)", (msgspec.msgpack.encode(meta),))
    connection.executemany(
        "INSERT INTO resource VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _resource_rows(content)
    )
    for row, resource in enumerate(content.resources):
        connection.executemany(
            "INSERT INTO annotation VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)",
            (_annotation_row(row, annotation) for annotation in content.annotations.get(resource.id, ())),
        )


def _resource_rows(content: ProjectContent) -> Iterator[tuple[Any, ...]]:
    for row, resource in enumerate(content.resources):
        facts = facts_of(resource)
        _, d, h, w = canonical_shape(facts) if facts else (0, 0, 0, 0)
        record = msgspec.msgpack.encode(resource)
        digest = hashlib.sha256(record)
        annotations = content.annotations.get(resource.id, ())
        for annotation in annotations:
            digest.update(msgspec.msgpack.encode(annotation))
        kind = facts.kind if facts else None
        uneven = frame_axis_of(facts)[0] if facts and facts.irregularity else None
        tags = json.dumps(resource.tags)
        found = (row, resource.id, digest.hexdigest(), kind, resource.patient_id, resource.filename, tags)
        parts = content.parts.get(resource.id, ())
        packed = (record, msgspec.msgpack.encode(annotations), msgspec.msgpack.encode(parts))
        yield (*found, d, h, w, uneven, *(facts.shape if facts else (0, 0, 0)), *packed)


def _annotation_row(row: int, annotation: Annotation) -> Sequence[Any]:
    return (
        row,
        annotation.created_by,
        annotation.annotation_type,
        annotation.scope,
        annotation.identifier,
        annotation.text_value,
        annotation.frame_index,
        annotation.status,
    )
