"""Projects of a server, their members, worklists and splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datamint_like.backends.base import NewProject, NewWorklist
from datamint_like.backends.remote import given
from datamint_like.backends.remote.answers import path
from datamint_like.backends.remote.base import Subject
from datamint_like.backends.values import id_list, only
from datamint_like.entities import AnnotationWorklist, Project, ProjectResourceSplit, Resource, WorkStatus
from datamint_like.exceptions import ValidationError

_RGB = 3
_CHANGEABLE = frozenset({"name", "description", "most_recent_experiment"})
_WORKLIST_ALIASES = {"worklist_id": "id", "worklist_name": "name"}


class Worklists(Subject):
    """The calls about worklists."""

    def list_worklists(self, project_id: str) -> list[AnnotationWorklist]:
        """A project's worklists, by time of creation."""
        found = self._calls.get(path("projects", project_id, "worklists"))
        named = [worklist_names(each) for each in found] if isinstance(found, list) else found
        return self._calls.records(AnnotationWorklist, named)

    def get_worklist(self, worklist_id: str) -> AnnotationWorklist:
        """The worklist with this id."""
        return self._calls.record(AnnotationWorklist, self._calls.get(path("annotationsets", worklist_id)))

    def create_worklist(self, new: NewWorklist) -> AnnotationWorklist:
        """Add a worklist."""
        return self._calls.record(AnnotationWorklist, self._created("/annotationsets", given.plain(new)))

    def update_worklist(self, worklist_id: str, changes: Mapping[str, Any]) -> AnnotationWorklist:
        """Replace fields of a worklist."""
        place = path("annotationsets", worklist_id)
        changed = self._calls.send("PATCH", place, given.changes(changes, "a worklist"), repeat=True)
        return self._calls.record(AnnotationWorklist, changed)


class Projects(Worklists):
    """The calls about projects and their members."""

    def list_projects(self, *, include_archived: bool = False) -> list[Project]:
        """Projects by time of creation."""
        wanted = {"includeArchived": "true"} if include_archived else {}
        return self._calls.records(Project, self._listed("projects", "/projects", wanted))

    def get_project(self, project_id: str) -> Project:
        """The project with this id."""
        return self._calls.record(Project, self._calls.get(path("projects", project_id)))

    def find_project(self, name: str) -> Project | None:
        """The project with this name, archived or not, or None."""
        wanted = {"name": given.text(name, "The name of a project"), "includeArchived": "true"}
        found = self._calls.records(Project, self._listed("projects", "/projects", wanted))
        return next((each for each in found if each.name == name), None)

    def create_project(self, new: NewProject) -> Project:
        """Add a project and its default worklist."""
        body = project_body(new)
        made = self.get_project(self._calls.field(self._created("/projects", body), "id", str))
        if made.worklist_id and any(len(each.color) == _RGB for each in new.segmentation_group.values()):
            # the form of the protocol makes colours RGBA; ours keep the form in which they were given
            self.update_worklist(made.worklist_id, {"segmentation_group": new.segmentation_group})
        return made

    def update_project(self, project_id: str, changes: Mapping[str, Any]) -> Project:
        """Change a project's own fields."""
        wanted = only(given.changes(changes, "a project"), _CHANGEABLE, "a project")
        self._calls.send("PATCH", path("projects", project_id), wanted, repeat=True)
        return self.get_project(project_id)

    def archive_project(self, project_id: str) -> None:
        """Hide a project from listings; `restore_project` brings it back."""
        self._calls.send("DELETE", path("projects", project_id), repeat=True)

    def restore_project(self, project_id: str) -> Project:
        """Bring an archived project back."""
        return self._calls.record(
            Project, self._calls.send("POST", path("projects", project_id, "restore"), repeat=True)
        )

    def list_project_resources(self, project_id: str) -> list[Resource]:
        """The project's resources that are not deleted, by time of adding."""
        return self._calls.records(Resource, self._calls.get(path("projects", project_id, "resources")))

    def add_project_resources(self, project_id: str, resource_ids: Sequence[str]) -> None:
        """Add resources to a project, publishing them."""
        self._members(project_id, {"resource_ids_to_add": id_list(resource_ids, "resource_ids")})

    def remove_project_resources(self, project_id: str, resource_ids: Sequence[str]) -> None:
        """Take resources out of a project."""
        self._members(project_id, {"resource_ids_to_delete": id_list(resource_ids, "resource_ids")})

    def _members(self, project_id: str, body: dict[str, Any]) -> None:
        place = path("projects", project_id, "resources")
        self._calls.send("POST", place, {**body, "all_files_selected": False}, repeat=True)

    def set_work_status(self, project_id: str, resource_id: str, status: str) -> None:
        """Say how far the work on a resource of a project is."""
        place = path("projects", project_id, "resources", resource_id, "status")
        self._calls.send("POST", place, {"status": given.text(status, "The status of work")})

    def count_annotated(self, project_ids: Sequence[str]) -> dict[str, int]:
        """For each of these projects how many of its resources have an annotation, neither being deleted."""
        wanted = id_list(project_ids, "project_ids")
        counts = self._read_by_post("/projects/annotated-counts", {"project_ids": wanted}) if wanted else {}
        return {each: self._calls.field(counts, each, int) for each in wanted}

    def list_work_statuses(self, project_id: str) -> list[WorkStatus]:
        """Statuses of work, oldest first."""
        return self._calls.records(WorkStatus, self._calls.get(path("projects", project_id, "work-statuses")))

    def project_revision(self, project_id: str) -> str:
        """A token that changes whenever anything that a dataset of this project reads changes."""
        return self._calls.field(self._calls.get(path("projects", project_id, "revision")), "revision", str)


