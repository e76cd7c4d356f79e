"""Options that name the store behind a server: a folder, or PostgreSQL and a bucket."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from datamint_like.backends import store_url
from datamint_like.config import load_settings

if TYPE_CHECKING:
    from datamint_like.backends.local.backend import LocalBackend
    from datamint_like.backends.local.options import StoreOptions


def add_served_store(parser: argparse.ArgumentParser) -> None:
    """Add `--store`, `--database` and `--blobs`."""
    parser.add_argument("--store", metavar="URL", help="folder or file:// URL (default: the embedded store)")
    parser.add_argument(
        "--database",
        metavar="URL",
        help="postgresql://USER@HOST/DATABASE for rows; the password comes from PGPASSWORD",
    )
    parser.add_argument("--blobs", metavar="URL", help="s3://BUCKET/PREFIX or file:///FOLDER for files")


def store_options(args: argparse.Namespace) -> StoreOptions:
    """The store that the options name; without `--store` and with both others, no folder plays a part."""
    from datamint_like.backends.local.options import StoreOptions

    apart = args.database is not None and args.blobs is not None
    folder = None if apart and args.store is None else store_url(args.store or load_settings().home.as_uri())
    return StoreOptions(url=folder, database=args.database, blobs=args.blobs)


def open_served_store(args: argparse.Namespace) -> LocalBackend:
    """The store itself."""
    from datamint_like.backends.local.options import open_store

    return open_store(store_options(args))
