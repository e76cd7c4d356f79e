"""A whole resource as one open file."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from datamint_like import imaging
from datamint_like._files import is_disk_full
from datamint_like.backends.about import about
from datamint_like.entities import Part, Resource
from datamint_like.exceptions import StorageError


def opened(resource: Resource, parts: Sequence[Part], paths: Sequence[Path]) -> BinaryIO:
    """The only part itself, or one file derived from several: a multi-frame DICOM of a series, a .nii of a pair.

    The derived file lies in the system's temporary folder and is gone when it is closed.

    Args:
        resource: What the files make.
        parts: Its files, in order.
        paths: Where each of them lies.

    Raises:
        StorageError: A file cannot be opened, or the temporary folder is full.
        DecodeError, GeometryError: The parts cannot be joined.
    """
    try:
        if len(paths) == 1:
            return open(paths[0], "rb")
        with about(resource):
            return _derived(resource, parts, paths)
    except StorageError:
        raise
    except OSError as error:
        advice = " Free some space in the temporary folder." if is_disk_full(error) else ""
        raise StorageError(
            f"Resource {resource.id} ({resource.filename!r}) cannot be opened: {error.strerror}.{advice}"
        ) from error


def _derived(resource: Resource, parts: Sequence[Part], paths: Sequence[Path]) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- the caller closes it
    try:
        names = [part.filename for part in parts]
        imaging.derive_single_file(tuple(paths), imaging.required_facts(resource), file, names=names)
    except BaseException:  # whatever it is goes on; only the file must not stay open
        file.close()
        raise
    file.seek(0)
    return file
