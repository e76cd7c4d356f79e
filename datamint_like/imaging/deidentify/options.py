"""How files are de-identified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from datamint_like.exceptions import ValidationError


@dataclass(frozen=True)
class DeidentifyOptions:
    """How files are de-identified.

    Attributes:
        secret: What pseudonyms, UIDs and offsets of dates are derived from, 16 bytes or more; equal secrets give equal
            results, and never shown by `repr`.
        retain: (group, element) of DICOM attributes that stay as they are, at any depth.
        allow_burned_in: Take images whose pixels may tell the patient.

    Raises:
        ValidationError: `retain` holds something else than pairs of numbers.

    Example:
        >>> DeidentifyOptions(b"0123456789abcdef", retain=((0x0010, 0x0040),)).tags
        frozenset({1048640})
    """

    secret: bytes = field(repr=False)
    retain: Sequence[tuple[int, int]] = ()
    allow_burned_in: bool = False

    def __post_init__(self) -> None:
        """Check `retain`."""
        if not all(_is_tag(pair) for pair in self.retain):
            raise ValidationError(
                "anonymize_retain_codes is a list of (group, element) of DICOM attributes, such as [(0x0010, 0x0040)]."
            )

    @property
    def tags(self) -> frozenset[int]:
        """The attributes to retain, one number each.

        Example:
            >>> DeidentifyOptions(b"0123456789abcdef").tags
            frozenset()
        """
        return frozenset(group << 16 | element for group, element in self.retain)


def _is_tag(pair: Any) -> bool:
    return (
        isinstance(pair, tuple | list)
        and len(pair) == 2
        and all(isinstance(number, int) and 0 <= number <= 0xFFFF for number in pair)
    )
