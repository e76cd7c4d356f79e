"""The window that a DICOM file asks to be shown with: its VOI LUT or window (PS3.3 C.11.2), to [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datamint_like.exceptions import DecodeError
from datamint_like.imaging.dicom.elements import Elements
from datamint_like.imaging.dicom.frames import Frame, frames_of
from datamint_like.imaging.dicom.header import DicomFile
from datamint_like.imaging.dicom.luts import Lut, lut_of, modality_lut
from datamint_like.imaging.dicom.texts import told
from datamint_like.imaging.values import stored_range
from datamint_like.imaging.windows import Plane, Window

_ADVICE = 'Give intensity=("window", center, width), or leave it "native".'


@dataclass(frozen=True)
class Voi:
    """A window or lookup table as a function of our values.

    Attributes:
        shown: What the header maps values with.
        mirror: For MONOCHROME1, whose values we invert and whose result is inverted when shown: the sum of
            a value of the header and ours. None where they are equal.
    """

    shown: Window | Lut
    mirror: float | None = None

    def __call__(self, plane: Plane) -> Plane:
        """The values in [0, 1], larger is brighter."""
        if self.mirror is None:
            return self._unit(plane)
        return 1.0 - self._unit(self.mirror - plane)

    def _unit(self, plane: Plane) -> Plane:
        if isinstance(self.shown, Window):
            return self.shown(plane)
        entries = self.shown.apply(np.rint(plane))
        unit: Plane = np.clip(entries / float((1 << self.shown.bits) - 1), 0.0, 1.0)
        return unit


def voi_of(file: DicomFile) -> Voi:
    """The VOI LUT of a file, else its first window; of a multi-frame file that of the first frame.

    Raises:
        DecodeError: The file has neither, is in colour, or its window is malformed.
    """
    pixels = file.pixels
    if pixels.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise DecodeError(
            f'it is {told(pixels.photometric, "CS")}, and a window is for gray values. Leave intensity "native".'
        )
    frame = frames_of(file)[0]
    shown = _shown(file, frame)
    if pixels.photometric == "MONOCHROME2":
        return Voi(shown)
    return Voi(shown, _mirror(file))


def _shown(file: DicomFile, frame: Frame) -> Window | Lut:
    for place in (*_frame_groups(file.elements), file.elements):
        table = place.first("VOILUTSequence")
        if table is not None and "LUTData" in table:
            ends = stored_range(file.pixels.bits_stored, file.pixels.signed)
            signed = (
                min(end * frame.slope for end in ends) + frame.intercept < 0
                and "ModalityLUTSequence" not in file.elements
            )
            return lut_of(file, table.dataset, signed=signed)
        center, width = _first(place, "WindowCenter"), _first(place, "WindowWidth")
        if center is not None and width is not None:
            return _window(center, width, str(place.get("VOILUTFunction") or "LINEAR").upper())
    raise DecodeError(f"it has no window (neither Window Center and Width nor a VOI LUT). {_ADVICE}")


def _frame_groups(elements: Elements) -> list[Elements]:
    """The items of the first frame's VOI LUT functional group (PS3.3 C.7.6.16.2.10), its own first."""
    found = []
    for keyword in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        group = elements.first(keyword)
        item = None if group is None else group.first("FrameVOILUTSequence")
        if item is not None:
            found.append(item)
    return found


def _window(center: float, width: float, function: str) -> Window:
    least = 1.0 if function == "LINEAR" else 0.0
    if not np.isfinite([center, width]).all() or width < least or width == 0.0:
        raise DecodeError(f"its window has center {center:g} and width {width:g}, which no window has. {_ADVICE}")
    if function == "LINEAR":
        return Window(center, width, "LINEAR")
    if function == "LINEAR_EXACT":
        return Window(center, width, "LINEAR_EXACT")
    if function == "SIGMOID":
        return Window(center, width, "SIGMOID")
    raise DecodeError(f"its VOI LUT Function is {told(function, 'CS')}, which is not supported. {_ADVICE}")


def _mirror(file: DicomFile) -> float:
    """The sum of a header's value and our inverted one: both ends of the stored range, rescaled, or of the LUT.

    Raises:
        DecodeError: The file has no such sum.
    """
    if (lut := modality_lut(file)) is not None:
        return float(sum(lut.span))
    scales = {(frame.slope, frame.intercept) for frame in frames_of(file)}
    if len(scales) > 1:
        raise DecodeError(f"it is MONOCHROME1 with a rescale of its own kind, which is not supported. {_ADVICE}")
    (slope, intercept) = scales.pop()
    low, high = stored_range(file.pixels.bits_stored, file.pixels.signed)
    return (low + high) * slope + 2.0 * intercept


def _first(elements: Elements, keyword: str) -> float | None:
    value = elements.get(keyword)
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = value[0] if len(value) else None
    return None if value is None else float(value)
