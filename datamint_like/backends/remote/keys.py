"""The key of a server: where it comes from, and that it is shown nowhere.

Promises: a key is in no pickle, repr, error, log or URL. A process knows the keys that were given as arguments in it
(a forked child those of its parent, too); else the environment, then the config file, say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from datamint_like._warn import warn_user
from datamint_like.backends._urls import is_server, store_url
from datamint_like.config import FROM_CONFIG_FILE, Settings, load_settings
from datamint_like.exceptions import AuthenticationError, DatamintWarning, ValidationError

_GIVEN: dict[str, ApiKey] = {}  # by the URL of the server; a fork inherits it
_OTHERS = 0o077  # the bits of a mode that let anybody but the owner in


@dataclass(frozen=True)
class ApiKey:
    """A key, and in words that may be shown where it comes from."""

    text: str = field(repr=False)
    source: str

    def __reduce__(self) -> str:
        raise TypeError("A key is never pickled.")

    def headers(self) -> dict[str, str]:
        """The headers that carry it."""
        return {"apikey": self.text, "Authorization": f"Bearer {self.text}"}


def given(url: str, api_key: str) -> ApiKey:
    """The key that an argument gave for a server; from now on this process knows it.

    Raises:
        ValidationError: It is no text that a header can carry.
    """
    key = _checked(api_key, "the argument api_key")
    _GIVEN[url] = key
    return key


def key_of(url: str) -> ApiKey:
    """The key of a server, as this process knows it.

    Raises:
        AuthenticationError: There is none; the message says how to give one.
    """
    if url in _GIVEN:
        return _GIVEN[url]
    settings = load_settings()
    if settings.api_key and _meant_for(url, settings):
        if settings.api_key_source == FROM_CONFIG_FILE:
            _warn_of_readers(settings)
        return _checked(settings.api_key, settings.api_key_source)
    raise AuthenticationError(
        f"No key for the server {url} is known in this process. Give api_key=, or set DATAMINT_LIKE_API_KEY: spawned "
        "workers get their key from there alone, and need none once prefetch() has brought every file to this machine."
    )


def _checked(text: str, source: str) -> ApiKey:
    cleaned = text.strip() if isinstance(text, str) else ""
    if not cleaned or not cleaned.isascii() or not cleaned.isprintable():
        raise ValidationError(f"The key in {source} is no text of plain characters. Copy it again.")
    return ApiKey(cleaned, source)


def _meant_for(url: str, settings: Settings) -> bool:
    """Whether the key of the settings may be shown to this server: one beside an address belongs to that host."""
    own = settings.server_url
    if settings.api_key_source != FROM_CONFIG_FILE or own is None or not is_server(own):
        return True
    return urlsplit(store_url(own)).netloc == urlsplit(url).netloc


def _warn_of_readers(settings: Settings) -> None:
    """Say that others of this machine may read the key in the config file."""
    path = settings.config_file
    if path is not None and path.stat().st_mode & _OTHERS:
        warn_user(
            f"Others on this machine may read the key in the config file {path}. Make it yours alone: chmod 600 {path}",
            DatamintWarning,
        )
