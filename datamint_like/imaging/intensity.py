"""What `intensity=` and `dtype=` make of the values of a resource: once, and alike for every format."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from datamint_like.exceptions import DecodeError
from datamint_like.imaging._layout import contiguous
from datamint_like.imaging._option_forms import is_window
from datamint_like.imaging.dicom.header import read_header
from datamint_like.imaging.dicom.voi import Voi, voi_of
from datamint_like.imaging.types import DTYPES, Array, HeaderFacts, Intensity, ReadOptions, SourceFile
from datamint_like.imaging.values import computed_type
from datamint_like.imaging.windows import Window, per_plane


def type_to_decode(facts: HeaderFacts, options: ReadOptions) -> str:
    """The type in which a decoder computes the values for these options.

    Windows read a CT that does not fit int16, since their result is float32 whatever the header's type.
    """
    if is_window(options.intensity):
        return computed_type(facts.dtype, "int32") if facts.dtype == "int16" else facts.dtype
    return computed_type(facts.dtype, options.dtype)


def type_of_values(facts: HeaderFacts, options: ReadOptions) -> str | None:
    """The type of the item's array for these options; None where their callable decides."""
    if options.dtype is not None:
        return options.dtype
    if callable(options.intensity):
        return None
    return "float32" if is_window(options.intensity) else facts.dtype


def windowed_or_clipped(array: Array, file: SourceFile, facts: HeaderFacts, options: ReadOptions) -> Array:
    """The values by the options' window or limits, or the array itself.

    Args:
        array: (C, K, J, I).
        file: The first part of the resource, whose window counts for `"dicom-window"`.
        facts: Header facts of the resource.
        options: What is asked for.

    Raises:
        DecodeError: The file has no window, or no value of the array's type lies within the limits.
    """
    intensity = options.intensity
    if intensity == "dicom-window":
        return per_plane(array, _window_of(file, facts))
    if not isinstance(intensity, tuple):
        return array
    return _by_numbers(array, intensity)


def _by_numbers(array: Array, intensity: tuple[str, float, float]) -> Array:
    kind, first, second = intensity
    return per_plane(array, Window(first, second)) if kind == "window" else _clipped(array, first, second)


def called(array: Array, file: SourceFile, options: ReadOptions) -> Array:
    """What the options' callable makes of the item's array (C, D, H, W), or the array itself.

    An error of the callable's own goes through as it is.

    Raises:
        DecodeError: It returned another shape, or values that are no numbers of a type of `DTYPES`.
    """
    if not callable(options.intensity):
        return array
    given = contiguous(array)
    result: Array = np.asarray(options.intensity(given))
    if result.shape != array.shape:
        raise DecodeError(
            f"{file.name}: intensity= returned shape {result.shape}, expected that of the image, {array.shape}."
        )
    if result.dtype.kind not in "biuf" or (options.dtype is None and str(result.dtype) not in DTYPES):
        raise DecodeError(
            f"{file.name}: intensity= returned values of type {result.dtype}; return one of {', '.join(DTYPES)}."
        )
    return result


def finished(array: Array, intensity: Intensity, dtype: str | None) -> Array:
    """Some of the native values (C, H, W) by a window or limits of numbers, then in another type.

    Each value is treated by itself, so a part gives what the whole gives.

    Raises:
        DecodeError: Values do not fit.
    """
    if isinstance(intensity, tuple):
        array = _by_numbers(array[:, None], intensity)[:, 0]
    return converted(array, dtype)


def converted(array: Array, dtype: str | None) -> Array:
    """The array in another type: fractions rounded to the nearest integer, never wrapped.

    Raises:
        DecodeError: A value does not fit, is infinite or not a number where the type holds only integers.
    """
    if dtype is None or array.dtype == dtype:
        return array
    target = np.dtype(dtype)
    if array.size and not np.can_cast(array.dtype, target):
        _refuse_misfits(array, target)
    if target.kind == "i" or target.kind == "u":
        array = np.rint(array) if array.dtype.kind == "f" else array
    return array.astype(target)


def _refuse_misfits(array: Array, target: np.dtype[Any]) -> None:
    limits: Any = np.finfo(target) if target.kind == "f" else np.iinfo(target)
    number = float if target.kind == "f" else int
    least, most = number(limits.min), number(limits.max)
    finite = array
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        if target.kind != "f":
            raise DecodeError(f"it holds values that are infinite or no number, and {target} holds neither.")
        finite = array[np.isfinite(array)]
    if not finite.size:
        return
    low, high = finite.min().item(), finite.max().item()
    if target.kind != "f":
        low, high = round(low), round(high)  # exact, where a comparison in the array's own type may round the limit
    if low < least or high > most:
        raise DecodeError(
            f"values from {low} to {high} do not fit {target}, which holds {least} to {most}. "
            'Give a wider dtype, or limit the values with intensity=("clip", low, high).'
        )


def _window_of(file: SourceFile, facts: HeaderFacts) -> Voi:
    """The window that the resource's own header gives."""
    if facts.format != "dicom":
        raise DecodeError('it is not DICOM and has no window. Give intensity=("window", center, width).')
    return voi_of(read_header(file))


def _clipped(array: Array, low: float, high: float) -> Array:
    """The values within the limits, in the array's own type."""
    if array.dtype.kind == "f":
        return np.clip(array, low, high, dtype=array.dtype)  # type: ignore[no-any-return]
    limits = np.iinfo(array.dtype)
    least = max(limits.min, math.ceil(low)) if math.isfinite(low) else limits.min if low < 0 else limits.max + 1
    most = min(limits.max, math.floor(high)) if math.isfinite(high) else limits.max if high > 0 else limits.min - 1
    if least > most:
        raise DecodeError(f"no {array.dtype} value lies from {low:g} to {high:g}. Give other limits, or a dtype=.")
    clipped: Array = np.clip(array, least, most)
    return clipped
