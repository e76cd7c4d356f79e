"""A resource of several parts as the one file that a download gives."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging._sources import sources_of
from datamint_like.imaging.multiframe import derive_multiframe
from datamint_like.imaging.nifti_single import write_single_nifti
from datamint_like.imaging.types import HeaderFacts


def derive_single_file(
    paths: Sequence[Path], facts: HeaderFacts, target: BinaryIO, *, names: Sequence[str] | None = None
) -> None:
    """Write a resource as one file to an open binary file, the same bytes each time.

    A single part is copied as it is, a DICOM series becomes one multi-frame DICOM, a NIfTI header and its image
    one .nii.

    Args:
        paths: The parts in order.
        facts: Header facts of the resource.
        target: Where the bytes go; needs `write` only.
        names: The parts' file names, which messages use where files are stored under other names.

    Raises:
        DecodeError: A part is damaged, or the parts are too large for one file.
        GeometryError: The parts do not make one volume.

    Example:
        >>> from datamint_like.imaging import probe
        >>> paths = sorted(Path("ct").iterdir())
        >>> with open("ct.dcm", "wb") as file:
        ...     derive_single_file(paths, probe(paths), file)
        >>> probe([Path("ct.dcm")]).shape
        (32, 128, 128)
    """
    sources = sources_of(paths, names)
    if len(sources) == 1:
        with reading(sources[0]), open(sources[0].path, "rb") as file:
            shutil.copyfileobj(file, target)
    elif facts.format == "nifti":
        write_single_nifti(sources, target)
    else:
        derive_multiframe(paths, facts, target, names=names)
