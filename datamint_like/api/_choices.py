"""Arguments that take one of a few texts, and e-mail addresses: checked here, so that no typing error finds nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from datamint_like.entities import ANNOTATION_TYPES, WORK_STATUSES
from datamint_like.exceptions import ValidationError

RESOURCE_STATUSES = ("inbox", "published", "deleted")
ANNOTATION_STATUSES = ("new", "published")
SOURCES = ("imported", "manual", "model_pipeline", "model_deploy")


def resource_status(given: str | None) -> str | None:
    """The status of resources to look for; None for any, which the wire writes as an empty text."""
    return one_of(given or None, RESOURCE_STATUSES, "status")


def annotation_status(given: str | None) -> str | None:
    """The status of annotations to look for; None for any."""
    return one_of(given, ANNOTATION_STATUSES, "status")


def annotation_type(given: str | None) -> str | None:
    """The type of annotations to look for; None for any."""
    return one_of(given, sorted(ANNOTATION_TYPES), "annotation_type")


def work_status(given: str | None) -> str | None:
    """The status of work to look for; None for any."""
    return one_of(given, WORK_STATUSES, "status")


def source_of(given: str | None) -> str | None:
    """How an annotation came to be; None where it is not said."""
    return one_of(given, SOURCES, "source")


def one_of(given: str | None, allowed: Iterable[str], what: str) -> str | None:
    """The value, one of those allowed, or None.

    Raises:
        ValidationError: It is another; the message has the nearest and all that are allowed.
    """
    if given is None:
        return None
    values = list(allowed)
    found = next((value for value in values if isinstance(given, str) and value == given), None)
    if found is None:
        near = difflib.get_close_matches(given, values, n=1) if isinstance(given, str) else []
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValidationError(f"{what} is one of {', '.join(values)}, not {given!r:.80}.{hint}")
    return found


def email_of(given: str, who: str) -> str:
    """The e-mail address that names a person.

    Raises:
        ValidationError: It is none. The message leaves out what was given, which may be somebody's name.
    """
    if isinstance(given, str) and "@" in given.strip("@ ") and not any(each.isspace() for each in given):
        return given
    raise ValidationError(f"{who} is named by an e-mail address, such as ana@lab.example. What was given is none.")
