"""NIfTI without texts: description, file and data base names, extensions; voxels and geometry stay byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from isal import igzip

from datamint_like._files import new_file
from datamint_like.exceptions import DecodeError
from datamint_like.imaging.deidentify.report import Tally
from datamint_like.imaging.nifti import header_of, voxel_stream
from datamint_like.imaging.nifti_header import NiftiHeader
from datamint_like.imaging.sniff import is_gzip, is_nifti2
from datamint_like.imaging.types import SourceFile

_GZIP: Any = igzip.GzipFile
_PIECE = 1 << 20
#: Texts of the header: place and length.
_TEXTS1 = {
    "data_type": (4, 10),
    "db_name": (14, 18),
    "descrip": (148, 80),
    "aux_file": (228, 24),
    "intent_name": (328, 16),
}
_TEXTS2 = {"descrip": (240, 80), "aux_file": (320, 24), "intent_name": (508, 16), "unused_str": (525, 15)}


def clean_nifti(files: Sequence[SourceFile], targets: Sequence[Path], tally: Tally) -> None:
    """Write the file, or header and image, without texts; what was gzip-compressed is so again, without a name.

    Raises:
        DecodeError: It is damaged or cut short.
    """
    header = header_of(files)
    with open(files[0].path, "rb") as file:
        gzipped = is_gzip(file.read(2))
        file.seek(0)
        stream = _GZIP(fileobj=file, mode="rb") if gzipped else file
        start = _without_texts(stream, header, tally)
    if header.pair:
        with _target(targets[0], gzipped=gzipped) as out:
            out.write(start)
        start = b"\0" * header.offset
    with voxel_stream(files[-1], header) as voxels:
        gzipped = isinstance(voxels, _GZIP)
        voxels.read(header.offset)
        with _target(targets[-1], gzipped=gzipped) as out:
            out.write(start)
            _copy(voxels, out, header.length)


def _without_texts(stream: IO[bytes], header: NiftiHeader, tally: Tally) -> bytes:
    """The header and what follows it up to the voxels, which is zero."""
    start = stream.read(544)
    two = is_nifti2(start)
    size = 540 if two else 348
    made = bytearray(start[:size])
    for name, (at, length) in (_TEXTS2 if two else _TEXTS1).items():
        if made[at : at + length].strip(b"\0"):
            tally.add("emptied", f"NIfTI {name}")
        made[at : at + length] = b"\0" * length
    if start[size : size + 1].strip(b"\0"):
        tally.add("removed", "NIfTI extensions")
    return bytes(made).ljust(size + 4 if header.pair else header.offset, b"\0")


def _copy(voxels: IO[bytes], out: IO[bytes], left: int) -> None:
    while left:
        piece = voxels.read(min(_PIECE, left))
        if not piece:
            raise DecodeError("it is cut short. Copy the file again.")
        out.write(piece)
        left -= len(piece)


@contextmanager
def _target(path: Path, *, gzipped: bool) -> Iterator[IO[bytes]]:
    """An open file to write; compressed without name and time."""
    with new_file(path, durable=False) as file:
        if not gzipped:
            yield file
            return
        with _GZIP(filename="", fileobj=file, mode="wb", compresslevel=1, mtime=0) as stream:
            yield stream
