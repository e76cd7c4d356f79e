"""Names of mask classes: one name, or names by grey value, by colour, or by label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy.typing as npt

from datamint_like.exceptions import ValidationError

NamesGiven: TypeAlias = str | Mapping[int, str] | Mapping[tuple[int, ...], str] | Mapping[str, str] | None
Colour: TypeAlias = tuple[int, int, int]
_OTHERS = "default"
#: More values without names than this are a picture, not a mask: of a volume (atlases have up to some 200 labels), and
#: of frames.
MOST_LABELS, MOST_COLOURS = 255, 64


@dataclass(frozen=True)
class ClassNames:
    """What to call the classes of a mask.

    Attributes:
        single: One name for everything that is not background; then the values play no role.
        named: Name by value: a grey value g is the colour (g, g, g).
        others: Name of values that `named` lacks, else they are an error.
        automatic: Name the values after themselves, `seg_<value>`.
        by_number: Every name is given for a number; in a palette picture these are indices of the palette.
    """

    single: str | None = None
    named: Mapping[Colour, str] = field(default_factory=dict)
    others: str | None = None
    automatic: bool = False
    by_number: bool = False

    def all(self) -> list[str]:
        """The names given, in order and once each."""
        return list(dict.fromkeys([self.single] if self.single else self.named.values()))

    def of(self, values: Sequence[Colour], mask: str) -> dict[Colour, str]:
        """The name of each value that a mask holds.

        Raises:
            ValidationError: A value has no name; the message lists it and the names there are.
        """
        missing = [value for value in values if self._name(value) is None]
        if missing:
            shown = ", ".join(_shown(value) for value in missing[:10])
            given = ", ".join(f"{_shown(value)}: {name!r}" for value, name in self.named.items())
            raise ValidationError(
                f"{mask} holds values without a name: {shown}. Named are {{{given}}}. "
                'Name them too, or give the rest a name with the key "default".'
            )
        return {value: self._name(value) or "" for value in values}

    def refuse_image(self, values: npt.NDArray[Any], mask: str, *, most: int) -> None:
        """Stop at an image that was given as a mask: many values, and no name for any; named ones are never too many.

        Args:
            values: What the mask holds besides background, each once: numbers (n,) or colours (n, 3).
            mask: What to call it.
            most: How many values without names a mask may hold.

        Raises:
            ValidationError: There are more.
        """
        if not self.automatic or len(values) <= most:
            return
        what = "values" if values.ndim == 1 else "colours"
        span = f" from {values.min():,} to {values.max():,}" if values.ndim == 1 else ""
        raise ValidationError(
            f"{mask} looks like an image, not like a mask: it holds {len(values):,} different {what}{span}, and a mask "
            f"without names holds at most {most}. Give the mask, not its image; if it is right, name its classes: "
            'name="cell" for all of them, or a dict such as {1: "liver", "default": "other"}.'
        )

    def _name(self, value: Colour) -> str | None:
        if self.single is not None:
            return self.single
        if self.automatic:
            return f"seg_{_shown(value).strip('()').replace(', ', '_')}"
        return self.named.get(value, self.others)


def class_names(given: NamesGiven) -> ClassNames:
    """The names in their one form.

    Raises:
        ValidationError: A key is no grey value, label or colour, or a name is empty.
    """
    if given is None:
        return ClassNames(automatic=True)
    if isinstance(given, str):
        return ClassNames(single=_checked(given))
    if not isinstance(given, Mapping):
        raise ValidationError(
            'Names are one text, or a dict such as {1: "liver"} or {(255, 0, 0): "liver"}, '
            f"not a {type(given).__name__}."
        )
    named = {_colour(key): _checked(name) for key, name in given.items() if key != _OTHERS}
    others = next((_checked(name) for key, name in given.items() if key == _OTHERS), None)
    numbers = not any(isinstance(key, tuple) for key in given)
    return ClassNames(named=named, others=others, by_number=bool(named) and numbers)


def _checked(name: object) -> str:
    if isinstance(name, str) and name.strip():
        return name
    raise ValidationError(f"The name of a mask class is a text that is not empty, not {name!r}.")


def _colour(key: object) -> Colour:
    """A grey value or label, or a colour of three (a fourth, alpha, plays no role)."""
    key = key.item() if hasattr(key, "item") else key
    if isinstance(key, str) and key.strip().isdigit():
        key = int(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return key, key, key
    if isinstance(key, tuple) and len(key) in (1, 3, 4) and all(_is_whole(part) for part in key):
        red, green, blue = (int(part) for part in (key * 3 if len(key) == 1 else key[:3]))
        return red, green, blue
    raise ValidationError(f"A key of mask names is a grey value (1) or a colour (255, 0, 0), not {key!r}.")


def _is_whole(part: object) -> bool:
    number = part.item() if hasattr(part, "item") else part
    return isinstance(number, int | float) and not isinstance(number, bool) and number % 1 == 0


def _shown(value: Colour) -> str:
    return str(value[0]) if len(set(value)) == 1 else str(value)
