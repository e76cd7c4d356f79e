"""Parts that the caller names by size and digest: nothing of their bytes is read when a resource is made of them.

What is trusted is the digest alone: whoever reads such a file hashes it first, as with any other. A server, which has
no access to where linked ones lie, is sent their bytes (`remote.uploads`).
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable
from pathlib import Path

import msgspec

from datamint_like._files import refuse_no_file
from datamint_like.backends.base import NewResource
from datamint_like.backends.local.byte_store import ByteStore
from datamint_like.backends.local.files import plain_name
from datamint_like.entities import Part
from datamint_like.exceptions import ValidationError
from datamint_like.imaging.types import HeaderFacts

_DIGEST = re.compile(r"[0-9a-f]{64}")
#: How many files one resource has at most, by format; DICOM has up to one a plane.
_MOST_FILES = {"nifti": 2}


def need_lists(new: NewResource) -> None:
    """Raise unless files and parts are lists of what they are to be.

    Raises:
        ValidationError: They are not.
    """
    for what, given, kind in (("files", new.paths, Path), ("parts", new.parts, Part)):
        if not isinstance(given, (tuple, list)) or not all(isinstance(each, kind) for each in given):
            raise ValidationError(
                f"The {what} of {new.filename!r} must be a tuple of {kind.__name__}, not {given!r:.80}."
            )


def need_fitting_count(count: int, facts: HeaderFacts, filename: str) -> None:
    """Raise where facts that the caller gives cannot be those of so many files.

    Raises:
        ValidationError: They cannot.
    """
    in_planes = facts.format == "dicom" and facts.kind != "image"
    most = facts.shape[0] * facts.channels if in_planes else _MOST_FILES.get(facts.format, 1)
    if count > most:
        raise ValidationError(
            f"{filename!r} has {count} files, and by its facts ({facts.format}, {facts.kind}) it is made of "
            f"{most} at most. Give each image as a resource of its own."
        )


def facts_of(new: NewResource) -> HeaderFacts:
    """The header facts that come with known parts.

    Raises:
        ValidationError: There are none, or there are files besides.
    """
    if not isinstance(new.facts, HeaderFacts) or new.paths:
        raise ValidationError(
            f"{new.filename!r} is given by its parts, so its files are not read: give facts, as imaging.probe tells "
            "them, and no paths."
        )
    return new.facts


def checked(new: NewResource) -> tuple[Part, ...]:
    """The parts in their order, each linked one as its file is now.

    Raises:
        ValidationError: A digest, size or name is none, an index is not that of its place, or a linked file is gone or
            has changed.
    """
    found = [part.index for part in new.parts]
    if found != list(range(len(found))):
        raise ValidationError(
            f"The parts of {new.filename!r} are given in their order, and their index counts from 0: it is "
            f"{found!r:.80}. Give each file once, with its own."
        )
    return tuple(_checked(part, index, new.filename) for index, part in enumerate(new.parts))


def need_stored(parts: Iterable[Part], files: ByteStore, filename: str) -> None:
    """Raise unless the store has the bytes of those parts that are not linked; belongs into the write that names them.

    Raises:
        ValidationError: It lacks some.
    """
    for part in parts:
        found = None if part.linked_path else files.size_of(part.sha256)
        if not part.linked_path and found != part.size:
            raise ValidationError(
                f"The part {part.filename!r} of {filename!r} should be in {files.place} with {part.size} bytes under "
                f"the SHA-256 {part.sha256}; {'nothing is there' if found is None else f'there are {found} bytes'}. "
                "Link the file, or upload it."
            )


def _checked(part: Part, index: int, filename: str) -> Part:
    fits = isinstance(part.sha256, str) and _DIGEST.fullmatch(part.sha256) and isinstance(part.filename, str)
    if not (fits and isinstance(part.size, int) and part.size >= 0 and part.filename):
        raise ValidationError(
            f"Part {index} of {filename!r} needs a filename, its size in bytes, and its SHA-256 as 64 lower-case "
            "hexadecimal digits."
        )
    if part.linked_path is None:
        return msgspec.structs.replace(part, index=index, filename=plain_name(part.filename), mtime_ns=None)
    place = Path(part.linked_path).absolute()
    try:
        found = place.stat()
        refuse_no_file(found)
    except OSError as error:
        raise ValidationError(f"The file {place.name!r} of {filename!r} cannot be read: {error.strerror}.") from error
    if stat.S_ISDIR(found.st_mode):
        raise ValidationError(f"The file {place.name!r} of {filename!r} cannot be read: it is a folder.")
    if found.st_size != part.size or part.mtime_ns not in (None, found.st_mtime_ns):
        raise ValidationError(
            f"The file {place.name!r} of {filename!r} has changed since its digest was taken: it has {found.st_size} "
            f"bytes, {part.size} were told. Take its digest again."
        )
    return msgspec.structs.replace(
        part, index=index, filename=plain_name(part.filename), linked_path=str(place), mtime_ns=found.st_mtime_ns
    )
