"""A person's handle on one cache folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from datamint_like._cache.collecting import GRACE_S, Collected, clear, collect
from datamint_like._cache.entries import Entry, entries
from datamint_like._cache.folder import CacheFolder
from datamint_like._sizes import parse_size
from datamint_like.cache.usage import Usage, usage_of
from datamint_like.cache.verifying import Verified, verify
from datamint_like.config import load_settings
from datamint_like.exceptions import CacheError, ValidationError

_HOUR_S = 3600.0


class Cache:
    """The cache folder of datasets: snapshots of projects, packs of slices, files of servers.

    Nothing outside the folders that carry the cache's own tag is read or touched.

    Attributes:
        folder: Where it is.
        limit: Bytes that it should hold at most, as configured; None is no limit.

    Example:
        >>> from datamint_like.cache import Cache
        >>> volumes[0]["image"].shape
        torch.Size([1, 32, 128, 128])
        >>> used = Cache().usage()
        >>> used.kinds["snapshot"].entries, used.projects[0].project
        (1, 'head-ct')
    """

    def __init__(self, cache_dir: str | Path | None = None) -> None:
        """Use the cache in a folder; None is the configured one.

        Raises:
            CacheError: The folder holds other things and no cache, or is not there.
            ValidationError: It has no name.
        """
        settings = load_settings()
        self.folder = settings.cache_dir if cache_dir is None else _folder(cache_dir)
        self.limit = settings.cache_limit
        if not self.folder.is_dir():
            if cache_dir is not None or self.folder.exists():
                raise CacheError(f"There is no cache folder {self.folder}.")
        elif any(self.folder.iterdir()) and not CacheFolder(self.folder).own:
            raise CacheError(
                f"{self.folder} is no cache of datamint-like: none of its folders carries the tag of one. Nothing was "
                "touched. Name the folder that was given as cache_dir= or DATAMINT_LIKE_CACHE."
            )

    def usage(self) -> Usage:
        """What the cache holds, by kind and by project.

        Example:
            >>> from datamint_like.cache import Cache
            >>> Cache().usage().kinds["pack"]
            Amount(entries=0, size=0)
        """
        return usage_of(self.folder)

    def verify(
        self, *, remove: bool = False, progress: Callable[[Iterable[Entry]], Iterable[Entry]] | None = None
    ) -> Verified:
        """What of the cache is damaged: files and splits against their digests, packs against their CRCs, snapshots.

        The pixels of packs without compression carry no CRC; their length and facts are checked.

        Args:
            remove: Remove what is damaged; it is fetched or made again when it is needed.
            progress: What the entries are passed through, such as `tqdm`.

        Example:
            >>> from datamint_like.cache import Cache
            >>> Cache().verify().damaged
            ()
        """
        found: Iterable[Entry] = entries(self.folder)
        return verify(self.folder, found if progress is None else progress(found), remove=remove)

    def gc(
        self, *, limit: int | str | None = None, grace_hours: float = GRACE_S / _HOUR_S, dry_run: bool = False
    ) -> Collected:
        """What went: superseded snapshots, rests of killed processes, and what was used longest ago above the limit.

        What is leased or pinned by a process, and the newest snapshot of each project, stays.

        Args:
            limit: Bytes that the cache may hold, or text such as `"200GB"`; None is the configured limit, if any.
            grace_hours: What was used within so many hours stays.
            dry_run: Only tell.

        Raises:
            ValidationError: `limit` is no size, or `grace_hours` below 0.
            CacheError: The cache cannot be read.

        Example:
            >>> from datamint_like.cache import Cache
            >>> Cache().gc(limit="10GB").removed
            0
        """
        if not grace_hours >= 0:
            raise ValidationError(f"grace_hours is a number of hours from 0, not {grace_hours!r}.")
        size = self.limit if limit is None else parse_size(limit)
        try:
            return collect(self.folder, limit=size, grace_s=grace_hours * _HOUR_S, really=not dry_run)
        except OSError as error:  # without knowing the newest snapshots nothing may go
            raise CacheError(
                f"The cache {self.folder} cannot be read: {error.strerror}. Nothing was removed."
            ) from error

    def clear(self) -> Collected:
        """What went: everything but what running processes hold.

        Example:
            >>> from datamint_like.cache import Cache
            >>> Cache().clear().held
            0
        """
        return clear(self.folder)


def _folder(cache_dir: object) -> Path:
    """The folder as an absolute path; an empty name would be that of the folder one happens to be in."""
    if isinstance(cache_dir, (str, Path)) and str(cache_dir).strip():
        with suppress(RuntimeError):  # it names the home of a user that there is not
            return Path(cache_dir).expanduser().absolute()
    raise ValidationError(f"The cache folder is a path, or None for the configured one, not {cache_dir!r:.80}.")
