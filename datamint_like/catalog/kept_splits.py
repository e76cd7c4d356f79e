"""The splits of projects that were read of a server, or saved to one, kept beside the snapshots for work without it.

    <cache>/catalog/<store>/<project id>/splits.json             those that were read last
    <cache>/catalog/<store>/<project id>/splits-<digest>.json    those of an instant that somebody named

Promise: what comes out for an instant is what the server said of it; assignments are never changed, only ended.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from datamint_like._cache.collecting import wrote
from datamint_like._cache.folder import CacheFolder, open_as_its_folder
from datamint_like._files import write_bytes
from datamint_like.catalog.sync import store_folder_in

_LOG = logging.getLogger(__name__)


class KeptSplits(msgspec.Struct, frozen=True):
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
        for resource_id, name in assigned.items():
            parts.setdefault(name, []).append(resource_id)
        return cls(instant, revision, parts)

    @property
    def assigned(self) -> dict[str, str]:
        """Resource id to the name of its part."""
        return {resource_id: name for name, ids in self.parts.items() for resource_id in ids}


class SplitShelf:
    """What is kept of one project's splits.

    Example:
        >>> from datamint_like._cache import CacheFolder
        >>> shelf = SplitShelf(CacheFolder(Path("cache")), "https://lab.example", "p1")
        >>> shelf.keep(KeptSplits.of({"r1": "train"}, "2026-02-01T09:00:00Z", "7"), named=True)
        >>> shelf.at("2026-02-01T10:00:00+01:00").assigned
        {'r1': 'train'}
    """

    def __init__(self, cache: CacheFolder, store_url: str, project_id: str) -> None:
        """What is kept of a project of a store."""
        self._cache = cache
        self._folder = store_folder_in(cache.path, store_url) / project_id

    def keep(self, splits: KeptSplits, *, named: bool) -> None:
        """Keep these as the last ones that were read, and for their instant, where somebody has named it.

        In a cache that cannot be written nothing is kept.
        """
        paths = [self._folder / "splits.json"] + ([self._path(splits.instant)] if named else [])
        data = msgspec.json.encode(splits)
        try:
            self._cache.make(self._folder)
            for path in paths:
                write_bytes(path, data)
                open_as_its_folder(path)
                wrote(self._cache, path)
        except OSError as error:
            _LOG.info("The splits of a project are not kept in %s (%s).", self._cache.path, error)

    def last(self) -> KeptSplits | None:
        """Those that were read last."""
        return _read(self._folder / "splits.json")

    def at(self, instant: str) -> KeptSplits | None:
        """Those of an instant, if it was named on this machine, or is that of the last ones."""
        found, last = _read(self._path(instant)), self.last()
        if found is None and last is not None and moment(last.instant) == moment(instant):
            return last
        return found

    def instants(self) -> list[str]:
        """The instants of all that are kept, oldest first."""
        found = {each.instant for each in map(_read, self._folder.glob("splits*.json")) if each is not None}
        return sorted(found, key=moment)

    def _path(self, instant: str) -> Path:
        digest = hashlib.sha256(moment(instant).astimezone(UTC).isoformat().encode()).hexdigest()
        return self._folder / f"splits-{digest[:32]}.json"


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


def _read(path: Path) -> KeptSplits | None:
    with suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):  # it is not there, or damaged
        return msgspec.json.decode(path.read_bytes(), type=KeptSplits)
    return None
