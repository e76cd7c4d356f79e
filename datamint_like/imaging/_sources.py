"""The parts of a resource as decoders get them: each file with the name that messages call it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datamint_like.exceptions import DecodeError, GeometryError, ValidationError
from datamint_like.imaging.types import SourceFile


def sources_of(paths: Sequence[Path], names: Sequence[str] | None = None) -> tuple[SourceFile, ...]:
    """The files by the names given, else by their own.

    Raises:
        DecodeError: There is no file.
        ValidationError: There are not as many names as files.
    """
    if not paths:
        raise DecodeError("A resource needs at least one file.")
    if names is None:
        return tuple(SourceFile(path, path.name) for path in paths)
    if len(names) != len(paths):
        raise ValidationError(f"Give one name for each file: got {len(names)} names for {len(paths)} files.")
    return tuple(SourceFile(path, name) for path, name in zip(paths, names, strict=True))


def only_one(files: Sequence[SourceFile], what: str) -> SourceFile:
    """The file of a resource that is a single file.

    Raises:
        GeometryError: There are several; `what` says what they are taken for ("a NIfTI resource").
    """
    if len(files) != 1:
        raise GeometryError(f"{files[0].name}: {what} is one file, got {len(files)}.")
    return files[0]
