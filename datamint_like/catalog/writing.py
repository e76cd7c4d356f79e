"""Snapshots as they are written: row by row, so that no project is too large for memory."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec

from datamint_like._files import build_file
from datamint_like.backends.base import ContentRow, ProjectContent
from datamint_like.catalog.packing import LAYOUT, Packing
from datamint_like.catalog.snapshot import FORMAT, Meta
from datamint_like.entities import Annotation, is_of_one_frame
from datamint_like.imaging import canonical_shape, facts_of, frame_axis_of

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE resource (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL, digest BLOB NOT NULL, kind TEXT, patient TEXT,
    filename TEXT NOT NULL, tags TEXT NOT NULL,
    d INTEGER NOT NULL, h INTEGER NOT NULL, w INTEGER NOT NULL, uneven_axis INTEGER,
    k INTEGER NOT NULL, j INTEGER NOT NULL, i INTEGER NOT NULL
);
CREATE TABLE packed (row INTEGER PRIMARY KEY, record BLOB NOT NULL, annotations BLOB NOT NULL);
CREATE TABLE term (
    term INTEGER PRIMARY KEY, author TEXT, type TEXT NOT NULL, scope TEXT NOT NULL, identifier TEXT NOT NULL,
    value TEXT, status TEXT, of_one_frame INTEGER NOT NULL, count INTEGER NOT NULL
);
CREATE TABLE said (
    row INTEGER NOT NULL, term INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (row, term)
) WITHOUT ROWID;
"""
_INDEXES = """
CREATE UNIQUE INDEX resource_id ON resource (id);
CREATE INDEX resource_kind ON resource (kind);
"""
_SAMPLE = 64  # rows of which the dictionary is made
_AT_ONCE = 64  # rows that are written together
_encode = msgspec.msgpack.Encoder().encode


def write_snapshot(path: Path, content: ProjectContent, store_url: str) -> None:
    """Put the snapshot of `content` at `path`, whole or not at all; its rows are read as they are written.

    Raises:
        sqlite3.Error, OSError: The disk is full or cannot be written; nothing is left behind.
        DatamintException: The content could not be read; nothing is left behind.

    Example:
        >>> from datamint_like.catalog import Snapshot
        >>> with api.backend.read_project(api.projects.get_by_name("chest").id) as content:
        ...     write_snapshot(Path("chest.sqlite"), content, api.server_url)
        >>> len(Snapshot(Path("chest.sqlite")))
        3
    """
    build_tables(path, lambda connection: _fill(connection, content, store_url))


def build_tables(path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Put a snapshot, whose empty tables `fill` fills, at `path`, whole or not at all."""

    def build(partial: Path) -> None:
        connection = sqlite3.connect(partial, uri=True)
        try:
            connection.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_SCHEMA}")
            fill(connection)
            connection.commit()
        finally:
            connection.close()

    build_file(path, build)


def _fill(connection: sqlite3.Connection, content: ProjectContent, store_url: str) -> None:
    rows = iter(content.rows)
    sample = list(islice(rows, _SAMPLE))
    filling = Filling(connection, Packing.of_sample(sample))
    for number, row in enumerate(chain(sample, rows)):
        filling.add(number, row)
    filling.finish()
    write_meta(connection, content, store_url, filling.packing, filling.count)


def write_meta(
    connection: sqlite3.Connection, content: ProjectContent, store_url: str, packing: Packing, count: int
) -> None:
    """Fill the table of what holds for a snapshot of `count` rows as a whole."""
    meta = Meta(FORMAT, LAYOUT, content.revision, store_url, content.project, content.worklists, count)
    values = {"snapshot": _encode(meta), "dictionary": packing.dictionary}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", values.items())


class Filling:
    """Rows on their way into the tables of a new snapshot.

    Attributes:
        packing: How they are packed.
        count: How many there are so far.
    """

    def __init__(self, connection: sqlite3.Connection, packing: Packing) -> None:
        self._connection = connection
        self.packing = packing
        self.count = 0
        self._terms: dict[tuple[Any, ...], int] = {}
        self._counts: dict[int, int] = {}
        self._unused = 0  # the highest number of a term
        self._waiting: list[tuple[int, ContentRow]] = []

    def add(self, number: int, row: ContentRow) -> None:
        """Add the row of this number."""
        self._waiting.append((number, row))
        self.count += 1
        if len(self._waiting) >= _AT_ONCE:
            self._write()

    def keep(self, terms: Iterable[tuple[Any, ...]]) -> None:
        """Begin with the terms of rows that are there already: rows of `term`."""
        for term, *key, count in terms:
            self._terms[tuple(key)], self._counts[term] = term, count
            self._unused = max(self._unused, term)

    def finish(self) -> None:
        """Write what waits, what was said, and the indexes."""
        self._write()
        terms = ((n, *term, self._counts[n]) for term, n in self._terms.items())
        self._connection.executemany("INSERT INTO term VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", terms)
        for statement in filter(str.strip, _INDEXES.split(";")):
            self._connection.execute(statement)

    def _write(self) -> None:
        rows, self._waiting = self._waiting, []
        many = self._connection.executemany
        columns = ((number, *_columns(row)) for number, row in rows)
        many("INSERT INTO resource VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", columns)
        many("INSERT INTO packed VALUES (?, ?, ?)", ((number, *self.packing.pack(row)) for number, row in rows))
        many("INSERT INTO said VALUES (?, ?, ?)", (each for number, row in rows for each in self._said(number, row)))

    def _said(self, number: int, row: ContentRow) -> Iterator[tuple[int, int, int]]:
        """(row, term, how often) of the annotations of a row."""
        counts: dict[int, int] = {}
        for annotation in row.annotations:
            key = _term(annotation)
            term = self._terms.get(key)
            if term is None:
                term = self._terms[key] = self._unused = self._unused + 1
            counts[term] = counts.get(term, 0) + 1
            self._counts[term] = self._counts.get(term, 0) + 1
        return ((number, term, count) for term, count in counts.items())


def _term(annotation: Annotation) -> tuple[Any, ...]:
    """What datasets ask of an annotation; of values those of categories alone, since texts and numbers differ each."""
    kind = annotation.annotation_type
    return (
        annotation.created_by,
        kind,
        annotation.scope,
        annotation.identifier,
        annotation.text_value if kind == "category" else None,
        annotation.status,
        is_of_one_frame(annotation),
    )


def _columns(row: ContentRow) -> tuple[Any, ...]:
    """The columns of `resource` behind the number."""
    resource, facts = row.resource, facts_of(row.resource)
    _, d, h, w = canonical_shape(facts) if facts else (0, 0, 0, 0)
    digest = hashlib.sha256(_encode(resource))
    for annotation in row.annotations:
        digest.update(_encode(annotation))
    kind = facts.kind if facts else None
    uneven = frame_axis_of(facts)[0] if facts and facts.irregularity else None
    tags = msgspec.json.encode(resource.tags).decode()
    found = (resource.id, digest.digest(), kind, resource.patient_id, resource.filename, tags)
    return (*found, d, h, w, uneven, *(facts.shape if facts else (0, 0, 0)))
