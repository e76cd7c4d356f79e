"""Deflated Explicit VR Little Endian (PS3.5 A.5), inflated in memory up to a limit.

A few kilobytes can inflate to gigabytes, and pydicom inflates all of them.
"""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO

from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom.syntaxes import coding_of

#: Bytes that a header inflates to at most.
LONGEST_HEADER = 64 << 20
_META = 132
_PIECE = 1 << 18


def deflated_from(file: BinaryIO) -> int | None:
    """Where the deflated part of a file starts, or None where it has none.

    Raises:
        DecodeError: Its meta header names a syntax that nothing reads, so that no parser is led astray by it.
    """
    file.seek(0)
    if file.read(_META)[128:] != b"DICM":
        return None
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    syntax = meta.get("TransferSyntaxUID")
    if syntax:
        coding_of(syntax)
    return file.tell() if syntax == DeflatedExplicitVRLittleEndian else None


def inflated(file: BinaryIO, start: int, limit: int) -> io.BytesIO:
    """The file in plain Explicit VR Little Endian, with at most `limit` bytes after its meta header.

    Raises:
        DecodeError: The deflated part is damaged.
    """
    file.seek(0)
    meta = file.read(start)
    plain = str(ExplicitVRLittleEndian).encode().ljust(len(DeflatedExplicitVRLittleEndian), b"\0")
    try:
        body = zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(), limit)
    except zlib.error as error:
        raise DecodeError("its deflated part is damaged. Copy the file again.") from error
    return io.BytesIO(meta.replace(str(DeflatedExplicitVRLittleEndian).encode(), plain) + body)


def inflated_length(file: BinaryIO, start: int, enough: int) -> int:
    """How many bytes the deflated part inflates to where the file is cut inside it, else at least `enough`.

    Nothing is kept. A stream that comes to its end is whole, whatever the header says of its pixels.

    Raises:
        DecodeError: The deflated part is damaged.
    """
    file.seek(start)
    inflater, count = zlib.decompressobj(-zlib.MAX_WBITS), 0
    try:
        while count < enough and not inflater.eof:
            data = inflater.unconsumed_tail or file.read(_PIECE)
            got = len(inflater.decompress(data, _PIECE))
            if not data and not got:
                return count
            count += got
    except zlib.error as error:
        raise DecodeError("its deflated part is damaged. Copy the file again.") from error
    return max(count, enough)
