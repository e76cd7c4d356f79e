"""Segmentation classes as a caller gives them: each with a name, a code and a colour of its own."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from datamint_like.api._endpoint import fields_of, several
from datamint_like.entities import MAX_SEGMENTATION_CODE, SegmentationClass
from datamint_like.exceptions import ValidationError

#: Colours of classes that are given none, by code, repeating.
PALETTE = ((230, 25, 75), (60, 180, 75), (0, 130, 200), (245, 130, 48), (145, 30, 180), (70, 240, 240), (240, 50, 230))
_SUCH_AS = "[{'identifier': 'liver', 'color': [255, 0, 0], 'index': 1}]"


def from_data(given: Any) -> tuple[str, dict[str, SegmentationClass]]:
    """The value type and the classes of `segmentation_data`; codes left out count on from the highest before.

    Raises:
        ValidationError: A class lacks a name or shares it, or its code or colour is none or taken.
    """
    group: dict[str, SegmentationClass] = {}
    data = fields_of(given, "segmentation_data")
    for each in several(data.get("definitions"), "definitions", _SUCH_AS):
        definition = fields_of(each, "A segmentation class")
        name = definition.get("identifier") or definition.get("name")
        if not isinstance(name, str) or not name.strip() or name in group:
            raise ValidationError(f"Each segmentation class needs its own identifier, found {name!r:.80}.")
        group[name] = _class(name, definition, group)
    return str(data.get("segmentationValueType") or "single_label"), group


def from_group(given: Any) -> dict[str, SegmentationClass]:
    """The classes of a `segmentation_group`, by name.

    Raises:
        ValidationError: A code or a colour is none, or a code is taken.
    """
    group: dict[str, SegmentationClass] = {}
    for name, each in fields_of(given, "segmentation_group").items():
        if isinstance(each, SegmentationClass):
            each = {"color": each.color, "index": each.index}
        group[name] = _class(name, fields_of(each, f"Segmentation class {name!r:.80}"), group)
    return group


def _class(name: str, definition: Mapping[str, Any], before: Mapping[str, SegmentationClass]) -> SegmentationClass:
    code = _code(name, definition.get("index"), before)
    color = definition.get("color")
    return SegmentationClass(color=PALETTE[(code - 1) % len(PALETTE)] if color is None else _colour(color), index=code)


def _code(name: str, given: Any, before: Mapping[str, SegmentationClass]) -> int:
    """The code of a class: the one given, else the next."""
    if given is None:
        given = max((each.index for each in before.values()), default=0) + 1
    code = operator.index(given) if hasattr(given, "__index__") and not isinstance(given, bool) else 0
    if not 1 <= code <= MAX_SEGMENTATION_CODE:
        raise ValidationError(
            f"The index of segmentation class {name!r:.80} is a whole number from 1 "
            f"to {MAX_SEGMENTATION_CODE} (0 is background), not {given!r:.80}."
        )
    rival = next((other for other, each in before.items() if each.index == code), None)
    if rival is not None:
        raise ValidationError(
            f"The segmentation classes {rival!r:.80} and {name!r:.80} both have index {code}. Give each its own."
        )
    return code


def _colour(given: Any) -> tuple[int, ...]:
    """RGB or RGBA, each 0 to 255."""
    color = SegmentationClass.from_dict({"color": _plain(given), "index": 1}).color
    if len(color) not in (3, 4) or not all(0 <= part <= 255 for part in color):
        raise ValidationError(
            "The color of a segmentation class is red, green, blue (and alpha), each 0 to 255, "
            f"not {list(color)!r:.80}."
        )
    return color


def _plain(color: Any) -> Any:
    """The colour of an array as a list."""
    return color.tolist() if hasattr(color, "tolist") else color
