"""NIfTI-1 and NIfTI-2 to an array: in one file or as header and image, gzip-compressed or not, 2-D to 4-D."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

import numpy as np

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging._gzip_stream import inflated
from datamint_like.imaging._nifti_length import refuse_cut
from datamint_like.imaging._reading_errors import reading, refuse_oversized
from datamint_like.imaging.nifti_header import SWAP_XYZ as SWAP_XYZ
from datamint_like.imaging.nifti_header import NiftiHeader, facts_of, parse_header
from datamint_like.imaging.sniff import head_of, is_gzip, is_nifti
from datamint_like.imaging.types import Array, HeaderFacts, SourceFile, StoredImage
from datamint_like.imaging.values import is_identity, scale_into

#: Voxels that are scaled at a time: few enough to stay in the processor's cache.
_PIECE = 1 << 17
#: Bytes that are inflated at a time: igzip holds them twice.
_CHUNK = 1 << 20


class NiftiDecoder:
    """NIfTI: values through slope and intercept, the affine as nibabel chooses it, in mm by the header's unit."""

    format = "nifti"
    version = 2

    def accepts(self, head: bytes, filename: str) -> bool:
        """Whether the (inflated) head is a NIfTI header."""
        return is_nifti(head)

    def probe(self, files: Sequence[SourceFile]) -> HeaderFacts:
        """The facts by the first 2 KB; a file that is too short for its voxels is refused."""
        header = header_of(files)
        with reading(files[0]):
            facts = facts_of(header)
        with reading(files[-1]), open(files[-1].path, "rb") as file:
            gzipped = is_gzipped(file, header, files[-1])
            refuse_cut(file, expected=header.length, start=header.offset, gzipped=gzipped)
        return facts

    def decode(self, files: Sequence[SourceFile], *, max_voxels: int, dtype: str | None = None) -> StoredImage:
        """The array (C, K, J, I)."""
        header = header_of(files)
        with reading(files[0]):
            facts = facts_of(header)
            refuse_oversized(math.prod(header.shape) * header.samples, max_voxels)
        with reading(files[-1]), voxel_stream(files[-1], header) as stream:
            return StoredImage(array=_values(stream, header, dtype or facts.dtype), facts=facts)


def header_of(files: Sequence[SourceFile]) -> NiftiHeader:
    """The header of a resource with these parts: one file, or a header and an image.

    Raises:
        DecodeError: It cannot be read, or the image of a header is missing.
        GeometryError: There are more files than the header speaks of.
    """
    with reading(files[0]), open(files[0].path, "rb") as file:
        header = parse_header(head_of(file))
        if header.pair and len(files) == 1:
            raise DecodeError(missing_image(files[0].name))
        if len(files) != (2 if header.pair else 1):
            expected = "a header and an image are two files" if header.pair else "a NIfTI resource is one file"
            raise GeometryError(f"{expected}, got {len(files)}.")
    return header


def missing_image(header_name: str) -> str:
    """What is wrong with the header of a pair whose image was not given."""
    stem = Path(header_name.removesuffix(".gz")).stem
    return (
        f"it is the header of a NIfTI pair, and its image is missing. Give {stem}.img (or {stem}.img.gz) "
        "of the same folder together with it."
    )


def is_gzipped(file: IO[bytes], header: NiftiHeader, source: SourceFile) -> bool:
    """Whether the open file with the voxels is gzip-compressed, by its content.

    An image without header may start with the mark of gzip by chance: then its name and length decide.
    """
    file.seek(0)
    if not is_gzip(file.read(2)):
        return False
    size = os.fstat(file.fileno()).st_size
    return not header.pair or source.name.lower().endswith(".gz") or size < header.offset + header.length


@contextmanager
def voxel_stream(source: SourceFile, header: NiftiHeader) -> Iterator[Any]:
    """The (inflated) bytes of the file with the voxels, from its start."""
    with open(source.path, "rb") as file:
        gzipped = is_gzipped(file, header, source)
        file.seek(0)
        with inflated(file) if gzipped else nullcontext(file) as stream:
            yield stream


