"""What the steps of a tour share: the client, the files, and notes that outlive a process and a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Stage = Literal["before", "after"]  # the server is killed
OLD, NEW = "2.17.3", "2.45.0"
ANA, BO = "ana@lab.example", "bo@lab.example"
KEY_OF_ANA = "TOUR_KEY_OF_ANA"  # the environment variable of her key, after the kill
PICTURES, VOLUMES, VIDEOS = "Pictures", "Volumes", "Videos"


@dataclass
class Tour:
    """One client on its way.

    Attributes:
        version: Of the client.
        api: Its `Api`.
        files: The folder of the files that are uploaded.
        scratch: A folder of its own.
        notes: What steps noted down, as JSON: ids by name, and what was seen.
    """

    version: str
    api: Any
    files: Path
    scratch: Path
    notes: dict[str, Any]

    @property
    def is_old(self) -> bool:
        return self.version == OLD

    def file(self, name: str) -> str:
        return str(self.files / name)

    def id(self, name: str) -> str:
        """The id that was noted under a name."""
        found: str = self.notes["ids"][name]
        return found

    def ids(self, *names: str) -> list[str]:
        return [self.id(name) for name in names]

    def note(self, name: str, entity: Any) -> Any:
        """Note an id, given as itself or as an entity; the entity."""
        self.notes.setdefault("ids", {})[name] = entity if isinstance(entity, str) else entity.id
        return entity

    def project(self, name: str) -> Any:
        return self.api.projects.get_by_id(self.id(name))

    def resource(self, name: str) -> Any:
        return self.api.resources.get_by_id(self.id(name))

    def annotations(self, name: str, **wanted: Any) -> list[Any]:
        """The annotations of a resource."""
        return list(self.api.annotations.get_list(resource=self.id(name), **wanted))


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: Chapter and function, `projects.create`.
        stage: Before or after the server is killed.
        clients: The versions that can make it.
    """

    name: str
    make: Callable[[Tour], None]
    stage: Stage
    clients: tuple[str, ...]


STEPS: list[Step] = []


def place(tour: Tour, frame: int) -> tuple[str, int | None]:
    """Scope and frame of a mask as the client shows it: the older one makes every flat mask one of the whole image."""
    return ("image", None) if tour.is_old else ("frame", frame)


def step(
    stage: Stage = "before", clients: tuple[str, ...] = (OLD, NEW)
) -> Callable[[Callable[[Tour], None]], Callable[[Tour], None]]:
    """Make a function a step of the tour."""

    def register(make: Callable[[Tour], None]) -> Callable[[Tour], None]:
        chapter = make.__module__.rpartition(".")[2]
        STEPS.append(Step(f"{chapter}.{make.__name__}", make, stage, clients))
        return make

    return register


def agree(found: Any, expected: Any, what: str = "") -> None:
    """Raise, telling both, unless they are equal."""
    if found != expected:
        raise AssertionError(f"{what or 'value'}: expected {expected!r:.500}, found {found!r:.500}")


def raises(kind: type[BaseException] | tuple[type[BaseException], ...], call: Callable[[], Any]) -> Any:
    """The error that a call raises; it must be of a kind."""
    try:
        answer = call()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind}, got the answer {answer!r}")


def plain(entity: Any) -> dict[str, Any]:
    """An entity of the client as plain JSON."""
    found: dict[str, Any] = json.loads(json.dumps(entity.model_dump(), default=str, sort_keys=True))
    return found
