"""One state of a project for all ranks of a process group: rank 0 opens it, the others open the same or say so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from datamint_like.catalog import Snapshot, known_snapshot
from datamint_like.dataset.options import Source
from datamint_like.dataset.ranks import agreed, in_a_group
from datamint_like.entities import Project
from datamint_like.exceptions import DatamintDatasetException


class _State(msgspec.Struct, frozen=True):
    """Which state rank 0 opened.

    Attributes:
        project_id: None where the dataset is of a list of resources.
        content: Digest of all rows.
    """

    project_id: str | None
    revision: str
    content: str


def open_together(source: Source, open_newest: Callable[[], Snapshot]) -> Snapshot:
    """The snapshot that `open_newest` gives on rank 0, on every rank; without a process group what it gives.

    As long as the process group lasts, it is that which rank 0 opened first, whoever opens it again. Ranks that share a
    cache folder open the file of rank 0. Others sync for themselves, which is the same state unless the store changed
    in between.

    Raises:
        DatamintDatasetException: This rank cannot have the state of rank 0.
        DatamintException: What `open_newest` raised on rank 0.
    """
    if source.lock is not None or not in_a_group():  # a lock file is one state
        return open_newest()
    opened: list[Snapshot] = []

    def answer() -> str:
        opened.append(open_newest())
        return msgspec.json.encode(_state_of(opened[0])).decode()

    wanted = msgspec.json.decode(agreed(_name(source), answer), type=_State)
    snapshot = opened[0] if opened else _known(source, wanted)
    if snapshot is None:
        snapshot = open_newest()
    found = _state_of(snapshot)
    if found != wanted:
        differs = "its rows differ" if found.revision == wanted.revision else f"revision {found.revision}"
        raise DatamintDatasetException(
            f"Rank 0 opened {_name(source)} at revision {wanted.revision}, and this rank cannot: {differs}. The store "
            "changed while the ranks were starting. Let all ranks share one cache_dir, or start them again."
        )
    return snapshot


def _known(source: Source, state: _State) -> Snapshot | None:
    return known_snapshot(
        source.store_url, state.project_id, state.revision, source.cache.path, stays=not source.follows
    )


def _state_of(snapshot: Snapshot) -> _State:
    digest = hashlib.sha256(msgspec.json.encode(snapshot.meta.worklists))
    for each in snapshot.column("digest"):
        digest.update(each.encode())
    project = snapshot.meta.project
    return _State(None if project is None else project.id, snapshot.meta.revision, digest.hexdigest())


def _name(source: Source) -> str:
    """What is asked for, as all ranks call it."""
    if source.project is not None:
        name = source.project.name if isinstance(source.project, Project) else source.project
        return f"project {name!r} of {source.store_url}"
    ids = source.resource_ids or ()
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:8]
    return f"{len(ids)} resources ({digest}) of {source.store_url}"
