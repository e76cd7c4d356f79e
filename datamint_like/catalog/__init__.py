"""Snapshots of projects on this machine."""

from datamint_like.catalog.lock import lock_lines
from datamint_like.catalog.snapshot import Snapshot
from datamint_like.catalog.sync import (
    known_snapshot,
    locked_snapshot,
    newest_snapshot,
    sync_project,
    sync_resources,
)
from datamint_like.catalog.writing import write_snapshot

__all__ = [
    "Snapshot",
    "known_snapshot",
    "lock_lines",
    "locked_snapshot",
    "newest_snapshot",
    "sync_project",
    "sync_resources",
    "write_snapshot",
]
