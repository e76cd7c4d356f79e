"""The tables that an analyst wants of a snapshot: its resources and its annotations, as Parquet or JSON lines.

A row of a table is made, written and forgotten, so a million resources need no more memory than some thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import msgspec

from datamint_like._files import make_dirs, new_file
from datamint_like._optional import need
from datamint_like.backends.local import clock
from datamint_like.entities import Annotation, Resource
from datamint_like.exceptions import ValidationError
from datamint_like.imaging import canonical_shape, facts_of

if TYPE_CHECKING:
    from datamint_like.backends.base import ContentRow
    from datamint_like.catalog.snapshot import Snapshot

TableFormat = Literal["parquet", "jsonl"]
#: `instant` is UTC with microseconds, `json` a value of any form: text in Parquet, itself in JSON lines.
_Type = Literal["text", "texts", "integer", "number", "flag", "instant", "json"]
_AT_ONCE = 500  # rows of a table that are in memory as records
_IN_A_GROUP = 40  # times as many, as columns, are a row group of Parquet


class ExportedTables(NamedTuple):
    """The files that an export wrote."""

    resources: Path
    annotations: Path


@dataclass(frozen=True)
class _Column:
    name: str
    type: _Type
    value: Callable[[Any], Any]


class _Shape(NamedTuple):
    """Extents of an item in canonical orientation; none where the store has no header facts."""

    channels: int | None = None
    d: int | None = None
    h: int | None = None
    w: int | None = None


class _ResourceRow(NamedTuple):
    number: int
    record: Resource
    row: ContentRow
    kind: str | None
    shape: _Shape


class _AnnotationRow(NamedTuple):
    number: int
    record: Annotation


def _fields(type: _Type, *names: str) -> list[_Column]:
    """Columns that are fields of the record."""
    return [_Column(name, type, attrgetter(f"record.{name}")) for name in names]


def _instants(*names: str) -> list[_Column]:
    def value(name: str, told: Any) -> str | None:
        text = getattr(told.record, name)
        return clock.parse(text) if text else None

    return [_Column(name, "instant", partial(value, name)) for name in names]


_NUMBER = _Column("row", "integer", lambda told: told.number)
_RESOURCES = (
    _NUMBER,
    *_fields("text", "id", "filename"),
    _Column("kind", "text", lambda told: told.kind),
    *_fields("text", "modality", "mimetype", "status"),
    *_fields("flag", "published"),
    *_instants("created_at"),
    *_fields("text", "created_by"),
    _Column("tags", "texts", lambda told: list(told.record.tags)),
    *_fields("text", "patient_id", "study_uid", "series_uid", "instance_uid"),
    *(_Column(name, "integer", attrgetter(f"shape.{name}")) for name in _Shape._fields),
    *_fields("text", "upload_channel"),
    *_fields("integer", "size"),
    _Column("files", "texts", lambda told: [part.filename for part in told.row.parts]),
    _Column("file_sha256", "texts", lambda told: [part.sha256 for part in told.row.parts]),
    _Column("annotations", "integer", lambda told: len(told.row.annotations)),
    *_fields("json", "metadata"),
)
_ANNOTATIONS = (
    _NUMBER,
    *_fields("text", "id", "resource_id", "annotation_type", "identifier", "scope"),
    *_fields("integer", "frame_index"),
    *_fields("text", "text_value"),
    *_fields("number", "numeric_value"),
    *_fields("text", "units", "status", "created_by", "created_by_model"),
    *_instants("created_at"),
    *_fields("text", "approved_by"),
    *_instants("approved_at"),
    *_fields("text", "annotation_worklist_id", "source", "imported_from", "sha256"),
    *_fields("json", "geometry"),
)


def export_snapshot(snapshot: Snapshot, folder: Path, format: TableFormat) -> ExportedTables:
    """Write both tables into `folder`, each whole or not at all.

    Raises:
        MissingExtraError: Parquet is asked for and pyarrow is not installed.
        ValidationError: There is no such format, the folder cannot be written, or a time stamp is none.
    """
    if format not in get_args(TableFormat):
        raise ValidationError(f"format is one of {', '.join(map(repr, get_args(TableFormat)))}, not {format!r:.80}.")
    write = _parquet if format == "parquet" else _json_lines
    if format == "parquet":
        need("pyarrow.parquet", extra="parquet")  # told before anything is made
    tables = ExportedTables(folder / f"resources.{format}", folder / f"annotations.{format}")
    try:
        make_dirs(folder)
        with new_file(tables.resources) as file:
            write(file, _RESOURCES, _resource_rows(snapshot))
        with new_file(tables.annotations) as file:
            write(file, _ANNOTATIONS, _annotation_rows(snapshot))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValidationError(f"The tables cannot be written into {folder}: {reason}. Name another folder.") from error
    return tables


def _resource_rows(snapshot: Snapshot) -> Iterator[_ResourceRow]:
    for number, row in enumerate(snapshot.each_row()):
        facts = facts_of(row.resource)
        shape = _Shape(*canonical_shape(facts)) if facts else _Shape()
        yield _ResourceRow(number, row.resource, row, facts.kind if facts else None, shape)


def _annotation_rows(snapshot: Snapshot) -> Iterator[_AnnotationRow]:
    for number, row in enumerate(snapshot.each_row()):
        yield from (_AnnotationRow(number, annotation) for annotation in row.annotations)


def _json_lines(file: IO[bytes], columns: Iterable[_Column], told: Iterable[Any]) -> None:
    for each in told:
        file.write(msgspec.json.encode({column.name: column.value(each) for column in columns}) + b"\n")


def _parquet(file: IO[bytes], columns: Iterable[_Column], told: Iterable[Any]) -> None:
    pa, parquet = need("pyarrow", extra="parquet"), need("pyarrow.parquet", extra="parquet")
    types = {
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "integer": pa.int64(),
        "number": pa.float64(),
        "flag": pa.bool_(),
        "instant": pa.timestamp("us", tz="UTC"),
        "json": pa.string(),
    }
    schema = pa.schema([(column.name, types[column.type]) for column in columns])
    rows = iter(told)
    records = (
        pa.RecordBatch.from_arrays(
            [pa.array([_for_parquet(column, each) for each in some], types[column.type]) for column in columns],
            schema=schema,
        )
        for some in iter(lambda: list(islice(rows, _AT_ONCE)), [])
    )
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(records, _IN_A_GROUP)):
            writer.write_table(pa.Table.from_batches(group))


def _for_parquet(column: _Column, told: Any) -> Any:
    value = column.value(told)
    if column.type == "json":
        return msgspec.json.encode(value).decode()
    return datetime.fromisoformat(value) if column.type == "instant" and value is not None else value
