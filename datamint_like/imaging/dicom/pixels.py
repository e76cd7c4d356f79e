"""The stored pixels of a DICOM file, frame by frame: native ones as they are, compressed ones by their codec."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jpeg_ls import decode_pixel_data as decode_jpeg_ls  # type: ignore[import-untyped]
from openjpeg.utils import decode as decode_jpeg_2000

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import told_by
from datamint_like.imaging.dicom.codestreams import refuse_larger
from datamint_like.imaging.dicom.colour import coded_colour, to_rgb
from datamint_like.imaging.dicom.fragments import encoded_frames
from datamint_like.imaging.dicom.header import DicomFile, PixelFormat
from datamint_like.imaging.dicom.jpeg import jpeg_frame
from datamint_like.imaging.dicom.mosaic import mosaic_of
from datamint_like.imaging.dicom.native import inflated_frame, native_frame, native_frames
from datamint_like.imaging.dicom.rle import rle_frame
from datamint_like.imaging.dicom.syntaxes import Coding, coding_of, is_lossy, name_of
from datamint_like.imaging.types import Array


def iter_frames(file: DicomFile) -> Iterator[Array]:
    """Each frame as (J, I), colour as RGB (J, I, 3), bits above Bits Stored cleared or sign-extended.

    A mosaic gives its planes.

    Raises:
        DecodeError: Pixels are missing, damaged, or in a syntax that no codec reads.
        GeometryError: It is a mosaic that cannot be cut into planes.
    """
    mosaic = mosaic_of(file.elements, file.pixels)
    if mosaic is None:
        yield from _stored_frames(file)
    else:
        yield from mosaic.tiles(next(_stored_frames(file)))


def _stored_frames(file: DicomFile) -> Iterator[Array]:
    pixels = file.pixels
    coding = coding_of(pixels.syntax)
    if not pixels.compressed:
        for frame in native_frames(file):
            yield _clean(to_rgb(frame, pixels, pixels.photometric), pixels)
        return
    for encoded in encoded_frames(file):
        colour = coded_colour(encoded, pixels) if coding == "jpeg" else pixels.photometric
        yield _clean(to_rgb(_decoded(encoded, pixels, coding), pixels, colour), pixels)


def _jpeg_ls_frame(encoded: bytes, pixels: PixelFormat) -> Array:
    data, info = decode_jpeg_ls(encoded)
    width = 1 if info["bits_per_sample"] <= 8 else 2
    words = np.frombuffer(data, f"<u{width}")
    if info["components"] > 1 and info["interleave_mode"] == 0:
        return np.moveaxis(words.reshape(info["components"], info["height"], info["width"]), 0, -1)
    return words.reshape(info["height"], info["width"], info["components"])


def _jpeg_2000_frame(encoded: bytes, pixels: PixelFormat) -> Array:
    """The frame; multiple component transformations (YBR_ICT, YBR_RCT) are undone."""
    return decode_jpeg_2000(encoded)


#: The codec for each coding, so that what else is installed never changes a pixel, and the name of its library.
_CODECS: dict[Coding, tuple[Callable[[bytes, PixelFormat], Array], str]] = {
    "native": (native_frame, "the decoder of native frames"),
    "deflated frames": (inflated_frame, "zlib"),
    "jpeg": (jpeg_frame, "gdcm"),
    "jpeg-ls": (_jpeg_ls_frame, "pyjpegls"),
    "jpeg 2000": (_jpeg_2000_frame, "pylibjpeg-openjpeg"),
    "rle": (rle_frame, "pylibjpeg-rle"),
}


def _decoded(encoded: bytes, pixels: PixelFormat, coding: Coding) -> Array:
    """The frame as (J, I) or (J, I, 3), components as they were encoded."""
    codec, plugin = _CODECS[coding]
    if coding in ("jpeg", "jpeg-ls", "jpeg 2000"):
        refuse_larger(pixels, encoded)
    try:
        frame = codec(encoded, pixels)
    except DecodeError:
        raise
    except Exception as error:  # the codecs raise any class there is
        reason = told_by(error)
        raise DecodeError(
            f"its pixels ({name_of(pixels.syntax)}) cannot be decoded by {plugin}: {reason}. Copy the file again."
        ) from error
    shape = (pixels.rows, pixels.columns, pixels.samples)
    if frame.shape != shape and (pixels.samples > 1 or frame.size != pixels.rows * pixels.columns):
        raise DecodeError(
            f"a frame of its pixels ({name_of(pixels.syntax)}) is {frame.shape}, by its header {shape}: "
            "it is damaged. Copy the file again."
        )
    return frame if pixels.samples > 1 else frame.reshape(shape[:2])


def _clean(frame: Array, pixels: PixelFormat) -> Array:
    """The frame with only Bits Stored counting: overlays and garbage above them are no values.

    A lossy codec that overshoots the range ends at its limit instead.
    """
    bits = frame.dtype.itemsize * 8
    if pixels.element != "PixelData" or frame.dtype.kind not in "iu" or pixels.bits_allocated == 1:
        return frame
    below = 0 if pixels.compressed else max(0, pixels.high_bit + 1 - pixels.bits_stored)
    if pixels.bits_stored + below >= bits:
        whole = _as_signed(frame, pixels)
        return whole >> below if below else whole
    if is_lossy(pixels.syntax) and pixels.signed == (frame.dtype.kind == "i"):
        low = -(1 << (pixels.bits_stored - 1)) if pixels.signed else 0
        return np.clip(frame, low, low + (1 << pixels.bits_stored) - 1)
    if pixels.signed:
        above = bits - pixels.bits_stored - below
        extended: Array = (_as_signed(frame, pixels) << above) >> (above + below)
        return extended
    mask = frame.dtype.type((1 << pixels.bits_stored) - 1)
    masked: Array = (frame >> below) & mask if below else frame & mask
    return masked


def _as_signed(frame: Array, pixels: PixelFormat) -> Array:
    """The same bits, signed as the header says."""
    return frame.view(f"{'i' if pixels.signed else 'u'}{frame.dtype.itemsize}")
