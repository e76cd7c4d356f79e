"""What a plan needs of the header of one part, in plain values, so that the header itself can go."""

from __future__ import annotations

from dataclasses import dataclass

from datamint_like.imaging.dicom.concatenation import Member, member_of
from datamint_like.imaging.dicom.frames import Frame, frames_of
from datamint_like.imaging.dicom.header import DicomFile, PixelFormat
from datamint_like.imaging.dicom.luts import Lut, modality_lut
from datamint_like.imaging.dicom.mosaic import mosaic_of
from datamint_like.imaging.dicom.palette import Palette, palette_of
from datamint_like.imaging.values import Range


@dataclass(frozen=True, slots=True)
class PartHeader:
    """One part of a resource.

    Attributes:
        pixels: How its pixels are stored.
        rows, columns: Size of its planes.
        frames: Its planes in the order of its pixels.
        modality: As the header has it, empty where it has none.
        lut: Its modality LUT.
        padding: Stored values that mean "no pixel".
        palette: The palette of a PALETTE COLOR file.
        member: Its place in a concatenation.
    """

    pixels: PixelFormat
    rows: int
    columns: int
    frames: tuple[Frame, ...]
    modality: str
    lut: Lut | None
    padding: Range | None
    palette: Palette | None
    member: Member | None = None


def part_header(file: DicomFile) -> PartHeader:
    """The plain values of a file's header.

    Raises:
        DecodeError: Its geometry, rescale or a lookup table is malformed.
        GeometryError: It is a mosaic that cannot be cut into planes.
    """
    mosaic = mosaic_of(file.elements, file.pixels)
    return PartHeader(
        pixels=file.pixels,
        rows=file.pixels.rows if mosaic is None else mosaic.rows,
        columns=file.pixels.columns if mosaic is None else mosaic.columns,
        frames=tuple(frames_of(file)),
        modality=str(file.elements.get("Modality") or ""),
        lut=modality_lut(file),
        padding=_padding(file),
        palette=palette_of(file),
        member=member_of(file),
    )


def _padding(file: DicomFile) -> Range | None:
    """Stored values that mean "no pixel" (PS3.3 C.7.5.1.1.2).

    A value below 0 of unsigned pixels means its bits; a range from below 0 to 0 or above is none of theirs.
    """
    value, limit = file.elements.get("PixelPaddingValue"), file.elements.get("PixelPaddingRangeLimit")
    if value is None:
        return None
    bits = file.pixels.bits_allocated
    if limit is not None and not file.pixels.signed and min(int(value), int(limit)) < 0 <= max(int(value), int(limit)):
        return None
    ends = [_as_stored(int(v), bits, file.pixels.signed) for v in (value, value if limit is None else limit)]
    return min(ends), max(ends)


def _as_stored(value: int, bits: int, signed: bool) -> int:
    """A padding value, whose VR may have lost its sign, in the representation of the pixels."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if signed and value >= 1 << (bits - 1) else value
