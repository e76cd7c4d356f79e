"""The forms that reading options take, checked when they are said, and their repr."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import reduce
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from datamint_like.exceptions import ValidationError

Change = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
Intensity = Literal["native", "dicom-window"] | tuple[Literal["window", "clip"], float, float] | Change

#: How the axes of a volume lie: D, H, W of the patient, or k, j, i of the file.
Orientation = Literal["canonical", "native"]
#: The types that items can have: those that every operation of torch supports, int64 and the other floats.
DTYPES = ("uint8", "int16", "int32", "int64", "float16", "float32", "float64")


def checked_dtype(dtype: Any) -> str | None:
    """The name of the type, or None.

    Raises:
        ValidationError: It is neither.
    """
    if dtype is not None and (not isinstance(dtype, str) or dtype not in DTYPES):
        raise ValidationError(f"dtype is None or one of {', '.join(map(repr, DTYPES))}, not {dtype!r}.")
    return dtype


def is_window(intensity: Intensity) -> bool:
    """Whether the values become those from 0 to 1 of a window."""
    return intensity == "dicom-window" or (isinstance(intensity, tuple) and intensity[0] == "window")


def check_window_fits(intensity: Intensity, dtype: str | None) -> None:
    """Refuse a window whose values, from 0 to 1, would become whole numbers: nothing but 0 and 1 would be left.

    Raises:
        ValidationError: It is one.
    """
    if is_window(intensity) and dtype is not None and np.dtype(dtype).kind in "iu":
        raise ValidationError(
            f"intensity={intensity!r} gives values from 0 to 1, of which {dtype} keeps only 0 and 1. Leave dtype= out, "
            "name a type of fractions such as 'float16', or scale in a function: intensity=lambda array: ..."
        )


def checked_intensity(intensity: Any) -> Intensity:
    """The intensity in its canonical form.

    Raises:
        ValidationError: It has none of the forms.
    """
    if callable(intensity):
        return intensity  # type: ignore[no-any-return]
    if isinstance(intensity, str) and intensity in ("native", "dicom-window"):
        return intensity  # type: ignore[return-value]
    if isinstance(intensity, (tuple, list)) and len(intensity) == 3:
        kind, *given = intensity
        first, second = (_number(value) for value in given)
        if isinstance(kind, str) and kind == "window" and math.isfinite(first) and 1 <= second < math.inf:
            return "window", first, second
        if isinstance(kind, str) and kind == "clip" and first <= second:
            return "clip", first, second
    raise ValidationError(
        "intensity is 'native', 'dicom-window', ('window', center, width) with a width of at least 1, "
        f"('clip', low, high) with low <= high, or a callable, not {intensity!r}."
    )


def _number(value: Any) -> float:
    """The number, or NaN for what is none."""
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def stable_repr(value: Any) -> str:
    """A repr without addresses: a function by its module and name, `unknown` where that does not lead to it."""
    if not callable(value):
        return repr(value)
    module = str(getattr(value, "__module__", None))
    for name in (getattr(value, "__qualname__", None), getattr(value, "__name__", None)):  # torch's go by the second
        if isinstance(name, str) and _found(module, name) is value:
            return f"{module}.{name}"
    return "unknown"


def _found(module: str, name: str) -> Any:
    """What a module that is imported holds by a name with dots, or None."""
    try:
        return reduce(getattr, name.split("."), sys.modules[module])
    except (AttributeError, KeyError):
        return None
