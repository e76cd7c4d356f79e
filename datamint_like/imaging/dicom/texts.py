"""Texts of a header that may be told to people or kept: only those that their VR allows (PS3.5 6.2).

An element whose length is damaged swallows the elements behind it, the patient's name among them. Their tags are
no characters of any text, so such a value is dropped as a whole, never cut to a readable part.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from datamint_like.imaging.dicom.elements import Elements, known

#: What messages say in place of a text that its VR does not allow.
UNREADABLE = "unreadable"
_PADDING = " \0"
_FORMS = {
    "UI": re.compile(r"[0-9.]{1,64}"),
    "CS": re.compile(r"[A-Z0-9_ ]{0,16}"),
    **dict.fromkeys(("LT", "ST", "UT"), re.compile(r"[^\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]*")),
}
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")


def valid_text(value: Any, vr: str) -> str | None:
    """The text without blanks around it, several values with backslashes between; None where the VR forbids any.

    Numbers, as of a damaged VR, are no text.
    """
    parts = [value] if isinstance(value, str) or not isinstance(value, Sequence) else value
    matches, texts = _FORMS.get(vr, _LINE).fullmatch, []
    for part in parts:
        text = str(part).strip(_PADDING)
        if not _is_text(part) or not matches(text):
            return None
        texts.append(text)
    return "\\".join(texts) or None


def text_of(elements: Elements, keyword: str) -> str | None:
    """The text of an element without blanks around it; None where it is absent, empty, or not what its VR allows.

    The VR is that of the dictionary, since that of a damaged file may be damaged.
    """
    value = elements.get(keyword)
    return None if value is None else valid_text(value, known(keyword)[1])


def told(value: str, vr: str) -> str:
    """A value of the header as a message may say it."""
    return valid_text(value, vr) or UNREADABLE


def _is_text(value: Any) -> bool:
    """Whether it is text or a name of a person, which pydicom gives as a class of its own."""
    return isinstance(value, str) or hasattr(value, "components")
