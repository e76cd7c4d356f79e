"""The segments (strips and tiles) of a TIFF page as its samples, exactly as stored."""

from __future__ import annotations

import io
import lzma
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import IO, Any

import cv2
import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._raster_header import check_whole, parse_header
from datamint_like.imaging.tiff import libtiff, tags
from datamint_like.imaging.tiff.pages import Page
from datamint_like.imaging.types import Array

Bytes = npt.NDArray[np.uint8]
Piece = bytes | memoryview

_INFLATE_ERROR: Any = isal_zlib.error
_DAMAGED = "its {} data are damaged. Copy the file again."
_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1)[:, 0]
#: Rows of which running sums are made at a time, so that they hold little memory of their own.
_SUMMED_ROWS = 2048
#: Adobe's JPEG segment: three components are RGB (0) or YCbCr (1).
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"


def samples_of(file: IO[bytes], page: Page) -> Array:
    """The samples (samples, rows, columns) of a page in an open file, in their stored type and meaning.

    Raises:
        DecodeError: A segment is damaged or holds fewer samples than the page claims.
    """
    pieces = list(_pieces(file, page))
    if page.compression == tags.JPEG:
        return _arranged(_jpeg(pieces, page), page)
    rows = page.segment_rows()
    data = _inflated(pieces, rows, page)
    if page.reversed_bits and page.compression == tags.UNCOMPRESSED:
        data = _REVERSED[data]
    return _arranged(_unpredicted(_samples(data.reshape(sum(rows), page.row_bytes), page), page), page)


def stored_voxels(page: Page) -> int:
    """Samples that decoding holds in memory, with what pads the tiles."""
    return sum(page.segment_rows()) * page.segment[1] * page.segment_samples


def _pieces(file: IO[bytes], page: Page) -> Iterator[Piece]:
    """The bytes of each segment; segments that lie one behind another are read at once."""
    offsets, counts = page.offsets, page.counts
    if len(offsets) > 1 and (offsets[1:] == offsets[:-1] + counts[:-1]).all():
        file.seek(int(offsets[0]))
        block = memoryview(file.read(int(counts.sum())))
        if page.compression == tags.UNCOMPRESSED:
            yield block
            return
        start = int(offsets[0])
        for at, count in zip((offsets - start).tolist(), counts.tolist(), strict=True):
            yield block[at : at + count]
        return
    for at, count in zip(offsets.tolist(), counts.tolist(), strict=True):
        file.seek(at)
        yield file.read(count)


