"""Gray values to [0, 1]: window functions (PS3.3 C.11.2.1.2, C.11.2.1.3) and any function of a plane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from datamint_like.imaging.types import Array

Plane = npt.NDArray[np.float64]
WindowFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True)
class Window:
    """A window as a function of values in the units of its center and width; NaN stays NaN.

    The caller sees to a width of at least 1 (LINEAR), else above 0.
    """

    center: float
    width: float
    function: WindowFunction = "LINEAR"

    def __call__(self, plane: Plane) -> Plane:
        """The values in [0, 1]."""
        if self.function == "SIGMOID":
            with np.errstate(over="ignore"):  # an infinite power gives the 0 that is meant
                return 1.0 / (1.0 + np.exp(-4.0 * (plane - self.center) / self.width))
        if self.function == "LINEAR_EXACT":
            return np.clip((plane - self.center) / self.width + 0.5, 0.0, 1.0)
        center, width = self.center - 0.5, self.width - 1.0
        if width == 0.0:
            return np.where(np.isnan(plane), np.nan, plane > center)
        return np.clip((plane - center) / width + 0.5, 0.0, 1.0)


def per_plane(array: Array, function: Callable[[Plane], Plane]) -> npt.NDArray[np.float32]:
    """float32 of a function of the values (C, K, J, I), in float64 and rounded once, a plane at a time."""
    out = np.empty(array.shape, dtype=np.float32)
    for channel, planes in zip(out, array, strict=True):
        for target, plane in zip(channel, planes, strict=True):
            target[...] = function(plane.astype(np.float64))
    return out
