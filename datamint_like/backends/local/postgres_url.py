"""The URL of a PostgreSQL database, taken apart; what of it may be shown; how to connect to it."""

from __future__ import annotations

import getpass
import os
import re
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from datamint_like._optional import need
from datamint_like.backends._urls import without_user_info
from datamint_like.exceptions import StorageError, ValidationError

CONNECT_S = 10
_SCHEMES = ("postgresql", "postgres", "postgresql+pg8000")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_ENCRYPTION = ("disable", "require", "verify-full")
_QUERY = ("schema", "host", "sslmode", "sslrootcert")
_SHAPE = "postgresql://USER@HOST:5432/DATABASE?schema=NAME"


@dataclass(frozen=True)
class PostgresUrl:
    """Where a PostgreSQL database is and who connects to it.

    Attributes:
        host: Name of the machine, or the folder of the server's socket (which starts with `/`).
        schema: The schema that holds the store's tables.
        sslmode: `"disable"`, `"require"` (encrypted) or `"verify-full"` (and the server's certificate is checked).
        sslrootcert: File of the certificates to check with; None means those that the system trusts.
    """

    user: str
    host: str
    port: int
    database: str
    schema: str = "public"
    sslmode: str = "disable"
    sslrootcert: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The URL without user and password, which names the store."""
        place = f"/{self.database}?host={self.host}" if self.host.startswith("/") else f"{self._host}/{self.database}"
        schema = "" if self.schema == "public" else f"{'&' if '?' in place else '?'}schema={self.schema}"
        return f"postgresql://{place}{schema}"

    @property
    def _host(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{name}:{self.port}"

    def connect(self, settings: dict[str, str], timeout: float) -> Any:
        """A new connection of the driver, with these settings of the server; no answer may take longer than `timeout`.

        Raises:
            StorageError: Nobody answers there, or not as `sslmode` demands.
            MissingExtraError: The driver is not installed.
            pg8000.Error: The server refuses this user.
        """
        driver = need("pg8000.legacy", extra="server")
        plug = self._plug()
        try:
            plug.settimeout(timeout)
            return driver.Connection(
                self.user,
                host=self.host,
                database=self.database,
                password=self.password or os.environ.get("PGPASSWORD", ""),
                ssl_context=self._context(),
                sock=plug,
                application_name="datamint-like",
                startup_params={"client_encoding": "UTF8", "search_path": f'"{self.schema}"', **settings},
            )
        except BaseException as error:  # also on KeyboardInterrupt: the socket must not stay open
            plug.close()
            if isinstance(error, OSError) and not isinstance(error, StorageError):
                raise self._unanswered(error) from error
            if "refuses SSL" in str(error):
                raise StorageError(
                    f"The database {self.shown} does not encrypt its connections. Let the server do so, or add "
                    "sslmode=disable to the URL where everyone on the network in between may read the data."
                ) from None
            raise

    def _plug(self) -> socket.socket:
        try:
            if self.host.startswith("/"):
                plug = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                plug.settimeout(CONNECT_S)
                plug.connect(f"{self.host}/.s.PGSQL.{self.port}")
                return plug
            plug = socket.create_connection((self.host, self.port), CONNECT_S)
        except OSError as error:
            raise self._unanswered(error) from error
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plug

    def _context(self) -> ssl.SSLContext | bool:
        if self.sslmode == "disable":
            return False
        if self.sslmode == "verify-full":
            return ssl.create_default_context(cafile=self.sslrootcert)
        return True

    def _unanswered(self, error: OSError) -> StorageError:
        reason = error.strerror or str(error) or type(error).__name__
        return StorageError(
            f"The database {self.shown} cannot be reached: {reason}. Check that the server runs, and the URL."
        )


def parsed(text: str) -> PostgresUrl:
    """The database that a `postgresql://` URL names.

    The password may be left to the environment variable `PGPASSWORD`, the user to `PGUSER` or the login. The query
    may hold `schema` (made where it is missing; else `public`), `host` (a folder with the server's socket), and
    `sslmode` with `sslrootcert`; without it, connections to other machines are encrypted (`require`).

    Raises:
        ValidationError: It is no such URL; the message shows no password.

    Example:
        >>> parsed("postgresql://ana:secret@db.lab/images?schema=one").shown
        'postgresql://db.lab:5432/images?schema=one'
    """
    try:
        url = sa.make_url(text.strip())
    except (sa.exc.ArgumentError, ValueError, AttributeError):  # its message may hold the password
        raise _refused(text, f"it is not of the form {_SHAPE}") from None
    unknown = sorted(set(url.query) - set(_QUERY))
    query = {key: value for key, value in url.query.items() if isinstance(value, str)}
    if url.drivername not in _SCHEMES or not url.database:
        raise _refused(text, f"it is not of the form {_SHAPE}")
    if unknown or len(query) < len(url.query):
        raise _refused(text, f"its query may hold {', '.join(_QUERY)}, each once; give a password in PGPASSWORD")
    host = query.get("host") or url.host or "localhost"
    found = PostgresUrl(
        user=url.username or os.environ.get("PGUSER") or getpass.getuser(),
        host=host,
        port=url.port or 5432,
        database=url.database,
        schema=query.get("schema", "public"),
        sslmode=query.get("sslmode") or ("disable" if _is_here(host) else "require"),
        sslrootcert=query.get("sslrootcert"),
        password=url.password,
    )
    if not _NAME.fullmatch(found.schema):
        raise _refused(text, "its schema must be named with a-z, 0-9 and _, not starting with a digit")
    if found.sslmode not in _ENCRYPTION:
        raise _refused(text, f"its sslmode must be one of {', '.join(_ENCRYPTION)}")
    if found.sslrootcert is not None and not Path(found.sslrootcert).is_file():
        raise _refused(text, "its sslrootcert is no file")
    return found


def without_password(text: str) -> str:
    """The URL as it may be handed on: with its user, without the password.

    Raises:
        ValidationError: It is no URL of a database.
    """
    parsed(text)
    url = sa.make_url(text.strip())
    bare = sa.URL.create(url.drivername, url.username, None, url.host, url.port, url.database, url.query)
    return bare.render_as_string(hide_password=False)


def _is_here(host: str) -> bool:
    return host.startswith(("/", "127.")) or host in ("localhost", "::1")


def _refused(text: object, why: str) -> ValidationError:
    shown = without_user_info(text) if isinstance(text, str) else text
    return ValidationError(f"{shown!r:.200} names no PostgreSQL database: {why}.")
