"""Rows of a bulk load: what makes one, and what messages call it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from datamint_like.backends.base import NewResource
from datamint_like.exceptions import (
    DecodeError,
    GeometryError,
    ItemNotFoundError,
    PermissionDeniedError,
    ValidationError,
)

#: Rows that are stored in one step at most: one write of more would keep all others waiting.
MOST_ROWS = 100_000
#: What may be wrong with a row; any other error is of the store, or of the way there.
_OF_A_ROW = (ValidationError, DecodeError, GeometryError, ItemNotFoundError, PermissionDeniedError)


@dataclass(frozen=True)
class Row:
    """What messages call a row: its place in the load, and the name of its resource."""

    number: int
    filename: object = ""

    @contextmanager
    def named(self) -> Iterator[None]:
        """A block in which errors of the row name it."""
        try:
            yield
        except _OF_A_ROW as error:
            name = f" ({self.filename!r:.200})" if self.filename else ""
            raise type(error)(f"Row {self.number}{name}: {error}") from error


def rows_of(project_id: str, new: Sequence[NewResource], numbers: Sequence[int] | None = None) -> list[Row]:
    """A name for each of many new resources of a project.

    Args:
        project_id: The project that all go into.
        new: The resources.
        numbers: What messages call them; None counts from 0.

    Raises:
        ValidationError: One is no `NewResource`, or names another project.
    """
    if isinstance(new, (str, bytes)) or not isinstance(new, Sequence):
        raise ValidationError(f"Many resources are given as a list of NewResource, not as {type(new).__name__}.")
    if numbers is not None and len(numbers) != len(new):
        raise ValidationError(f"Give a number for each row: got {len(numbers)} numbers for {len(new)} rows.")
    rows = [
        Row(number, getattr(each, "filename", "")) for number, each in zip(numbers or range(len(new)), new, strict=True)
    ]
    for row, each in zip(rows, new, strict=True):
        with row.named():
            if not isinstance(each, NewResource):
                raise ValidationError(f"Many resources are given as NewResource each, not as {type(each).__name__}.")
            if each.project_id not in (None, project_id):
                raise ValidationError("It names another project than the one that all are loaded into.")
    return rows
