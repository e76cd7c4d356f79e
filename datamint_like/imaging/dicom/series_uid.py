"""Which series a file is of that cannot be read as an image: its header may be whole where its pixels are not."""

from __future__ import annotations

from datamint_like.exceptions import DatamintException
from datamint_like.imaging._bounded_file import BoundedFile
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.dicom.classes import NO_IMAGE
from datamint_like.imaging.dicom.header import parsed_header
from datamint_like.imaging.dicom.texts import text_of
from datamint_like.imaging.sniff import HEAD_SIZE, is_dicom
from datamint_like.imaging.types import SourceFile


def series_uid_of(source: SourceFile) -> str | None:
    """The Series Instance UID of a damaged image file; None where it tells none, or was no image to begin with."""
    try:
        with reading(source), BoundedFile(source.path) as file:
            if not is_dicom(file.read(HEAD_SIZE)):
                return None
            elements = parsed_header(source, file)[0].elements
            is_image = str(elements.get("Modality") or "") not in NO_IMAGE
            return text_of(elements, "SeriesInstanceUID") if is_image else None
    except DatamintException:  # nothing of it can be read
        return None
