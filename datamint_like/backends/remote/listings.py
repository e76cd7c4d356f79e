"""What a server of Datamint's protocol lists of a project, and a digest of it that stands for a revision."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from datamint_like.entities import Annotation, AnnotationWorklist, Project, Resource

#: What the revision of a listing begins with; it does not tell of splits, which are not among what is listed.
LISTED = "listed-"
#: Counts of a project and the like, which change without its content.
_PASSING = ("annotated_resource_count", "closed_resources_count", "resources_to_annotate_count")
_DEFAULTS: dict[str, Any] = {"resource_ids": (), "annotators": (), "annotations": (), "segmentation_group": {}}


@dataclass(frozen=True)
class Listing:
    """All that is listed of a project, or of some resources (without project).

    Attributes:
        revision: Equal revisions mean equal listings.
        annotations: By resource id, each in order of (created_at, id).
    """

    revision: str
    project: Project | None
    worklists: tuple[AnnotationWorklist, ...]
    resources: tuple[Resource, ...]
    annotations: Mapping[str, Sequence[Annotation]]

    @classmethod
    def of(
        cls,
        project: Project | None,
        worklists: Sequence[AnnotationWorklist],
        resources: Sequence[Resource],
        annotations: Sequence[Annotation],
    ) -> Listing:
        """The listing of these records."""
        said: dict[str, list[Annotation]] = {resource.id: [] for resource in resources}
        for each in sorted(annotations, key=lambda each: (each.created_at or "", each.id)):
            if each.resource_id in said and not each.deleted:
                said[each.resource_id].append(each)
        stable = None if project is None else {k: v for k, v in project.to_dict().items() if k not in _PASSING}
        content = msgspec.json.encode((stable, worklists, resources, said), order="deterministic")
        revision = f"{LISTED}{hashlib.sha256(content).hexdigest()}"
        return cls(revision, project, tuple(worklists), tuple(resources), said)


def worklist_of(value: Mapping[str, Any]) -> dict[str, Any]:
    """A worklist without the nulls that stand for nothing, and classes in their own form."""
    own = {key: each for key, each in value.items() if each is not None}
    for name in ("annotations", "annotators"):
        own[name] = [_without_nulls(each) for each in own.get(name, ())]
    return {**_DEFAULTS, **own}


def _without_nulls(value: Any) -> Any:
    return {key: each for key, each in value.items() if each is not None} if isinstance(value, Mapping) else value
