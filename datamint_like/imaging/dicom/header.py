"""The header of one DICOM file: read without pixels, and what it says of its pixels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.sniff import is_dicom

_PIXEL_TAGS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
_NO_IMAGE = {
    "SEG": "a segmentation (SEG), not an image",
    "RTSTRUCT": "a structure set (RTSTRUCT), not an image",
    "SR": "a structured report (SR), not an image",
    "ECG": "a waveform (ECG), not an image",
    "ANN": "bulk annotations (ANN), not an image",
    "PR": "a presentation state (PR), not an image",
    "KO": "a key object selection (KO), not an image",
    "REG": "a spatial registration (REG), not an image",
    "RTPLAN": "a treatment plan (RTPLAN), not an image",
    "DOC": "a document (DOC), not an image",
}
_SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_TILED_CLASSES = ("1.2.840.10008.5.1.4.1.1.77.1.6",)


@dataclass(frozen=True)
class PixelFormat:
    """How the pixels of one file are stored (PS3.3 C.7.6.3)."""

    element: str
    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    planar: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    syntax: UID

    @property
    def compressed(self) -> bool:
        """Whether frames are encapsulated."""
        return bool(self.syntax.is_encapsulated)

    @property
    def native_length(self) -> int:
        """Bytes of the uncompressed value."""
        per_pixel = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return (self.frames * self.rows * self.columns * per_pixel * self.bits_allocated + 7) // 8


@dataclass(frozen=True)
class DicomFile:
    """One file's header: the data set (without pixels after a probe) and where it came from."""

    path: Path
    dataset: FileDataset
    element: str

    @cached_property
    def pixels(self) -> PixelFormat:
        """The storage of the pixels.

        Raises:
            DecodeError: A required element is missing or impossible.
        """
        return _pixel_format(self.dataset, self.element)


def read_header(path: Path) -> DicomFile:
    """The header of an image file, nothing of its pixels.

    Raises:
        DecodeError: It is not DICOM, holds no image, or its header or native pixels are cut short.
    """
    with open(path, "rb") as file:
        _check_start(file.read(132))
        file.seek(0)
        dataset = pydicom.dcmread(file, stop_before_pixels=True, force=True)
        deflated = _syntax(dataset) == pydicom.uid.DeflatedExplicitVRLittleEndian
        if deflated:
            element, left = "PixelData", None
        else:
            element, left = _pixel_element(file, dataset)
            left = None if left is None else os.fstat(file.fileno()).st_size - file.tell()
    refuse_no_image(dataset, element)
    result = DicomFile(path, dataset, element)
    if left is not None and not result.pixels.compressed and left < result.pixels.native_length:
        raise DecodeError(
            f"it is cut short: expected {result.pixels.native_length:,} bytes of pixels, found {left:,}. "
            "Copy the file again."
        )
    return result


def read_whole(path: Path) -> DicomFile:
    """The header and the encoded pixels of an image file.

    Raises:
        DecodeError: It is not DICOM or holds no image.
    """
    with open(path, "rb") as file:
        _check_start(file.read(132))
        file.seek(0)
        dataset = pydicom.dcmread(file, force=True)
    element = next((name for name in _PIXEL_TAGS.values() if name in dataset), "")
    refuse_no_image(dataset, element)
    return DicomFile(path, dataset, element)


def refuse_no_image(dataset: Dataset, element: str) -> None:
    """Stop at a data set that is no image.

    Raises:
        DecodeError: It is of another kind (SEG, RTSTRUCT, SR, ECG, ...) or holds no pixels.
    """
    modality, sop_class = str(dataset.get("Modality") or ""), str(dataset.get("SOPClassUID") or "")
    if sop_class in _SEGMENTATION_CLASSES:
        modality = "SEG"
    if modality in _NO_IMAGE and (not element or modality == "SEG"):
        raise DecodeError(f"it is {_NO_IMAGE[modality]}.")
    if not element:
        name = getattr(dataset.get("SOPClassUID"), "name", None)
        if name and "Image" not in name and "Rows" not in dataset:
            raise DecodeError(f"it is of the class {name}, not an image.")
        raise DecodeError("it holds no (whole) pixels: it is no image, or it is cut short. Copy the file again.")
    if modality == "SM" or sop_class in _TILED_CLASSES:
        raise DecodeError("it is a whole-slide image, whose frames are tiles; these are not supported.")


