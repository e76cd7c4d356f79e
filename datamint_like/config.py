"""Settings, read from the environment and the config file in this one place.

A `Settings` is frozen and travels as an argument; nothing below reads the environment by itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from datamint_like.exceptions import ValidationError

APP_NAME = "datamint-like"


@dataclass(frozen=True)
class Settings:
    """Where things are and what limits hold, for one process.

    Attributes:
        home: Folder of the embedded store.
        cache_dir: Folder of snapshots and caches.
        server_url: The store to use when a call names none; None is the embedded store in `home`.
        api_key: Key for that server; never shown by `repr`.
        max_voxels: A header that claims more voxels than this is refused before memory is allocated.
    """

    home: Path
    cache_dir: Path
    server_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    max_voxels: int = 8 * 1024**3

    @property
    def store_url(self) -> str:
        """The URL of the store that a call without `server_url` uses."""
        return self.server_url or self.home.as_uri()


def load_settings(env: Mapping[str, str] | None = None) -> Settings:
    """The settings that the environment, then the config file, then the defaults give.

    Environment: `DATAMINT_LIKE_HOME`, `DATAMINT_LIKE_CACHE`, `DATAMINT_LIKE_SERVER_URL` (or
    `DATAMINT_API_URL`), `DATAMINT_LIKE_API_KEY` (or `DATAMINT_API_KEY`), `DATAMINT_LIKE_MAX_VOXELS`.
    The config file is `config.json` in the platform's config folder, with the keys `server_url`, `api_key`.

    Raises:
        ValidationError: The config file is not JSON, or a number is not a number.
    """
    import platformdirs

    env = os.environ if env is None else env
    file = _config_file(Path(platformdirs.user_config_dir(APP_NAME, appauthor=False)) / "config.json")
    home = env.get("DATAMINT_LIKE_HOME") or platformdirs.user_data_dir(APP_NAME, appauthor=False)
    cache = env.get("DATAMINT_LIKE_CACHE") or platformdirs.user_cache_dir(APP_NAME, appauthor=False)
    return Settings(
        home=Path(home).expanduser().absolute(),
        cache_dir=Path(cache).expanduser().absolute(),
        server_url=env.get("DATAMINT_LIKE_SERVER_URL") or env.get("DATAMINT_API_URL") or file.get("server_url"),
        api_key=env.get("DATAMINT_LIKE_API_KEY") or env.get("DATAMINT_API_KEY") or file.get("api_key"),
        max_voxels=_whole_number(env, "DATAMINT_LIKE_MAX_VOXELS", Settings.max_voxels),
    )


def _config_file(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as error:
        raise ValidationError(f"The config file {path} is not a JSON object ({error}). Mend or remove it.") from error


def _whole_number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError as error:
        raise ValidationError(f"The environment variable {name} must be a whole number, not {text!r}.") from error
