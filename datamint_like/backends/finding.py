"""Which project a person means by a text, in one rule for every call that takes one."""

from __future__ import annotations

import difflib

from datamint_like.backends._urls import without_user_info
from datamint_like.backends.base import Backend
from datamint_like.entities import Project
from datamint_like.exceptions import ItemNotFoundError, ValidationError

_NAMED = 5  # projects spelled out in one message


def find_project(backend: Backend, name_or_id: str) -> Project:
    """The project with exactly this name, or else with this id, archived or not.

    Raises:
        ItemNotFoundError: The store holds none; the message names what was asked for, the store and what it holds.
        ValidationError: It is no text, or an empty one.
    """
    if not isinstance(name_or_id, str) or not name_or_id.strip():
        raise ValidationError(f"A project is given by its name or its id, not by {name_or_id!r:.80}.")
    found = backend.find_project(name_or_id)
    if found is not None:
        return found
    try:
        return backend.get_project(name_or_id)
    except ItemNotFoundError as error:
        raise ItemNotFoundError(unknown_project(backend, name_or_id)) from error


def unknown_project(backend: Backend, name_or_id: str) -> str:
    """The sentence for a project that the store does not hold: which, where, the nearest name, what there is."""
    names = [project.name for project in backend.list_projects()]
    near = difflib.get_close_matches(name_or_id, names, n=1)
    some = ", ".join(repr(each) for each in names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    holds = f"It holds {some}." if names else "It holds no project yet."
    hint = f"Did you mean {near[0]!r}? {holds}" if near else holds
    store = without_user_info(backend.url)
    return (
        f"Project {name_or_id!r} was not found in the store {store}. {hint} "
        "Check the name, or the store (server_url, DATAMINT_LIKE_HOME)."
    )
