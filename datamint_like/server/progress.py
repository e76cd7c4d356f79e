"""Statistics of work: by annotator, by what was said, and by resource and annotator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from datamint_like.entities import WORK_STATUSES, AnnotationTally, WorkStatus


def of_annotators(
    emails: Iterable[str], statuses: Sequence[WorkStatus], tallies: Sequence[AnnotationTally], resources: int
) -> list[dict[str, Any]]:
    """Of each annotator, sorted, how many resources are in which state and how much was said.

    Whoever worked or said something counts beside the `emails` given.

    Args:
        emails: The annotators.
        statuses: States of work.
        tallies: What was said.
        resources: How many there are to work on.

    Example:
        >>> of_annotators(["a@lab.example"], [], [], 2)[0]["resources"]
        2
    """
    worked = {each.user_id for each in statuses if each.user_id}
    said = {each.author for each in tallies if each.author}
    return [of_annotator(email, statuses, tallies, resources) for email in sorted({*emails, *worked, *said})]


def of_annotator(
    email: str, statuses: Sequence[WorkStatus], tallies: Sequence[AnnotationTally], resources: int
) -> dict[str, Any]:
    """How far one annotator is."""
    states = Counter(each.status for each in statuses if each.user_id == email)
    mine = [each for each in tallies if each.author == email]
    return {
        "email": email,
        "resources": resources,
        **{state: states[state] for state in WORK_STATUSES},
        "annotated_resources": len({each.resource_id for each in mine}),
        "annotations": sum(each.total for each in mine),
        "segmentations": sum(each.total for each in mine if each.annotation_type == "segmentation"),
    }


def of_identifiers(tallies: Sequence[AnnotationTally]) -> list[dict[str, Any]]:
    """Of each type, identifier and scope, sorted, how often it was said, of how many resources, by how many authors."""
    groups: dict[tuple[str, str, str], list[AnnotationTally]] = {}
    for each in tallies:
        groups.setdefault((each.annotation_type, each.identifier, each.scope), []).append(each)
    return [
        {
            **dict(zip(("type", "identifier", "scope"), key, strict=True)),
            "count": sum(each.total for each in some),
            "resources": len({each.resource_id for each in some}),
            "annotators": len({each.author for each in some}),
        }
        for key, some in sorted(groups.items())
    ]


def of_types(tallies: Sequence[AnnotationTally]) -> dict[str, int]:
    """How many annotations there are of each type, sorted."""
    found: Counter[str] = Counter()
    for each in tallies:
        found[each.annotation_type] += each.total
    return dict(sorted(found.items()))
