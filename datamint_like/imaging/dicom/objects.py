"""DICOM objects of any kind that are given as bytes, such as segmentations and structure sets."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom

from datamint_like.config import DEFAULT_MAX_VOXELS
from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import refuse_oversized
from datamint_like.imaging.dicom.deflated import LONGEST_HEADER, inflated
from datamint_like.imaging.dicom.elements import Elements
from datamint_like.imaging.dicom.header import DicomFile, PixelFormat, check_start, parsed_header
from datamint_like.imaging.sniff import HEAD_SIZE
from datamint_like.imaging.types import SourceFile

_UNDEFINED_LENGTH = 0xFFFFFFFF


def read_object(data: bytes, name: str, *, max_voxels: int = DEFAULT_MAX_VOXELS) -> DicomFile:
    """The header and the encoded pixels, if there are any, of a DICOM object of any kind that is given as bytes.

    Raises:
        DecodeError: It is not DICOM, is cut short, or claims more than `max_voxels`.
    """
    check_start(data[:HEAD_SIZE])
    source, stream = SourceFile(Path(name), name), io.BytesIO(data)
    header, _, start = parsed_header(source, stream)
    if not header.element:
        return header
    pixels = header.pixels
    refuse_oversized(pixels.frames * pixels.rows * pixels.columns * pixels.samples, max_voxels)
    if start is not None:
        stream = inflated(stream, start, LONGEST_HEADER + pixels.native_length)
    stream.seek(0)
    dataset = pydicom.dcmread(stream, force=True)
    value, vr = (dataset[header.element].value, dataset[header.element].VR) if header.element in dataset else (b"", "")
    _refuse_missing_frames(pixels, len(value or b""))
    return DicomFile(source, Elements.of(dataset), header.element, header.syntax, value, vr)


def _refuse_missing_frames(pixels: PixelFormat, found: int) -> None:
    """Stop at frames that the bytes found cannot hold, before lists of that many are made.

    Raises:
        DecodeError: The bytes are fewer than those of the frames, or of their item headers (PS3.5 A.4).
    """
    needed = 8 * pixels.frames if pixels.compressed else pixels.native_length
    if found < needed:
        raise DecodeError(
            f"it is cut short: its {pixels.frames} frames need {needed:,} bytes of pixels or more, found {found:,}. "
            "Copy the file again."
        )


def refuse_cut_elements(file: DicomFile) -> None:
    """Stop at a data set that ends inside an element, which pydicom reads as a shorter one.

    Raises:
        DecodeError: An element is shorter than it says.
    """
    for element in file.elements.encoded():
        if element.length != _UNDEFINED_LENGTH and len(element.value or b"") < element.length:
            raise DecodeError("it is cut short: its last element has fewer bytes than it says. Copy the file again.")
