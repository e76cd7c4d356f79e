"""How a server runs, as one frozen object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from datamint_like.backends._urls import store_folder
from datamint_like.backends.local.options import StoreOptions
from datamint_like.config import load_settings

PAGE_SIZE = 5000
_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class ServerOptions:
    """What `datamint-like serve` was asked for.

    Attributes:
        store: Which store: its folder, or the places of its rows and its bytes.
        host: Address to listen on; loopback unless the operator says otherwise.
        port: Port to listen on; 0 takes a free one.
        workers: Number of processes.
        max_body: Bytes that a request may have in memory (JSON, MessagePack, one mask).
        audit: File of the audit log; None is `audit.jsonl` in the store's folder, or in the settings' home where the
            store has none.
        verbose: Whether every request is a line of the log, not only what went wrong.
        max_upload: Bytes that one uploaded file may have.
        patience_s: How long a client that sends a file may be silent.
        cache: Folder of what is made of stored files (slices, series as one file); None is one in the cache folder of
            the settings. Nothing of it is missed when it is removed.
        accel_prefix: Location under which nginx serves the store's folder internally; None streams files itself.
    """

    store: StoreOptions
    host: str = "127.0.0.1"
    port: int = 8100
    workers: int = 1
    audit: str | None = None
    verbose: bool = False
    max_body: int = 256 * _MEBIBYTE
    max_upload: int = 1024 * 64 * _MEBIBYTE
    patience_s: float = 60.0
    cache: str | None = None
    accel_prefix: str | None = None

    @cached_property
    def cache_folder(self) -> Path:
        """Where `cache` lies."""
        return Path(self.cache) if self.cache and self.cache.strip() else load_settings().cache_dir / "server"

    @cached_property
    def audit_file(self) -> Path:
        """Where `audit` lies."""
        if self.audit and self.audit.strip():
            return Path(self.audit)
        folder = load_settings().home if self.store.url is None else store_folder(self.store.url)
        return folder / "audit.jsonl"
