"""The URL of a store: one way to write it, the folder or server that it names, and what of it may be shown."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from datamint_like.exceptions import ValidationError

DATABASE = "store.sqlite"
#: The schemes of servers and their own ports.
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9._\-]+|[0-9a-f:.]+(%[a-z0-9]+)?")
_EXAMPLE = "https://lab.example:8000"


def store_url(text: str) -> str:
    """The URL of the store that a URL or a plain path names, written in one way; nothing is opened or made.

    A relative path is taken from the current folder, `~` is the user's, and a final slash, `..` or `localhost`
    makes no other store. Of a server's address case, the scheme's own port and a final slash play no role.

    Raises:
        ValidationError: `text` names no store.

    Examples:
        >>> store_url("/data/store/"), store_url("file://localhost/data/store")
        ('file:///data/store', 'file:///data/store')
        >>> store_url("HTTPS://Lab.example:443/api/")
        'https://lab.example/api'
    """
    return _server_url(text) if is_server(text) else store_folder(text).as_uri()


def is_server(text: str) -> bool:
    """Whether the text is the address of a server, well formed or not."""
    return isinstance(text, str) and text.strip().partition("://")[0].lower() in _PORTS and "://" in text


def store_folder(text: str) -> Path:
    """The absolute folder of the store that a `file://` URL or a plain path names.

    Raises:
        ValidationError: `text` names no store in a folder.
    """
    try:
        folder = None if is_server(text) else _named(os.fspath(text).strip())
        named = folder is not None and folder != Path("/") and b"\0" not in os.fsencode(folder)
    except (TypeError, ValueError, RuntimeError, AttributeError):  # no text, no URL, no such user's home
        named = False
    if not named or folder is None:
        shown = without_user_info(text) if isinstance(text, str) else text
        raise ValidationError(
            f"{shown!r:.200} names no store: give a folder, a URL such as file:///data/store, or the address of a "
            "server (https://...)."
        )
    return folder.resolve() if ".." in folder.parts else folder


def has_store(text: str) -> bool:
    """Whether there is a store where a URL or a plain path says; nothing is opened or made.

    A server is taken at its word: whoever asks it learns more.

    Raises:
        ValidationError: `text` names no store.
    """
    if is_server(store_url(text)):
        return True
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


def _server_url(text: str) -> str:
    """The address of a server, written in one way.

    Raises:
        ValidationError: It is not well formed, or holds a user's name, a query or a fragment.
    """
    shown = without_user_info(text.strip())
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        raise ValidationError(f"{shown!r:.200} is no address of a server: give one such as {_EXAMPLE}.") from None
    if "@" in parts.netloc:
        raise ValidationError(
            f"The address {shown!r:.200} was given with a user's name or a password. Give the plain address, and the "
            "key as api_key= or in DATAMINT_LIKE_API_KEY."
        )
    if parts.query or parts.fragment or not _HOST.fullmatch(host) or not text.strip().isprintable():
        raise ValidationError(
            f"{shown!r:.200} is no address of a server: give scheme, host, port and path alone, such as {_EXAMPLE}."
        )
    host = f"[{host}]" if ":" in host else host
    place = host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"
