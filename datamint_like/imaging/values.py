"""The type of decoded values, decided by header facts alone, and linear rescaling that rounds once."""

from __future__ import annotations

import numpy as np

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.types import Array

Range = tuple[int, int]
_INTEGERS = ("uint8", "int16", "int32", "int64")


def stored_range(bits: int, signed: bool) -> Range:
    """Smallest and largest value of an integer of `bits` bits."""
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def integer_type(span: Range, *, keep_uint8: bool) -> str:
    """The smallest of uint8 (if allowed), int16, int32 that holds the range; int32 beyond that.

    Values above int32 are looked for when pixels are decoded: headers claim 32 bits for far smaller values.
    """
    if keep_uint8 and span[0] >= 0 and span[1] <= 255:
        return "uint8"
    return "int16" if span[0] >= -(1 << 15) and span[1] < (1 << 15) else "int32"


def computed_type(native: str, asked: str | None) -> str:
    """The type to compute in when the header decides `native` and `asked` is wanted: no narrower than either.

    What is asked for is reached by a conversion that checks every value, so narrowing comes last; float16 is
    computed in float32.
    """
    if asked is None:
        return native
    if native in _INTEGERS and asked in _INTEGERS:
        return max(native, asked, key=_INTEGERS.index)
    if native in _INTEGERS:
        return "float64" if asked == "float64" else "float32"
    return "float64" if asked == "float64" else native


def scaled_range(span: Range, slope: float, intercept: float) -> Range:
    """The range after an integer slope and intercept."""
    ends = (span[0] * int(slope) + int(intercept), span[1] * int(slope) + int(intercept))
    return min(ends), max(ends)


def is_identity(slope: float, intercept: float) -> bool:
    """Whether scaling changes nothing."""
    return slope == 1.0 and intercept == 0.0


def is_integer_scaling(slope: float, intercept: float) -> bool:
    """Whether integers stay integers."""
    return float(slope).is_integer() and float(intercept).is_integer()


def misfit(span: Range, dtype: str) -> str:
    """The sentence for values that the type of the array does not hold, and the type that may."""
    position = _INTEGERS.index(dtype) + 1
    wider = f' Read it with dtype="{_INTEGERS[position]}".' if position < len(_INTEGERS) else ""
    return f"values from {span[0]} to {span[1]} do not fit {dtype}.{wider}"


def scale_into(out: Array, raw: Array, slope: float, intercept: float) -> None:
    """Write `raw * slope + intercept` to `out`: exact for integers, else computed in float64 and rounded once.

    Raises:
        DecodeError: An integer result does not fit the type of `out`.
    """
    if out.dtype.kind == "f":
        out[...] = raw if is_identity(slope, intercept) else raw.astype(np.float64) * slope + intercept
        return
    identity = is_identity(slope, intercept)
    if raw.size == 0 or (identity and np.can_cast(raw.dtype, out.dtype)):
        out[...] = raw
        return
    low, high = scaled_range((int(raw.min()), int(raw.max())), slope, intercept)
    limits = np.iinfo(out.dtype)
    if low < limits.min or high > limits.max:
        raise DecodeError(misfit((low, high), str(out.dtype)))
    if identity:
        out[...] = raw.astype(out.dtype, copy=False)
    elif slope == 1.0 and raw.dtype.itemsize <= 2 and abs(intercept) < 1 << 30:
        np.add(raw, np.int32(intercept), out=out, dtype=np.int32, casting="unsafe")
    else:
        out[...] = raw.astype(np.int64) * int(slope) + int(intercept)
