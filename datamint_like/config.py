"""Settings, read from the environment and the config file in this one place.

A `Settings` is frozen and travels as an argument; nothing below reads the environment by itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from datamint_like._cache.folder import PRIVATE_MODE, CacheFolder
from datamint_like._sizes import parse_size
from datamint_like.exceptions import ValidationError

APP_NAME = "datamint-like"
#: Headers that claim more voxels are refused, unless a setting says otherwise.
DEFAULT_MAX_VOXELS = 8 * 1024**3


@dataclass(frozen=True)
class Settings:
    """Where things are and what limits hold, for one process.

    Attributes:
        home: Folder of the embedded store.
        cache_dir: Folder of snapshots and caches.
        server_url: The store to use when a call names none; None is the embedded store in `home`.
        api_key: Key for that server; never shown by `repr`.
        api_key_source: What the key was read from, in words that may be shown.
        ca_file: Certificates (PEM) of the authorities that servers are trusted by, instead of the system's.
        offline: Open no connection: only what is on this machine is used.
        config_file: Where the config file is, or would be.
        max_voxels: A header that claims more voxels than this is refused before memory is allocated.
        cache_limit: Bytes that the cache folder should hold at most; None is no limit.
        cache_mode: Of the folders in the cache, when they are made: 0o750 lets the group read.
    """

    home: Path
    cache_dir: Path
    server_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    max_voxels: int = DEFAULT_MAX_VOXELS
    api_key_source: str = ""
    ca_file: Path | None = None
    offline: bool = False
    config_file: Path | None = None
    cache_limit: int | None = None
    cache_mode: int = PRIVATE_MODE

    def cache(self, given: CacheFolder | Path | None = None) -> CacheFolder:
        """The cache folder that is given, with the limit and mode of the settings; None is their own.

        Example:
            >>> Settings(home=Path("/data/store"), cache_dir=Path("/data/cache"), cache_limit=10**9).cache().limit
            1000000000
        """
        if isinstance(given, CacheFolder):
            return given
        return CacheFolder(self.cache_dir if given is None else given, self.cache_limit, self.cache_mode)

    @property
    def store_url(self) -> str:
        """The URL of the store that a call without `server_url` uses.

        Example:
            >>> Settings(home=Path("/data/store"), cache_dir=Path("/data/cache")).store_url
            'file:///data/store'
        """
        return self.server_url or self.home.as_uri()


def load_settings(env: Mapping[str, str] | None = None) -> Settings:
    """The settings that the environment, then the config file, then the defaults give.

    Environment: `DATAMINT_LIKE_HOME`, `DATAMINT_LIKE_CACHE`, `DATAMINT_LIKE_SERVER_URL` (or
    `DATAMINT_API_URL`), `DATAMINT_LIKE_API_KEY` (or `DATAMINT_API_KEY`), `DATAMINT_LIKE_CA_FILE`,
    `DATAMINT_LIKE_OFFLINE` (0 or 1), `DATAMINT_LIKE_MAX_VOXELS`, `DATAMINT_LIKE_CACHE_LIMIT` (`"200GB"`),
    `DATAMINT_LIKE_CACHE_MODE` (`750`). One that is empty or blank counts as not set.
    The config file is `config.json` in the platform's config folder, with the keys `server_url`, `api_key`, `ca_file`,
    `cache_limit` and `cache_mode`.

    Raises:
        ValidationError: The config file or a variable cannot be used; the message says which and why.

    Example:
        >>> settings = load_settings({"DATAMINT_LIKE_HOME": "/data/store", "DATAMINT_LIKE_CACHE": "/data/cache"})
        >>> settings.store_url, settings.cache_dir.name
        ('file:///data/store', 'cache')
    """
    import platformdirs

    env = {name: value for name, value in (os.environ if env is None else env).items() if value.strip()}
    config_file = config_folder() / "config.json"
    file = _config_file(config_file)
    home = env.get("DATAMINT_LIKE_HOME") or platformdirs.user_data_dir(APP_NAME, appauthor=False)
    cache = env.get("DATAMINT_LIKE_CACHE") or platformdirs.user_cache_dir(APP_NAME, appauthor=False)
    ca_file = env.get("DATAMINT_LIKE_CA_FILE") or file.ca_file
    api_key, source = _api_key(env, file)
    return Settings(
        home=_folder(home, "DATAMINT_LIKE_HOME"),
        cache_dir=_folder(cache, "DATAMINT_LIKE_CACHE"),
        server_url=env.get("DATAMINT_LIKE_SERVER_URL") or env.get("DATAMINT_API_URL") or file.server_url,
        api_key=api_key,
        api_key_source=source,
        ca_file=_folder(ca_file, "DATAMINT_LIKE_CA_FILE") if ca_file else None,
        offline=_switch(env, "DATAMINT_LIKE_OFFLINE"),
        config_file=config_file,
        max_voxels=_whole_number(env, "DATAMINT_LIKE_MAX_VOXELS", Settings.max_voxels),
        cache_limit=_cache_limit(env.get("DATAMINT_LIKE_CACHE_LIMIT") or file.cache_limit),
        cache_mode=_cache_mode(env.get("DATAMINT_LIKE_CACHE_MODE") or file.cache_mode),
    )


def config_folder() -> Path:
    """The platform's folder for this user's settings; it need not be there.

    Example:
        >>> config_folder().name
        'datamint-like'
    """
    import platformdirs

    return Path(platformdirs.user_config_dir(APP_NAME, appauthor=False))


class _ConfigFile(msgspec.Struct, frozen=True):
    """What `config.json` may hold; other keys play no role."""

    server_url: str | None = None
    api_key: str | None = None
    ca_file: str | None = None
    cache_limit: int | str | None = None
    cache_mode: str | None = None


#: `api_key_source` of a key that stands in the config file.
FROM_CONFIG_FILE = "the config file"


def _api_key(env: Mapping[str, str], file: _ConfigFile) -> tuple[str | None, str]:
    """The key, and what it was read from."""
    for variable in ("DATAMINT_LIKE_API_KEY", "DATAMINT_API_KEY"):
        if env.get(variable):
            return env[variable], f"the environment variable {variable}"
    return (file.api_key, FROM_CONFIG_FILE) if file.api_key else (None, "")


def _config_file(path: Path) -> _ConfigFile:
    """What the config file says; nothing where there is none. No message holds what is in it."""
    mend = "Mend it, or remove it to use the environment and the defaults."
    try:
        return msgspec.json.decode(path.read_bytes(), type=_ConfigFile)
    except (FileNotFoundError, NotADirectoryError):
        return _ConfigFile()
    except OSError as error:
        raise ValidationError(f"The config file {path} cannot be read: {error.strerror}. {mend}") from error
    except UnicodeDecodeError:
        raise ValidationError(f"The config file {path} is not a JSON object in UTF-8. {mend}") from None
    except msgspec.MsgspecError as error:
        raise ValidationError(
            f"The config file {path} is not a JSON object of the texts server_url, api_key, ca_file, cache_limit "
            f"and cache_mode: {error}. {mend}"
        ) from error


def _folder(text: str, variable: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:  # ~name of a user that is not there
        raise ValidationError(f"The environment variable {variable} names no folder: {error}") from error


def _whole_number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name)
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ValidationError(f"The environment variable {name} must be a whole number from 1, not {text!r:.80}.")
    return number


def _cache_limit(text: int | str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_size(text)
    except ValidationError as error:
        raise ValidationError(f"DATAMINT_LIKE_CACHE_LIMIT (cache_limit of the config file): {error}") from None


def _cache_mode(text: str | None) -> int:
    try:
        return checked_mode(int(text, 8)) if text else PRIVATE_MODE
    except ValueError as error:
        raise ValidationError(
            f"DATAMINT_LIKE_CACHE_MODE (cache_mode of the config file) is an octal mode such as 700 or 750, not "
            f"{text!r:.80}."
        ) from error


def checked_mode(mode: int) -> int:
    """The mode for folders of a cache.

    Raises:
        ValidationError: Its owner could not use them.

    Example:
        >>> oct(checked_mode(0o750))
        '0o750'
    """
    if (
        isinstance(mode, bool)
        or not isinstance(mode, int)
        or mode & PRIVATE_MODE != PRIVATE_MODE
        or not 0 <= mode <= 0o777
    ):
        raise ValidationError(f"cache_mode is a mode of folders from 0o700 to 0o777, not {mode!r:.80}.")
    return mode


def _switch(env: Mapping[str, str], name: str) -> bool:
    text = env.get(name, "").strip().lower()
    if text not in ("", "0", "1", "false", "true", "no", "yes"):
        raise ValidationError(f"The environment variable {name} must be 0 or 1, not {text!r:.80}.")
    return text in ("1", "true", "yes")
