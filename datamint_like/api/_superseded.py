"""Resources of an import's project that a new one holds whole: taken out of it where nothing hangs on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from datamint_like.api._import_report import Overlap, Superseded
from datamint_like.backends.base import AnnotationQuery, Backend


def supersede(
    backend: Backend, project_id: str, found: Sequence[Overlap], new: Collection[str]
) -> tuple[tuple[Superseded, ...], tuple[Overlap, ...]]:
    """Take out of the project what new resources hold whole, and tell it apart from the overlaps that stay.

    One with annotations, a split or a status of work stays, and its overlap says for what: none of these is moved,
    since slices of the new resource may be counted otherwise and its labels are for a person to judge. Tags go along.
    Overlaps of resources that are not `new` were told when these were.
    """
    whole = [each for each in found if each.is_whole]
    bound = _what_hangs_on(backend, project_id, {each.held.id for each in whole}) if whole else {}
    done = [each for each in whole if each.held.id not in bound]
    for each in done:
        if each.held.tags:
            backend.add_tags([each.resource.id], each.held.tags)
    out = list(dict.fromkeys(each.held.id for each in done))
    if out:
        backend.remove_project_resources(project_id, out)
    left = [
        replace(each, kept_for=bound.get(each.held.id, "") if each.is_whole else "")
        for each in found
        if each.held.id not in out and each.resource.id in new
    ]
    return tuple(Superseded(each.held, each.held_files, each.resource) for each in done), tuple(left)


def _what_hangs_on(backend: Backend, project_id: str, resource_ids: set[str]) -> dict[str, str]:
    """In words what resources have in the project that would be lost with them; those that have nothing are absent."""
    query = AnnotationQuery(resource_ids=tuple(sorted(resource_ids)))
    marks = Counter(each.resource_id for each in backend.list_annotations(query))
    splits = {each.resource_id for each in backend.list_splits(project_id)}
    statuses = {each.resource_id for each in backend.list_work_statuses(project_id)}
    told = {}
    for each in resource_ids:
        count = marks[each]
        words = [f"{count} annotation{'s' * (count != 1)}"] if count else []
        words += ["split"] if each in splits else []
        words += ["status of work"] if each in statuses else []
        if words:
            told[each] = " and ".join(words)
    return told
