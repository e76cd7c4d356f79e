"""Annotations as a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from datamint_like.entities import Annotation

CSV = "text/csv; charset=utf-8"
COLUMNS = (
    *("id", "resource_id", "resource_filename", "annotation_type", "identifier", "scope", "frame_index"),
    *("text_value", "numeric_value", "units", "geometry", "created_by", "created_by_model", "created_at", "status"),
    *("approved_by", "approved_at", "source", "imported_from", "annotation_worklist_id", "annotation_worklist_name"),
)
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r", "\n")


def table(batches: Iterable[Iterable[Annotation]]) -> Iterator[bytes]:
    """CSV (UTF-8) with a line for each annotation, a piece a batch.

    A text that a spreadsheet would run as a formula has an apostrophe before it.

    Example:
        >>> next(table([]))[:14]
        b'id,resource_id'
    """
    yield _lines([COLUMNS])
    for batch in batches:
        yield _lines([_cell(getattr(annotation, name)) for name in COLUMNS] for annotation in batch)


def _lines(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_RUN_BY_SPREADSHEETS) else value
    if isinstance(value, (list, dict)):
        return msgspec.json.encode(value).decode() if value else ""
    return "" if value is None else value
