"""Checks of arguments that rows and requests share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from operator import index
from typing import Any

from datamint_like.exceptions import ValidationError


def json_ready(value: Any, what: str) -> Any:
    """`value` as JSON gives it back.

    Raises:
        ValidationError: JSON cannot hold it (as NaN, infinities and lone surrogates).
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(f"{what} must be JSON-ready: {error}.") from error
    return json.loads(text)


def id_list(values: Sequence[str], what: str) -> list[str]:
    """`values` without repetitions, in order.

    Raises:
        ValidationError: It is one text, or holds something else than text.
    """
    listed = list(values) if isinstance(values, Iterable) else []
    if isinstance(values, str) or not isinstance(values, Iterable) or not all(isinstance(each, str) for each in listed):
        raise ValidationError(f"{what} must be a list of texts, not {values!r:.80}.")
    return list(dict.fromkeys(listed))


def only(changes: Mapping[str, Any], allowed: frozenset[str], what: str) -> dict[str, Any]:
    """`changes`, all of whose keys are `allowed`.

    Raises:
        ValidationError: Another key, or none at all.
    """
    if not isinstance(changes, Mapping):
        raise ValidationError(f"The changes of {what} must be a mapping of names to values, not {changes!r:.80}.")
    unknown = sorted(repr(key) for key in changes if key not in allowed)
    if unknown or not changes:
        found = f"{', '.join(unknown)} cannot be changed" if unknown else "nothing was given to change"
        raise ValidationError(f"Of {what}, {found}; what can be: {', '.join(sorted(allowed))}.")
    return dict(changes)


def page(offset: int, limit: int | None) -> slice:
    """The part of a listing from `offset`, at most `limit` long.

    Raises:
        ValidationError: No whole number, or one below zero.
    """
    try:
        first, length = index(offset), None if limit is None else index(limit)
    except TypeError as error:
        raise ValidationError(
            f"offset and limit must be whole numbers; they are {offset!r:.80} and {limit!r:.80}."
        ) from error
    if first < 0 or (length is not None and length < 0):
        raise ValidationError(f"offset and limit must not be negative; they are {first} and {length}.")
    return slice(first, None if length is None else first + length)
