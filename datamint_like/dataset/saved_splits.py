"""The split assignments of a project: asked of its store, or those that were read on this machine before.

What a server said of an instant stays true, so it is kept in the cache; without the server that instant is replayed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from datamint_like.backends import open_backend
from datamint_like.backends._urls import is_server
from datamint_like.backends.base import Backend
from datamint_like.backends.remote.listings import LISTED
from datamint_like.catalog.kept_splits import KeptSplits, SplitShelf, moment
from datamint_like.dataset.options import Source
from datamint_like.dataset.prepared import Prepared
from datamint_like.dataset.ranks import agreed
from datamint_like.entities import Project
from datamint_like.exceptions import (
    CacheError,
    DatamintDatasetException,
    DatamintException,
    ItemNotFoundError,
    PermissionDeniedError,
    ValidationError,
)

_LOG = logging.getLogger(__name__)
#: Resource id to the name of its part.
Assigned = dict[str, str]
_NAMED = 5


def assignments(
    project: Project, prepared: Prepared, source: Source, as_of: str | None, *, api_key: str | None
) -> tuple[str, Assigned]:
    """An instant, and the assignments of a project as of it: the one asked for, else now.

    Raises:
        DatamintDatasetException: The instant is later than the store's clock.
        CacheError: The server may not be asked, and they were not read on this machine.
        ValidationError: `as_of` is no time stamp.
    """
    if is_server(source.store_url) and not source.follows:
        found = _kept(project, prepared, source, as_of)
        return as_of or found.instant, found.assigned
    backend = open_backend(source.store_url, api_key=api_key)
    try:
        # all ranks of a process group take that of rank 0
        instant = _agreed(project, backend.now)[0] if as_of is None else as_of
        assigned = _listed(backend, project, instant)
        now = instant if as_of is None else backend.now()
    finally:
        backend.close()
    if moment(instant) > moment(now):
        raise DatamintDatasetException(
            f"as_of_timestamp={instant!r} is later than the clock of the store, {now}: what is assigned until then "
            "nobody knows. Leave it out for the split as it is now."
        )
    _keep(project, prepared, source, instant, assigned, latest=as_of is None)
    return instant, assigned


def keep_saved(backend: Backend, project: Project, prepared: Prepared, source: Source, instant: str) -> None:
    """Keep what was assigned at an instant, with what the project had beside it, for work without the server."""
    if is_server(source.store_url):
        with suppress(DatamintException):  # it is saved all the same
            _keep(project, prepared, source, instant, _listed(backend, project, instant), latest=True)


def bring(prepared: Prepared, source: Source, *, api_key: str | None) -> tuple[str, ...]:
    """Read a project's saved splits and keep them, for work without its server; the names of their parts.

    There are none of an embedded store, which is asked in place, of a list of resources, and where the server knows no
    splits, or not of this project. Those that were read for this very revision are not asked for again, unless it is
    one that stays as it is when splits change.

    Raises:
        DatamintException: They could not be read or kept, and are not here.
    """
    project = prepared.snapshot.meta.project
    if project is None or not is_server(source.store_url):
        return ()
    shelf = _shelf(project, source)
    try:
        here = _of_this_state(shelf, prepared)
    except CacheError:  # they are damaged, and read again
        if not source.may_ask:
            raise
        here = None
    may_differ = source.auto_update and prepared.snapshot.meta.revision.startswith(LISTED)
    if source.may_ask and (here is None or may_differ):
        try:
            here = _kept_now(project, prepared, source, shelf, api_key)
        except (NotImplementedError, ItemNotFoundError, PermissionDeniedError, ValidationError):
            pass  # the server knows no splits, or not of this project
        except DatamintException:
            if here is None:
                raise
    return () if here is None else tuple(sorted(here.parts))


def _kept_now(
    project: Project, prepared: Prepared, source: Source, shelf: SplitShelf, api_key: str | None
) -> KeptSplits | None:
    """The splits that are kept for this state, once those of now were read; None where they are of another."""
    backend = open_backend(source.store_url, api_key=api_key)
    try:
        instant = backend.now()
        assigned = _listed(backend, project, instant)
    finally:
        backend.close()
    try:
        shelf.keep(KeptSplits.of(assigned, instant, prepared.snapshot.meta.revision), latest=True)
    except CacheError:
        here = _of_this_state(shelf, prepared)
        if assigned and (here is None or here.assigned != assigned):
            raise
    return _of_this_state(shelf, prepared)


def _of_this_state(shelf: SplitShelf, prepared: Prepared) -> KeptSplits | None:
    """Those that were read last, if it was for the revision that is open.

    Raises:
        CacheError: They are damaged.
    """
    found = shelf.last()
    return found if found is not None and found.revision == prepared.snapshot.meta.revision else None


def _listed(backend: Backend, project: Project, instant: str) -> Assigned:
    return {each.resource_id: each.split_name for each in backend.list_splits(project.id, as_of=instant)}


def _keep(
    project: Project, prepared: Prepared, source: Source, instant: str, assigned: Assigned, *, latest: bool
) -> None:
    """Keep what a server said; the embedded store is there to be asked again."""
    if is_server(source.store_url):
        splits = KeptSplits.of(assigned, instant, prepared.snapshot.meta.revision)
        try:
            _shelf(project, source).keep(splits, latest=latest)
        except CacheError as error:  # the split is made all the same
            _LOG.info("The splits of a project are not kept. %s", error)


def _kept(project: Project, prepared: Prepared, source: Source, as_of: str | None) -> KeptSplits:
    shelf, digest = _shelf(project, source), ""

    def last() -> str:
        found = _of_this_state(shelf, prepared)
        if found is None:
            raise _unknown(project, source, shelf, None)
        return f"{found.instant} {found.digest}"

    try:
        instant, digest = _agreed(project, last) if as_of is None else (as_of, "")
        found = shelf.at(instant)
    except (ValueError, AttributeError) as error:  # it is no text at all
        if isinstance(error, DatamintException):
            raise
        raise ValidationError(
            f"{as_of!r} is not a time stamp: give ISO 8601, such as 2026-02-01T09:00:00.123456Z."
        ) from error
    if found is None and digest:  # this rank has a cache of its own, which was filled at another instant
        own = _of_this_state(shelf, prepared)
        found = replace(own, instant=instant) if own is not None and own.digest == digest else None
    if found is None:
        raise _unknown(project, source, shelf, instant)
    return found


def _agreed(project: Project, answer: Callable[[], str]) -> tuple[str, str]:
    """The instant of the splits that all ranks of a process group take, and the digest of what rank 0 has of it."""
    instant, _, digest = agreed(f"the splits of project {project.id}", answer).partition(" ")
    return instant, digest


def _unknown(project: Project, source: Source, shelf: SplitShelf, as_of: str | None) -> CacheError:
    instants = shelf.instants()
    here = (
        f" Here are those as of {', '.join(instants[-_NAMED:])}: replay one with as_of_timestamp=."
        if instants
        else " What split() reads is kept, and prefetch() brings it: call one while the server may be asked."
    )
    when = "since the project was synced last" if as_of is None and instants else "before"
    by = "auto_update=False" if source.may_ask else "DATAMINT_LIKE_OFFLINE"
    return CacheError(
        f"The splits of project {project.name!r}{f' as of {as_of}' if as_of else ''} were not read on this machine "
        f"{when}, and {by} forbids to ask the server {source.store_url}.{here} Ratios with a seed ask nobody: "
        "split(train=0.8, val=0.2, seed=42)."
    )


def _shelf(project: Project, source: Source) -> SplitShelf:
    return SplitShelf(source.cache, source.store_url, project.id)
