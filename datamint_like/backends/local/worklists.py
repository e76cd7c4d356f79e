"""Rows of worklists: the schema that annotators of a project work by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from datamint_like.backends.base import NewWorklist
from datamint_like.backends.local import members
from datamint_like.backends.local.changes import json_ready, name, need_resources, one_of, only
from datamint_like.backends.local.database import Read, Write, batches, id_list, new_id
from datamint_like.backends.local.schema import annotation_table, projects, worklists
from datamint_like.entities import (
    ANNOTATION_TYPES,
    MAX_SEGMENTATION_CODE,
    AnnotationSpec,
    AnnotationWorklist,
    ProjectAnnotator,
    Record,
    SegmentationClass,
    WorklistAnnotator,
)
from datamint_like.exceptions import EntityAlreadyExistsError, ValidationError

DEFAULT_NAME = "Default"
_SEGMENTATION_TYPES = frozenset({"single_label", "multi_label"})
_CHANGEABLE = frozenset(
    {
        *("name", "description", "status", "annotators", "annotations", "resource_ids"),
        *("segmentation_type", "segmentation_group"),
    }
)
R = TypeVar("R", bound=Record)


def of_project(read: Read, project_id: str) -> list[AnnotationWorklist]:
    """A project's worklists, by time of creation."""
    row = worklists.c
    found = read.rows(sa.select(worklists).where(row.project_id == project_id).order_by(row.created_at, row.id))
    return [_worklist(each) for each in found]


def annotators_of(read: Read, project_ids: Sequence[str]) -> dict[str, tuple[ProjectAnnotator, ...]]:
    """Of each project that has any, the annotators and the worklists they see."""
    row = worklists.c
    seen: dict[str, dict[str, list[str]]] = {}
    columns = sa.select(row.project_id, row.id, row.annotators).order_by(row.created_at, row.id)
    for batch in batches(project_ids):
        for found in read.rows(columns.where(row.project_id.in_(batch))):
            for annotator in records(WorklistAnnotator, found["annotators"]):
                seen.setdefault(found["project_id"], {}).setdefault(annotator.email, []).append(found["id"])
    return {
        project_id: tuple(ProjectAnnotator(email=email, worklist_ids=tuple(ids)) for email, ids in people.items())
        for project_id, people in seen.items()
    }


def get(read: Read, worklist_id: str) -> AnnotationWorklist:
    """The worklist with this id."""
    row = read.row(sa.select(worklists).where(worklists.c.id == worklist_id))
    if row is None:
        raise read.missing("Worklist", worklist_id)
    return _worklist(row)


def create(write: Write, new: NewWorklist) -> AnnotationWorklist:
    """Add a worklist; in one project, names are unique."""
    if new.project_id is not None and not write.found(projects.c.id, [new.project_id]):
        raise write.missing("Project", new.project_id)
    values = {
        "name": new.name,
        "description": new.description,
        "resource_ids": new.resource_ids,
        "annotators": new.annotators,
        "annotations": new.annotations,
        "segmentation_group": new.segmentation_group,
        "segmentation_type": new.segmentation_type,
    }
    columns = _columns(write, values, project_id=new.project_id)
    row = {"id": new_id(), "status": "new", "created_by": write.user, "created_at": write.stamp(), **columns}
    write.insert(worklists, [{**row, "project_id": new.project_id}])
    if new.project_id is not None:
        _admit(write, new.project_id, columns)
        write.touch_projects([new.project_id])
    return get(write, row["id"])


def update(write: Write, worklist_id: str, changes: Mapping[str, Any]) -> AnnotationWorklist:
    """Replace fields of a worklist."""
    old = get(write, worklist_id)
    columns = _columns(write, only(changes, _CHANGEABLE, "a worklist"), project_id=old.project_id, own_id=worklist_id)
    write.change(worklists, worklists.c.id == worklist_id, **columns)
    if columns.get("name", old.name) != old.name:  # which its annotations show, whatever project they are read in
        write.touch_projects_of(_annotated_in(write, worklist_id))
    if old.project_id is not None:
        _admit(write, old.project_id, columns)
        write.touch_projects([old.project_id])
    return get(write, worklist_id)


