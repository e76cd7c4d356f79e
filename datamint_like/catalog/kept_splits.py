"""The splits of projects that were read of a server, or saved to one, kept beside the snapshots for work without it.

    <cache>/catalog/<store>/<project id>/splits-<digest>.json     assignments, by the digest of the file
    <cache>/catalog/<store>/<project id>/split-at-<digest>.json   which of these an instant has that was read
    <cache>/catalog/<store>/<project id>/split-last.json          the same of the newest instant that was read as now

Promise: what comes out for an instant is what the server said of it; assignments are never changed, only ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from datamint_like._cache.collecting import wrote
from datamint_like._cache.folder import CacheFolder, open_as_its_folder, unwritable
from datamint_like._files import reason_of, write_bytes
from datamint_like.catalog.sync import store_folder_in
from datamint_like.exceptions import CacheError


@dataclass(frozen=True)
class KeptSplits:
    """The assignments of a project at one instant.

    Attributes:
        instant: ISO 8601, of the store's clock.
        revision: Of the snapshot that they were read for.
        parts: Name to the ids of resources.
    """

    instant: str
    revision: str
    parts: dict[str, list[str]]

    @classmethod
    def of(cls, assigned: Mapping[str, str], instant: str, revision: str) -> KeptSplits:
        """The assignments given as resource id to name."""
        parts: dict[str, list[str]] = {}
        for resource_id, name in sorted(assigned.items()):
            parts.setdefault(name, []).append(resource_id)
        return cls(instant, revision, parts)

    @property
    def digest(self) -> str:
        """Equal where the assignments are, whatever the instant."""
        return _digest(msgspec.json.encode(self.parts))

    @property
    def assigned(self) -> dict[str, str]:
        """Resource id to the name of its part."""
        return {resource_id: name for name, ids in self.parts.items() for resource_id in ids}


class _Pointer(msgspec.Struct, frozen=True):
    """An instant that was read, for a revision, and the digest of what was assigned then."""

    instant: str
    revision: str
    parts: str


_decode_parts = msgspec.json.Decoder(dict[str, list[str]]).decode
_decode_pointer = msgspec.json.Decoder(_Pointer).decode
_LAST = "split-last.json"
_AT, _PARTS = "split-at-", "splits-"


class SplitShelf:
    """What is kept of one project's splits.

    Example:
        >>> from datamint_like._cache import CacheFolder
        >>> shelf = SplitShelf(CacheFolder(Path("cache")), "https://lab.example", "p1")
        >>> shelf.keep(KeptSplits.of({"r1": "train"}, "2026-02-01T09:00:00Z", "7"), latest=True)
        >>> shelf.at("2026-02-01T10:00:00+01:00").assigned
        {'r1': 'train'}
    """

    def __init__(self, cache: CacheFolder, store_url: str, project_id: str) -> None:
        """What is kept of a project of a store."""
        self._cache = cache
        self._folder = store_folder_in(cache.path, store_url) / project_id

    def keep(self, splits: KeptSplits, *, latest: bool) -> None:
        """Keep these for their instant; `latest` also as the newest, which no look back at an older instant is.

        Raises:
            CacheError: The cache cannot be written; nothing is kept.
        """
        parts = msgspec.json.encode(splits.parts)
        digest = _digest(parts)
        pointer = msgspec.json.encode(_Pointer(splits.instant, splits.revision, digest))
        try:
            self._cache.make(self._folder)
            path = self._folder / f"{_PARTS}{digest}.json"
            if not path.exists() or fault_of(path) is not None:  # equal assignments are kept once
                self._write(path.name, parts)
            self._write(_at(splits.instant), pointer)
            if latest:
                self._write(_LAST, pointer)
        except OSError as error:
            raise CacheError(unwritable(self._cache.path, error)) from error

    def last(self) -> KeptSplits | None:
        """The newest that were read.

        Raises:
            CacheError: They are damaged.
        """
        return self._read(_LAST)

    def at(self, instant: str) -> KeptSplits | None:
        """Those of an instant, if it was read on this machine.

        Raises:
            CacheError: They are damaged.
        """
        return self._read(_at(instant))

    def instants(self) -> list[str]:
        """The instants of all that are kept and sound, oldest first."""
        found = []
        for path in self._folder.glob(f"{_AT}*.json"):
            with suppress(CacheError):
                found.append(self._read(path.name))
        return sorted((each.instant for each in found if each is not None), key=moment)

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        write_bytes(path, data)
        open_as_its_folder(path)
        wrote(self._cache, path)

    def _read(self, name: str) -> KeptSplits | None:
        """What a pointer names; None where it is not there."""
        path = self._folder / name
        try:
            return _named_by(path)
        except _Damage as damage:
            if not path.exists():
                return None
            raise CacheError(
                f"The splits that are kept in {self._folder} are damaged: {damage} Call split() or prefetch() "
                "while the server may be asked, which reads them again, those of an instant with as_of_timestamp=."
            ) from damage
        except OSError as error:
            raise CacheError(
                f"The splits that are kept in {self._folder} cannot be read: {reason_of(error)}. See to it that you "
                "may read that folder."
            ) from error


class _Damage(Exception):  # noqa: N818 -- never leaves this module
    """A kept file is not as it was written; the sentence says which."""


def is_kept_splits(path: Path) -> bool:
    """Whether a file of a cache is one of these, by its name."""
    return path.name == _LAST or (path.name.startswith((_AT, _PARTS)) and path.suffix == ".json")


def fault_of(path: Path) -> str | None:
    """What is wrong with a kept file, as a sentence; None where it is sound.

    Raises:
        FileNotFoundError: It is gone.
    """
    try:
        if path.name.startswith(_PARTS):
            _parts_in(path)
        else:
            _named_by(path)
    except _Damage as damage:
        path.stat()
        return str(damage)
    return None


def _named_by(path: Path) -> KeptSplits:
    """What a pointer names.

    Raises:
        _Damage: It, or what it names, is not as it was written, or not there.
        OSError: It may not be read.
    """
    try:
        pointer = _decode_pointer(path.read_bytes())
        at = path.with_name(_at(pointer.instant))
        # the name of the newest holds no digest, so it is held to the pointer of its instant
        whole = path == at if path.name != _LAST else _decode_pointer(at.read_bytes()).parts == pointer.parts
    except (FileNotFoundError, ValueError, msgspec.MsgspecError) as error:
        raise _Damage(f"{path.name} cannot be read ({reason_of(error)}).") from error
    if not whole:
        raise _Damage(f"{path.name} is not as it was written.")
    return KeptSplits(pointer.instant, pointer.revision, _parts_in(path.with_name(f"{_PARTS}{pointer.parts}.json")))


def _parts_in(path: Path) -> dict[str, list[str]]:
    """The assignments in a file that is named by its digest.

    Raises:
        _Damage: It is not as it was written, or not there.
    """
    try:
        data = path.read_bytes()
        if path.name == f"{_PARTS}{_digest(data)}.json":
            return _decode_parts(data)
    except (FileNotFoundError, ValueError, msgspec.MsgspecError) as error:
        raise _Damage(f"{path.name} cannot be read ({reason_of(error)}).") from error
    raise _Damage(f"{path.name} is not as it was written.")


def moment(stamp: str) -> datetime:
    """The time of an ISO 8601 stamp; UTC where it names no zone.

    Raises:
        ValueError: It is none.

    Example:
        >>> moment("2026-02-01T09:00:00") == moment("2026-02-01T10:00:00+01:00")
        True
    """
    found = datetime.fromisoformat(stamp.strip())
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _at(instant: str) -> str:
    """The name of the pointer of an instant."""
    return f"{_AT}{_digest(moment(instant).astimezone(UTC).isoformat().encode())}.json"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
