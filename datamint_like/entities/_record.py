"""What all records of the wire share: frozen, typed, and tolerant of fields they do not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from datamint_like.exceptions import ValidationError


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A plain record of the wire: data only, no store behind it.

    Unknown fields of an answer are ignored, so a newer server does not break an older client.
    """

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The record that a decoded JSON object describes; a null stands for the field's default.

        Raises:
            ValidationError: A required field is missing or of another type; the message names it.

        Example:
            >>> AnnotationSpec.from_dict({"type": "label", "identifier": "benign", "of_a_later_version": 1}).identifier
            'benign'
        """
        if not isinstance(data, Mapping):
            raise ValidationError(f"This is not a {cls.__name__}: an object was expected, found {data!r:.80}.")
        try:
            given = {name: value for name, value in cls._wire_names(data).items() if value is not None}
            return msgspec.convert(given, cls, strict=False)
        except msgspec.ValidationError as error:
            raise ValidationError(f"This is not a {cls.__name__}: {error}.") from error

    @classmethod
    def _wire_names(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The fields under our names; records with aliases on the wire override this."""
        return data

    @staticmethod
    def _texts(value: Any) -> dict[str, str]:
        """The texts of an object that should hold nothing else; empty where it is none."""
        return {key: each for key, each in value.items() if isinstance(each, str)} if isinstance(value, Mapping) else {}

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-ready builtins, every field present.

        Example:
            >>> AnnotationSpec(type="category", identifier="view", values=("ap", "pa")).to_dict()["values"]
            ('ap', 'pa')
        """
        result: dict[str, Any] = msgspec.to_builtins(self)
        return result
