"""What DICOM masks say of their classes in words: texts, people, codes, colours."""

from __future__ import annotations

from datamint_like.imaging.dicom import texts
from datamint_like.imaging.dicom.elements import Elements

#: CIE XYZ of white, D50 (the profile connection space of PS3.3 C.10.7.1.1), and from XYZ to linear sRGB (Bradford).
_WHITE = (0.9642, 1.0, 0.8251)
_TO_RGB = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)


def text_of(elements: Elements, keyword: str) -> str:
    """The text of an element without blanks around it; empty where it is absent or not what its VR allows."""
    return texts.text_of(elements, keyword) or ""


def person_of(elements: Elements, keyword: str) -> str | None:
    """The (first) person that an element names, as the file spells it, or None."""
    return text_of(elements, keyword).split("\\")[0].strip("^= ") or None


def code_of(elements: Elements, keyword: str) -> tuple[str, str, str] | None:
    """(value, coding scheme, meaning) of the first code of a sequence, or None."""
    item = elements.first(keyword)
    if item is None or not text_of(item, "CodeValue"):
        return None
    return text_of(item, "CodeValue"), text_of(item, "CodingSchemeDesignator"), text_of(item, "CodeMeaning")


def rgb_of(elements: Elements) -> tuple[int, int, int] | None:
    """Recommended Display CIELab Value as sRGB of 8 bits, or None where it is absent or malformed."""
    lab = elements.get("RecommendedDisplayCIELabValue")
    if lab is None or isinstance(lab, (int, bytes, str)) or len(lab) != 3:
        return None
    lightness, a, b = (float(value) for value in lab)
    return rgb_from_lab(lightness / 65535 * 100, a / 65535 * 255 - 128, b / 65535 * 255 - 128)


def rgb_from_lab(lightness: float, a: float, b: float) -> tuple[int, int, int]:
    """CIELab (D50) as sRGB of 8 bits, colours outside it at its border."""
    y = (lightness + 16) / 116
    xyz = [white * _cubed(t) for white, t in zip(_WHITE, (y + a / 500, y, y - b / 200), strict=True)]
    red, green, blue = (_gamma(sum(f * v for f, v in zip(row, xyz, strict=True))) for row in _TO_RGB)
    return red, green, blue


def _cubed(t: float) -> float:
    return t**3 if t > 6 / 29 else 3 * (6 / 29) ** 2 * (t - 4 / 29)


def _gamma(linear: float) -> int:
    linear = min(max(linear, 0.0), 1.0)
    return round(255 * (12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055))
