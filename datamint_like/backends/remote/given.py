"""Arguments as plain values of the wire, refused here where the wire would make them mean something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from datamint_like.backends.base import NewAnnotation, NewResource
from datamint_like.backends.values import json_ready
from datamint_like.exceptions import ValidationError


def plain(value: Any) -> dict[str, Any]:
    """The fields of a record or of an argument of `backends.base`, each of its type; bytes stay bytes.

    Raises:
        ValidationError: A field is of another type; the message names it.
    """
    name = type(value).__name__
    try:
        fields: dict[str, Any] = msgspec.to_builtins(value, builtin_types=(bytes,))
        msgspec.convert(fields, type(value))
    except msgspec.ValidationError as error:
        raise ValidationError(f"This is no {name}: {error}.") from error
    except (TypeError, RecursionError) as error:
        raise ValidationError(f"The fields of a {name} must be JSON-ready: {error}.") from error
    return fields


def annotation_list(new: Sequence[NewAnnotation]) -> list[dict[str, Any]]:
    """The fields of annotations.

    Raises:
        ValidationError: These are none, or a field is of another type.
    """
    if not isinstance(new, Sequence) or not all(isinstance(each, NewAnnotation) for each in new):
        raise ValidationError("Annotations are given as a list of NewAnnotation.")
    return [annotation(each) for each in new]


def annotation(new: NewAnnotation) -> dict[str, Any]:
    """The fields of one annotation.

    Raises:
        ValidationError: It is none, or a field is of another type.
    """
    if not isinstance(new, NewAnnotation):
        raise ValidationError(f"An annotation is given as a NewAnnotation, not as {type(new).__name__}.")
    fields = plain(new)
    return {**fields, "geometry": json_ready(fields["geometry"], f"The geometry of annotation {new.identifier!r:.80}")}


def resource(new: NewResource) -> dict[str, Any]:
    """The fields of a resource but its files and facts, which the server finds in them.

    Raises:
        ValidationError: A field is of another type or the name empty, or files are to be linked.
    """
    if new.link:
        raise ValidationError(
            f"{new.filename!r:.200} cannot be linked: a server has no access to files of this machine. Use link=False."
        )
    metadata = json_ready(dict(new.metadata) if isinstance(new.metadata, Mapping) else new.metadata, "metadata")
    said = annotation_list(new.annotations)
    fields = plain(replace(new, paths=(), parts=(), facts=None, metadata=metadata, annotations=()))
    if not new.filename.strip():  # the server would find a name
        raise ValidationError("The filename of a resource must not be empty.")
    left = {key: value for key, value in fields.items() if key not in ("paths", "parts", "facts", "link")}
    name = new.filename.encode("utf-8", "replace").decode()  # as the embedded store calls it
    return {**left, "filename": name, "annotations": said}


def text(value: Any, what: str) -> str:
    """A text.

    Raises:
        ValidationError: It is none.
    """
    if not isinstance(value, str):
        raise ValidationError(f"{what} must be a text, not {value!r:.80}.")
    return value


def changes(values: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Changes as plain values, records among them as their fields.

    Raises:
        ValidationError: They are no mapping, or hold what JSON cannot.
    """
    if not isinstance(values, Mapping):
        raise ValidationError(f"The changes of {what} must be a mapping of names to values, not {values!r:.80}.")
    try:
        fields: dict[str, Any] = msgspec.to_builtins(dict(values))
    except (TypeError, RecursionError) as error:
        raise ValidationError(f"The changes of {what} must be JSON-ready: {error}.") from error
    return fields
