"""The pages of a TIFF file, by its directories alone: what each holds, and whether it is whole and readable."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO

import numpy as np
import numpy.typing as npt

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging._raster_header import cut_short
from datamint_like.imaging._upright import upright_size
from datamint_like.imaging.tiff import tags
from datamint_like.imaging.tiff.directories import Directory, Numbers, TiffSource, directories
from datamint_like.imaging.values import integer_type, stored_range


@dataclass(frozen=True)
class Page:
    """One picture: its samples as stored, and the segments (strips or tiles) that hold them.

    Attributes:
        width, height: As stored, before `orientation`.
        samples: Samples of a pixel.
        bits: Bits of a sample.
        form: `"u"`, `"i"` or `"f"`: unsigned, signed, floating point.
        order: Byte order of samples, `"<"` or `">"`.
        planar: Whether each sample has segments of its own.
        segment: Rows and columns of a segment (the last strip may have fewer rows).
        tiled: Whether segments are tiles.
        offsets, counts: Where each segment lies, and how many bytes it has.
        fax_options: T4Options of CCITT Group 3.
        jpeg_tables: The tables that JPEG segments share (TIFF technical note 2).
        palette: (3, 2**bits) of a palette picture, uint8.
    """

    width: int
    height: int
    samples: int
    bits: int
    form: str
    order: str
    photometric: int
    compression: int
    predictor: int
    planar: bool
    reversed_bits: bool
    orientation: int
    segment: tuple[int, int]
    tiled: bool
    offsets: Numbers
    counts: Numbers
    jpeg_tables: bytes
    fax_options: int
    palette: npt.NDArray[np.uint8] | None

    @property
    def channels(self) -> int:
        """C of the decoded array."""
        return 3 if self.palette is not None else self.samples

    @property
    def dtype(self) -> str:
        """Type of the decoded array."""
        if self.palette is not None or (self.form == "u" and self.bits <= 8):
            return "uint8"
        return (
            "float32" if self.form == "f" else integer_type(stored_range(self.bits, self.form == "i"), keep_uint8=False)
        )

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the upright picture."""
        return upright_size(self.orientation, self.height, self.width)

    @property
    def segment_samples(self) -> int:
        """Samples of a pixel that one segment holds."""
        return 1 if self.planar else self.samples

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of an uncompressed segment."""
        return (self.segment[1] * self.segment_samples * self.bits + 7) // 8

    @property
    def grid(self) -> tuple[int, int, int]:
        """Segments: planes, down, across."""
        rows, columns = self.segment
        return (self.samples if self.planar else 1, -(-self.height // rows), -(-self.width // columns))

    def segment_rows(self) -> list[int]:
        """The rows that each segment holds, in stored order."""
        planes, down, across = self.grid
        rows = self.segment[0]
        if self.tiled:
            return [rows] * (planes * down * across)
        return [*[rows] * (down - 1), self.height - rows * (down - 1)] * planes


def pages_of(file: IO[bytes]) -> tuple[Page, ...]:
    """The pages of an open file: whole pictures, no thumbnails and no transparency masks.

    Raises:
        DecodeError: A directory is damaged, points outside the file, or describes what cannot be read.
        GeometryError: Pages differ in size or type.
    """
    source = TiffSource.of(file)
    every = list(directories(source))
    whole = [(number, each) for number, each in enumerate(every, 1) if not is_auxiliary(each)]
    if not whole and len(every) == 1:
        whole = [(1, every[0])]
    if not whole:
        raise DecodeError("it holds thumbnails or masks only, and no picture of full size.")
    pages: list[Page] = []
    for number, directory in whole:
        try:
            page = page_of(directory)
        except DecodeError as error:
            raise DecodeError(f"page {number}: {error}" if len(every) > 1 else str(error)) from error
        if pages and _looks(page) != _looks(pages[0]):
            raise GeometryError(
                f"page {number} of its {len(every)} differs: expected {_words(pages[0])} as the first page, "
                f"found {_words(page)}. Store pages of different kinds as files of their own."
            )
        pages.append(page)
    return _unfolded(pages, whole[0][1])


def page_of(directory: Directory) -> Page:
    """The page that a directory describes.

    Raises:
        DecodeError: It is damaged, cut short or of a kind that cannot be read.
    """
    width, height = directory.number(tags.WIDTH, 0), directory.number(tags.HEIGHT, 0)
    samples = directory.number(tags.SAMPLES, 1)
    if width < 1 or height < 1 or not 1 <= samples <= tags.MOST_SAMPLES:
        raise DecodeError(f"it is damaged: it claims {height} x {width} pixels of {samples} samples.")
    tiled = tags.TILE_WIDTH in directory
    segment = _segment(directory, width, height, tiled=tiled)
    orientation = directory.number(tags.ORIENTATION, 1)
    bits, form = _sample_type(directory, samples)
    photometric = _photometric(directory, samples)
    compression = directory.number(tags.COMPRESSION, 1)
    page = Page(
        width=width,
        height=height,
        samples=samples,
        bits=bits,
        form=form,
        order=directory.source.order,
        photometric=photometric,
        compression=compression,
        predictor=directory.number(tags.PREDICTOR, 1) if compression in tags.PREDICTED else 1,
        planar=directory.number(tags.PLANAR, 1) == 2 and samples > 1,
        reversed_bits=directory.number(tags.FILL_ORDER, 1) == 2,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        segment=segment,
        tiled=tiled,
        offsets=np.empty(0, np.int64),
        counts=np.empty(0, np.int64),
        jpeg_tables=directory.raw(tags.JPEG_TABLES) if tags.JPEG_TABLES in directory else b"",
        fax_options=directory.number(tags.T4_OPTIONS, 0) & 7,
        palette=_palette(directory, bits) if photometric == tags.PALETTE else None,
    )
    tags.refuse_unreadable(page.compression, page.photometric, page.bits, page.form, page.predictor)
    if directory.number(tags.DEPTH, 1) != 1 or directory.number(tags.TILE_DEPTH, 1) != 1:
        raise DecodeError("its planes lie inside one TIFF page (ImageDepth), which is not supported.")
    return _with_segments(page, directory)


def is_auxiliary(directory: Directory) -> bool:
    """Whether a directory is a smaller version of another page (bit 0), or its mask (bit 2)."""
    return bool(directory.number(tags.NEW_SUBFILE_TYPE, 0) & 5) or directory.number(tags.OLD_SUBFILE_TYPE, 1) == 2


def _segment(directory: Directory, width: int, height: int, *, tiled: bool) -> tuple[int, int]:
    """Rows and columns of a segment."""
    if not tiled:
        rows, columns = min(directory.number(tags.ROWS_PER_STRIP, height), height), width
    else:
        rows, columns = directory.number(tags.TILE_LENGTH, 0), directory.number(tags.TILE_WIDTH, 0)
    if rows < 1 or columns < 1:
        raise DecodeError(f"it is damaged: its {'tiles' if tiled else 'strips'} have {rows} x {columns} pixels.")
    return rows, columns


def _sample_type(directory: Directory, samples: int) -> tuple[int, str]:
    """Bits and form of a sample, which are the same for every sample."""
    bits = set(directory.numbers(tags.BITS, samples).tolist()) or {1}
    forms = set(directory.numbers(tags.SAMPLE_FORMAT, samples).tolist()) or {1}
    if len(bits) > 1 or len(forms) > 1:
        raise DecodeError(
            f"its samples differ in bits {sorted(bits)} or format {sorted(forms)}, which is not supported."
        )
    form = forms.pop()
    if form not in tags.FORMS:
        raise DecodeError(f"its samples have the format {tags.FORM_NAMES.get(form, form)}, which is not supported.")
    return bits.pop(), tags.FORMS[form]


def _photometric(directory: Directory, samples: int) -> int:
    """What the samples mean; where nothing is said, gray or RGB by their number."""
    said = directory.number(tags.PHOTOMETRIC, tags.RGB if samples >= 3 else tags.BLACK_IS_ZERO)
    colours = tags.COLOURS.get(said, 1)
    if samples < colours or (said in (tags.PALETTE, tags.YCBCR) and samples != colours):
        raise DecodeError(f"it is damaged: {tags.photometric_name(said)} has {colours} samples, found {samples}.")
    return said


def _palette(directory: Directory, bits: int) -> npt.NDArray[np.uint8]:
    """The colours (3, 2**bits) of a palette, of whose 16 bits the upper 8 count (TIFF 6.0 section 5)."""
    if not 1 <= bits <= 16 or directory.count(tags.COLOR_MAP) != 3 << bits:
        raise DecodeError(
            f"it is damaged: a palette of {bits} bits has {3 << min(bits, 16):,} values, "
            f"found {directory.count(tags.COLOR_MAP):,}."
        )
    colours = directory.numbers(tags.COLOR_MAP).reshape(3, -1)
    # Some writers fill the map with 8-bit values; libtiff tells them the same way.
    return (colours if int(colours.max()) < 256 else colours >> 8).astype(np.uint8)


def _with_segments(page: Page, directory: Directory) -> Page:
    """The page with its segments, each of which lies in the file."""
    where, lengths = (tags.TILE_OFFSETS, tags.TILE_COUNTS) if page.tiled else (tags.STRIP_OFFSETS, tags.STRIP_COUNTS)
    planes, down, across = page.grid
    needed = planes * down * across
    kind = "tiles" if page.tiled else "strips"
    if directory.count(where) < needed:
        raise DecodeError(f"it is damaged: it claims {needed:,} {kind}, and says where {directory.count(where):,} lie.")
    offsets, counts = directory.numbers(where, needed), directory.numbers(lengths, needed)
    whole = _whole_lengths(page, directory.source.size) if page.compression == tags.UNCOMPRESSED else None
    if counts.size < needed or (whole is not None and not counts.any()):
        if whole is None:
            raise DecodeError(f"it is damaged: it does not say how long its {needed:,} {kind} are.")
        counts = whole
    _refuse_missing(offsets, counts, whole, directory.source.size, kind)
    return replace(page, offsets=offsets, counts=counts if whole is None else whole)


def _whole_lengths(page: Page, size: int) -> Numbers:
    """The bytes that each uncompressed segment needs, none of which is more than the file has."""
    rows = page.segment_rows()
    if page.row_bytes * max(rows) > size:
        raise cut_short(page.row_bytes * max(rows), size)
    return np.array(rows, np.int64) * page.row_bytes


def _refuse_missing(offsets: Numbers, counts: Numbers, whole: Numbers | None, size: int, kind: str) -> None:
    """Refuse segments that are empty, shorter than their pixels, or lie outside the file."""
    if offsets.min() < 8 or counts.min() < 1:
        raise DecodeError(f"it is damaged: some of its {kind} are missing.")
    if whole is not None and (counts < whole).any():
        raise DecodeError(f"it is damaged: some of its {kind} are shorter than the pixels they hold.")
    longest = counts if whole is None else whole
    room = size - longest
    if (offsets > room).any():
        raise cut_short(int(offsets.max()) + int(longest[offsets.argmax()]), size)


def _looks(page: Page) -> tuple[object, ...]:
    """What all pages of a file share."""
    return page.size, page.channels, page.dtype


def _words(page: Page) -> str:
    rows, columns = page.size
    return f"{rows} x {columns} pixels, {page.channels} channels of {page.dtype}"


def _unfolded(pages: Sequence[Page], first: Directory) -> tuple[Page, ...]:
    """The pages, also of a stack whose first directory alone stands for planes that lie one after another.

    MetaMorph writes stacks so, ImageJ large ones (`images=` in its description), tifffile where `truncate` is on.

    Raises:
        DecodeError: More planes are announced than there are pages, and they do not lie so.
    """
    planes = _announced(first, pages[0])
    if planes <= len(pages):
        return tuple(pages)
    page = pages[0]
    length = int(page.counts.sum())
    if len(pages) > 1 or page.compression != tags.UNCOMPRESSED or page.tiled or page.planar:
        raise DecodeError(f"its header announces {planes:,} planes, and it has {len(pages):,} pages.")
    if (page.offsets[1:] != page.offsets[:-1] + page.counts[:-1]).any():
        raise DecodeError(f"its header announces {planes:,} planes, whose place it does not tell.")
    start = int(page.offsets[0])
    if start + planes * length > first.source.size:
        raise cut_short(start + planes * length, first.source.size)
    return tuple(replace(page, offsets=page.offsets + number * length) for number in range(planes))


def _announced(first: Directory, page: Page) -> int:
    """How many planes MetaMorph, or the description of ImageJ or tifffile announces; 0 where nothing is said."""
    if tags.METAMORPH_PLANES in first:
        return first.count(tags.METAMORPH_PLANES)
    if tags.DESCRIPTION not in first or first.count(tags.DESCRIPTION) > 1 << 20:
        return 0
    text = first.raw(tags.DESCRIPTION).rstrip(b"\0").decode("utf-8", "replace")
    if text.startswith("ImageJ="):
        found = re.search(r"^images=(\d{1,9})\s*$", text, re.MULTILINE)
        return int(found[1]) if found else 0
    if not (text.startswith('{"shape"') and "truncated" in text):
        return 0
    try:
        said = json.loads(text)
        volume = int(np.prod([int(extent) for extent in said["shape"]], dtype=np.float64)) if said["truncated"] else 0
    except (ValueError, KeyError, TypeError, OverflowError):
        return 0
    return volume // (page.width * page.height * page.samples)


def details_of(pages: Sequence[Page]) -> Mapping[str, object]:
    """Further facts of the first page, by the names that TIFF has for them."""
    page = pages[0]
    return {
        "bits": page.bits,
        "exif_orientation": page.orientation,
        "photometric": tags.photometric_name(page.photometric),
        "compression": tags.compression_name(page.compression),
    }
