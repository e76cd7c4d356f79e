"""The stored pixels of a DICOM file, frame by frame: native ones here, compressed ones by a codec."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom.codestreams import refuse_damaged_rle, refuse_larger
from datamint_like.imaging.dicom.header import DicomFile, PixelFormat
from datamint_like.imaging.dicom.jpeg import jpeg_frames
from datamint_like.imaging.types import Array

#: The codec for each syntax, so that what else is installed never changes a pixel.
_PLUGINS = {
    RLELossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
    JPEG2000Lossless: "pylibjpeg",
    HTJ2KLossless: "pylibjpeg",
    HTJ2KLosslessRPCL: "pylibjpeg",
    HTJ2K: "pylibjpeg",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
}
_JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)
_FLOATS = {"FloatPixelData": "f4", "DoubleFloatPixelData": "f8"}


def iter_frames(file: DicomFile) -> Iterator[Array]:
    """Each frame as (J, I), colour as RGB (J, I, 3), bits above Bits Stored cleared or sign-extended.

    Raises:
        DecodeError: Pixels are missing, damaged, or in a syntax that no codec reads.
    """
    pixels = file.pixels
    if not pixels.compressed and _is_plain(pixels):
        yield from _native(file)
        return
    source = jpeg_frames(file) if pixels.syntax in _JPEG else _through_pydicom(file)
    count = 0
    for frame in source:
        count += 1
        if count > pixels.frames:
            return
        yield _clean(frame, pixels)
    if count < pixels.frames:
        raise DecodeError(f"it is cut short: expected {pixels.frames} frames, found {count}. Copy the file again.")


def _is_plain(pixels: PixelFormat) -> bool:
    return pixels.photometric in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB")


def _native(file: DicomFile) -> Iterator[Array]:
    """Frames of uncompressed pixels, as views of the file's bytes where no bit has to change."""
    pixels = file.pixels
    data: bytes = file.dataset[pixels.element].value
    if len(data) < pixels.native_length:
        raise DecodeError(
            f"it is cut short: expected {pixels.native_length:,} bytes of pixels, found {len(data):,}. "
            "Copy the file again."
        )
    size = pixels.rows * pixels.columns * pixels.samples
    if pixels.bits_allocated == 1:
        every = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    else:
        order = "<" if pixels.syntax.is_little_endian else ">"
        kind = _FLOATS.get(pixels.element) or f"{'i' if pixels.signed else 'u'}{pixels.bits_allocated // 8}"
        every = np.frombuffer(data, np.dtype(order + kind), count=pixels.frames * size)
    for index in range(pixels.frames):
        frame = every[index * size : (index + 1) * size]
        yield _clean(_shaped(frame.astype(frame.dtype.newbyteorder("="), copy=False), pixels), pixels)


def _shaped(frame: Array, pixels: PixelFormat) -> Array:
    if pixels.samples == 1:
        return frame.reshape(pixels.rows, pixels.columns)
    if pixels.planar == 1:
        return np.moveaxis(frame.reshape(pixels.samples, pixels.rows, pixels.columns), 0, -1)
    return frame.reshape(pixels.rows, pixels.columns, pixels.samples)


def _clean(frame: Array, pixels: PixelFormat) -> Array:
    """The frame with only Bits Stored counting: overlays and garbage above them are no values."""
    bits = frame.dtype.itemsize * 8
    if pixels.element != "PixelData" or frame.dtype.kind not in "iu" or pixels.bits_allocated == 1:
        return frame
    if pixels.samples != 1 or pixels.bits_stored >= bits:
        return frame
    below = 0 if pixels.compressed else max(0, pixels.high_bit + 1 - pixels.bits_stored)
    if pixels.signed:
        above = bits - pixels.bits_stored - below
        signed = frame.view(frame.dtype.str.replace("u", "i"))
        extended: Array = (signed << above) >> (above + below)
        return extended
    mask = frame.dtype.type((1 << pixels.bits_stored) - 1)
    masked: Array = (frame >> below) & mask if below else frame & mask
    return masked


def _through_pydicom(file: DicomFile) -> Iterator[Array]:
    """Frames by pydicom and the codec of the table; YBR comes out as RGB."""
    syntax = file.pixels.syntax
    if not getattr(file.dataset.file_meta, "TransferSyntaxUID", None):
        file.dataset.file_meta.TransferSyntaxUID = syntax
    plugin = _PLUGINS.get(syntax, "")
    if file.pixels.compressed:
        for encoded in generate_frames(file.dataset.PixelData, number_of_frames=file.pixels.frames):
            refuse_larger(file, encoded)
            if syntax == RLELossless:
                refuse_damaged_rle(file, encoded)
    try:
        yield from iter_pixels(file.dataset, decoding_plugin=plugin)
    except Exception as error:  # the codecs raise any class there is
        reason = str(error).replace("\n", " ")[:200]
        raise DecodeError(
            f"its pixels ({_name(syntax)}) cannot be decoded by {plugin or 'any installed codec'}: {reason}"
        ) from error


def _name(syntax: UID) -> str:
    return f"{syntax.name}, {syntax!s}" if syntax.name != str(syntax) else str(syntax)
