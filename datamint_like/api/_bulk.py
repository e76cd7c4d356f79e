"""Very many resources whose facts are known already, batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datamint_like._words import counted
from datamint_like.backends.base import Backend, NewAnnotation, NewResource, NewVolumeMask
from datamint_like.backends.bulk_rows import MOST_ROWS
from datamint_like.entities import Part
from datamint_like.exceptions import ValidationError

#: A batch ends where its masks, and the files that are moved, have so many bytes: what an interrupt may cost.
_MOST_BYTES = 128 << 20


@dataclass(frozen=True)
class BulkLoad:
    """What a bulk load did; it prints as a sentence.

    Attributes:
        made: How many resources are new.
        present: How many rows the project held already, or were given twice.
    """

    made: int
    present: int

    def __str__(self) -> str:
        return f"{counted(self.made, 'resource')} made, {self.present} there already."


def bulk_load(backend: Backend, rows: Iterable[NewResource], project_id: str, batch_size: int) -> BulkLoad:
    """Store the rows, each batch in one step.

    Raises:
        ValidationError: `batch_size` is no number from 1 to 100,000; else as of any create, with a note of what is
            stored.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or not 1 <= batch_size <= MOST_ROWS:
        raise ValidationError(f"batch_size is a whole number from 1 to {MOST_ROWS}, not {batch_size!r:.80}.")
    if not isinstance(rows, Iterable):
        raise ValidationError(f"Rows are given as NewResource each, in a list or as they come, not as {rows!r:.80}.")
    done = BulkLoad(0, 0)
    try:
        for batch in _batches(rows, batch_size, links=backend.takes_links):
            first = done.made + done.present
            ids = backend.create_resources(project_id, batch, numbers=range(first, first + len(batch)))
            made = sum(each is not None for each in ids)
            done = BulkLoad(done.made + made, done.present + len(ids) - made)
    except Exception as error:  # whatever it is goes on; only whoever reads it must know what is stored
        error.add_note(
            f"{counted(done.made + done.present, 'row')} of earlier batches are stored. Load the same rows again to go "
            "on: what the project holds is passed over."
        )
        raise
    return done


def _batches(rows: Iterable[NewResource], most: int, *, links: bool) -> Iterator[list[NewResource]]:
    """The rows in lists of at most so many, fewer where they are heavy."""
    batch: list[NewResource] = []
    weight = 0
    for row in rows:
        own = _weight(row, links=links) if isinstance(row, NewResource) else 0  # it is told of when it is stored
        if batch and (len(batch) == most or weight + own > _MOST_BYTES):
            yield batch
            batch, weight = [], 0
        batch.append(row)
        weight += own
    if batch:
        yield batch


def _weight(row: NewResource, *, links: bool) -> int:
    """How many bytes of masks and files storing a row moves."""
    files = () if links and (row.link or row.parts) else (row.paths, row.parts)
    lists = (each for each in (row.annotations, row.volume_masks, *files) if isinstance(each, (list, tuple)))
    return sum(_length(each) for some in lists for each in some)


def _length(of: object) -> int:
    """Bytes of a file or mask; 0 of what is none."""
    if isinstance(of, Path):
        with suppress(OSError):
            return of.stat().st_size
    if isinstance(of, Part) and isinstance(of.size, int):
        return of.size
    payload = of.payload if isinstance(of, (NewAnnotation, NewVolumeMask)) else None
    return len(payload) if isinstance(payload, bytes) else 0
