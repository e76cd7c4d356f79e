"""Very many resources whose facts are known already, batch by batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from datamint_like._words import counted
from datamint_like.backends.base import Backend, NewResource
from datamint_like.exceptions import ValidationError


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
        ValidationError: `batch_size` is no number from 1; else as of any create, with a note of what is stored.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValidationError(f"batch_size is a whole number from 1, not {batch_size!r:.80}.")
    coming, done = iter(rows), BulkLoad(0, 0)
    while True:
        try:
            batch = list(islice(coming, batch_size))
            if not batch:
                return done
            ids = backend.create_resources(project_id, batch)
        except Exception as error:  # whatever it is goes on; only whoever reads it must know what is stored
            error.add_note(
                f"{counted(done.made + done.present, 'row')} of earlier batches are stored, none of this one. Load the "
                "same rows again to go on: what the project holds is passed over."
            )
            raise
        made = sum(each is not None for each in ids)
        done = BulkLoad(done.made + made, done.present + len(ids) - made)
