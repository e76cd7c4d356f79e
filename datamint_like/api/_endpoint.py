"""What all groups of calls share: the store behind them, and entities that may be given as ids."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from datamint_like.backends.base import Backend
from datamint_like.entities import Annotation, AnnotationWorklist, Project, Resource, User
from datamint_like.exceptions import ItemNotFoundError, ValidationError

if TYPE_CHECKING:
    from datamint_like.api.client import Api

ProjectRef: TypeAlias = Project | str
ResourceRef: TypeAlias = Resource | str
AnnotationRef: TypeAlias = Annotation | str
WorklistRef: TypeAlias = AnnotationWorklist | str
Entity = TypeVar("Entity", Project, Resource, Annotation, AnnotationWorklist, User)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Endpoint:
    """One group of calls on the store of an `Api`."""

    def __init__(self, api: Api) -> None:
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
    if isinstance(entities, str | kind):
        return [id_of(entities, kind)]
    if not isinstance(entities, Iterable):
        raise ValidationError(f"Expected {kind.__name__}s or their ids, not {_describe(entities)}.")
    return list(dict.fromkeys(id_of(entity, kind) for entity in entities))


def looks_like_id(text: str) -> bool:
    """Whether the text has the form of an id (a UUID), so that it is tried as one before it is a name."""
    return _UUID.fullmatch(text) is not None


def find_project(backend: Backend, project: ProjectRef) -> Project:
    """The project that is given as itself, as its id or as its name.

    Raises:
        ItemNotFoundError: The store holds none; the message names the project and the store.
    """
    if isinstance(project, Project):
        return project
    text = id_of(project, Project)
    if looks_like_id(text):
        try:
            return backend.get_project(text)
        except ItemNotFoundError:
            pass  # a name may look like an id, too
    found = backend.find_project(text)
    if found is None:
        raise ItemNotFoundError(unknown_project(backend, text))
    return found


def unknown_project(backend: Backend, name: str) -> str:
    """The sentence for a project that the store does not hold: which, where, and the nearest name."""
    from datamint_like.api.client import without_user_info

    names = [project.name for project in backend.list_projects()]
    near = difflib.get_close_matches(name, names, n=1)
    some = ", ".join(repr(each) for each in names[:5]) + (", ..." if len(names) > 5 else "")
    hint = f"Did you mean {near[0]!r}?" if near else f"It holds {some}." if names else "It holds no project yet."
    return f"Project {name!r} was not found in the store {without_user_info(backend.url)}. {hint}"


def _describe(value: object) -> str:
    """A value in an error message: its type, and short text only."""
    if isinstance(value, str):
        return "an empty text"
    return f"a {type(value).__name__}" + (f" ({value!r})" if isinstance(value, int | float) else "")
