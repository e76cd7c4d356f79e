"""From the address of a server to a backend that speaks what it understands."""

from __future__ import annotations

from pathlib import Path

from datamint_like._cache.folder import CacheFolder
from datamint_like.backends.base import Backend
from datamint_like.backends.remote.serving import capabilities
from datamint_like.backends.remote.transport import Transport


def connect(url: str, *, api_key: str | None = None, cache_dir: CacheFolder | Path | None = None) -> Backend:
    """The store behind a server: all of it of our own, what Datamint's protocol can of others.

    Raises:
        AuthenticationError: The server does not accept the key, or there is none.
        NetworkError: It does not answer.
        CacheError: `DATAMINT_LIKE_OFFLINE` is set.
    """
    from datamint_like.backends.remote.backend import HttpBackend
    from datamint_like.backends.remote.protocol_only import ProtocolBackend

    served = capabilities(Transport(url, api_key))
    kind = ProtocolBackend if served is None else HttpBackend
    return kind(url, api_key, cache_dir=cache_dir)
