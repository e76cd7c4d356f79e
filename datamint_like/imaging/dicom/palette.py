"""The palette of a PALETTE COLOR image as RGB of 8 bits (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6, C.7.9.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom.header import DicomFile
from datamint_like.imaging.dicom.luts import Lut, descriptor_of, lut_from
from datamint_like.imaging.types import Array

_COLOURS = ("Red", "Green", "Blue")


@dataclass(frozen=True)
class Palette:
    """A lookup table of 8 bits for each of red, green and blue."""

    channels: tuple[Lut, ...]

    def apply(self, raw: Array) -> Array:
        """The colours (J, I, 3) of indices (J, I), uint8."""
        return np.stack([channel.apply(raw) for channel in self.channels], axis=-1)


def palette_of(file: DicomFile) -> Palette | None:
    """The palette of a PALETTE COLOR file, None of any other.

    Raises:
        DecodeError: It has none, or fewer entries than it claims.
    """
    if file.pixels.photometric != "PALETTE COLOR":
        return None
    if "RedPaletteColorLookupTableData" in file.elements:
        return _explicit(file)
    if "SegmentedRedPaletteColorLookupTableData" in file.elements:
        return _segmented(file.elements.dataset, signed=file.pixels.signed)
    raise DecodeError("it is PALETTE COLOR without a palette. Export it with its palette, or as RGB.")


def _explicit(file: DicomFile) -> Palette:
    """A palette told entry by entry."""
    elements, signed = file.elements, file.pixels.signed
    channels, bits, in_words = [], 0, False
    for colour in _COLOURS:
        descriptor = elements.get(f"{colour}PaletteColorLookupTableDescriptor")
        data = elements.get(f"{colour}PaletteColorLookupTableData")
        if descriptor is None or data is None:
            raise DecodeError(f"its palette has no whole {colour.lower()}. Export it with its palette, or as RGB.")
        channels.append(lut_from(descriptor, data, file.pixels, signed=signed))
        count, _, claimed = descriptor_of(descriptor, signed=signed)
        bits, in_words = max(bits, claimed), in_words or len(data) >= 2 * count
    shift = _shift(bits, in_words, max(int(channel.table.max()) for channel in channels))
    return Palette(tuple(Lut(each.first, (each.table >> shift).astype(np.uint8), 8) for each in channels))


def _shift(bits: int, in_words: bool, largest: int) -> int:
    """What brings entries to 8 bits: nothing where they are of 8, in bytes or in words; else the high 8 are kept."""
    if largest < 256 and (bits <= 8 or not in_words):
        return 0
    return bits - 8 if 8 < bits < 16 and largest >> bits == 0 else 8


def _segmented(dataset: Dataset, *, signed: bool) -> Palette:
    """A palette told as runs, which pydicom writes out."""
    count, first, bits = descriptor_of(dataset.RedPaletteColorLookupTableDescriptor, signed=signed)
    if bits == 8 and count > 256:
        raise DecodeError(f"its segmented palette has {count} entries of 8 bits, which is not supported.")
    table = apply_color_lut(np.arange(first, first + count), dataset)
    table = (table >> 8).astype(np.uint8) if bits > 8 else table
    return Palette(tuple(Lut(first, table[:, channel], 8) for channel in range(3)))
