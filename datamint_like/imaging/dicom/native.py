"""Frames whose pixels are stored as they are (PS3.5 8.1, 8.2): packed bits, words, colour by pixel or plane."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from pydicom.uid import ExplicitVRBigEndian

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom.header import DicomFile, PixelFormat
from datamint_like.imaging.types import Array

_FLOATS = {"FloatPixelData": "f4", "DoubleFloatPixelData": "f8"}


def native_frames(file: DicomFile) -> Iterator[Array]:
    """Each frame as (J, I) or (J, I, 3), as views of the file's bytes where none has to change.

    Raises:
        DecodeError: The file ends inside its pixels.
    """
    pixels = file.pixels
    data = file.encoded
    if len(data) < pixels.native_length:
        raise DecodeError(
            f"it is cut short: expected {pixels.native_length:,} bytes of pixels, found {len(data):,}. "
            "Copy the file again."
        )
    length, full = pixels.frame_length, pixels.rows * pixels.columns * 3 * pixels.bits_allocated // 8
    if pixels.subsampled and len(data) >= pixels.frames * full:
        length = full  # its label says 4:2:2, its pixels do not
    if pixels.bits_allocated <= 8 and file.vr == "OW" and pixels.syntax == ExplicitVRBigEndian:
        data = np.frombuffer(data, "<u2", count=len(data) // 2).byteswap().tobytes()  # words of two bytes are swapped
    for index in range(pixels.frames):
        yield _bits(data, pixels, index) if pixels.bits_allocated == 1 else _words(data, pixels, index * length, length)


def native_frame(data: bytes, pixels: PixelFormat) -> Array:
    """One frame by bytes of its own, as a fragment holds them.

    Raises:
        DecodeError: They are too few.
    """
    if len(data) < pixels.frame_length:
        raise DecodeError(
            f"a frame of its pixels has {len(data):,} bytes, expected {pixels.frame_length:,}. Copy the file again."
        )
    return _bits(data, pixels, 0) if pixels.bits_allocated == 1 else _words(data, pixels, 0, pixels.frame_length)


def inflated_frame(encoded: bytes, pixels: PixelFormat) -> Array:
    """One frame of Deflated Image Frame Compression: a native frame as a raw deflate stream (RFC 1951).

    Raises:
        DecodeError: The stream is damaged or too short.
    """
    try:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(encoded, pixels.frame_length)
    except zlib.error as error:
        raise DecodeError("a frame of its pixels (deflated) is damaged. Copy the file again.") from error
    return native_frame(data, pixels)


def _bits(data: bytes, pixels: PixelFormat, index: int) -> Array:
    """A frame of single bits, which need not start at a byte (PS3.5 8.1.1)."""
    size = pixels.rows * pixels.columns * pixels.samples
    first, last = index * size // 8, -(-(index + 1) * size // 8)
    packed = np.frombuffer(data, np.uint8, count=last - first, offset=first)
    start = index * size - first * 8
    return _shaped(np.unpackbits(packed, bitorder="little")[start : start + size], pixels)


def _words(data: bytes, pixels: PixelFormat, offset: int, length: int) -> Array:
    kind = _FLOATS.get(pixels.element) or f"{'i' if pixels.signed else 'u'}{pixels.bits_allocated // 8}"
    order = ">" if pixels.syntax == ExplicitVRBigEndian else "<"
    words = np.frombuffer(data, np.dtype(order + kind), count=length * 8 // pixels.bits_allocated, offset=offset)
    frame: Array = words.astype(words.dtype.newbyteorder("="), copy=False)
    if frame.size < pixels.rows * pixels.columns * pixels.samples:
        return _upsampled(frame, pixels)
    return _shaped(frame, pixels)


def _upsampled(words: Array, pixels: PixelFormat) -> Array:
    """Two luminances, then the colour differences of both pixels (PS3.3 C.7.6.3.1.2), to one of each per pixel."""
    pairs = words.reshape(pixels.rows, pixels.columns // 2, 4)
    result = np.empty((pixels.rows, pixels.columns // 2, 2, 3), words.dtype)
    result[..., 0] = pairs[..., :2]
    result[..., 1:] = pairs[..., None, 2:]
    return result.reshape(pixels.rows, pixels.columns, 3)


def _shaped(frame: Array, pixels: PixelFormat) -> Array:
    if pixels.samples == 1:
        return frame.reshape(pixels.rows, pixels.columns)
    if pixels.planar == 1 and not pixels.subsampled:
        return np.moveaxis(frame.reshape(pixels.samples, pixels.rows, pixels.columns), 0, -1)
    return frame.reshape(pixels.rows, pixels.columns, pixels.samples)
