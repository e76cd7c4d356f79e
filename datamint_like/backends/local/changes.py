"""Checks that several kinds of rows share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datamint_like.backends.local.database import Read
from datamint_like.backends.local.schema import projects, resources
from datamint_like.backends.values import json_ready as json_ready
from datamint_like.backends.values import only as only
from datamint_like.backends.values import page as page
from datamint_like.exceptions import ValidationError


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