def _check_start(start: bytes) -> None:
    if not is_dicom(start):
        raise DecodeError("it is not a DICOM file.")


def _pixel_element(file: Any, dataset: Dataset) -> tuple[str, int | None]:
    """The name of the pixel element the reader stopped at, and 0; no name where the file ends before one."""
    little = getattr(dataset, "original_encoding", (None, True))[1] is not False
    start = file.tell()
    head = file.read(12)
    order = "little" if little else "big"
    tag = int.from_bytes(head[0:2], order) << 16 | int.from_bytes(head[2:4], order)  # type: ignore[arg-type]
    explicit = head[4:6] in (b"OB", b"OW", b"OF", b"OD", b"UN")
    file.seek(start + (12 if explicit else 8))
    return _PIXEL_TAGS.get(tag, ""), 0


def _syntax(dataset: FileDataset) -> UID:
    """The transfer syntax, by how the data set was read where the meta header does not name one."""
    named = getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID")
    if named:
        return UID(named)
    implicit, little = dataset.original_encoding
    if not little:
        return pydicom.uid.ExplicitVRBigEndian
    return pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian


def _pixel_format(dataset: FileDataset, element: str) -> PixelFormat:
    allocated = _integer(dataset, "BitsAllocated")
    stored = _integer(dataset, "BitsStored", allocated)
    samples = _integer(dataset, "SamplesPerPixel", 1)
    result = PixelFormat(
        element=element,
        rows=_integer(dataset, "Rows"),
        columns=_integer(dataset, "Columns"),
        frames=max(1, _integer(dataset, "NumberOfFrames", 1)),
        samples=samples,
        photometric=str(dataset.get("PhotometricInterpretation") or ("RGB" if samples == 3 else "MONOCHROME2")),
        planar=_integer(dataset, "PlanarConfiguration", 0),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=_integer(dataset, "HighBit", stored - 1),
        signed=_integer(dataset, "PixelRepresentation", 0) == 1,
        syntax=_syntax(dataset),
    )
    if result.rows < 1 or result.columns < 1 or not 1 <= stored <= allocated or samples not in (1, 3):
        raise DecodeError(
            f"its header claims {result.rows} x {result.columns} pixels of {samples} samples and "
            f"{stored} bits in {allocated}, which no image has."
        )
    if allocated not in (1, 8, 16, 32, 64):
        raise DecodeError(f"its pixels have {allocated} bits allocated; 1, 8, 16, 32 and 64 can be read.")
    return result


def _integer(dataset: Dataset, keyword: str, default: int | None = None) -> int:
    value = dataset.get(keyword)
    if value is None or value == "":
        if default is None:
            raise DecodeError(f"its header has no {keyword}.")
        return default
    return int(value)


def numbers(dataset: Dataset | None, keyword: str, count: int) -> tuple[float, ...] | None:
    """`count` numbers of an element, or None where it is absent or empty.

    Raises:
        DecodeError: The element has another number of values, or they are not finite numbers.
    """
    value = None if dataset is None else dataset.get(keyword)
    if value is None or value == "":
        return None
    values: Sequence[Any] = value if count > 1 else (value,)
    if len(values) == 0:
        return None
    result = tuple(float(v) for v in values)
    if len(result) != count or any(v != v or v in (float("inf"), float("-inf")) for v in result):
        raise DecodeError(f"{keyword} holds {list(result)}, expected {count} finite numbers.")
    return result


def number(dataset: Dataset | None, keyword: str) -> float | None:
    """One number of an element, or None where it is absent."""
    found = numbers(dataset, keyword, 1)
    return None if found is None else found[0]
