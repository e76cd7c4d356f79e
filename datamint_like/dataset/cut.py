"""Which slices of volumes: along an anatomical axis, or along an axis of the file's own array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from datamint_like.catalog.snapshot import Axis
from datamint_like.exceptions import DatamintDatasetException
from datamint_like.imaging import turn_of
from datamint_like.imaging.types import HeaderFacts, Kind, Orientation

AxisName = Literal["axial", "coronal", "sagittal"]
SliceAxis = AxisName | int
AXIS_NAMES: tuple[AxisName, ...] = ("axial", "coronal", "sagittal")
_CANONICAL: tuple[Axis, ...] = ("d", "h", "w")
_STORED: tuple[Axis, ...] = ("k", "j", "i")


@dataclass(frozen=True)
class Plane:
    """One slice: `index` along `axis` (0, 1, 2) of the item's array."""

    axis: int
    index: int

    def of(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The slice of an array (n, D, H, W), as a view (n, ...)."""
        return array[(slice(None),) * (1 + self.axis) + (self.index,)]


@dataclass(frozen=True)
class Cut:
    """How volumes are cut into slices, or videos into frames.

    Attributes:
        axis: 0 (axial), 1 (coronal), 2 (sagittal); with `of_array` the axis of the stored array, 0 (k) to 2 (i).
        orientation: That of the volumes.
        of_array: Whether the axis is the array's own, whatever it is in the patient.
        kind: Of which resources: volumes or videos.
    """

    axis: int
    orientation: Orientation = "canonical"
    of_array: bool = False
    kind: Kind = "volume"

    @classmethod
    def along(cls, axis: object, orientation: Orientation) -> Cut:
        """The cut that an axis means: a name is anatomical; a number is the array's, which canonical axes are too.

        Raises:
            DatamintDatasetException: There is no such axis.
        """
        if isinstance(axis, str) and axis in AXIS_NAMES:
            return cls(AXIS_NAMES.index(axis), orientation)
        if isinstance(axis, (int, np.integer)) and not isinstance(axis, bool) and 0 <= int(axis) <= 2:
            return cls(int(axis), orientation, of_array=orientation == "native")
        raise DatamintDatasetException(f"axis is 'axial', 'coronal', 'sagittal', or 0, 1, 2; not {axis!r}.")

    @classmethod
    def frames(cls) -> Cut:
        """The cut of videos into their frames."""
        return cls(0, of_array=True, kind="video")

    @property
    def label(self) -> SliceAxis:
        """The axis as a caller says it."""
        return self.axis if self.of_array else AXIS_NAMES[self.axis]

    def is_called(self, axis: object) -> bool:
        """Whether a caller means this cut by `axis`.

        Raises:
            DatamintDatasetException: There is no such axis of a volume.
        """
        return axis == "frames" if self.kind == "video" else Cut.along(axis, self.orientation) == self

    @property
    def pack_name(self) -> str:
        """What the packs of such slices are called."""
        return "frames" if self.kind == "video" else str(self.label)

    @property
    def column(self) -> Axis:
        """The snapshot's column with the number of slices."""
        return (_STORED if self.of_array else _CANONICAL)[self.axis]

    @property
    def uneven_condition(self) -> str:
        """The volumes (SQL over the snapshot's columns) whose stored planes are uneven and lie along another axis."""
        return f"uneven_axis IS NOT NULL AND {'0' if self.of_array else 'uneven_axis'} <> {self.axis}"

    def array_axis(self, facts: HeaderFacts) -> int:
        """Along which axis of its item's array the slices of a resource lie."""
        if self.of_array or self.orientation == "canonical":
            return self.axis
        return turn_of(facts).axes[self.axis]

    def name(self, facts: HeaderFacts) -> AxisName | None:
        """The anatomical plane that slices of a resource lie in, or come closest to; None for frames of a video."""
        if self.kind == "video":
            return None
        return AXIS_NAMES[turn_of(facts).axes.index(self.axis) if self.of_array else self.axis]