def _inflated(pieces: Sequence[Piece], rows: Sequence[int], page: Page) -> Bytes:
    """The bytes of all segments, one behind another."""
    if page.compression == tags.UNCOMPRESSED:
        return np.frombuffer(pieces[0] if len(pieces) == 1 else b"".join(pieces), np.uint8)
    if page.reversed_bits:
        pieces = [_REVERSED[np.frombuffer(piece, np.uint8)].tobytes() for piece in pieces]
    if page.compression in (tags.DEFLATE, tags.OLD_DEFLATE, tags.LZMA):
        inflate = _unlzma if page.compression == tags.LZMA else _inflate
        data = [inflate(piece, count * page.row_bytes) for piece, count in zip(pieces, rows, strict=True)]
        return np.frombuffer(data[0] if len(data) == 1 else b"".join(data), np.uint8)
    parts = [_through_libtiff(pieces[first:last], rows[first], page).reshape(-1) for first, last in _runs(rows)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _runs(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(first, one behind the last) of neighbouring segments with equally many rows."""
    first = 0
    for at in range(1, len(rows) + 1):
        if at == len(rows) or rows[at] != rows[first]:
            yield first, at
            first = at


def _through_libtiff(pieces: Sequence[Piece], rows: int, page: Page) -> Bytes:
    if page.compression in tags.CCITT:
        return libtiff.decode_fax(pieces, rows, page.segment[1], page.compression, page.fax_options)
    if page.compression == tags.LZW and not all(piece[0] & 0x80 for piece in pieces):
        raise DecodeError("it has LZW codes of the form before TIFF 5.0, or damaged ones, which is not supported.")
    return libtiff.decode_bytes(pieces, rows * page.row_bytes, page.compression)


def _inflate(piece: Piece, size: int) -> bytes:
    stream = isal_zlib.decompressobj()
    try:
        data = bytes(stream.decompress(piece, size)) if size else b""
        if not stream.eof and len(data) == size:
            stream.decompress(stream.unconsumed_tail, 1)  # the checksum lies behind the last byte
    except _INFLATE_ERROR as error:
        raise DecodeError(_DAMAGED.format("Deflate")) from error
    if len(data) != size:
        raise DecodeError(_DAMAGED.format("Deflate"))
    return data


def _unlzma(piece: Piece, size: int) -> bytes:
    try:
        data = lzma.LZMADecompressor(memlimit=1 << 28).decompress(piece, size)
    except (lzma.LZMAError, EOFError) as error:
        raise DecodeError(_DAMAGED.format("LZMA")) from error
    if len(data) != size:
        raise DecodeError(_DAMAGED.format("LZMA"))
    return data


def _jpeg(pieces: Sequence[Piece], page: Page) -> Array:
    """(rows of all segments, columns, samples of a segment): JPEG segments, YCbCr turned to RGB."""
    rows, columns = page.segment_rows(), page.segment[1]
    out = np.empty((sum(rows), columns, page.segment_samples), np.uint8)
    at = 0
    for piece, count in zip(pieces, rows, strict=True):
        out[at : at + count] = _jpeg_segment(bytes(piece), count, page)
        at += count
    return out


def _jpeg_segment(piece: bytes, rows: int, page: Page) -> Array:
    columns, samples = page.segment[1], page.segment_samples
    header = parse_header(io.BytesIO(piece))
    fits = header.width == columns and rows <= header.height <= max(rows, page.segment[0])
    if header.mimetype != "image/jpeg" or not fits or header.channels != samples:
        raise DecodeError(
            f"a JPEG segment has {header.height} x {header.width} pixels of {header.channels} samples, "
            f"expected {rows} x {columns} of {samples}."
        )
    check_whole(piece, header)
    scan = header.pixels_at - 2
    colour = _ADOBE + bytes([page.photometric == tags.YCBCR]) if samples == 3 else b""
    data = b"".join((b"\xff\xd8", page.jpeg_tables[2:-2], piece[2:scan], colour, piece[scan:]))
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.shape[:2] != (header.height, columns):
        raise DecodeError(_DAMAGED.format("JPEG"))
    image = image.reshape(header.height, columns, -1)[:rows, :, :: -1 if samples == 3 else 1]
    if image.shape[2] != samples:
        raise DecodeError(_DAMAGED.format("JPEG"))
    return image


def _samples(data: Bytes, page: Page) -> Array:
    """(rows, columns, samples of a segment) of rows of bytes."""
    shape = (len(data), page.segment[1], page.segment_samples)
    if page.bits >= 8 and page.bits % 8 == 0:
        if page.predictor == 3:
            return _unpredicted_floats(data, page).reshape(shape)
        stored = data.view(f"{page.order}{page.form}{page.bits // 8}").reshape(shape)
        return stored if stored.dtype.isnative else stored.astype(stored.dtype.newbyteorder("="))
    return _unpacked(data, shape[1] * shape[2], page.bits).reshape(shape)


def _unpacked(data: Bytes, count: int, bits: int) -> Array:
    """(rows, count) samples of a number of bits that fills no bytes; each row starts with a byte of its own."""
    out = np.empty((len(data), count), np.uint8 if bits <= 8 else np.uint16)
    step = max(1, (1 << 22) // max(1, data.shape[1]))
    for at in range(0, len(data), step):
        rows = np.unpackbits(data[at : at + step], axis=1)[:, : count * bits]
        grouped = rows.reshape(len(rows), count, bits)
        value = grouped[..., 0].astype(out.dtype)
        for bit in range(1, bits):
            value = (value << 1) | grouped[..., bit]
        out[at : at + step] = value
    return out


def _unpredicted(samples: Array, page: Page) -> Array:
    """Samples of which each was stored as the difference to its left neighbour (TIFF 6.0 section 14)."""
    if page.predictor != 2:
        return samples
    steps = samples.view(f"u{samples.dtype.itemsize}")
    sums = steps if steps.flags.writeable else np.empty_like(steps)  # of memory that nobody else holds
    rows, columns, each = steps.shape
    if each > 1 or steps.dtype.itemsize > 2 or columns > 4 * rows:
        np.add.accumulate(steps, axis=1, out=sums)
        return sums.view(samples.dtype)
    for at in range(0, rows, _SUMMED_ROWS):  # whole columns at a time, turned to lie together: twice as fast
        turned = cv2.transpose(steps[at : at + _SUMMED_ROWS, :, 0])
        for before, column in pairwise(turned):
            np.add(column, before, out=column)
        cv2.transpose(turned, dst=sums[at : at + _SUMMED_ROWS, :, 0])
    return sums.view(samples.dtype)


def _unpredicted_floats(data: Bytes, page: Page) -> Array:
    """(rows, samples of a row): floating point samples of predictor 3 (TIFF technical note 3).

    A row holds the most significant bytes of all its samples, then the next ones; of these bytes, each is the
    difference to the one that lies the samples of a pixel before.
    """
    width, rows = page.bits // 8, len(data)
    steps = data.reshape(rows, -1, page.segment_samples)
    planes = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(rows, width, -1)
    return np.ascontiguousarray(planes.swapaxes(1, 2)).view(f">f{width}").astype(f"=f{width}").reshape(rows, -1)


def _arranged(samples: Array, page: Page) -> Array:
    """(samples, rows, columns) of (rows of all segments, columns of a segment, samples of a segment)."""
    if not page.tiled:
        per_plane = samples.reshape(page.grid[0], page.height, page.width, page.segment_samples)
    else:
        planes, down, across = page.grid
        rows, columns = page.segment
        tiles = samples.reshape(planes, down, across, rows, columns, page.segment_samples).swapaxes(2, 3)
        per_plane = tiles.reshape(planes, down * rows, across * columns, -1)[:, : page.height, : page.width]
    return per_plane[..., 0] if page.planar else per_plane[0].transpose(2, 0, 1)
