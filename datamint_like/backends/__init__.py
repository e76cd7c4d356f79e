"""Where projects live. `open_backend` gives a store by its URL, `open_blobs` only its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from datamint_like.exceptions import ValidationError

if TYPE_CHECKING:
    from datamint_like.backends.base import Backend, Blobs

__all__ = ["open_backend", "open_blobs"]


def open_backend(url: str, *, api_key: str | None = None) -> Backend:
    """The store at `url`: a `file://` URL or a plain path is the embedded store, made when it is new.

    Args:
        url: `"file:///data/store"`, or a folder.
        api_key: For servers; the embedded store needs none.

    Raises:
        ValidationError: `url` is no URL of a store, or the folder holds other things.
        StorageError: The store cannot be read or made, or a newer version wrote it.
        NotImplementedError: `url` names a server.
    """
    del api_key  # no server to show it to
    from datamint_like.backends.local.backend import LocalBackend

    return LocalBackend(_store_folder(url).as_uri())


def open_blobs(url: str) -> Blobs:
    """The bytes of the store at `url`, without its database: light enough for every DataLoader worker.

    Raises:
        ValidationError: `url` is no URL of a store.
        NotImplementedError: `url` names a server.
    """
    from datamint_like.backends.local.files import FileStore

    return FileStore(_store_folder(url))


def _store_folder(url: str) -> Path:
    """The folder that a `file://` URL or a plain path names."""
    text = str(url).strip()
    scheme, separator, _ = text.partition("://")
    if separator and scheme.lower() in ("http", "https"):
        raise NotImplementedError(
            "Remote servers are not supported yet: "
            "use the embedded store (a folder or a file:// URL; without server_url, the one in DATAMINT_LIKE_HOME)."
        )
    if not separator and text:
        return Path(text).expanduser().absolute()
    parts = urlsplit(text)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path not in ("", "/"):
        return Path(unquote(parts.path))
    raise ValidationError(f"{text!r} names no store: give a folder, or a URL such as file:///data/store.")