def _annotated_in(read: Read, worklist_id: str) -> list[str]:
    """Ids of the resources of which something was said in a worklist."""
    said = annotation_table.c
    found = read.rows(sa.select(said.resource_id).where(said.annotation_worklist_id == worklist_id).distinct())
    return [row["resource_id"] for row in found]


def _admit(write: Write, project_id: str, columns: Mapping[str, Any]) -> None:
    """Whoever annotates in a worklist of a project is a member of it."""
    members.admit(write, project_id, [each["email"] for each in columns.get("annotators", ())], "PROJECT_ANNOTATOR")


def _columns(
    read: Read, values: Mapping[str, Any], *, project_id: str | None, own_id: str | None = None
) -> dict[str, Any]:
    """Checked values of columns."""
    columns = dict(values)
    if "name" in values:
        _need_free_name(read, name(values["name"], "The name of a worklist"), project_id, own_id)
    if "status" in values:
        name(values["status"], "The status of a worklist")
    if "segmentation_type" in values:
        one_of(values["segmentation_type"], _SEGMENTATION_TYPES, "segmentation_type")
    if "resource_ids" in values:
        columns["resource_ids"] = id_list(values["resource_ids"], "resource_ids")
        need_resources(read, columns["resource_ids"])
    if "annotators" in values:
        columns["annotators"] = [each.to_dict() for each in records(WorklistAnnotator, values["annotators"])]
    if "annotations" in values:
        columns["annotations"] = [_checked_spec(each) for each in records(AnnotationSpec, values["annotations"])]
    if "segmentation_group" in values:
        columns["segmentation_group"] = _checked_group(values["segmentation_group"])
    return columns


def records(kind: type[R], values: Sequence[R | Mapping[str, Any]]) -> list[R]:
    """`values` as entities, each given as one or as a mapping."""
    if not isinstance(values or (), Iterable) or isinstance(values, (str, Mapping)):
        raise ValidationError(f"{kind.__name__}s must be given as a list, not as {values!r:.80}.")
    return [kind.from_dict(_mapping(kind, value)) for value in values or ()]


def _mapping(kind: type[Record], value: Any) -> Mapping[str, Any]:
    if isinstance(value, kind):
        return msgspec.structs.asdict(value)  # its fields may hold anything
    if not isinstance(value, Mapping):
        raise ValidationError(f"This is not a {kind.__name__}: {value!r:.80}.")
    return value


def _checked_spec(spec: AnnotationSpec) -> dict[str, Any]:
    name(spec.identifier, "The identifier of an annotation spec")
    one_of(spec.type, ANNOTATION_TYPES, f"The type of annotation spec {spec.identifier!r}")
    one_of(spec.scope, ("image", "frame"), f"The scope of annotation spec {spec.identifier!r}")
    return spec.to_dict()


def _checked_group(group: Mapping[str, SegmentationClass | Mapping[str, Any]]) -> dict[str, Any]:
    """Classes by name; codes start at 1 and differ."""
    if not isinstance(group, Mapping):
        raise ValidationError(f"segmentation_group must be a mapping of names to classes, not {group!r:.80}.")
    classes = dict(zip(group, records(SegmentationClass, list(group.values())), strict=True))
    taken: dict[int, str] = {}
    for label, each in classes.items():
        name(label, "The name of a segmentation class")
        if not 1 <= each.index <= MAX_SEGMENTATION_CODE or each.index in taken:
            rival = f" as {taken[each.index]!r} has" if each.index in taken else ""
            raise ValidationError(
                f"The segmentation class {label!r} has index {each.index}{rival}: give every class its own, "
                f"from 1 to {MAX_SEGMENTATION_CODE}."
            )
        taken[each.index] = label
    result: dict[str, Any] = json_ready(
        {label: each.to_dict() for label, each in classes.items()}, "segmentation_group"
    )
    return result


def _need_free_name(read: Read, wanted: str, project_id: str | None, own_id: str | None) -> None:
    if project_id is None:
        return
    row = worklists.c
    holder = read.row(sa.select(row.id).where(row.project_id == project_id, row.name == wanted))
    if holder is not None and holder["id"] != own_id:
        raise EntityAlreadyExistsError(f"Project {project_id} has a worklist named {wanted!r} already.")


def _worklist(row: Any) -> AnnotationWorklist:
    fields = {str(key): value for key, value in row.items() if value is not None}  # the keys are a subclass of str
    return AnnotationWorklist.from_dict(fields)
