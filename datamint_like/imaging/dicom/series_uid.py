"""Which series a file is of that cannot be read as an image: its header may be whole where its pixels are not."""

from __future__ import annotations

from pathlib import Path

from pydicom import dcmread

from datamint_like.exceptions import DatamintException
from datamint_like.imaging._bounded_file import BoundedFile
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.dicom.classes import NO_IMAGE
from datamint_like.imaging.sniff import HEAD_SIZE, is_dicom

_WANTED = ["SeriesInstanceUID", "Modality"]


def series_uid_of(path: Path) -> str | None:
    """The Series Instance UID of a damaged image file; None where it tells none, or was no image to begin with."""
    try:
        with reading(path.name), BoundedFile(path) as file:
            if not is_dicom(file.read(HEAD_SIZE)):
                return None
            file.seek(0)
            found = dcmread(file, stop_before_pixels=True, specific_tags=list(_WANTED), force=True)
            uid = str(found.get("SeriesInstanceUID") or "")
            return None if not uid or str(found.get("Modality")) in NO_IMAGE else uid
    except DatamintException:  # nothing of it can be read
        return None
