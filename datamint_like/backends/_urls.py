"""The URL of a store: one way to write it, the folder that it names, and what of it may be shown."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from datamint_like.exceptions import ValidationError

DATABASE = "store.sqlite"


def store_url(text: str) -> str:
    """The `file://` URL of the store that a URL or a plain path names, written in one way; nothing is opened or made.

    A relative path is taken from the current folder, `~` is the user's, and a final slash, `..` or `localhost`
    makes no other store.

    Raises:
        ValidationError: `text` names no store.
        NotImplementedError: `text` names a server.

    Examples:
        >>> store_url("/data/store/"), store_url("file://localhost/data/store")
        ('file:///data/store', 'file:///data/store')
    """
    return store_folder(text).as_uri()


def store_folder(text: str) -> Path:
    """The absolute folder of the store that a `file://` URL or a plain path names.

    Raises:
        ValidationError: `text` names no store.
        NotImplementedError: `text` names a server.
    """
    scheme, separator, _ = str(text).strip().partition("://")
    if separator and scheme.lower() in ("http", "https"):
        raise NotImplementedError(
            "Remote servers are not supported yet: "
            "use the embedded store (a folder or a file:// URL; without server_url, the one in DATAMINT_LIKE_HOME)."
        )
    try:
        folder = _named(os.fspath(text).strip())
        named = folder is not None and folder != Path("/") and b"\0" not in os.fsencode(folder)
    except (TypeError, ValueError, RuntimeError, AttributeError):  # no text, no URL, no such user's home
        named = False
    if not named or folder is None:
        shown = without_user_info(text) if isinstance(text, str) else text
        raise ValidationError(f"{shown!r:.200} names no store: give a folder, or a URL such as file:///data/store.")
    return folder.resolve() if ".." in folder.parts else folder


def has_store(text: str) -> bool:
    """Whether there is a store where a URL or a plain path says; nothing is opened or made.

    Raises:
        ValidationError: `text` names no store.
        NotImplementedError: `text` names a server.
    """
    try:
        return (store_folder(text) / DATABASE).exists()
    except OSError:  # a folder that may not be looked into: whoever opens the store tells more
        return True


def without_user_info(url: str) -> str:
    """The URL without what may be a secret: user name, password, query and fragment. A plain path stays.

    Of a URL that is not well formed everything before its last `@` goes: a password may hold any character.

    Example:
        >>> without_user_info("postgresql://ana:word@host/db?key=1")
        'postgresql://host/db'
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    authority, slash, path = rest.partition("/")
    if scheme.strip().lower() == "file" and "@" not in authority:  # the names of folders may hold an @
        shown = f"{authority}{slash}{path}"
    else:
        shown = rest.rpartition("@")[2]
    return f"{scheme}{separator}{shown.partition('?')[0].partition('#')[0]}"


def _named(text: str) -> Path | None:
    """The folder, or None where the text names none or is a URL of something else."""
    if "://" not in text:
        return Path(text).expanduser().absolute() if text else None
    parts = urlsplit(text)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        return None
    return Path(os.fsdecode(unquote_to_bytes(parts.path))) if parts.path else None
