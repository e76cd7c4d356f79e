"""What tells planes at one position apart: time point, echo, diffusion, and when each was acquired."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from datamint_like.imaging.dicom.elements import Elements
from datamint_like.imaging.dicom.header import number

_DAY = 86_400_000_000
_MINUTE = 60_000_000
_NONE = -math.inf
#: Decimals that tell two values apart: of ms, s/mm2, degrees and direction cosines.
_DECIMALS = 3
#: Traits of which each value is a stack of planes.
STACK_TRAITS = {"time point": "time_point", "echo time": "echo", "b-value": "b_value"}
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Traits:
    """The traits of one plane; None, or empty, where the header has none.

    Attributes:
        time_point: Temporal Position Identifier or Index.
        moment: When it was acquired, in microseconds since the year 1; since midnight where no date is given.
        echo: Echo time, ms.
        b_value: s/mm2.
        gradient: Direction of the diffusion gradient.
        inversion: Inversion time, ms.
        flip: Flip angle, degrees.
        trigger: Delay from the trigger of the heart, ms.
        dimensions: Dimension Index Values.
    """

    time_point: float | None = None
    moment: int | None = None
    echo: float | None = None
    b_value: float | None = None
    gradient: tuple[float, ...] | None = None
    inversion: float | None = None
    flip: float | None = None
    trigger: float | None = None
    dimensions: tuple[int, ...] = ()

    @property
    def order(self) -> tuple[Any, ...]:
        """What sorts planes by acquisition."""
        return self.time_point or 0.0, self.moment or 0, self.echo or 0.0, self.b_value or 0.0, self.dimensions


def classic_traits(elements: Elements) -> Traits:
    """The traits of a file that describes its plane in its root."""
    return Traits(
        time_point=number(elements, "TemporalPositionIdentifier"),
        moment=_file_moment(elements),
        echo=number(elements, "EchoTime"),
        b_value=number(elements, "DiffusionBValue"),
        gradient=_direction(elements),
        inversion=_lone(elements, "InversionTime"),
        flip=_lone(elements, "FlipAngle"),
        trigger=_lone(elements, "TriggerTime"),
    )


def enhanced_traits(group: Callable[[str], Elements | None]) -> Traits:
    """The traits of a frame by its functional groups (PS3.3 C.7.6.16.2, C.8.13.5)."""
    content, diffusion = group("FrameContentSequence"), group("MRDiffusionSequence")
    directions = None if diffusion is None else diffusion.first("DiffusionGradientDirectionSequence")
    dimensions = () if content is None else content.get("DimensionIndexValues") or ()
    when = None if content is None else content.get("FrameAcquisitionDateTime")
    return Traits(
        time_point=number(content, "TemporalPositionIndex"),
        moment=moment_of(str(when or "")[:8], str(when or "")[8:]),
        echo=number(group("MREchoSequence"), "EffectiveEchoTime"),
        b_value=number(diffusion, "DiffusionBValue"),
        gradient=_direction(directions),
        inversion=_lone(group("MRModifierSequence"), "InversionTimes"),
        flip=_lone(group("MRTimingAndRelatedParametersSequence"), "FlipAngle"),
        trigger=_lone(group("CardiacSynchronizationSequence"), "NominalCardiacTriggerDelayTime"),
        dimensions=(dimensions,) if isinstance(dimensions, int) else tuple(int(value) for value in dimensions),
    )


def moment_of(day: str, time: str) -> int | None:
    """Microseconds since the year 1 of a DICOM date and time (PS3.5 6.2: DA, TM, and DT with its offset from UTC).

    None where there is no time; without a date those since midnight.
    """
    digits, sign, offset = time.strip().replace(":", ""), 1, ""
    for mark in "+-":
        if mark in digits:
            digits, offset = digits.split(mark, 1)
            sign = 1 if mark == "+" else -1
    whole, _, fraction = digits.partition(".")
    if len(whole) < 2 or not (whole + fraction + offset).isdecimal():
        return None
    hours, minutes, seconds = (int(whole[at : at + 2] or 0) for at in (0, 2, 4))
    micro = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))
    if len(offset) == 4:
        micro -= sign * (int(offset[:2]) * 60 + int(offset[2:])) * _MINUTE
    return micro + _days(day) * _DAY


def columns_of(traits: Sequence[Traits]) -> dict[str, Ids]:
    """For each trait by name, the first to sort by first, a number for each plane: ascending with its value."""
    columns = {
        "time point": _ids([t.time_point for t in traits]),
        "moment": _ids([t.moment for t in traits]),
        "echo time": _ids([t.echo for t in traits]),
        "b-value": _ids([t.b_value for t in traits]),
    }
    if len({len(t.dimensions) for t in traits}) == 1:
        for n in range(len(traits[0].dimensions)):
            columns[f"dimension {n + 1}"] = _ids([t.dimensions[n] for t in traits])
    return columns | {
        "inversion time": _ids([t.inversion for t in traits]),
        "flip angle": _ids([t.flip for t in traits]),
        "gradient direction": _rows([t.gradient or (_NONE,) * 3 for t in traits]),
        "trigger time": _ids([t.trigger for t in traits]),
    }


def ids_of(traits: Sequence[Traits], name: str) -> Ids:
    """The column of `columns_of` of one of `STACK_TRAITS`."""
    return _ids([getattr(each, STACK_TRAITS[name]) for each in traits])


def _ids(values: Sequence[float | None]) -> Ids:
    if all(value is None for value in values):
        return np.zeros(len(values), dtype=np.int64)
    if all(value is None or isinstance(value, int) for value in values):  # microseconds exceed what floats hold
        numbers = np.array([-1 if value is None else value for value in values], dtype=np.int64)
        return np.asarray(np.unique(numbers, return_inverse=True)[1], dtype=np.int64).reshape(-1)
    rounded = np.round(np.array([_NONE if value is None else value for value in values]), _DECIMALS)
    return np.asarray(np.unique(rounded, return_inverse=True)[1], dtype=np.int64).reshape(-1)


def _rows(values: Sequence[tuple[float, ...]]) -> Ids:
    rounded = np.round(np.array(values), _DECIMALS) + 0.0  # no negative zero
    return np.asarray(np.unique(rounded, axis=0, return_inverse=True)[1], dtype=np.int64).reshape(-1)


def _file_moment(elements: Elements) -> int | None:
    """When the plane of a file was acquired, by date and time, else by the element that holds both."""
    time = str(elements.get("AcquisitionTime") or "")
    if time:
        return moment_of(str(elements.get("AcquisitionDate") or ""), time)
    both = str(elements.get("AcquisitionDateTime") or "")
    return moment_of(both[:8], both[8:])


def _days(day: str) -> int:
    digits = day.strip().replace(".", "")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])).toordinal()
    except ValueError:
        return 0


def _lone(elements: Elements | None, keyword: str) -> float | None:
    """One finite number, or None for anything else: many files hold no such trait, and none is refused for it."""
    try:
        value = None if elements is None else elements.get(keyword)
    except (ValueError, TypeError, ArithmeticError):
        return None
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _direction(elements: Elements | None) -> tuple[float, ...] | None:
    try:
        value = None if elements is None else elements.get("DiffusionGradientOrientation")
        found = tuple(float(v) for v in value or ())
    except (ValueError, TypeError, ArithmeticError):
        return None
    return found if len(found) == 3 and all(math.isfinite(v) for v in found) else None
