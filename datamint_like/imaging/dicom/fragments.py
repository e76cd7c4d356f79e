"""The encoded frames of compressed pixels, out of their fragments (PS3.5 A.4)."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.encaps import generate_frames

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom.header import DicomFile


def encoded_frames(file: DicomFile) -> Iterator[bytes]:
    """The encoded bytes of each frame.

    Raises:
        DecodeError: There are fewer.
    """
    count = file.pixels.frames
    offsets = file.elements.get("ExtendedOffsetTable"), file.elements.get("ExtendedOffsetTableLengths")
    frames = generate_frames(file.encoded, number_of_frames=count, extended_offsets=offsets if all(offsets) else None)
    found = 0
    for encoded in frames:
        if found == count:
            return
        found += 1
        yield encoded
    if found < count:
        raise DecodeError(f"it is cut short: expected {count} frames, found {found}. Copy the file again.")
