"""Checks that several kinds of rows share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from operator import index
from typing import Any

from datamint_like.backends.local.database import Read
from datamint_like.backends.local.schema import projects, resources
from datamint_like.exceptions import ValidationError


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


def name(value: Any, what: str) -> str:
    """`value`, a text that is not empty.

    Raises:
        ValidationError: It is no text, or only blanks.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValidationError(f"{what} must be a text that is not empty, not {value!r:.80}.")
    return value


def given_texts(**values: Any) -> dict[str, str]:
    """Those of these values that are given, by name.

    Raises:
        ValidationError: One is neither a text nor None.
    """
    for what, value in values.items():
        if value is not None and not isinstance(value, str):
            raise ValidationError(f"{what} must be a text, not {value!r:.80}.")
    return {what: value for what, value in values.items() if value}


def one_of(value: Any, allowed: Sequence[str] | frozenset[str], what: str) -> str:
    """`value`, one of `allowed`.

    Raises:
        ValidationError: It is another.
    """
    if not isinstance(value, str) or value not in allowed:
        raise ValidationError(f"{what} must be one of {', '.join(sorted(allowed))}; {value!r:.80} is not.")
    return value


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


def need_project(read: Read, project_id: str) -> None:
    """Raise ItemNotFoundError unless the store holds this project."""
    if not read.found(projects.c.id, [project_id]):
        raise read.missing("Project", project_id)


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