def facts_of_labels(payload: bytes, *, max_voxels: int) -> HeaderFacts:
    """The facts of the NIfTI in memory, in one file, by its header alone.

    Raises:
        DecodeError: It is damaged, claims more than `max_voxels`, or is the header of a pair.
    """
    return _claims_of(payload, max_voxels)[1]


def decode_bytes(payload: bytes, *, max_voxels: int) -> StoredImage:
    """The NIfTI in memory, in one file, gzip-compressed or not."""
    return _decode_payload(payload, max_voxels, exact=False)


def decode_labels(payload: bytes, *, max_voxels: int) -> StoredImage:
    """The NIfTI in memory, in a type that holds every value as it is meant: no label is rounded or refused."""
    return _decode_payload(payload, max_voxels, exact=True)


def _decode_payload(payload: bytes, max_voxels: int, *, exact: bool) -> StoredImage:
    """The NIfTI in memory; only as many bytes as its header claims are inflated, so a gzip bomb stays closed.

    Raises:
        DecodeError: It is damaged, cut short, claims more than `max_voxels`, or is the header of a pair.
    """
    header, facts = _claims_of(payload, max_voxels)
    file = io.BytesIO(payload)
    with inflated(file) if is_gzip(payload) else nullcontext(file) as stream:
        return StoredImage(array=_values(stream, header, header.exact_type if exact else facts.dtype), facts=facts)


def _claims_of(payload: bytes, max_voxels: int) -> tuple[NiftiHeader, HeaderFacts]:
    """The header of the NIfTI in memory, and its facts, held against the limit."""
    header = parse_header(head_of(io.BytesIO(payload)))
    if header.pair:
        raise DecodeError("it is the header of a NIfTI pair, without the image. Give it as one .nii file.")
    facts = facts_of(header)
    refuse_oversized(math.prod(header.shape) * header.samples, max_voxels)
    return header, facts


def _values(stream: Any, header: NiftiHeader, dtype: str) -> Array:
    """The values that the file means, (C, K, J, I); apart from the array only small pieces are held."""
    x, y, z, t = header.shape
    stream.seek(header.offset)
    voxels = _Voxels(stream, header)
    plain = header.samples == 1 and is_identity(header.slope, header.intercept)
    if plain and header.stored.newbyteorder("=") == dtype:
        array = np.empty((t, z, y, x), dtype=header.stored)
        voxels.read_into(array)
        if not array.dtype.isnative:
            array = array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))
    else:
        array = np.empty((t * header.samples, z, y, x), dtype=dtype)
        flat = array.reshape(header.samples, -1)
        piece = np.empty(min(_PIECE, flat.shape[1]), dtype=header.stored)
        for start in range(0, flat.shape[1], len(piece)):
            raw = piece[: flat.shape[1] - start]
            voxels.read_into(raw)
            _write(flat[:, start : start + len(raw)], raw, header)
    stream.read(1)  # where the gzip stream ends here, this checks its CRC
    return array


def _write(out: Array, raw: Array, header: NiftiHeader) -> None:
    """Write the values of some voxels, (n,), to their places (samples, n)."""
    if header.samples > 1:
        out[...] = raw.view(np.uint8).reshape(len(raw), header.samples).T
        return
    with np.errstate(over="ignore", invalid="ignore"):  # float64 beyond float32 becomes inf, as any reader gives
        scale_into(out[0], raw, header.slope, header.intercept)


class _Voxels:
    """The voxels of a file, read one after another."""

    def __init__(self, stream: Any, header: NiftiHeader) -> None:
        self._stream = stream
        self._length = header.length
        self._count = 0

    def read_into(self, array: Array) -> None:
        """Fill the array with the next bytes.

        Raises:
            DecodeError: The file ends before.
        """
        target = memoryview(array.reshape(-1).view(np.uint8).data)
        filled = 0
        while filled < len(target):
            try:
                got = self._stream.readinto(target[filled : filled + _CHUNK])
            except EOFError:  # the gzip stream has no end
                got = 0
            if not got:
                raise DecodeError(
                    f"it is cut short: expected {self._length:,} bytes of voxels, found {self._count + filled:,}. "
                    "Copy the file again."
                )
            filled += got
        self._count += filled
