"""The elements of a data set as plain values, each converted when it is asked for and no other.

pydicom converts an element to rich types and checks it, at 10 to 20 microseconds each; a probe asks for sixty.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from datamint_like.imaging.dicom.scan import scan_items

_PADDING = " \0"
_MOST_ITEMS = 1 << 20
#: Encoded value and whether it is little endian, to a plain value.
Parser = Callable[[bytes, bool], Any]


class Elements:
    """Read access by keyword to elements that may still be encoded; the data set is parsed when one needs it."""

    __slots__ = ("_dataset", "_load", "_stored")

    def __init__(self, stored: Mapping[int, Any], load: Callable[[], Dataset]) -> None:
        """Take elements by tag, encoded (as `scan` or pydicom gives them) or not, and what parses the data set."""
        self._stored = stored
        self._load = load
        self._dataset: Dataset | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> Elements:
        """The elements of a parsed data set."""
        return cls(dict(dataset.items()), lambda: dataset)

    @property
    def dataset(self) -> Dataset:
        """The parsed data set."""
        if self._dataset is None:
            self._dataset = self._load()
        return self._dataset

    def __contains__(self, keyword: str) -> bool:
        return known(keyword)[0] in self._stored

    def get(self, keyword: str) -> Any:
        """The value as `str`, `int`, `float`, bytes or a sequence of them; None where it is absent or empty."""
        tag, usual = known(keyword)
        element = self._stored.get(tag)
        if element is None:
            return None
        if type(element) is tuple:
            vr, encoded, little = element[0], element[1], True
        elif type(element) is RawDataElement:
            vr, encoded, little = element.VR, element.value, element.is_little_endian
        else:
            return _or_none(element.value)
        if not encoded:
            return None
        parse = _PARSERS.get(vr or usual)
        if parse is not None:
            try:
                return parse(encoded, little)
            except (ValueError, struct.error):
                pass  # pydicom knows more: character sets, other lengths, and what is really malformed
        return _or_none(self.dataset[tag].value)

    def encoded(self) -> list[RawDataElement]:
        """The elements that pydicom has read and not converted yet."""
        return [element for element in self._stored.values() if type(element) is RawDataElement]

    def items(self, keyword: str, *, most: int = _MOST_ITEMS) -> Sequence[Elements]:
        """The items of a sequence, no more than `most`; empty where it is absent."""
        tag = known(keyword)[0]
        element = self._stored.get(tag)
        if type(element) is tuple:
            found = scan_items(element[1], implicit=element[0] is None, most=most)
        elif type(element) is RawDataElement and element.is_little_endian:
            found = scan_items(element.value or b"", implicit=element.is_implicit_VR, most=most)
        else:
            found = None
        if found is None:
            return [Elements.of(item) for item in (self.get(keyword) or ())[:most]]
        return [Elements(item, partial(self._item, tag, index)) for index, item in enumerate(found)]

    def _item(self, tag: int, index: int) -> Dataset:
        item: Dataset = self.dataset[tag].value[index]
        return item

    def first(self, keyword: str) -> Elements | None:
        """The first item of a sequence, or None."""
        found = self.items(keyword, most=1)
        return found[0] if found else None


def _or_none(value: Any) -> Any:
    return None if isinstance(value, str) and value == "" else value


@lru_cache(maxsize=512)
def known(keyword: str) -> tuple[int, str]:
    """The tag of a keyword and its VR by the dictionary.

    Raises:
        ValueError: There is no such keyword.
    """
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"DICOM has no element {keyword}.")
    return int(tag), dictionary_VR(tag)


def _texts(convert: Callable[[str], Any]) -> Parser:
    """A parser of ASCII text, one value or several between backslashes."""

    def parse(encoded: bytes, little: bool) -> Any:
        text = encoded.decode("ascii")
        if "\x1b" in text:
            raise ValueError("It switches to another character set.")
        if "\\" in text:
            return [convert(part.strip(_PADDING)) for part in text.split("\\")]
        value = convert(text.strip(_PADDING))
        return None if value == "" else value

    return parse


def _binaries(kind: str) -> Parser:
    """A parser of binary numbers, one or several."""
    size = struct.calcsize(f"<{kind}")
    one = {True: struct.Struct(f"<{kind}").unpack, False: struct.Struct(f">{kind}").unpack}

    def parse(encoded: bytes, little: bool) -> Any:
        if len(encoded) == size:
            return one[little](encoded)[0]
        return list(struct.unpack(f"{'<' if little else '>'}{len(encoded) // size}{kind}", encoded))

    return parse


_PARSERS: dict[str, Parser] = {
    **dict.fromkeys(("AE", "AS", "CS", "DA", "DT", "LO", "PN", "SH", "TM", "UI"), _texts(str)),
    **dict.fromkeys(("OB", "OW"), lambda encoded, _: bytes(encoded)),
    "DS": _texts(float),
    "IS": _texts(int),
    **{vr: _binaries(kind) for vr, kind in (("US", "H"), ("UL", "L"), ("FL", "f"), ("FD", "d"))},
}
