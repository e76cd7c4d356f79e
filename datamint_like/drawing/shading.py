"""Which values of an image are shown black and white, and the words that say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from datamint_like.drawing.pixels import Shade
from datamint_like.imaging.windows import Window

_PERCENTILES = (1.0, 99.0)
_SAMPLE = 1_000_000


def shade_of(image: npt.NDArray[Any], metainfo: Mapping[str, Any], *, native: bool) -> Shade:
    """How an item's gray image is shown.

    8-bit pictures as they are; values within [0, 1] (a window was applied before) from 0 to 1; values that are still
    the header's through its first window (PS3.3 C.11.2); all else from the 1st to the 99th percentile.

    Args:
        image: (C, ...) as the item holds it.
        metainfo: That of the item.
        native: Whether the values are still those of the header.
    """
    if image.dtype == np.uint8:
        return Shade(Window(127.5, 255.0, "LINEAR_EXACT"), "values 0 to 255")
    units = f" {metainfo['units']}" if metainfo.get("units") else ""
    window = _header_window(metainfo.get("header") or {}) if native else None
    if window is not None:
        center, width = window
        return Shade(Window(center, width), f"window {center:g} / {width:g}{units} (header)")
    return _by_values(image, units)


def _by_values(image: npt.NDArray[Any], units: str) -> Shade:
    sample = image.reshape(-1)[:: max(1, image.size // _SAMPLE)].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return Shade(Window(0.5, 1.0, "LINEAR_EXACT"), "no finite value")
    if image.dtype.kind == "f" and sample.min() >= 0 and sample.max() <= 1:
        return Shade(Window(0.5, 1.0, "LINEAR_EXACT"), "values 0 to 1")
    low, high = np.percentile(sample, _PERCENTILES)
    if high <= low:
        low, high = sample.min(), max(sample.max(), sample.min() + 1)
    words = f"{low:.4g} to {high:.4g}{units} (1st to 99th percentile)"
    return Shade(Window((low + high) / 2, high - low, "LINEAR_EXACT"), words)


def _header_window(header: Mapping[str, Any]) -> tuple[float, float] | None:
    """The first window of a header, where it has a usable one.

    That of MONOCHROME1 speaks of values before they are inverted (larger is brighter in our items), so it is not used.
    """
    if header.get("PhotometricInterpretation") == "MONOCHROME1":
        return None
    center, width = (_first(header.get(key)) for key in ("WindowCenter", "WindowWidth"))
    if center is None or width is None or not np.isfinite((center, width)).all() or width < 1:
        return None
    return center, width


def _first(value: Any) -> float | None:
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
