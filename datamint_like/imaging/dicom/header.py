"""The header of one DICOM file: read without pixels, and what it says of its pixels."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any, BinaryIO

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID

from datamint_like.config import DEFAULT_MAX_VOXELS
from datamint_like.exceptions import DecodeError
from datamint_like.imaging._bounded_file import BoundedFile
from datamint_like.imaging._reading_errors import refuse_oversized
from datamint_like.imaging.dicom.classes import NO_IMAGE, TILED_CLASSES, annotation_kind
from datamint_like.imaging.dicom.deflated import LONGEST_HEADER, deflated_from, inflated, inflated_length
from datamint_like.imaging.dicom.elements import Elements
from datamint_like.imaging.dicom.encapsulated import refuse_cut as refuse_cut_items
from datamint_like.imaging.dicom.scan import scan_file
from datamint_like.imaging.dicom.syntaxes import coding_of, is_encapsulated
from datamint_like.imaging.dicom.texts import UNREADABLE, told
from datamint_like.imaging.sniff import is_dicom
from datamint_like.imaging.types import SourceFile

#: The elements that hold pixels.
PIXEL_TAGS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
#: Frames of a file at most: what is kept for each must not fill the memory.
_MOST_FRAMES = 1 << 20
_RETIRED = ("ARGB", "CMYK", "HSV")


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
        return is_encapsulated(self.syntax)

    @property
    def subsampled(self) -> bool:
        """Whether two pixels of an uncompressed frame share their colour differences."""
        return self.samples == 3 and self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422")

    @property
    def frame_length(self) -> int:
        """Bytes of an uncompressed frame alone."""
        return (self._frame_bits + 7) // 8

    @property
    def native_length(self) -> int:
        """Bytes of the uncompressed value."""
        return (self.frames * self._frame_bits + 7) // 8

    @property
    def _frame_bits(self) -> int:
        return self.rows * self.columns * (2 if self.subsampled else self.samples) * self.bits_allocated


@dataclass(frozen=True)
class DicomFile:
    """One file: its elements, which of them holds the pixels, and after `read_whole` its encoded value and VR."""

    source: SourceFile
    elements: Elements
    element: str
    syntax: UID
    encoded: bytes = b""
    vr: str = ""

    @property
    def dataset(self) -> Dataset:
        """The data set as pydicom parses it."""
        return self.elements.dataset

    @cached_property
    def pixels(self) -> PixelFormat:
        """The storage of the pixels.

        Raises:
            DecodeError: A required element is missing or impossible.
        """
        return _pixel_format(self.elements, self.element, self.syntax)


def read_header(source: SourceFile, *, annotations: bool = False) -> DicomFile:
    """The header of an image file, nothing of its pixels.

    With `annotations` segmentations and structure sets are taken, too (`annotation_kind` tells them).

    Raises:
        DecodeError: It is not DICOM, holds no image, is in a syntax that nothing reads, or its header or
            pixels are cut short.
    """
    with BoundedFile(source.path) as file:
        head, found = scan_file(file)
        check_start(head)
        if found is None or found.pixels not in PIXEL_TAGS:
            result, pixels_at, deflated_at = parsed_header(source, file)
        else:
            elements = Elements(found.elements, lambda: _load(source))
            result = DicomFile(source, elements, PIXEL_TAGS[found.pixels], UID(found.syntax))
            pixels_at, deflated_at = found.pixels_at, None
        refuse_no_image(result, annotations=annotations)
        if result.element:
            _refuse_cut(file, result.pixels, pixels_at, deflated_at)
    return result


def _refuse_cut(file: BinaryIO, pixels: PixelFormat, pixels_at: int, deflated_at: int | None) -> None:
    """Stop at a file whose pixels, which start at `pixels_at` (once inflated), are not all there.

    Raises:
        DecodeError: They are not.
    """
    size = os.fstat(file.fileno()).st_size
    if pixels.compressed:
        refuse_cut_items(file, pixels_at, size, pixels.frames)
        return
    if deflated_at is None:
        left = size - pixels_at
    elif pixels.frames * pixels.rows * pixels.columns * pixels.samples > DEFAULT_MAX_VOXELS:
        return  # too long to count, and no decoding allows it
    else:
        left = inflated_length(file, deflated_at, pixels_at - deflated_at + pixels.native_length)
        left -= pixels_at - deflated_at
    if left < pixels.native_length:
        raise DecodeError(
            f"it is cut short: expected {pixels.native_length:,} bytes of pixels, found {left:,}. Copy the file again."
        )


def read_whole(source: SourceFile, *, max_voxels: int = DEFAULT_MAX_VOXELS, annotations: bool = False) -> DicomFile:
    """The header and the encoded pixels of an image file; with `annotations` also of a segmentation.

    Raises:
        DecodeError: It is not DICOM or holds no image, or it is deflated and claims more than `max_voxels`.
    """
    with BoundedFile(source.path) as file:
        head, found = scan_file(file)
        check_start(head)
        if found is not None and found.pixels in PIXEL_TAGS:
            size = os.fstat(file.fileno()).st_size - found.pixels_at
            file.seek(found.pixels_at)
            encoded = file.read(max(0, size if found.length is None else min(size, found.length)))
            elements = Elements(found.elements, lambda: _load(source))
            result = DicomFile(source, elements, PIXEL_TAGS[found.pixels], UID(found.syntax), encoded, found.vr)
        else:
            result = _parsed_whole(source, file, max_voxels, annotations)
    refuse_no_image(result, annotations=annotations)
    return result


def _parsed_whole(source: SourceFile, file: BinaryIO, max_voxels: int, annotations: bool) -> DicomFile:
    """The file by the full parser.

    Raises:
        DecodeError: It is deflated and claims more than `max_voxels`.
    """
    start = deflated_from(file)
    stream: IO[bytes] = file
    if start is not None:
        pixels = read_header(source, annotations=annotations).pixels
        refuse_oversized(pixels.frames * pixels.rows * pixels.columns * pixels.samples, max_voxels)
        stream = inflated(file, start, LONGEST_HEADER + pixels.native_length)
    stream.seek(0)
    dataset = pydicom.dcmread(stream, force=True)
    element = next((name for name in PIXEL_TAGS.values() if name in dataset), "")
    value, vr = (dataset[element].value, dataset[element].VR) if element else (b"", "")
    return DicomFile(source, Elements.of(dataset), element, _syntax(dataset), value, vr)


def parsed_header(source: SourceFile, file: BinaryIO) -> tuple[DicomFile, int, int | None]:
    """The header by the full parser, where its pixels start (once inflated), and where a deflated part does."""
    start = deflated_from(file)
    stream: IO[bytes] = file if start is None else inflated(file, start, LONGEST_HEADER)
    stream.seek(0)
    dataset = pydicom.dcmread(stream, stop_before_pixels=True, force=True)
    element = _pixel_element(stream, dataset)
    syntax = _syntax(dataset) if start is None else pydicom.uid.DeflatedExplicitVRLittleEndian
    return DicomFile(source, Elements.of(dataset), element, syntax), stream.tell(), start


def _load(source: SourceFile) -> Dataset:
    with BoundedFile(source.path) as file:
        return parsed_header(source, file)[0].dataset


def refuse_no_image(file: DicomFile, *, annotations: bool = False) -> None:
    """Stop at a data set that is no image, or whose syntax nothing reads; `annotations` lets those of images pass.

    Raises:
        DecodeError: It is of another kind (SEG, RTSTRUCT, SR, ECG, ...) or holds no pixels.
    """
    elements, element = file.elements, file.element
    modality, sop_class = str(elements.get("Modality") or ""), str(elements.get("SOPClassUID") or "")
    kind = annotation_kind(elements)
    if annotations and kind is not None:
        if element:
            coding_of(file.syntax)
        return
    if kind == "seg":
        modality = "SEG"
    if modality in NO_IMAGE and (not element or modality == "SEG"):
        raise DecodeError(f"it is {NO_IMAGE[modality]}.")
    coding_of(file.syntax)
    if not element and "DirectoryRecordSequence" in elements:
        raise DecodeError("it is a directory of files (DICOMDIR), not an image.")
    if not element:
        name = UID(told(sop_class, "UI")).name if sop_class else ""
        if name == UNREADABLE:
            raise DecodeError("its SOP Class UID is unreadable, so it is damaged. Copy the file again.")
        if name and "Image" not in name and "Rows" not in elements:
            raise DecodeError(f"it is of the class {name}, not an image.")
        raise DecodeError("it holds no (whole) pixels: it is no image, or it is cut short. Copy the file again.")
    if modality == "SM" or sop_class in TILED_CLASSES:
        raise DecodeError("it is a whole-slide image, whose frames are tiles; these are not supported.")


def check_start(start: bytes) -> None:
    """Stop at bytes that start no DICOM file.

    Raises:
        DecodeError: They do not.
    """
    if not is_dicom(start):
        raise DecodeError("it is not a DICOM file.")


def _pixel_element(file: Any, dataset: Dataset) -> str:
    """The name of the pixel element the reader stopped at, empty where the file ends before one.

    The file is left at the start of the pixels.
    """
    little = getattr(dataset, "original_encoding", (None, True))[1] is not False
    start = file.tell()
    head = file.read(12)
    order = "little" if little else "big"
    tag = int.from_bytes(head[0:2], order) << 16 | int.from_bytes(head[2:4], order)  # type: ignore[arg-type]
    explicit = head[4:6] in (b"OB", b"OW", b"OF", b"OD", b"UN")
    file.seek(start + (12 if explicit else 8))
    return PIXEL_TAGS.get(tag, "")


def _syntax(dataset: FileDataset) -> UID:
    """The transfer syntax, by how the data set was read where the meta header does not name one."""
    named = getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID")
    if named:
        return UID(named)
    implicit, little = dataset.original_encoding
    if not little:
        return pydicom.uid.ExplicitVRBigEndian
    return pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian


def _pixel_format(elements: Elements, element: str, syntax: UID) -> PixelFormat:
    allocated = _integer(elements, "BitsAllocated")
    stored = _integer(elements, "BitsStored", allocated)
    samples = _integer(elements, "SamplesPerPixel", 1)
    high = _integer(elements, "HighBit", stored - 1)
    result = PixelFormat(
        element=element,
        rows=_integer(elements, "Rows"),
        columns=_integer(elements, "Columns"),
        frames=_integer(elements, "NumberOfFrames", 1) or 1,
        samples=samples,
        photometric=str(elements.get("PhotometricInterpretation") or ("RGB" if samples == 3 else "MONOCHROME2")),
        planar=_integer(elements, "PlanarConfiguration", 0),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high if stored - 1 <= high < allocated else stored - 1,
        signed=_integer(elements, "PixelRepresentation", 0) == 1,
        syntax=syntax,
    )
    if result.photometric in _RETIRED:
        raise DecodeError(
            f"its pixels are {result.photometric}, which is retired and not supported. Convert it to RGB."
        )
    if not 1 <= result.frames <= _MOST_FRAMES:
        raise DecodeError(f"its header claims {result.frames:,} frames, which no image has.")
    if result.rows < 1 or result.columns < 1 or not 1 <= stored <= allocated or samples not in (1, 3):
        raise DecodeError(
            f"its header claims {result.rows} x {result.columns} pixels of {samples} samples and "
            f"{stored} bits in {allocated}, which no image has."
        )
    if allocated not in (1, 8, 16, 32, 64):
        raise DecodeError(f"its pixels have {allocated} bits allocated; 1, 8, 16, 32 and 64 can be read.")
    return result


def _integer(elements: Elements, keyword: str, default: int | None = None) -> int:
    value = elements.get(keyword)
    if value is None:
        if default is None:
            raise DecodeError(f"its header has no {keyword}.")
        return default
    return int(value)


def numbers(elements: Elements | None, keyword: str, count: int) -> tuple[float, ...] | None:
    """`count` numbers of an element, or None where it is absent or empty.

    Raises:
        DecodeError: The element has another number of values, or they are not finite numbers.
    """
    value = None if elements is None else elements.get(keyword)
    if value is None:
        return None
    values: Sequence[Any] = value if count > 1 else (value,)
    if len(values) == 0:
        return None
    result = tuple(map(float, values))
    if len(result) != count or not all(map(math.isfinite, result)):
        raise DecodeError(f"{keyword} holds {list(result)}, expected {count} finite numbers.")
    return result


def number(elements: Elements | None, keyword: str) -> float | None:
    """One number of an element, or None where it is absent."""
    found = numbers(elements, keyword, 1)
    return None if found is None else found[0]
