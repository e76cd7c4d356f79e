"""Where projects live. `open_backend` gives a store by its URL, `open_blobs` only its bytes.

`store_url` writes that URL in one way, so that equal texts name equal stores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from datamint_like.backends._urls import store_folder, store_url

if TYPE_CHECKING:
    from datamint_like.backends.base import Backend, Blobs

__all__ = ["open_backend", "open_blobs", "store_url"]


def open_backend(url: str, *, api_key: str | None = None) -> Backend:
    """The store at `url`: a `file://` URL or a plain path is the embedded store, made when it is new.

    Args:
        url: `"file:///data/store"`, or a folder.
        api_key: For servers; the embedded store needs none.

    Raises:
        ValidationError: `url` is no URL of a store, or the folder holds other things.
        StorageError: The store cannot be read or made, or a newer version wrote it.
        NotImplementedError: `url` names a server.

    Example:
        >>> store = open_backend("my-store")
        >>> store.list_projects()
        []
        >>> store.close()
    """
    del api_key  # no server to show it to
    url = store_url(url)
    from datamint_like.backends.local.backend import LocalBackend

    return LocalBackend(url)


def open_blobs(url: str) -> Blobs:
    """The bytes of the store at `url`, without its database: light enough for every DataLoader worker.

    Raises:
        ValidationError: `url` is no URL of a store.
        NotImplementedError: `url` names a server.

    Example:
        >>> (part,) = api.backend.list_parts([xray.id])[xray.id]
        >>> open_blobs(api.server_url).part_path(part, xray.filename).stat().st_size == part.size
        True
    """
    from datamint_like.backends.local.files import FileStore

    return FileStore(store_folder(url))
