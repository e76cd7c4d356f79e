"""Lookup tables of a header: modality LUT (PS3.3 C.11.1.1) and VOI LUT (PS3.3 C.11.2.1.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom.header import DicomFile
from datamint_like.imaging.types import Array


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
    count, first, bits = (int(v) for v in item.LUTDescriptor)
    count = (count & 0xFFFF) or 1 << 16
    if signed and first > 0x7FFF:
        first -= 1 << 16
    data = item.LUTData
    if isinstance(data, bytes):
        wide = f"{'>' if file.pixels.syntax == ExplicitVRBigEndian else '<'}u2" if len(data) >= 2 * count else "u1"
        table = np.frombuffer(data, dtype=wide)
    else:
        table = np.array(data, dtype=np.int64) & 0xFFFF
    if len(table) < count:
        raise DecodeError(f"its lookup table claims {count} entries, found {len(table)}.")
    return Lut(first, table[:count].astype(np.uint8 if bits <= 8 else np.int32), bits)
