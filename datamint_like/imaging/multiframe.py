"""One multi-frame DICOM derived from the parts of a series, the same bytes each time.

Its functional groups carry each frame's position, so that any reader places the frames where the series
lies. The parts stay the original; this is what a download as one file gives.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging._sources import sources_of
from datamint_like.imaging.dicom.enhanced import StoredPixels, multiframe_header
from datamint_like.imaging.dicom.frames import Frame
from datamint_like.imaging.dicom.header import DicomFile, read_header, read_whole
from datamint_like.imaging.dicom.pixels import iter_frames
from datamint_like.imaging.dicom.plan import Plan, plan_of
from datamint_like.imaging.types import Array, HeaderFacts, SourceFile
from datamint_like.imaging.values import stored_range

_LONGEST_VALUE = 0xFFFFFFFE
_PIXEL_DATA = b"\xe0\x7f\x10\x00"


def derive_multiframe(
    paths: Sequence[Path], facts: HeaderFacts, target: BinaryIO, *, names: Sequence[str] | None = None
) -> None:
    """Write one multi-frame DICOM of a series' parts to an open binary file.

    Stored values are kept, uncompressed, with their rescale; frames come in the order of `paths`' planes,
    time points one after another. UIDs follow from those of the parts.

    Args:
        paths: The parts in order.
        facts: Header facts of the resource.
        target: Where the bytes go; needs `write` only.
        names: The parts' file names, which messages use where files are stored under other names.

    Raises:
        DecodeError: It is no DICOM, a part is damaged, or the frames are too many for one uncompressed DICOM (4 GiB).
        GeometryError: The parts do not make one volume.

    Example:
        >>> from datamint_like.imaging import probe
        >>> paths = sorted(Path("ct").iterdir())
        >>> with open("ct.dcm", "wb") as file:
        ...     derive_multiframe(paths, probe(paths), file)
        >>> probe([Path("ct.dcm")]).shape
        (32, 128, 128)
    """
    sources = sources_of(paths, names)
    if facts.format != "dicom":
        raise DecodeError(f"{sources[0].name}: it is {facts.format}, not DICOM, so it gives no multi-frame DICOM.")
    files = _headers(sources)
    planned = plan_of(files)
    with reading(sources[0]):
        pixels = _storage(files, planned)
        _, rows, columns = planned.facts.shape
        frame_size = rows * columns * pixels.samples * pixels.bits_allocated // 8
        length = frame_size * len(planned.frames)
        if length > _LONGEST_VALUE:
            raise DecodeError(f"its {len(sources)} files have {length:,} bytes of pixels, more than one DICOM holds.")
        multiframe_header(files, planned, pixels).save_as(target, enforce_file_format=True)
    kind = b"OB" if pixels.bits_allocated == 8 else b"OW"
    target.write(_PIXEL_DATA + kind + b"\0\0" + struct.pack("<I", length + length % 2))
    for frame, raw in _frames_in_order(sources, planned):
        with reading(sources[frame.part]):
            stored = _stored_frame(raw, frame, planned, pixels)
        target.write(stored.tobytes())
    target.write(b"\0" * (length % 2))


def _headers(sources: Sequence[SourceFile]) -> list[DicomFile]:
    headers = []
    for source in sources:
        with reading(source):
            headers.append(read_header(source))
    return headers


def _storage(files: Sequence[DicomFile], planned: Plan) -> StoredPixels:
    """How all frames can be stored alike without changing a stored value.

    Raises:
        DecodeError: The parts mix gray scales that run opposite ways.
    """
    if planned.rules[0].channels == 3:
        bits = 8 if planned.facts.dtype == "uint8" else 16
        return StoredPixels(f"u{bits // 8}", "RGB", 3, bits, signed=False)
    formats = {(f.pixels.photometric, f.pixels.bits_stored, f.pixels.signed, f.pixels.element) for f in files}
    if len(formats) > 1 and {photometric for photometric, *_ in formats} != {"MONOCHROME2"}:
        raise DecodeError("its files mix gray scales of different kinds, which one file cannot hold.")
    if any(f.pixels.element != "PixelData" for f in files):
        raise DecodeError("its pixels are floating point, which a classic multi-frame file cannot hold.")
    ranges = [stored_range(bits, signed) for _, bits, signed, _ in formats]
    signed = any(low < 0 for low, _ in ranges)
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    bits = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + int(signed)
    allocated = 8 if bits <= 8 else 16 if bits <= 16 else 32
    if len(formats) > 1 and allocated == 32:
        bits = 32  # several readers take 17 bits of 32, which only a mix has, for 16
    return StoredPixels(f"{'i' if signed else 'u'}{allocated // 8}", files[0].pixels.photometric, 1, bits, signed)


def _frames_in_order(sources: Sequence[SourceFile], planned: Plan) -> Iterator[tuple[Frame, Array]]:
    """The frames as the multi-frame file has them; a part is let go when the next one is needed."""
    part, frames = -1, []
    for frame in (planned.frames[index] for planes in planned.stack.grid for index in planes):
        source = sources[frame.part]
        with reading(source):
            if frame.part != part:
                part, frames = frame.part, list(iter_frames(read_whole(source)))
        yield frame, frames[frame.number]


def _stored_frame(raw: Array, frame: Frame, planned: Plan, pixels: StoredPixels) -> Array:
    """One frame's values as the multi-frame file stores them."""
    if pixels.samples == 3:
        colour = np.empty((3, *raw.shape[:2]), dtype=planned.facts.dtype)
        planned.rules[frame.part].write(colour, raw, frame)
        raw = np.moveaxis(colour, 0, -1)
    return raw.astype(f"<{pixels.dtype}")