class Splits(Subject):
    """The calls about split assignments."""

    def assign_split(self, project_id: str, resource_ids: Sequence[str], split_name: str) -> None:
        """Put resources of a project into a split, all at one instant."""
        wanted = id_list(resource_ids, "resource_ids")
        body = {"resource_ids": wanted, "split_name": given.text(split_name, "The name of a split")}
        self._calls.send("POST", path("projects", project_id, "splits"), body)

    def assign_splits(self, project_id: str, names: Mapping[str, str | None]) -> str:
        """Put each of these resources into the split named, or (None) into none, all at one instant: this one."""
        if not isinstance(names, Mapping):
            raise ValidationError(f"names must be a dict of resource id to split, not {names!r:.80}.")
        id_list(list(names), "resource_ids")
        answer = self._created(path("projects", project_id, "splits"), {"assignments": dict(names)})
        return self._calls.field(answer, "instant", str)

    def list_splits(
        self, project_id: str, *, split_name: str | None = None, as_of: str | None = None
    ) -> list[ProjectResourceSplit]:
        """The assignments that hold now, or held at `as_of` (ISO 8601; UTC where it names no zone)."""
        wanted = {"split_name": split_name, "as_of_timestamp": as_of}
        if as_of is not None and not given.text(as_of, "as_of").strip():
            raise ValidationError("'' is not a time stamp: give ISO 8601, such as 2026-02-01T09:00:00.123456Z.")
        params = {key: given.text(value, key) for key, value in wanted.items() if value is not None}
        return self._calls.records(ProjectResourceSplit, self._split_rows(project_id, params))

    def _split_rows(self, project_id: str, params: Mapping[str, str]) -> Any:
        return self._calls.get(path("projects", project_id, "splits"), params)


def worklist_names(value: Any) -> Any:
    """A worklist of a listing under the names of a worklist alone."""
    if not isinstance(value, Mapping):
        return value
    return {_WORKLIST_ALIASES.get(key, key): each for key, each in value.items()}


def project_body(new: NewProject) -> dict[str, Any]:
    """A new project in the words of the protocol."""
    fields = given.plain(new)
    definitions = [
        {"identifier": name, "color": each["color"], "index": each["index"]}
        for name, each in fields["segmentation_group"].items()
    ]
    return {
        "name": fields["name"],
        "description": fields["description"],
        "is_active_learning": False,
        "two_up_display": False,
        "require_review": False,
        "resource_ids": fields["resource_ids"],
        "segmentationData": {"segmentationValueType": fields["segmentation_type"], "definitions": definitions},
        "annotation_set": {
            "resource_ids": [],
            "annotations": fields["annotations"],
            "annotators": fields["annotators"],
        },
    }
