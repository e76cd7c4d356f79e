"""Which groups of files a project holds already, and which of them one import brings twice: told by their bytes."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from datamint_like._files import sha256_of
from datamint_like.backends.base import Backend

#: The digests of a group's files, sorted: two groups of the same digests hold the same bytes.
Digests: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """What is known of the bytes of a group of files.

    Attributes:
        earlier: For each of its files the one with the same bytes in a group that was looked up before.
        resource_ids: The resources of the project that hold these bytes.
    """

    earlier: tuple[Path, ...] = ()
    resource_ids: tuple[str, ...] = ()


@dataclass
class _OfOneSize:
    """What is known of groups whose files have the same lengths."""

    held: dict[Digests, list[str]] = field(default_factory=dict)
    seen: dict[Digests, dict[str, Path]] = field(default_factory=dict)
    not_hashed: list[tuple[Path, ...]] = field(default_factory=list)

    def note(self, paths: tuple[Path, ...], digests: Digests) -> None:
        """Remember a group that is looked up; the first of several stays."""
        self.seen.setdefault(tuple(sorted(digests)), dict(zip(digests, paths, strict=True)))


class KnownFiles:
    """What a project holds and what was looked up, by digests; files are hashed only where lengths agree."""

    def __init__(self, backend: Backend, project_id: str) -> None:
        self._by_size: dict[tuple[int, ...], _OfOneSize] = defaultdict(_OfOneSize)
        ids = [resource.id for resource in backend.list_project_resources(project_id)]
        for resource_id, parts in backend.list_parts(ids).items():
            sizes = tuple(sorted(part.size for part in parts))
            digests = tuple(sorted(part.sha256 for part in parts))
            self._by_size[sizes].held.setdefault(digests, []).append(resource_id)

    def look_up(self, paths: tuple[Path, ...]) -> Known:
        """Who has these bytes; from now on this group, too. A file that is gone is for the upload to tell."""
        try:
            same = self._by_size[tuple(sorted(path.stat().st_size for path in paths))]
            if not same.held and not same.seen and not same.not_hashed:
                same.not_hashed.append(paths)
                return Known()
            own = digests_of(paths)
        except OSError:
            return Known()
        while same.not_hashed:
            waiting = same.not_hashed.pop()
            with suppress(OSError):
                same.note(waiting, digests_of(waiting))
        key = tuple(sorted(own))
        earlier = same.seen.get(key, {})
        same.note(paths, own)
        return Known(tuple(earlier[digest] for digest in own) if earlier else (), tuple(same.held.get(key, ())))


def digests_of(paths: tuple[Path, ...]) -> Digests:
    """The SHA-256 of each file."""
    return tuple(sha256_of(path) for path in paths)
