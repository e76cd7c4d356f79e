"""DICOM dates moved by a patient's offset: DA and DT values, in the form that they have."""

from __future__ import annotations

import re
from datetime import date

from datamint_like.imaging.deidentify.pseudonyms import Pseudonyms

_DAY = re.compile(r"(\d{4})([.\-]?)(\d\d)?\2(\d\d)?(.*)", re.DOTALL)
_CLOCK = re.compile(r"[0-9.]*([+\-]\d{4})?")


def shifted(text: str, patient: str, names: Pseudonyms) -> str:
    """A DA or DT value, moved by whole days so that times and intervals stay; empty where it is no date."""
    match = _DAY.fullmatch(text.strip(" \0"))
    if match is None or not _CLOCK.fullmatch(match[5]):
        return ""
    year, month, day = match[1], match[3], match[4]
    try:
        moved = names.shifted(date(int(year), int(month or 1), int(day or 1)), patient)
    except ValueError:
        return ""
    if moved is None:
        return ""
    parts = [f"{moved.year:04d}", *([f"{moved.month:02d}"] if month else []), *([f"{moved.day:02d}"] if day else [])]
    return match[2].join(parts) + match[5]
