"""Siemens mosaics: the planes of a volume as tiles of one picture.

The header places the picture as if it were one plane around the centre of the stack, so the first plane's place
follows from the size of the tiles; how many tiles are planes, and their direction, are in the private CSA header
(documented by nibabel, doc/source/dicom/siemens_csa.rst and dicom_mosaic.rst).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging._reading_errors import told_by
from datamint_like.imaging.dicom.elements import Elements
from datamint_like.imaging.dicom.header import PixelFormat, number
from datamint_like.imaging.types import Array

_Vector = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Mosaic:
    """How a picture is cut into planes.

    Attributes:
        planes: How many tiles, by rows, are planes.
        side: Tiles in a row and in a column.
        rows, columns: Size of a tile.
        normal: Direction from one plane to the next, in LPS, or None where the header does not say.
    """

    planes: int
    side: int
    rows: int
    columns: int
    normal: _Vector | None

    def tiles(self, picture: Array) -> Iterator[Array]:
        """The planes, as views."""
        for index in range(self.planes):
            top, left = index // self.side * self.rows, index % self.side * self.columns
            yield picture[top : top + self.rows, left : left + self.columns]

    def positions(self, position: _Vector, orientation: _Vector, spacing: _Vector, step: float) -> list[_Vector]:
        """Patient LPS mm of the first pixel of each plane, by the header's place of the picture."""
        row, column = np.array(orientation[:3]), np.array(orientation[3:])
        across = (self.side - 1) * self.columns / 2.0 * spacing[1]
        down = (self.side - 1) * self.rows / 2.0 * spacing[0]
        first = np.array(position) + row * across + column * down
        normal = np.cross(row, column)
        if self.normal is not None and float(normal @ np.array(self.normal)) < 0:
            normal = -normal
        normal /= np.linalg.norm(normal)
        return [tuple(round(float(v), 9) for v in first + normal * (step * k)) for k in range(self.planes)]


def mosaic_of(elements: Elements, pixels: PixelFormat) -> Mosaic | None:
    """How a file is cut into planes, or None where it is no mosaic.

    Raises:
        GeometryError: It is a mosaic whose header no longer says how many planes it holds, or cannot be cut so.
        DecodeError: Its CSA header is damaged.
    """
    if "MOSAIC" not in (elements.get("ImageType") or ()) or pixels.frames != 1:
        return None
    dataset = elements.dataset
    csa = _csa_values(dataset)
    count = _count(dataset, csa)
    if count is None:
        raise GeometryError(
            "it is a Siemens mosaic without its CSA header (0029,1010), so that nothing says how many planes it "
            "holds. Export it with its private elements, or as single slices."
        )
    side = math.isqrt(count - 1) + 1 if count > 0 else 0
    if not 0 < side <= min(pixels.rows, pixels.columns) or pixels.rows % side or pixels.columns % side:
        raise GeometryError(
            f"it is a Siemens mosaic of {count} planes, into which its {pixels.rows} x {pixels.columns} pixels "
            "cannot be cut."
        )
    return Mosaic(count, side, pixels.rows // side, pixels.columns // side, _normal(csa))


def step_of(elements: Elements) -> float | None:
    """The mm between planes."""
    step = number(elements, "SpacingBetweenSlices") or number(elements, "SliceThickness")
    return step if step and step > 0 else None


def _csa_values(dataset: Dataset) -> dict[str, list[Any]]:
    """The values of the CSA image header as nibabel reads it, which bounds the number of tags and items."""
    try:
        encoded = bytes(dataset.private_block(0x29, "SIEMENS CSA HEADER")[0x10].value)
    except KeyError:
        return {}
    # here, since it warns of being experimental when imported, which nobody but a reader of mosaics needs to hear
    csareader: Any = import_module("nibabel.nicom.csareader")
    try:
        tags = csareader.read(encoded)["tags"]
    except Exception as error:  # on damaged headers it raises any class, AssertionError and struct.error among them
        reason = told_by(error)
        raise DecodeError(f"its CSA header is damaged ({type(error).__name__}: {reason}).") from error
    return {name: tag["items"] for name, tag in tags.items()}


def _count(dataset: Dataset, csa: dict[str, list[Any]]) -> int | None:
    if found := csa.get("NumberOfImagesInMosaic"):
        return int(found[0])
    try:
        element = dataset.private_block(0x19, "SIEMENS MR HEADER")[0x0A].value
    except KeyError:
        return None
    return int.from_bytes(element[:2], "little") if isinstance(element, bytes) else int(element)


def _normal(csa: dict[str, list[Any]]) -> _Vector | None:
    normal = tuple(float(v) for v in csa.get("SliceNormalVector") or ())
    return normal if len(normal) == 3 and all(math.isfinite(v) for v in normal) and any(normal) else None
