"""NIfTI-1 and NIfTI-2 in one file, .nii or .nii.gz, 2-D to 4-D, any byte order."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt
from isal import igzip
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._nifti_length import refuse_cut
from datamint_like.imaging._reading_errors import reading, refuse_oversized
from datamint_like.imaging._sources import only_one
from datamint_like.imaging.affine import Affine
from datamint_like.imaging.sniff import HEAD_SIZE, inflate_head, is_gzip, is_nifti, is_nifti2
from datamint_like.imaging.types import Array, HeaderFacts, SourceFile, StoredImage
from datamint_like.imaging.values import (
    integer_type,
    is_identity,
    is_integer_scaling,
    scale_into,
    scaled_range,
    stored_range,
)

#: nibabel's (x, y, z) index to our (k, j, i) index; its own inverse.
SWAP_XYZ = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
_GZIP: Any = igzip.GzipFile
#: Bytes that a header with its extensions has at most.
_LONGEST_HEADER = 256 << 20


@dataclass(frozen=True)
class NiftiHeader:
    """What the first 2 KB of a NIfTI tell.

    Attributes:
        shape: Extent along x, y, z, t.
        dimensions: How many of them the file declares (2, 3 or 4).
        stored: Numpy type on disk; a structured type holds colour.
        slope, intercept: `(1, 0)` when the file is not scaled.
        xyz_affine: Voxel (x, y, z) to RAS+ mm, by the file's sform, else qform, else its spacing (as nibabel).
        offset: Where the voxels start.
    """

    shape: tuple[int, int, int, int]
    dimensions: int
    stored: np.dtype[Any]
    slope: float
    intercept: float
    xyz_affine: npt.NDArray[np.float64]
    offset: int
    details: dict[str, Any]

    @property
    def samples(self) -> int:
        """Colour samples of a voxel."""
        return len(self.stored.fields) if self.stored.fields else 1

    @property
    def dtype(self) -> str:
        """Type of the decoded array, by the header alone."""
        if self.stored.fields:
            return "uint8"
        if self.stored.kind == "f" or not is_integer_scaling(self.slope, self.intercept):
            return "float32"
        span = stored_range(self.stored.itemsize * 8, self.stored.kind == "i")
        identity = is_identity(self.slope, self.intercept)
        return integer_type(scaled_range(span, self.slope, self.intercept), keep_uint8=identity)

    @property
    def exact_type(self) -> str:
        """Type in which no value is rounded or too large (integers beyond 64 bits aside)."""
        if self.dtype == "float32":
            plain = self.stored.itemsize <= 4 and is_identity(self.slope, self.intercept)
            return "float32" if plain else "float64"
        if self.dtype != "int32":
            return self.dtype
        span = scaled_range(stored_range(self.stored.itemsize * 8, self.stored.kind == "i"), self.slope, self.intercept)
        low, high = stored_range(32, signed=True)
        return "int32" if low <= span[0] and span[1] <= high else "int64"

    @property
    def length(self) -> int:
        """Bytes of the voxels on disk, once inflated."""
        return math.prod(self.shape) * self.stored.itemsize

    @property
    def kji_affine(self) -> Affine:
        """Array index (k, j, i) to RAS+ mm."""
        return Affine(self.xyz_affine @ SWAP_XYZ)


def parse_header(head: bytes) -> NiftiHeader:
    """The header at the start of these (inflated) bytes.

    Raises:
        DecodeError: It is not a NIfTI header, or it describes something that is no image of up to 4 axes.
    """
    if not is_nifti(head):
        raise DecodeError("it is not a NIfTI file, or its header is cut short.")
    two = is_nifti2(head)
    kind, size = (Nifti2Header, 540) if two else (Nifti1Header, 348)
    header: Any = cast("Any", kind)(head[:size], check=False)
    shape = _four_axes([int(extent) for extent in header.get_data_shape()])
    stored = header.get_data_dtype()
    if stored.kind not in "iuf" and not stored.fields:
        raise DecodeError(f"its voxels are of type {stored}, which is no image type; integers, floats and RGB are.")
    slope, intercept = header.get_slope_inter()
    start = header["vox_offset"].item()
    if not (start == 0 or size <= start <= _LONGEST_HEADER):
        raise DecodeError(f"its header is damaged: its voxels cannot start at byte {start:g}.")
    return NiftiHeader(
        shape=shape,
        dimensions=int(header["dim"][0]),
        stored=stored,
        slope=1.0 if slope is None else float(slope),
        intercept=0.0 if intercept is None else float(intercept),
        xyz_affine=np.asarray(header.get_best_affine(), dtype=np.float64),
        offset=int(start) or size + 4,
        details=_details(header, two),
    )


def _four_axes(extents: list[int]) -> tuple[int, int, int, int]:
    while len(extents) > 4 and extents[-1] == 1:
        extents.pop()
    if not 2 <= len(extents) <= 4 or min(extents) < 1:
        raise DecodeError(f"its shape {tuple(extents)} is no image of 2, 3 or 4 axes.")
    x, y, z, t = (*extents, 1, 1)[:4]
    return x, y, z, t


def _details(header: Any, two: bool) -> dict[str, Any]:
    space, time = header.get_xyzt_units()
    return {
        "version": 2 if two else 1,
        "sform_code": int(header["sform_code"]),
        "qform_code": int(header["qform_code"]),
        "space_units": str(space),
        "time_units": str(time),
    }


def facts_of(header: NiftiHeader) -> HeaderFacts:
    """The header facts of a resource with this header."""
    x, y, z, t = header.shape
    if t > 1 and header.samples > 1:
        raise DecodeError("it holds colour over a fourth axis, which is not supported.")
    return HeaderFacts(
        format="nifti",
        kind="image" if z == 1 else "volume",
        mimetype="application/nifti",
        channels=t * header.samples,
        shape=(z, y, x),
        dtype=header.dtype,
        affine=header.kji_affine,
        details=header.details,
    )


class NiftiDecoder:
    """NIfTI in one file: values through slope and intercept, the affine as nibabel chooses it."""

    format = "nifti"
    version = 1

    def accepts(self, head: bytes, filename: str) -> bool:
        """Whether the (inflated) head is a NIfTI header."""
        return is_nifti(head)

    def probe(self, files: Sequence[SourceFile]) -> HeaderFacts:
        """The facts by the first 2 KB; a file that is too short for its voxels is refused."""
        source = only_one(files, "a NIfTI resource")
        with reading(source), open(source.path, "rb") as file:
            head = file.read(HEAD_SIZE)
            header = parse_header(inflate_head(head) if is_gzip(head) else head)
            facts = facts_of(header)
            refuse_cut(file, expected=header.length, start=header.offset, gzipped=is_gzip(head))
            return facts

    def decode(self, files: Sequence[SourceFile], *, max_voxels: int, dtype: str | None = None) -> StoredImage:
        """The array (C, K, J, I)."""
        source = only_one(files, "a NIfTI resource")
        with reading(source), open(source.path, "rb") as file:
            return decode_stream(file, max_voxels=max_voxels, dtype=dtype)


def decode_bytes(payload: bytes, *, max_voxels: int) -> StoredImage:
    """The NIfTI in memory, gzip-compressed or not."""
    return decode_stream(io.BytesIO(payload), max_voxels=max_voxels)


def decode_labels(payload: bytes, *, max_voxels: int) -> StoredImage:
    """The NIfTI in memory, in a type that holds every value as it is meant: no label is rounded or refused."""
    head = payload[:HEAD_SIZE]
    header = parse_header(inflate_head(head) if is_gzip(head) else head)
    return decode_stream(io.BytesIO(payload), max_voxels=max_voxels, dtype=header.exact_type)


def decode_stream(file: IO[bytes], *, max_voxels: int, dtype: str | None = None) -> StoredImage:
    """The NIfTI in an open file at its start, gzip-compressed or not, computed in `dtype` or the header's type.

    Only as many bytes as the header claims are inflated, so a gzip bomb stays closed.

    Raises:
        DecodeError: The file is damaged, cut short, or claims more than `max_voxels`.
    """
    with ExitStack() as stack:
        start = file.read(2)
        file.seek(0)
        stream = stack.enter_context(_GZIP(fileobj=file, mode="rb")) if is_gzip(start) else file
        head = stream.read(HEAD_SIZE)
        header = parse_header(head)
        facts = facts_of(header)
        refuse_oversized(facts.channels * int(np.prod(facts.shape)), max_voxels)
        raw = _voxels(stream, header, head)
        return StoredImage(array=_scaled(raw, header, dtype or facts.dtype), facts=facts)


def _voxels(stream: Any, header: NiftiHeader, head: bytes) -> Array:
    """The voxels as on disk, (t, z, y, x), in the machine's byte order."""
    raw = np.empty(header.shape[::-1], dtype=header.stored)
    target = memoryview(raw.reshape(-1).view(np.uint8).data)
    early = head[header.offset : header.offset + len(target)]
    target[: len(early)] = early
    _skip(stream, header.offset - len(head))
    filled = len(early)
    while filled < len(target):
        count = stream.readinto(target[filled:])
        if not count:
            raise DecodeError(
                f"it is cut short: expected {len(target):,} bytes of voxels, found {filled:,}. Copy the file again."
            )
        filled += count
    stream.read(1)  # where the gzip stream ends here, this checks its CRC
    if not raw.dtype.isnative:
        raw = raw.byteswap(inplace=True).view(raw.dtype.newbyteorder("="))
    return raw


def _skip(stream: Any, count: int) -> None:
    while count > 0:
        got = len(stream.read(min(count, 1 << 20)))
        if not got:
            return
        count -= got


def _scaled(raw: Array, header: NiftiHeader, dtype: str) -> Array:
    """The values that the file means, (C, K, J, I)."""
    if header.samples > 1:
        colour = raw[0].view(np.uint8).reshape(*raw.shape[1:], header.samples)
        return np.ascontiguousarray(np.moveaxis(colour, -1, 0), dtype=dtype)
    if is_identity(header.slope, header.intercept) and raw.dtype == dtype:
        return raw
    out = np.empty(raw.shape, dtype=dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # float64 beyond float32 becomes inf, as any reader gives
        for channel in range(raw.shape[0]):
            for plane in range(raw.shape[1]):
                scale_into(out[channel, plane], raw[channel, plane], header.slope, header.intercept)
    return out
