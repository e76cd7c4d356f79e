"""Snapshots of projects on this machine."""

from datamint_like.catalog.snapshot import Snapshot, write_snapshot
from datamint_like.catalog.sync import known_snapshot, newest_snapshot, sync_project, sync_resources

__all__ = ["Snapshot", "known_snapshot", "newest_snapshot", "sync_project", "sync_resources", "write_snapshot"]
