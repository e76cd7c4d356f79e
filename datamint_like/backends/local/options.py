"""Where a store keeps its rows and its bytes: in one folder, or in PostgreSQL and a bucket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datamint_like.backends._urls import DATABASE, store_folder, without_user_info
from datamint_like.backends.local.connections import Connections
from datamint_like.backends.local.engine import SqliteDatabase
from datamint_like.backends.local.files import FileStore
from datamint_like.backends.local.folder import made_ready
from datamint_like.exceptions import ValidationError

if TYPE_CHECKING:
    from datamint_like.backends.local.backend import LocalBackend
    from datamint_like.backends.local.byte_store import ByteStore


@dataclass(frozen=True, repr=False)
class StoreOptions:
    """Which store; its `repr` and its pickle hold no password.

    Attributes:
        url: Folder of the store, as a path or a `file://` URL: SQLite for rows and files for bytes, as far as
            nothing else is named.
        database: `postgresql://USER@HOST/DATABASE?schema=NAME` for rows. The password may stand in it; a process
            that gets the options by pickle takes it from `PGPASSWORD`.
        blobs: `s3://BUCKET/PREFIX` (or another URL of fsspec), or `file:///FOLDER`, for bytes. Keys come from the
            environment, never from the URL.
        cache_dir: Folder on this machine for bytes of the bucket, each brought once; None is that of the settings.

    Raises:
        ValidationError: Rows or bytes have no place, or a URL cannot be used.
    """

    url: str | None = None
    database: str | None = None
    blobs: str | None = None
    cache_dir: Path | None = None

    def __post_init__(self) -> None:
        if self.url is None and (self.database is None or self.blobs is None):
            raise ValidationError("A store needs a folder (url), or both a database and a place for bytes (blobs).")
        if self.blobs is not None and ("://" not in self.blobs or without_user_info(self.blobs) != self.blobs.strip()):
            raise ValidationError(
                f"{without_user_info(self.blobs)!r:.200} names no place for bytes: give s3://BUCKET/PREFIX or "
                "file:///FOLDER, with keys in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)."
            )

    def __repr__(self) -> str:
        given = {"url": self.url, "database": self.database, "blobs": self.blobs}
        shown = [f"{name}={without_user_info(text)!r}" for name, text in given.items() if text is not None]
        return f"StoreOptions({', '.join(shown)})"

    def __reduce__(self) -> tuple[type[StoreOptions], tuple[Any, ...]]:
        return StoreOptions, (self.url, self._bare_database(), self.blobs, self.cache_dir)

    @property
    def name(self) -> str:
        """What the store is called in messages, without any secret: the URL of its rows."""
        if self.database is None:
            return str(self.url)
        from datamint_like.backends.local.postgres_url import parsed

        return parsed(self.database).shown

    @property
    def apart(self) -> bool:
        """Whether rows and bytes lie in different places."""
        return self.database is not None or self.blobs is not None

    def connections(self) -> Connections:
        """The database, not yet asked anything.

        Raises:
            ValidationError: The URL names none, or the folder holds other things.
            StorageError: The folder cannot be made.
            MissingExtraError: The driver is not installed.
        """
        if self.database is not None:
            from datamint_like.backends.local.postgres import PostgresDatabase
            from datamint_like.backends.local.postgres_url import parsed

            return PostgresDatabase(parsed(self.database))
        return SqliteDatabase(made_ready(store_folder(str(self.url))) / DATABASE)

    def bytes(self) -> ByteStore:
        """Where the bytes lie.

        Raises:
            ValidationError: The URL names no such place, or the folder holds other things.
            StorageError: The folder cannot be made.
            MissingExtraError: A package for this kind of place is not installed.
        """
        place = str(self.url) if self.blobs is None else self.blobs
        if self.blobs is None or place.lower().startswith("file://"):
            return FileStore(made_ready(store_folder(place), with_rows=not self.apart))
        from datamint_like.backends.local.buckets import BucketStore

        return BucketStore(place, self._cache_folder())

    def _bare_database(self) -> str | None:
        if self.database is None:
            return None
        from datamint_like.backends.local.postgres_url import without_password

        return without_password(self.database)

    def _cache_folder(self) -> Path:
        if self.cache_dir is not None:
            return self.cache_dir
        from datamint_like.config import load_settings

        return load_settings().cache_dir


def open_store(options: StoreOptions) -> LocalBackend:
    """The store, made where it is new.

    Raises:
        ValidationError: A URL cannot be used, or a folder holds other things.
        StorageError: The store cannot be read or made, or a newer version wrote it.
        MissingExtraError: A package for PostgreSQL or the bucket is not installed.

    Example:
        >>> import tempfile
        >>> open_store(StoreOptions(url=tempfile.mkdtemp())).list_projects()
        []
    """
    from datamint_like.backends.local.backend import LocalBackend

    return LocalBackend(options)
