"""From what was asked to what is there: the snapshot, the label space and the rows of a root dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from datamint_like._warn import warn_user
from datamint_like.annotations import (
    OF_ONE_FRAME_SQL,
    LabelSpace,
    NamesInUse,
    Selection,
    resolve_label_space,
    sql_condition,
)
from datamint_like.backends import open_backend
from datamint_like.catalog import Snapshot, locked_snapshot, newest_snapshot, sync_project, sync_resources
from datamint_like.dataset.one_state import open_together
from datamint_like.dataset.options import Source
from datamint_like.dataset.rows import RowNumbers, as_row_numbers
from datamint_like.entities import ANNOTATION_TYPES, AnnotationWorklist
from datamint_like.exceptions import (
    CacheError,
    DatamintDatasetException,
    DatamintWarning,
    ItemNotFoundError,
    SkippedResourcesWarning,
)


@dataclass(frozen=True)
class Prepared:
    """What a root dataset and every part of it share by reference.

    Attributes:
        snapshot: The pinned revision.
        space: The label space, fixed for life.
        selection: Which annotations are kept.
        condition, values: The same as SQL over the snapshot's columns.
        locked: Whether a lock file said what there is.
        may_ask: Whether a server is asked for files that are not on this machine.
    """

    snapshot: Snapshot
    space: LabelSpace
    selection: Selection
    condition: str
    values: dict[str, Any]
    locked: bool = False
    may_ask: bool = True


def prepare(source: Source, selection: Selection, *, api_key: str | None) -> Prepared:
    """Sync (or open) the snapshot and fix the label space.

    Raises:
        ItemNotFoundError: The store has no such project or resource.
        CacheError: Nothing may be asked, and nothing was synced before.
        ValidationError: The lock file is not as it was written.
        DatamintDatasetException: The worklists contradict each other, or the ranks of a process group cannot have
            one state.

    Warns:
        DatamintWarning: Worklists differ, do not know a name, or an annotation is of an unknown type.
    """
    snapshot = open_together(source, lambda: _open(source, api_key))
    names = NamesInUse(
        segmentations=_names(snapshot, "type = 'segmentation'"),
        image_labels=_names(snapshot, f"type = 'label' AND NOT ({OF_ONE_FRAME_SQL})"),
        frame_labels=_names(snapshot, f"type = 'label' AND {OF_ONE_FRAME_SQL}"),
        image_categories=tuple(
            (name, value)
            for name, value in snapshot.names("identifier, value", "type = 'category' AND value IS NOT NULL")
        ),
        boxes=_names(snapshot, "type = 'square'"),
    )
    space = resolve_label_space(
        _worklists(snapshot, source), names, allow_external=selection.allow_external_annotations
    )
    if source.worklists == "all":  # who lists worklists has said which names count
        _warn_of_unknown_names(snapshot, space, selection)
    _tell_of_unknown_types(snapshot)
    condition, values = sql_condition(selection, space)
    locked = source.lock is not None
    return Prepared(snapshot, space, selection, condition, values, locked, may_ask=source.auto_update)


def root_rows(prepared: Prepared, source: Source, kinds: Collection[str], class_name: str) -> RowNumbers:
    """The rows of the dataset's kinds that its source keeps, ascending.

    Warns:
        SkippedResourcesWarning: Resources of another kind were left out.

    Raises:
        DatamintDatasetException: The same, with `strict_kind=True`.
    """
    snapshot = prepared.snapshot
    rows = snapshot.rows_where(f"kind IN ({', '.join(repr(kind) for kind in sorted(kinds))})")
    left_out = len(snapshot) - len(rows)
    if left_out:
        message = (
            f"{class_name} takes resources of kind {' or '.join(sorted(kinds))}; "
            f"{left_out} of {len(snapshot)} resources are of another kind and were left out."
        )
        if source.strict_kind:
            raise DatamintDatasetException(f"{message} Use the class of their kind, or strict_kind=False.")
        warn_user(message, SkippedResourcesWarning)
    if not source.include_unannotated:
        rows = np.intersect1d(rows, snapshot.annotated_rows(prepared.condition, prepared.values), assume_unique=True)
    return as_row_numbers(rows)


def _open(source: Source, api_key: str | None) -> Snapshot:
    if source.lock is not None:
        return locked_snapshot(source.lock, source.store_url, source.cache)
    if source.project is not None and not source.follows:
        return newest_snapshot(source.store_url, source.project, source.cache.path)
    if not source.may_ask:
        raise CacheError(
            f"A list of resources is asked of its server, and DATAMINT_LIKE_OFFLINE forbids to ask {source.store_url}. "
            "Unset it, or give project= (whose newest snapshot is opened) or lock=."
        )
    backend = open_backend(source.store_url, api_key=api_key, cache_dir=source.cache)
    try:
        if source.project is not None:
            return sync_project(backend, source.project, source.cache)
        return sync_resources(backend, source.resource_ids or (), source.cache)
    finally:
        backend.close()


def _worklists(snapshot: Snapshot, source: Source) -> list[AnnotationWorklist] | None:
    """The worklists whose schema counts; None where the label space comes from the data."""
    if source.worklists is None or snapshot.meta.project is None:
        return None
    if source.worklists == "all":
        return list(snapshot.meta.worklists)
    known = {worklist.id: worklist for worklist in snapshot.meta.worklists}
    for worklist_id in source.worklists:
        if worklist_id not in known:
            raise ItemNotFoundError(
                f"Worklist {worklist_id!r} not found in project {snapshot.meta.project.name!r}, "
                f"which has {sorted(known) or 'none'}."
            )
    return [known[worklist_id] for worklist_id in source.worklists]


def _warn_of_unknown_names(snapshot: Snapshot, space: LabelSpace, selection: Selection) -> None:
    """Say once, by name, which annotations the schema leaves out."""
    schema_only = Selection(allow_external_annotations=selection.allow_external_annotations)
    condition, values = sql_condition(schema_only, space)
    unknown = snapshot.count_names(f"NOT {condition}", values)
    if unknown:
        named = ", ".join(f"{kind} {name!r} ({count})" for kind, name, count in unknown[:10])
        warn_user(
            f"The worklists do not know these annotations, so they are left out: {named}"
            f"{' and more' if len(unknown) > 10 else ''}. Add them to a worklist, or pass "
            "allow_external_annotations=True.",
            DatamintWarning,
        )


def _tell_of_unknown_types(snapshot: Snapshot) -> None:
    """Say once, by type, which annotations a newer store may have brought; they are kept as they are."""
    known = ", ".join(repr(kind) for kind in sorted(ANNOTATION_TYPES))
    unknown = Counter[str]()
    for kind, _, count in snapshot.count_names(f"type NOT IN ({known})", {}):
        unknown[kind] += count
    if unknown:
        named = ", ".join(f"{kind!r} ({count})" for kind, count in sorted(unknown.items()))
        warn_user(
            f"This version does not know annotations of type {named}: they stand in item['annotations'] and in no "
            "target.",
            DatamintWarning,
        )


def _names(snapshot: Snapshot, condition: str) -> tuple[str, ...]:
    return tuple(name for (name,) in snapshot.names("identifier", condition))
