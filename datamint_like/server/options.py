"""How a server runs, as one frozen object."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    store: str
    host: str = "127.0.0.1"
    port: int = 8100
    workers: int = 1
    audit: str = ""
    verbose: bool = False
    max_body: int = 256 * _MEBIBYTE
    max_upload: int = 1024 * 64 * _MEBIBYTE
