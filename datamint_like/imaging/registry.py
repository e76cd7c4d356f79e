"""The decoders there are. A format is one module and one entry here."""

from __future__ import annotations

from pathlib import Path

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._reading_errors import reading
from datamint_like.imaging.dicom.decoder import DicomDecoder
from datamint_like.imaging.nifti import NiftiDecoder
from datamint_like.imaging.raster import RasterDecoder
from datamint_like.imaging.sniff import describe, read_head
from datamint_like.imaging.tiff.decoder import TiffDecoder
from datamint_like.imaging.types import Decoder
from datamint_like.imaging.video.decoder import VideoDecoder

#: Asked in this order: DICOM first, since its preamble may look like a TIFF.
DECODERS: tuple[Decoder, ...] = (DicomDecoder(), NiftiDecoder(), RasterDecoder(), TiffDecoder(), VideoDecoder())


def decoder_of(path: Path, name: str | None = None) -> Decoder:
    """The decoder that takes this file, by its content; `name` is what messages call it, else its own name.

    Raises:
        DecodeError: The file is empty, cannot be read, or no decoder takes it.
    """
    name = name or path.name
    with reading(name):
        head = read_head(path)
        for decoder in DECODERS:
            if decoder.accepts(head, name):
                return decoder
        raise DecodeError(f"it is {describe(head)}; {supported()} can be read.")


def decoder_named(format_name: str) -> Decoder:
    """The decoder whose name header facts carry.

    Raises:
        DecodeError: There is none of that name.
    """
    for decoder in DECODERS:
        if decoder.format == format_name:
            return decoder
    raise DecodeError(f"There is no decoder for the format {format_name!r}; {supported()} can be read.")


def supported() -> str:
    """The formats in words."""
    return "DICOM, NIfTI, PNG, JPEG, WebP, BMP, TIFF and video (MP4, MOV, AVI, MKV, WebM, MPEG-TS)"
