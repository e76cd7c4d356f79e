"""What the header of a NIfTI-1 or NIfTI-2 says, alone in a file or before its voxels, in any byte order."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging._nibabel import Nifti1Header, Nifti2Header
from datamint_like.imaging.affine import Affine
from datamint_like.imaging.sniff import is_nifti, is_nifti2, is_nifti_pair
from datamint_like.imaging.types import HeaderFacts
from datamint_like.imaging.values import (
    integer_type,
    is_identity,
    is_integer_scaling,
    scaled_range,
    stored_range,
)

#: nibabel's (x, y, z) index to our (k, j, i) index; its own inverse.
SWAP_XYZ = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
#: Bytes that a header with its extensions has at most.
LONGEST_HEADER = 256 << 20
#: Millimetres of a unit of length, by the low bits of `xyzt_units`; an unknown unit is taken for mm, as all readers do.
_SPACE_UNITS = {0: ("unknown", 1.0), 1: ("meter", 1e3), 2: ("mm", 1.0), 3: ("micron", 1e-3)}
_TIME_UNITS = {0: "unknown", 8: "sec", 16: "msec", 24: "usec", 32: "hz", 40: "ppm", 48: "rads"}
#: Types of the standard that are no image type here, by their code in the header.
_REFUSED_TYPES = {0: "unknown", 1: "binary", 32: "complex64", 1536: "float128", 1792: "complex128", 2048: "complex256"}
_BEYOND_INT64 = 2.0**63
_SILENT = logging.getLogger(f"{__name__}.mended")
_SILENT.disabled = True
_NEVER = 1000  # no fault of a header is worse: all are mended, none raised


@dataclass(frozen=True)
class NiftiHeader:
    """What the first 2 KB of a NIfTI tell.

    Attributes:
        shape: Extent along x, y, z, t.
        stored: Numpy type on disk; a structured type holds colour.
        slope, intercept: `(1, 0)` when the file is not scaled.
        xyz_affine: Voxel (x, y, z) to RAS+ mm, by the file's sform, else qform, else its spacing (as nibabel).
        source: What the affine was taken from, in words.
        offset: Where the voxels start, in this file or in that of the image.
        pair: Whether the voxels are in a file of their own.
        details: Further facts for `HeaderFacts.details`.
    """

    shape: tuple[int, int, int, int]
    stored: np.dtype[Any]
    slope: float
    intercept: float
    xyz_affine: npt.NDArray[np.float64]
    source: str
    offset: int
    pair: bool
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
        if max(abs(self.slope), abs(self.intercept)) >= _BEYOND_INT64:
            return "float32"
        return integer_type(self._span, keep_uint8=is_identity(self.slope, self.intercept))

    @property
    def exact_type(self) -> str:
        """Type in which no value is rounded or too large (integers beyond 64 bits aside)."""
        if self.dtype == "float32":
            plain = self.stored.itemsize <= 4 and is_identity(self.slope, self.intercept)
            return "float32" if plain else "float64"
        if self.dtype != "int32":
            return self.dtype
        low, high = stored_range(32, signed=True)
        return "int32" if low <= self._span[0] and self._span[1] <= high else "int64"

    @property
    def _span(self) -> tuple[int, int]:
        """The range of integers after an integer slope and intercept."""
        stored = stored_range(self.stored.itemsize * 8, self.stored.kind == "i")
        return scaled_range(stored, self.slope, self.intercept)

    @property
    def length(self) -> int:
        """Bytes of the voxels on disk, once inflated."""
        return math.prod(self.shape) * self.stored.itemsize

    @property
    def kji_affine(self) -> Affine:
        """Array index (k, j, i) to RAS+ mm.

        Raises:
            GeometryError: The header's axes do not span space.
        """
        try:
            return Affine(self.xyz_affine @ SWAP_XYZ)
        except GeometryError as error:
            raise GeometryError(
                f"its {self.source} gives the voxels no place in space: {error} Write a right one "
                "(nibabel: image.set_sform(affine, code=1)), or set its code to 0 so that it does not count."
            ) from error


def parse_header(head: bytes) -> NiftiHeader:
    """The header at the start of these (inflated) bytes.

    Slips that nibabel mends when it loads a file are mended alike: qfac other than 1 or -1, spacing of 0 or
    below, unknown sform and qform codes.

    Raises:
        DecodeError: It is not a NIfTI header, or it describes something that is no image of up to 4 axes.
    """
    if not is_nifti(head):
        raise DecodeError("it is not a NIfTI file, or its header is cut short.")
    two, pair = is_nifti2(head), is_nifti_pair(head)
    kind, size = (Nifti2Header, 540) if two else (Nifti1Header, 348)
    header: Any = cast("Any", kind)(head[:size], check=False)
    shape = _four_axes([int(extent) for extent in header.get_data_shape()], int(header["intent_code"]))
    stored = _stored_type(header)
    slope, intercept = _scaling(header)
    offset = _offset(header, size, pair)
    header.check_fix(logger=_SILENT, error_level=_NEVER)
    unit, millimetres = _SPACE_UNITS.get(int(header["xyzt_units"]) & 7, ("unknown", 1.0))
    return NiftiHeader(
        shape=shape,
        stored=stored,
        slope=slope,
        intercept=intercept,
        xyz_affine=np.diag([millimetres] * 3 + [1.0]) @ np.asarray(header.get_best_affine(), dtype=np.float64),
        source=_source_of_affine(header),
        offset=offset,
        pair=pair,
        details={
            "version": 2 if two else 1,
            "sform_code": int(header["sform_code"]),
            "qform_code": int(header["qform_code"]),
            "space_units": unit,
            "time_units": _TIME_UNITS.get(int(header["xyzt_units"]) & 56, "unknown"),
            "intent_code": int(header["intent_code"]),
            "datatype": int(header["datatype"]),
        },
    )


def facts_of(header: NiftiHeader) -> HeaderFacts:
    """The header facts of a resource with this header.

    Raises:
        DecodeError: It holds colour over time.
        GeometryError: Its axes do not span space.
    """
    x, y, z, t = header.shape
    if t > 1 and header.samples > 1:
        raise DecodeError(
            f"it holds colour over a fourth axis of {t}, which is not supported. Save each volume as a file of its own."
        )
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


def _four_axes(extents: list[int], intent: int) -> tuple[int, int, int, int]:
    """Extent along x, y, z, t; axes of extent 1 behind them do not count.

    Raises:
        DecodeError: It is no image of 2, 3 or 4 axes.
    """
    while len(extents) > 4 and extents[-1] == 1:
        extents.pop()
    if len(extents) > 4:
        raise DecodeError(
            f"it is {len(extents)}-D, shape {tuple(extents)}, intent code {intent}: vectors or statistics for each "
            "voxel, not an image of up to 4 axes. Save the components that you need as 3-D or 4-D files, such as "
            "nibabel.Nifti1Image(image.dataobj[:, :, :, 0, 0], image.affine)."
        )
    if len(extents) < 2 or min(extents) < 1:
        raise DecodeError(f"its shape {tuple(extents)} is no image of 2, 3 or 4 axes.")
    x, y, z, t = (*extents, 1, 1)[:4]
    return x, y, z, t


def _stored_type(header: Any) -> np.dtype[Any]:
    """The type of the voxels on disk.

    Raises:
        DecodeError: It is no image type.
    """
    code = int(header["datatype"])
    if code in _REFUSED_TYPES:
        complex_advice = "magnitude and phase, or real and imaginary part, as" if code in (32, 1792, 2048) else "it as"
        raise DecodeError(
            f"its voxels are of type {_REFUSED_TYPES[code]} (code {code}), which is no image type; integers, floats of "
            f"32 and 64 bits, RGB and RGBA are. Save {complex_advice} one of those."
        )
    try:
        stored: np.dtype[Any] = header.get_data_dtype()
    except Exception as error:  # nibabel raises any of several classes for a code that it does not know
        raise DecodeError(f"its header is damaged: no type of voxels has the code {code}.") from error
    return stored


def _scaling(header: Any) -> tuple[float, float]:
    """Slope and intercept; a slope of 0, NaN or infinity means that values are as stored (as in nibabel).

    Raises:
        DecodeError: The slope counts and the intercept is no number.
    """
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    if not math.isfinite(intercept):
        raise DecodeError(
            f"its header scales values by slope {slope:g} and intercept {intercept:g}, which is no number. "
            "Set scl_inter to the right value, or scl_slope to 0 for values as stored."
        )
    return slope, intercept


def _offset(header: Any, size: int, pair: bool) -> int:
    """Where the voxels start.

    Raises:
        DecodeError: They cannot start where the header says.
    """
    start = header["vox_offset"].item()
    lowest = 0 if pair else size
    if not (start == 0 or lowest <= start <= LONGEST_HEADER):
        raise DecodeError(f"its header is damaged: its voxels cannot start at byte {start:g}.")
    return int(start) if start or pair else size + 4


def _source_of_affine(header: Any) -> str:
    """What `get_best_affine` takes, for messages."""
    for name in ("sform", "qform"):
        if code := int(header[f"{name}_code"]):
            return f"{name} (code {code})"
    return "spacing"
