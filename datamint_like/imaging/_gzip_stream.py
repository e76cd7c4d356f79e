"""A gzip file, inflated, whose errors say where something else follows the end of its stream."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from isal import igzip, isal_zlib

from datamint_like._words import counted
from datamint_like.exceptions import DecodeError

#: What igzip raises of damaged bytes; where they end too early it is EOFError.
DAMAGED: Any = (zlib.error, isal_zlib.error, igzip.BadGzipFile)
_GZIP: Any = igzip.GzipFile
_PIECE = 1 << 20
_MAGIC = b"\x1f\x8b"
_WITH_HEADER = 31


@contextmanager
def inflated(file: IO[bytes]) -> Iterator[Any]:
    """The inflated bytes of an open gzip file, members (RFC 1952) one after another; zeros may follow the last one.

    Raises:
        DecodeError: Reading failed because something else follows.
    """
    file.seek(0)
    try:
        with _GZIP(fileobj=file, mode="rb") as stream:
            yield stream
    except (EOFError, DecodeError, *DAMAGED) as error:
        if behind := bytes_behind(file):
            raise DecodeError(
                f"it goes on behind the end of its gzip stream, with {counted(behind, 'byte')} of something else. Copy "
                "the file again; where its source is the same, gunzip it (which leaves them out) and gzip the result."
            ) from error
        raise


def bytes_behind(file: IO[bytes]) -> int:
    """How many bytes follow the last member of a gzip file and start no other; 0 where it ends well, or is cut."""
    size = file.seek(0, os.SEEK_END)
    end = _member_end(file, 0)
    while end is not None and end < size:
        start = _after_zeros(file, end)
        file.seek(start)
        if start < size and file.read(len(_MAGIC)) != _MAGIC:
            return size - end
        end = _member_end(file, start) if start < size else None
    return 0


def _after_zeros(file: IO[bytes], at: int) -> int:
    """Where the first byte from here on lies that is not zero; the end of the file where there is none."""
    file.seek(at)
    while piece := file.read(_PIECE):
        rest = piece.lstrip(b"\0")
        at += len(piece) - len(rest)
        if rest:
            break
    return at


def _member_end(file: IO[bytes], start: int) -> int | None:
    """Where the gzip member that starts here ends, or None where it is cut or damaged."""
    file.seek(start)
    member = isal_zlib.decompressobj(wbits=_WITH_HEADER)
    data = b""
    try:
        while not member.eof and (data or (data := file.read(_PIECE))):
            member.decompress(data, _PIECE)
            data = member.unconsumed_tail
    except DAMAGED:
        return None
    return file.tell() - len(member.unused_data) if member.eof else None
