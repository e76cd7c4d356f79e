"""What a dataset lacks on this machine while its store may not be asked: counted and named, in one error.

Counting is cheap however large the dataset is and however many items fail: it looks for the files of so many rows at
most, and again only after a while.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from weakref import ref

import numpy as np

from datamint_like._words import counted
from datamint_like.backends.remote.versions import is_digest
from datamint_like.dataset.holdings import Holdings
from datamint_like.dataset.prefetch_rows import files_of
from datamint_like.entities import Annotation, Part, Resource
from datamint_like.exceptions import NotHereError

#: Resources whose files are looked for, names in a message, and how long (s) a count holds.
_LOOKED_AT, _NAMED, _HOLDS_S = 10_000, 3, 10.0


@dataclass(frozen=True)
class _Missing:
    """What is missing of the files that were looked for.

    Attributes:
        count: How many files.
        files: How many were looked for.
        rest: Resources that were not looked at.
        names: The first of the missing ones.
        at: When that was (s).
    """

    count: int
    files: int
    rest: int
    names: tuple[str, ...]
    at: float


#: By the dataset's identity, since a class of one's own may compare or hash as it likes.
_known: dict[int, tuple[ref[Holdings], _Missing]] = {}


def forget_missing() -> None:
    """Count anew the next time, since files may have come."""
    _known.clear()


def told_with_all(error: NotHereError, holdings: Holdings, row: int) -> NotHereError:
    """The error of an item of a row of the snapshot, with what else its dataset lacks."""
    found = _lately(holdings) or _missing(holdings, row)
    _known[id(holdings)] = ref(holdings), found
    if not found.count:  # it came this instant
        return NotHereError(str(error))
    of = f"{found.count} of {counted(found.files, 'file')}"
    if found.rest:
        of = f"at least {of} (those of {found.rest} more resources were not looked for)"
    more = f" and {found.count - len(found.names)} more" if found.count > len(found.names) else ""
    return NotHereError(f"This {type(holdings).__name__} lacks {of}: {', '.join(found.names)}{more}. {error}")


def _lately(holdings: Holdings) -> _Missing | None:
    """What was counted of this dataset a short while ago; what is older goes."""
    for key, (_, counted_then) in list(_known.items()):
        if time.monotonic() - counted_then.at > _HOLDS_S:
            _known.pop(key, None)
    of, found = _known.get(id(holdings), (None, None))
    return found if of is not None and of() is holdings else None


def _missing(holdings: Holdings, first: int) -> _Missing:
    """What is missing of the rows of a dataset, beginning with one of them."""
    reader, count, files, names = holdings._read, 0, 0, list[str]()
    others = np.unique(holdings._resource_rows())
    rows = [first, *islice((row for row in others.tolist() if row != first), _LOOKED_AT - 1)]
    for found in files_of(reader, rows, include_annotations=holdings._output.return_segmentations):
        for each in found.files:
            path = reader.blobs.kept_path(each)
            files += 1
            if path is None or _is_there(path, each):
                continue
            count += 1
            if len(names) < _NAMED:
                names.append(_name(each, found.resource))
    return _Missing(count, files, len(others) - len(rows), tuple(names), time.monotonic())


def _is_there(path: Path, file: Part | Annotation) -> bool:
    """Whether a file lies there, of the right length where that is known."""
    with suppress(OSError):
        size = path.stat().st_size
        return not (isinstance(file, Part) and is_digest(file.sha256)) or size == file.size
    return False


def _name(file: Part | Annotation, resource: Resource) -> str:
    what = repr(file.filename) if isinstance(file, Part) else f"the mask {file.identifier!r}"
    return f"{what} of resource {resource.id} ({resource.filename})"
