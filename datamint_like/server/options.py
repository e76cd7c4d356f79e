"""How a server runs, as one frozen object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from datamint_like.config import load_settings

PAGE_SIZE = 5000
_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class ServerOptions:
    """What `datamint-like serve` was asked for.

    Attributes:
        store: `file://` URL or folder of the store.
        host: Address to listen on; loopback unless the operator says otherwise.
        port: Port to listen on; 0 takes a free one.
        workers: Number of processes.
        max_body: Bytes that a request may have in memory (JSON, MessagePack, one mask).
        audit: File of the audit log; empty is `audit.jsonl` in the store's folder.
        verbose: Whether every request is a line of the log, not only what went wrong.
        max_upload: Bytes that one uploaded file may have.
        patience_s: How long a client that sends a file may be silent.
        cache: Folder of what is made of stored files (slices, series as one file); None is one in the cache folder of
            the settings. Nothing of it is missed when it is removed.
        accel_prefix: Location under which nginx serves the store's folder internally; None streams files itself.
    """

    store: str
    host: str = "127.0.0.1"
    port: int = 8100
    workers: int = 1
    audit: str = ""
    verbose: bool = False
    max_body: int = 256 * _MEBIBYTE
    max_upload: int = 1024 * 64 * _MEBIBYTE
    patience_s: float = 60.0
    cache: str | None = None
    accel_prefix: str | None = None

    @cached_property
    def cache_folder(self) -> Path:
        """Where `cache` lies."""
        return Path(self.cache) if self.cache else load_settings().cache_dir / "server"
