"""What all groups of calls share: the store behind them, and the forms in which arguments may be given."""

from __future__ import annotations

import operator
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Protocol, TypeAlias, TypeVar

from datamint_like.backends.base import Backend
from datamint_like.backends.finding import find_project
from datamint_like.entities import Annotation, AnnotationWorklist, Project, Resource, User
from datamint_like.exceptions import ValidationError

ProjectRef: TypeAlias = Project | str
ResourceRef: TypeAlias = Resource | str
AnnotationRef: TypeAlias = Annotation | str
WorklistRef: TypeAlias = AnnotationWorklist | str
T = TypeVar("T")
Entity = TypeVar("Entity", Project, Resource, Annotation, AnnotationWorklist, User)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Handle(Protocol):
    """What a group of calls needs of the handle that it belongs to."""

    @property
    def backend(self) -> Backend:
        """The store, opened when it is first used."""


class Endpoint:
    """One group of calls on the store of an `Api`."""

    def __init__(self, api: Handle) -> None:
        self._api = api

    @property
    def _backend(self) -> Backend:
        return self._api.backend

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._api!r})"


def id_of(entity: Entity | str, kind: type[Entity]) -> str:
    """The id of an entity that is given as itself or as its id.

    Raises:
        ValidationError: It is neither.
    """
    if isinstance(entity, kind):
        return entity.id
    if isinstance(entity, str) and entity.strip():
        return entity
    raise ValidationError(f"Expected a {kind.__name__} or its id, not {_describe(entity)}.")


def ids_of(entities: Entity | str | Iterable[Entity | str], kind: type[Entity]) -> list[str]:
    """The ids of one entity or of many, in order and without repeats; a single string is one id.

    Raises:
        ValidationError: Something in it is neither an entity of this kind nor an id.
    """
    return list(dict.fromkeys(each_id_of(entities, kind)))


def each_id_of(entities: Entity | str | Iterable[Entity | str], kind: type[Entity]) -> list[str]:
    """The id of each entity given, in order and with repeats.

    Raises:
        ValidationError: Something in it is neither an entity of this kind nor an id.
    """
    if isinstance(entities, str | kind):
        return [id_of(entities, kind)]
    if not isinstance(entities, Iterable):
        raise ValidationError(f"Expected {kind.__name__}s or their ids, not {_describe(entities)}.")
    return [id_of(entity, kind) for entity in entities]


def looks_like_id(text: str) -> bool:
    """Whether the text has the form of an id (a UUID), so that it is tried as one before it is a name."""
    return _UUID.fullmatch(text) is not None


def project_of(backend: Backend, project: ProjectRef) -> Project:
    """The project that is given as itself, as its name or as its id; an archived one, too.

    Raises:
        ItemNotFoundError: The store holds none; the message names the project and the store.
        ValidationError: It is neither a project nor a text.
    """
    return project if isinstance(project, Project) else find_project(backend, id_of(project, Project))


def open_project(backend: Backend, project: ProjectRef) -> Project:
    """The project as it is now, for new resources to join.

    Raises:
        ItemNotFoundError: The store holds none.
        ValidationError: It is archived.
    """
    found = backend.get_project(project_of(backend, project).id)
    if found.archived:
        raise ValidationError(
            f"The project {found.name!r} is archived. Bring it back with Api().projects.restore({found.name!r}), "
            "or choose another project."
        )
    return found


def first(items: Sequence[T], limit: int | None) -> list[T]:
    """The first `limit` items; all without a limit.

    Raises:
        ValidationError: The limit is no whole number from 0.
    """
    return list(items[: limit_of(limit)])


def limit_of(limit: int | None) -> int | None:
    """The limit of a listing, checked.

    Raises:
        ValidationError: It is no whole number from 0.
    """
    if limit is None:
        return None
    if not hasattr(limit, "__index__") or isinstance(limit, bool) or limit < 0:
        raise ValidationError(f"limit is how many to list, a whole number from 0 (None lists all), not {limit!r:.80}.")
    return min(operator.index(limit), sys.maxsize)


def several(values: Any, what: str, such_as: str) -> list[Any]:
    """The values of an argument that takes several; none where it is None.

    Raises:
        ValidationError: It is one text, a mapping, or nothing to go through.
    """
    if values is None:
        return []
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise ValidationError(f"{what} is a list, such as {such_as}, not {values!r:.80}.")
    return list(values)


def fields_of(given: Any, what: str) -> dict[str, Any]:
    """The fields of an argument that is a dict.

    Raises:
        ValidationError: It is none.
    """
    if not isinstance(given, Mapping):
        raise ValidationError(f"{what} is a dict of fields, such as {{'name': ...}}, not {given!r:.80}.")
    return {str(key): value for key, value in given.items()}


def one_spelling(**given: T | None) -> T | None:
    """The value of an argument that has several published names; None where it is given under none.

    Raises:
        ValidationError: It is given under two names with different values.
    """
    found = {name: value for name, value in given.items() if value is not None}
    names, values = list(found), list(found.values())
    for name, value in found.items():
        if value != values[0]:
            raise ValidationError(
                f"{names[0]}={values[0]!r:.80} and {name}={value!r:.80} are two names of one argument. Give one."
            )
    return values[0] if values else None


def iso(moment: date | str | None) -> str | None:
    """A date or time as ISO 8601 text; text stays as it is."""
    return moment.isoformat() if isinstance(moment, date) else moment


def _describe(value: object) -> str:
    """A value in an error message: its type, and short text only."""
    if isinstance(value, str):
        return "an empty text"
    return f"a {type(value).__name__}" + (f" ({value!r})" if isinstance(value, int | float) else "")
