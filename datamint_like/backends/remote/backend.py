"""A server of ours as a `Backend`: one call, one request, but for files and pages."""

from __future__ import annotations

from pathlib import Path

from datamint_like._cache.folder import CacheFolder
from datamint_like.backends.remote.annotations import Annotations
from datamint_like.backends.remote.answers import Calls
from datamint_like.backends.remote.blobs import RemoteBlobs
from datamint_like.backends.remote.projects import Projects, Splits
from datamint_like.backends.remote.resources import Resources
from datamint_like.backends.remote.retries import RetryPolicy
from datamint_like.backends.remote.serving import PAGE_SIZE, capabilities
from datamint_like.backends.remote.transport import Transport
from datamint_like.backends.remote.users import Users


class HttpBackend(Users, Projects, Splits, Resources, Annotations):
    """The store behind a server of ours.

    Any number of threads and processes may use one; connections are the process's own, so it survives a fork. It
    pickles as its URL: the process that loads it takes the key from what it knows (`remote.keys`).

    Attributes:
        url: Of the server, as `store_url` writes it.

    Raises:
        ValidationError: The key is no text that a header can carry.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        cache_dir: CacheFolder | Path | None = None,
        policy: RetryPolicy | None = None,
    ) -> None:
        """Nothing is asked before the first call.

        Args:
            url: Of the server.
            api_key: Its key; None is that of this process, else of the settings.
            cache_dir: Where files are kept; None is the configured folder.
            policy: How requests are made again.
        """
        self.url = url
        self._transport = Transport(url, api_key, policy)
        self._calls = Calls(self._transport)
        self._blobs = RemoteBlobs(url, cache_dir, self._transport)

    def __reduce__(self) -> tuple[type[HttpBackend], tuple[str]]:
        return type(self), (self.url,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    @property
    def _page_size(self) -> int:
        served = capabilities(self._transport)
        return PAGE_SIZE if served is None else served.page_size

    @property
    def _creates_once(self) -> bool:
        return self._can("idempotency")

    @property
    def _tells_changes(self) -> bool:
        return self._can("changes")

    @property
    def _takes_many(self) -> bool:
        return self._can("bulk")

    def _can(self, feature: str) -> bool:
        served = capabilities(self._transport)
        return served is not None and feature in served.features

    def now(self) -> str:
        """An instant of the server's store: whatever it wrote is before, whatever it will write is after."""
        return self._calls.field(self._calls.get("/now"), "now", str)

    def close(self) -> None:
        """Nothing to do: connections belong to the process, which closes those that are idle."""

    def blobs(self) -> RemoteBlobs:
        """The store's bytes, by way of this machine's cache."""
        return self._blobs
