"""Calls about projects, their resources and their splits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, overload

from datamint_like._warn import warn_user
from datamint_like.api._choices import work_status
from datamint_like.api._endpoint import (
    Endpoint,
    ProjectRef,
    ResourceRef,
    fields_of,
    first,
    id_of,
    ids_of,
    looks_like_id,
    one_spelling,
    project_of,
)
from datamint_like.api._orders import bind
from datamint_like.backends.base import NewProject
from datamint_like.backends.finding import unknown_project
from datamint_like.entities import WORK_STATUSES, AnnotationWorklist, Project, ProjectResourceSplit, Resource
from datamint_like.exceptions import DatamintWarning, EntityAlreadyExistsError, ItemNotFoundError, ValidationError

WorkStatusName = Literal["opened", "annotated", "closed"]


class ProjectsApi(Endpoint):
    """Projects: named, ordered sets of resources that people annotate.

    Wherever a project is asked for, a `Project`, its id or its name will do.

    Example:
        >>> project = api.projects.create("knees", "Radiographs of knees")
        >>> api.projects.add_resources(xray, project)
        >>> [resource.filename for resource in api.projects.get_project_resources("knees")]
        ['nih_00000001_000.png']
    """

    # -- finding

    def get_list(self, limit: int | None = None, *, include_archived: bool = False) -> list[Project]:
        """Projects in order of creation, without the archived ones unless asked for.

        Example:
            >>> [project.name for project in api.projects.get_list(limit=2)]
            ['demo', 'head-ct']
        """
        return first(self._backend.list_projects(include_archived=include_archived), limit)

    def get_all(self, limit: int | None = None) -> list[Project]:
        """Every project, archived ones too.

        Example:
            >>> len(api.projects.get_all())
            4
        """
        return self.get_list(limit, include_archived=True)

    def get_deleted(self) -> list[Project]:
        """The archived projects, which `restore` brings back.

        Example:
            >>> api.projects.delete("echo")
            >>> [project.name for project in api.projects.get_deleted()]
            ['echo']
        """
        return [project for project in self.get_all() if project.archived]

    def get_by_id(self, entity_id: str) -> Project:
        """The project with this id.

        Raises:
            ItemNotFoundError: The store holds none; the message names the id and the store.

        Example:
            >>> project = api.projects.create("knees")
            >>> api.projects.get_by_id(project.id).name
            'knees'
        """
        wanted = id_of(entity_id, Project)
        try:
            return self._backend.get_project(wanted)
        except ItemNotFoundError as error:
            raise ItemNotFoundError(unknown_project(self._backend, wanted)) from error

    def get_by_name(self, name: str, include_archived: bool = True) -> Project | None:
        """The project with this name, or None.

        Example:
            >>> api.projects.get_by_name("chest").resource_count
            3
            >>> api.projects.get_by_name("knees") is None
            True
        """
        found = self._backend.find_project(name)
        return None if found is None or (found.archived and not include_archived) else found

    # -- making and removing

    @overload
    def create(
        self,
        name: str,
        description: str = ...,
        resources_ids: Sequence[ResourceRef] | None = ...,
        is_active_learning: bool = ...,
        two_up_display: bool = ...,
        segmentation_spec: Literal["single_label", "multi_label"] = ...,
        *,
        return_entity: Literal[True] = ...,
        exists_ok: bool = ...,
        resource_ids: Sequence[ResourceRef] | None = ...,
    ) -> Project: ...
    @overload
    def create(
        self,
        name: str,
        description: str = ...,
        resources_ids: Sequence[ResourceRef] | None = ...,
        is_active_learning: bool = ...,
        two_up_display: bool = ...,
        segmentation_spec: Literal["single_label", "multi_label"] = ...,
        *,
        return_entity: Literal[False],
        exists_ok: bool = ...,
        resource_ids: Sequence[ResourceRef] | None = ...,
    ) -> str: ...
    def create(
        self,
        name: str,
        description: str = "",
        resources_ids: Sequence[ResourceRef] | None = None,
        is_active_learning: bool = False,
        two_up_display: bool = False,
        segmentation_spec: Literal["single_label", "multi_label"] = "single_label",
        *,
        return_entity: bool = True,
        exists_ok: bool = False,
        resource_ids: Sequence[ResourceRef] | None = None,
    ) -> Project | str:
        """The new project with a default worklist (its id with `return_entity=False`).

        `resource_ids` is the later published name of `resources_ids`. With `exists_ok=True` a project of this name
        is taken as it is: the resources that it lacks join it, and a warning says where its description or
        `segmentation_spec` is another.

        Raises:
            EntityAlreadyExistsError: The name is taken and `exists_ok` is False, or by an archived project.
            NotImplementedError: Active learning and the two-up display belong to an annotation front end.

        Example:
            >>> api.projects.create("knees", "Radiographs of knees", resource_ids=[xray]).resource_count
            1
        """
        if is_active_learning or two_up_display:
            raise NotImplementedError(
                "is_active_learning and two_up_display configure an annotation front end, which this store has not."
            )
        given = {"resources_ids": resources_ids, "resource_ids": resource_ids}
        ids = {name: None if value is None else ids_of(value, Resource) for name, value in given.items()}
        wanted = tuple(one_spelling(**ids) or ())
        if not isinstance(description, str | None):
            raise ValidationError(f"The description of a project is a text, not {description!r:.80}.")
        new = NewProject(name, description or "", wanted, segmentation_type=segmentation_spec)
        found = self._backend.find_project(name)
        project = self._create(new, exists_ok) if found is None else self._taken_over(found, new, exists_ok)
        return project if return_entity else project.id

    def _create(self, new: NewProject, exists_ok: bool) -> Project:
        try:
            return self._backend.create_project(new)
        except EntityAlreadyExistsError:  # another process was first
            found = self._backend.find_project(new.name)
            if found is None:
                raise
            return self._taken_over(found, new, exists_ok)

    def _taken_over(self, found: Project, new: NewProject, exists_ok: bool) -> Project:
        """The project that has the name already, with the resources that the new one would have had."""
        if not exists_ok or found.archived:
            raise EntityAlreadyExistsError(_taken(found))
        if new.resource_ids:
            self._backend.add_project_resources(found.id, new.resource_ids)
        differs = ["description"] if new.description and new.description != (found.description or "") else []
        if new.segmentation_type != NewProject.segmentation_type and found.worklist_id is not None:
            worklist = self._backend.get_worklist(found.worklist_id)
            differs += ["segmentation_spec"] if worklist.segmentation_type != new.segmentation_type else []
        if differs:
            warn_user(
                f"The project {found.name!r} exists already and keeps its own {' and '.join(differs)}. "
                "Use projects.patch or annotationsets.patch to change it.",
                DatamintWarning,
            )
        return self._backend.get_project(found.id)

    def delete(self, entity: ProjectRef) -> None:
        """Archive the project; `restore` brings it back. Its resources stay.

        Example:
            >>> api.projects.delete("echo")
            >>> api.projects.get_by_name("echo").archived
            True
        """
        self._backend.archive_project(project_of(self._backend, entity).id)

    def restore(self, project: ProjectRef) -> Project:
        """The archived project, in use again.

        Example:
            >>> api.projects.delete("echo")
            >>> api.projects.restore("echo").archived
            False
        """
        return self._backend.restore_project(project_of(self._backend, project).id)

    def patch(self, entity: ProjectRef, entity_data: dict[str, Any]) -> None:
        """Change fields of the project, such as `name` and `description`.

        Example:
            >>> api.projects.patch("chest", {"description": "Radiographs"})
            >>> api.projects.get_by_name("chest").description
            'Radiographs'
        """
        self._backend.update_project(project_of(self._backend, entity).id, fields_of(entity_data, "entity_data"))

    # -- resources

    def get_project_resources(self, project: ProjectRef) -> list[Resource]:
        """The resources of the project, in dataset order.

        Example:
            >>> [resource.filename for resource in api.projects.get_project_resources("head-ct")]
            ['series_203_32files.dcm']
        """
        return self._backend.list_project_resources(project_of(self._backend, project).id)

    def add_resources(self, resources: ResourceRef | Iterable[ResourceRef], project: ProjectRef) -> None:
        """Put resources at the end of the project (and publish them); those it has already stay where they are.

        Example:
            >>> api.projects.add_resources([head, echo], "chest")
            >>> len(api.projects.get_project_resources("chest"))
            5
        """
        self._backend.add_project_resources(project_of(self._backend, project).id, ids_of(resources, Resource))

    def remove_resources(self, resources: ResourceRef | Iterable[ResourceRef], project: ProjectRef) -> None:
        """Take resources out of the project; the resources themselves stay in the store.

        Example:
            >>> api.projects.remove_resources(xray, "chest")
            >>> len(api.projects.get_project_resources("chest"))
            2
        """
        self._backend.remove_project_resources(project_of(self._backend, project).id, ids_of(resources, Resource))

    @overload
    def set_work_status(self, project: ProjectRef, resource: ResourceRef, status: WorkStatusName) -> None: ...
    @overload
    def set_work_status(self, resource: ResourceRef, status: WorkStatusName, project: ProjectRef) -> None: ...
    def set_work_status(self, *args: Any, **kwargs: Any) -> None:
        """Say how far the annotation of a resource is: `"opened"`, `"annotated"` or `"closed"`.

        Both published orders work: `(project, resource, status)` and `(resource, status, project)`.

        Example:
            >>> api.projects.set_work_status("chest", xray, "annotated")
            >>> [row["status"] for row in api.projects.get_annotation_statuses("chest")]
            ['annotated']
        """
        orders = (("project", "resource", "status"), ("resource", "status", "project"))
        fits = {"project": _is_project, "resource": _is_resource, "status": lambda value: value in WORK_STATUSES}
        if not any(value in WORK_STATUSES for value in (*args, *kwargs.values()) if isinstance(value, str)):
            raise ValidationError(f"A work status is one of {', '.join(WORK_STATUSES)}.")
        found = bind("set_work_status", args, kwargs, orders=orders, fits=fits, tie=self._names_a_project)
        project = project_of(self._backend, found["project"])
        self._backend.set_work_status(project.id, id_of(found["resource"], Resource), found["status"])

    def get_annotation_statuses(
        self,
        project: ProjectRef,
        status: str | None = None,
        user_id: str | None = None,
        resource_id: ResourceRef | None = None,
    ) -> list[dict[str, Any]]:
        """The work status of each resource that has one, as plain dicts, narrowed to what is asked for.

        Example:
            >>> api.projects.set_work_status("chest", xray, "closed")
            >>> (row,) = api.projects.get_annotation_statuses("chest", status="closed")
            >>> row["resource_id"] == xray.id
            True
        """
        status = work_status(status)
        rows = self._backend.list_work_statuses(project_of(self._backend, project).id)
        wanted = None if resource_id is None else id_of(resource_id, Resource)
        return [
            row.to_dict()
            for row in rows
            if (status is None or row.status == status)
            and (user_id is None or row.user_id == user_id)
            and (wanted is None or row.resource_id == wanted)
        ]

    def get_worklists(self, project: ProjectRef) -> list[AnnotationWorklist]:
        """The worklists (annotation sets) of the project.

        Example:
            >>> [worklist.name for worklist in api.projects.get_worklists("chest")]
            ['Default']
        """
        return self._backend.list_worklists(project_of(self._backend, project).id)

    # -- splits

    @overload
    def assign_splits(
        self, project: ProjectRef, resources: ResourceRef | Iterable[ResourceRef], split_name: str
    ) -> None: ...
    @overload
    def assign_splits(
        self, resources: ResourceRef | Iterable[ResourceRef], split_name: str, project: ProjectRef
    ) -> None: ...
    def assign_splits(self, *args: Any, **kwargs: Any) -> None:
        """Put resources of the project into the split `split_name`, replacing what they were assigned to.

        Both published orders work: `(project, resources, split_name)` and `(resources, split_name, project)`.
        They are told apart by type (a `Project`, or a list of resources); where all three are plain texts, by
        which of them the store knows as a project. The history stays: see `get_splits(as_of_timestamp=...)`.

        Raises:
            ValidationError: The arguments fit neither order, or a resource is not in the project.
            ItemNotFoundError: The project or a resource is unknown.

        Example:
            >>> api.projects.assign_splits("chest", [xray], "train")
            >>> dataset.split()["train"].resources[0].filename
            'nih_00000001_000.png'
        """
        orders = (("project", "resources", "split_name"), ("resources", "split_name", "project"))
        fits = {"project": _is_project, "resources": _are_resources, "split_name": _is_text}
        found = bind("assign_splits", args, kwargs, orders=orders, fits=fits, tie=self._names_a_project)
        project = project_of(self._backend, found["project"])
        self._backend.assign_split(project.id, ids_of(found["resources"], Resource), found["split_name"])

    def get_splits(
        self, project: ProjectRef, split_name: str | None = None, as_of_timestamp: str | None = None
    ) -> list[ProjectResourceSplit]:
        """The split assignments of the project as they are, or as they were at `as_of_timestamp` (ISO 8601).

        Example:
            >>> api.projects.assign_splits("chest", [xray], "train")
            >>> [(row.split_name, row.resource_id == xray.id) for row in api.projects.get_splits("chest")]
            [('train', True)]
        """
        found = project_of(self._backend, project)
        return self._backend.list_splits(found.id, split_name=split_name, as_of=as_of_timestamp)

    @overload
    def get_resource_split(self, project: ProjectRef, resource: ResourceRef) -> ProjectResourceSplit | None: ...
    @overload
    def get_resource_split(self, resource: ResourceRef, project: ProjectRef) -> ProjectResourceSplit | None: ...
    def get_resource_split(self, *args: Any, **kwargs: Any) -> ProjectResourceSplit | None:
        """The split that the resource is assigned to, or None.

        Both published orders work: `(project, resource)` and `(resource, project)`.

        Example:
            >>> api.projects.assign_splits("chest", [xray], "train")
            >>> api.projects.get_resource_split("chest", xray).split_name
            'train'
        """
        orders = (("project", "resource"), ("resource", "project"))
        fits = {"project": _is_project, "resource": _is_resource}
        found = bind("get_resource_split", args, kwargs, orders=orders, fits=fits, tie=self._names_a_project)
        wanted = id_of(found["resource"], Resource)
        rows = self.get_splits(found["project"])
        return next((row for row in rows if row.resource_id == wanted), None)

    def _names_a_project(self, found: Any) -> bool:
        """Whether the text taken for a project is one: the last resort between two argument orders."""
        project = found["project"]
        if isinstance(project, Project):
            return True
        try:
            return bool(project_of(self._backend, project))
        except ItemNotFoundError:
            return False


def _taken(project: Project) -> str:
    if project.archived:
        return (
            f"The name {project.name!r} belongs to an archived project ({project.id}). "
            "Bring it back with projects.restore, or choose another name."
        )
    return (
        f"There is a project {project.name!r} already ({project.id}). "
        "Choose another name, or pass exists_ok=True to take this one."
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_project(value: Any) -> bool:
    return isinstance(value, Project) or _is_text(value)


def _is_resource(value: Any) -> bool:
    return isinstance(value, Resource) or (isinstance(value, str) and looks_like_id(value))


def _are_resources(value: Any) -> bool:
    if isinstance(value, str | Resource):
        return _is_resource(value)
    return isinstance(value, Iterable) and not isinstance(value, Project | bytes | dict)
