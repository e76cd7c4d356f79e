"""Checks that several kinds of rows share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from datamint_like.backends.local.database import Read
from datamint_like.backends.local.schema import resources
from datamint_like.exceptions import ValidationError


def only(changes: Mapping[str, Any], allowed: frozenset[str], what: str) -> dict[str, Any]:
    """`changes`, all of whose keys are `allowed`.

    Raises:
        ValidationError: Another key, or none at all.
    """
    unknown = sorted(set(changes) - allowed)
    if unknown or not changes:
        found = f"{', '.join(map(repr, unknown))} cannot be changed" if unknown else "nothing was given to change"
        raise ValidationError(f"Of {what}, {found}; what can be: {', '.join(sorted(allowed))}.")
    return dict(changes)


def name(value: Any, what: str) -> str:
    """`value`, a text that is not empty.

    Raises:
        ValidationError: It is no text, or only blanks.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValidationError(f"{what} must be a text that is not empty, not {value!r:.80}.")
    return value


def one_of(value: Any, allowed: Sequence[str] | frozenset[str], what: str) -> str:
    """`value`, one of `allowed`.

    Raises:
        ValidationError: It is another.
    """
    if value not in allowed:
        raise ValidationError(f"{what} must be one of {', '.join(sorted(allowed))}; {value!r:.80} is not.")
    return str(value)


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


def page(offset: int, limit: int | None) -> slice:
    """The part of a listing from `offset`, at most `limit` long.

    Raises:
        ValidationError: A number below zero.
    """
    if offset < 0 or (limit is not None and limit < 0):
        raise ValidationError(f"offset and limit must not be negative; they are {offset} and {limit}.")
    return slice(offset, None if limit is None else offset + limit)


def need_resources(read: Read, ids: Sequence[str]) -> None:
    """Raise ItemNotFoundError unless the store holds all these resources."""
    known = read.found(resources.c.id, ids)
    for resource_id in ids:
        if resource_id not in known:
            raise read.missing("Resource", resource_id)


def need_live_resources(read: Read, ids: Sequence[str]) -> None:
    """Raise unless the store holds all these resources and none is deleted.

    Raises:
        ItemNotFoundError: One is unknown.
        ValidationError: One is deleted.
    """
    need_resources(read, ids)
    gone = read.found(resources.c.id, ids, resources.c.deleted.is_(True))
    for resource_id in ids:
        if resource_id in gone:
            raise ValidationError(f"Resource {resource_id} is deleted. Restore it first.")
