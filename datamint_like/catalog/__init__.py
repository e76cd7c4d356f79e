"""Snapshots of projects on this machine."""

from datamint_like.catalog.snapshot import Snapshot, write_snapshot
from datamint_like.catalog.sync import find_project, newest_snapshot, sync_project, sync_resources

__all__ = ["Snapshot", "find_project", "newest_snapshot", "sync_project", "sync_resources", "write_snapshot"]
