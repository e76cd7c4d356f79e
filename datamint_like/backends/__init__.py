"""Where projects live. `open_backend` gives a store by its URL, `open_blobs` only its bytes.

`store_url` writes that URL in one way, so that equal texts name equal stores.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from datamint_like._cache.folder import CacheFolder
from datamint_like.backends._urls import is_server, store_folder, store_url

if TYPE_CHECKING:
    from datamint_like.backends.base import Backend, Blobs

__all__ = ["open_backend", "open_blobs", "remember_key", "store_url"]


def open_backend(url: str, *, api_key: str | None = None, cache_dir: CacheFolder | Path | None = None) -> Backend:
    """The store at `url`: a `file://` URL or a plain path is the embedded store, made when it is new.

    Args:
        url: `"file:///data/store"`, a folder, or the address of a server.
        api_key: Key of the server; None is that of the settings. The embedded store needs none.
        cache_dir: Where the files of a server are kept; None is the configured folder.

    Raises:
        ValidationError: `url` is no URL of a store, or the folder holds other things.
        StorageError: The store cannot be read or made, or a newer version wrote it.
        AuthenticationError: The server does not accept the key, or there is none.
        NetworkError: The server does not answer.

    Example:
        >>> store = open_backend("my-store")
        >>> store.list_projects()
        []
        >>> store.close()
    """
    url = store_url(url)
    if is_server(url):
        from datamint_like.backends.remote.connecting import connect

        return connect(url, api_key=api_key, cache_dir=cache_dir)
    from datamint_like.backends.local.backend import LocalBackend

    return LocalBackend(url)


def remember_key(url: str, api_key: str) -> None:
    """Let this process, and those forked from it, know the key of a server; other stores need none.

    Raises:
        ValidationError: The key is no text that a header can carry.

    Example:
        >>> remember_key("https://lab.example", "dml_shown_once")
    """
    if is_server(url):
        from datamint_like.backends.remote.keys import given

        given(store_url(url), api_key)


def open_blobs(url: str, *, cache_dir: CacheFolder | Path | None = None, may_ask: bool = True) -> Blobs:
    """The bytes of the store at `url`, without its database: light enough for every DataLoader worker.

    Args:
        url: As for `open_backend`.
        cache_dir: Where the files of a server are kept; None is the configured folder. What lies there is read
            without asking the server, and without a key.
        may_ask: Whether a server is asked for what does not lie there; else it is an error.

    Raises:
        ValidationError: `url` is no URL of a store.

    Example:
        >>> (part,) = api.backend.list_parts([xray.id])[xray.id]
        >>> open_blobs(api.server_url).part_path(part, xray.filename).stat().st_size == part.size
        True
    """
    if is_server(url):
        from datamint_like.backends.remote.blobs import RemoteBlobs

        return RemoteBlobs(store_url(url), cache_dir, may_ask=may_ask)
    from datamint_like.backends.local.files import FileStore

    return FileStore(store_folder(url))
