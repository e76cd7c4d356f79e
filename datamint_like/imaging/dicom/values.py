"""Stored pixels to what they mean: inversion, modality LUT or rescale, padding, palette (PS3.3 C.11.1, C.7.6.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom.frames import Frame
from datamint_like.imaging.dicom.header import PixelFormat
from datamint_like.imaging.dicom.luts import Lut
from datamint_like.imaging.dicom.palette import Palette
from datamint_like.imaging.dicom.parts import PartHeader
from datamint_like.imaging.types import Array
from datamint_like.imaging.values import (
    Range,
    integer_type,
    is_identity,
    is_integer_scaling,
    misfit,
    scale_into,
    scaled_range,
    stored_range,
)

_HOUNSFIELD_TYPES = ("", "HU", "HU_MOD")


@dataclass(frozen=True)
class ValueRule:
    """How one file's stored values become values of the array.

    MONOCHROME1 is inverted so that larger is brighter: within Bits Stored before a rescale, or within the entries
    of a modality LUT, whose indices are stored values.
    """

    pixels: PixelFormat
    dtype: str
    inverted: bool
    lut: Lut | None
    padding: Range | None
    palette: Palette | None

    @property
    def channels(self) -> int:
        """Colour channels of a decoded frame."""
        return 3 if self.palette is not None else self.pixels.samples

    def write(self, out: Array, raw: Array, frame: Frame) -> None:
        """Write the values of one frame to `out` (channels, J, I); `raw` is (J, I) or (J, I, 3).

        Raises:
            DecodeError: A value does not fit the type that the header asks for.
        """
        if self.palette is not None:
            raw = self.palette.apply(raw)
        if self.channels == 3:
            for channel in range(3):
                scale_into(out[channel], raw[..., channel], 1.0, 0.0)
            return
        if self.lut is not None:
            looked_up = self.lut.apply(raw)
            scale_into(
                out[0], sum(self.lut.span) - looked_up.astype(np.int32) if self.inverted else looked_up, 1.0, 0.0
            )
            return
        if self.inverted:
            low, high = stored_range(self.pixels.bits_stored, self.pixels.signed)
            raw = (low + high) - raw.astype(np.int64 if raw.dtype.itemsize > 2 else np.int32)
        try:
            scale_into(out[0], raw, frame.slope, frame.intercept)
        except DecodeError as error:
            self._write_saturated(out[0], raw, frame, error)

    def _write_saturated(self, out: Array, raw: Array, frame: Frame, error: DecodeError) -> None:
        """Values where only padding leaves the type: padding goes to its nearest end."""
        if self.padding is None or frame.slope == 0:
            raise error
        wide = raw.astype(np.int64) * int(frame.slope) + int(frame.intercept)
        limits = np.iinfo(out.dtype)
        stored = raw if not self.inverted else sum(stored_range(self.pixels.bits_stored, self.pixels.signed)) - raw
        is_padding = (stored >= self.padding[0]) & (stored <= self.padding[1])
        kept = wide[~is_padding]
        if kept.size and (int(kept.min()) < limits.min or int(kept.max()) > limits.max):
            raise DecodeError(misfit((int(kept.min()), int(kept.max())), str(out.dtype))) from error
        out[...] = np.clip(wide, limits.min, limits.max)


def rules_of(parts: Sequence[PartHeader], frames: Sequence[Frame]) -> list[ValueRule]:
    """One rule for each part, all with one dtype, by headers alone.

    Raises:
        DecodeError: Colour and gray files are mixed.
    """
    types = {_dtype(parts[frame.part], frame) for frame in frames}
    dtype = max(types, key=_WIDTHS.index)
    rules = [
        ValueRule(
            pixels=part.pixels,
            dtype=dtype,
            inverted=part.pixels.photometric == "MONOCHROME1",
            lut=part.lut,
            padding=part.padding,
            palette=part.palette,
        )
        for part in parts
    ]
    if len({rule.channels for rule in rules}) > 1:
        raise DecodeError("its files mix gray and colour.")
    return rules


_WIDTHS = ["uint8", "int16", "int32", "float32", "float64"]


def units_of(part: PartHeader, frames: Sequence[Frame]) -> str | None:
    """`"HU"` for a CT whose header rescales to Hounsfield units."""
    if part.modality != "CT" or part.pixels.samples != 1:
        return None
    return "HU" if all(frame.scale in _HOUNSFIELD_TYPES for frame in frames) else None


def _dtype(part: PartHeader, frame: Frame) -> str:
    pixels, lut = part.pixels, part.lut
    if pixels.element == "DoubleFloatPixelData":
        return "float64"
    if pixels.element == "FloatPixelData":
        return "float32"
    if pixels.photometric == "PALETTE COLOR":
        return "uint8"
    span = stored_range(pixels.bits_stored, pixels.signed)
    if pixels.samples == 3:
        return integer_type(span, keep_uint8=pixels.bits_allocated <= 8)
    if lut is not None:
        return integer_type((0, lut.span[1]), keep_uint8=lut.table.dtype == np.uint8)
    if not is_integer_scaling(frame.slope, frame.intercept):
        return "float32"
    if part.modality == "CT":
        return "int16"
    identity = is_identity(frame.slope, frame.intercept)
    return integer_type(
        scaled_range(span, frame.slope, frame.intercept), keep_uint8=identity and pixels.bits_allocated <= 8
    )
