"""Lookup tables of a header: modality LUT (PS3.3 C.11.1.1) and VOI LUT (PS3.3 C.11.2.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom.header import DicomFile, PixelFormat
from datamint_like.imaging.types import Array
from datamint_like.imaging.values import Range


@dataclass(frozen=True)
class Lut:
    """A lookup table: `table[v - first]`, the ends repeated; its entries have `bits` bits."""

    first: int
    table: Array
    bits: int

    def apply(self, raw: Array) -> Array:
        """The looked-up values."""
        result: Array = self.table[np.clip(raw.astype(np.int64) - self.first, 0, len(self.table) - 1)]
        return result

    @property
    def span(self) -> Range:
        """Its smallest and its largest entry."""
        return int(self.table.min()), int(self.table.max())


def modality_lut(file: DicomFile) -> Lut | None:
    """The modality LUT of a file, or None where it has none.

    Raises:
        DecodeError: It has fewer entries than it claims.
    """
    item = file.elements.first("ModalityLUTSequence")
    return None if item is None else lut_of(file, item.dataset, signed=file.pixels.signed)


def lut_of(file: DicomFile, item: Dataset, *, signed: bool) -> Lut:
    """The lookup table of a sequence item (PS3.3 C.11.1.1, C.11.2.1.1); `signed` says that inputs may be negative.

    Raises:
        DecodeError: It has fewer entries than it claims.
    """
    return lut_from(item.LUTDescriptor, item.LUTData, file.pixels, signed=signed)


def lut_from(descriptor: Sequence[int], data: bytes | Sequence[int], pixels: PixelFormat, *, signed: bool) -> Lut:
    """The lookup table of these two elements of a file with these pixels.

    Entries of 8 bits may lie in words; those that need more bits than the descriptor says are kept whole.

    Raises:
        DecodeError: It has fewer entries than it claims.
    """
    count, first, bits = descriptor_of(descriptor, signed=signed)
    table = _entries(data, count, big_endian=pixels.syntax == ExplicitVRBigEndian)
    if len(table) < count:
        raise DecodeError(f"its lookup table claims {count} entries, found {len(table)}.")
    table = table[:count]
    bits = max(bits, int(table.max()).bit_length())
    return Lut(first, table.astype(np.uint8 if bits <= 8 else np.int32), bits)


def descriptor_of(descriptor: Sequence[int], *, signed: bool) -> tuple[int, int, int]:
    """Count of entries, first input and bits of an entry; `signed` says that inputs may be negative."""
    count, first, bits = (int(v) for v in descriptor)
    if signed and first > 0x7FFF:
        first -= 1 << 16
    return (count & 0xFFFF) or 1 << 16, first, bits


def _entries(data: bytes | Sequence[int], count: int, *, big_endian: bool) -> Array:
    """The entries, by the length of the data as words or as bytes, which lie in words, too (PS3.5 A.2)."""
    if not isinstance(data, bytes):
        return np.array(data, dtype=np.int64).reshape(-1) & 0xFFFF
    if big_endian:
        data = np.frombuffer(data[: len(data) & ~1], ">u2").astype("<u2").tobytes()
    return np.frombuffer(data[: 2 * count], "<u2") if len(data) >= 2 * count else np.frombuffer(data, "u1")
