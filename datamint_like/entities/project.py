"""A project: a named, ordered set of resources that people annotate."""

from __future__ import annotations

from datamint_like.entities._record import Record

#: How far the annotation of one resource of a project can be.
WORK_STATUSES = ("opened", "annotated", "closed")


class ProjectAnnotator(Record, frozen=True, kw_only=True):
    """One annotator of a project and the worklists they see."""

    email: str
    worklist_ids: tuple[str, ...] = ()


class Project(Record, frozen=True, kw_only=True):
    """A named, ordered set of resources; `archived` when deleted (and restorable)."""

    id: str
    name: str
    created_at: str
    created_by: str
    dataset_id: str
    archived: bool = False
    resource_count: int = 0
    description: str | None = None
    worklist_id: str | None = None
    annotated_resource_count: int = 0
    closed_resources_count: int = 0
    resources_to_annotate_count: int = 0
    most_recent_experiment: str | None = None
    annotators: tuple[ProjectAnnotator, ...] = ()


class ProjectResourceSplit(Record, frozen=True, kw_only=True):
    """One assignment of a resource to a split of a project; `deleted_at` once it was replaced."""

    id: str
    split_name: str
    project_id: str
    resource_id: str
    created_at: str
    created_by: str
    deleted_at: str | None = None
    deleted_by: str | None = None


class WorkStatus(Record, frozen=True, kw_only=True):
    """How far the annotation of one resource of a project is: one of `WORK_STATUSES`."""

    resource_id: str
    status: str
    user_id: str | None = None
    updated_at: str | None = None


class ReviewMessage(Record, frozen=True, kw_only=True):
    """What a reviewer (`author`) said about an annotator's work on one resource of a project."""

    id: str
    project_id: str
    resource_id: str
    author: str
    status: str
    message: str
    created_at: str
    annotator: str | None = None
