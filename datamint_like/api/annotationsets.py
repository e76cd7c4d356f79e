"""Calls about worklists (annotation sets): which labels, categories and masks annotators may give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, overload

from datamint_like.api import _segmentation_classes as segmentation_classes
from datamint_like.api._endpoint import (
    Endpoint,
    ProjectRef,
    ResourceRef,
    WorklistRef,
    fields_of,
    id_of,
    ids_of,
    project_of,
    several,
)
from datamint_like.backends.base import NewWorklist
from datamint_like.entities import (
    AnnotationSpec,
    AnnotationWorklist,
    Resource,
    WorklistAnnotator,
)
from datamint_like.exceptions import EntityAlreadyExistsError, ValidationError

SpecGiven = AnnotationSpec | Mapping[str, Any]
SegmentationType = Literal["single_label", "multi_label"]


class AnnotationSetsApi(Endpoint):
    """Worklists; wherever one is asked for, an `AnnotationWorklist` or its id will do.

    Example:
        >>> (worklist,) = api.annotationsets.get_by_project("echo")
        >>> spec = {"type": "label", "identifier": "systole", "scope": "frame"}
        >>> worklist = api.annotationsets.patch(worklist, {"annotations": [spec]})
        >>> VideoDataset(project="echo").frame_labels_set  # the schema, before anyone gave such a label
        ['systole']
    """

    @overload
    def create(
        self,
        name: str,
        resource_ids: ResourceRef | Iterable[ResourceRef] = ...,
        description: str | None = ...,
        annotations: Sequence[SpecGiven] | None = ...,
        annotators: Sequence[str | Mapping[str, Any] | WorklistAnnotator] | None = ...,
        frame_labels: Sequence[str] | None = ...,
        image_labels: Sequence[str] | None = ...,
        segmentation_data: Mapping[str, Any] | None = ...,
        project: ProjectRef | None = ...,
        *,
        return_entity: Literal[True] = ...,
        exists_ok: bool = ...,
    ) -> AnnotationWorklist: ...
    @overload
    def create(
        self,
        name: str,
        resource_ids: ResourceRef | Iterable[ResourceRef] = ...,
        description: str | None = ...,
        annotations: Sequence[SpecGiven] | None = ...,
        annotators: Sequence[str | Mapping[str, Any] | WorklistAnnotator] | None = ...,
        frame_labels: Sequence[str] | None = ...,
        image_labels: Sequence[str] | None = ...,
        segmentation_data: Mapping[str, Any] | None = ...,
        project: ProjectRef | None = ...,
        *,
        return_entity: Literal[False],
        exists_ok: bool = ...,
    ) -> str: ...
    def create(
        self,
        name: str,
        resource_ids: ResourceRef | Iterable[ResourceRef] = (),
        description: str | None = None,
        annotations: Sequence[SpecGiven] | None = None,
        annotators: Sequence[str | Mapping[str, Any] | WorklistAnnotator] | None = None,
        frame_labels: Sequence[str] | None = None,
        image_labels: Sequence[str] | None = None,
        segmentation_data: Mapping[str, Any] | None = None,
        project: ProjectRef | None = None,
        *,
        return_entity: bool = True,
        exists_ok: bool = False,
    ) -> AnnotationWorklist | str:
        """The new worklist (its id with `return_entity=False`).

        Args:
            name: Unique in the project.
            resource_ids: What annotators work on.
            description: For the people who read it.
            annotations: What annotators may give: `AnnotationSpec`s or dicts with `type` and `identifier`, and for
                categories `values`.
            annotators: E-mail addresses, or dicts with `email`, `status` and `expertise_level`.
            frame_labels: Names of labels of frames, as shorter specs.
            image_labels: Names of labels of whole resources.
            segmentation_data: `{"segmentationValueType": "single_label", "definitions": [{"identifier": "liver",
                "color": [255, 0, 0], "index": 1}]}`; index and colour may be left out.
            project: The project whose annotators work by it.
            return_entity: Return the worklist, not its id.
            exists_ok: Return the project's worklist of this name where there is one.

        Raises:
            EntityAlreadyExistsError: The project has a worklist of this name and `exists_ok` is False.

        Example:
            >>> classes = {"segmentationValueType": "single_label", "definitions": [{"identifier": "lung", "index": 5}]}
            >>> worklist = api.annotationsets.create("lungs", segmentation_data=classes, project="chest")
            >>> ImageDataset(project="chest", worklists=[worklist]).seglabel2code
            {'lung': 5}
        """
        project_id = None if project is None else project_of(self._backend, project).id
        worklist = None if project_id is None else self._named(project_id, name)
        if worklist is not None and not exists_ok:
            raise EntityAlreadyExistsError(
                f"The project has a worklist {name!r} already ({worklist.id}). "
                "Choose another name, or pass exists_ok=True to take this one."
            )
        if worklist is None:
            kind, group = segmentation_classes.from_data(segmentation_data or {})
            worklist = self._backend.create_worklist(
                NewWorklist(
                    name=name,
                    project_id=project_id,
                    description=description,
                    resource_ids=tuple(ids_of(resource_ids, Resource)),
                    annotations=_specs(annotations, frame_labels, image_labels),
                    annotators=_annotators(annotators),
                    segmentation_group=group,
                    segmentation_type=kind,
                )
            )
        return worklist if return_entity else worklist.id

    def _named(self, project_id: str, name: str) -> AnnotationWorklist | None:
        return next((each for each in self._backend.list_worklists(project_id) if each.name == name), None)

    def get_by_id(self, entity_id: str) -> AnnotationWorklist:
        """The worklist with this id.

        Raises:
            ItemNotFoundError: The store holds none.

        Example:
            >>> worklist = api.annotationsets.create("lungs", project="chest")
            >>> api.annotationsets.get_by_id(worklist.id).name
            'lungs'
        """
        return self._backend.get_worklist(entity_id)

    def get_by_project(self, project: ProjectRef) -> list[AnnotationWorklist]:
        """The worklists of a project, the default one first.

        Example:
            >>> [worklist.name for worklist in api.annotationsets.get_by_project("chest")]
            ['Default']
        """
        return self._backend.list_worklists(project_of(self._backend, project).id)

    def get_list(self, limit: int | None = None, **conditions: Any) -> list[AnnotationWorklist]:
        """Not possible: worklists are asked for by project.

        Raises:
            NotImplementedError: Always.

        Example:
            >>> api.annotationsets.get_list()
            Traceback (most recent call last):
            NotImplementedError: Worklists are listed by project: use annotationsets.get_by_project(project).
        """
        raise NotImplementedError("Worklists are listed by project: use annotationsets.get_by_project(project).")

    get_all = get_list

    def patch(self, entity: WorklistRef, entity_data: Mapping[str, Any]) -> AnnotationWorklist:
        """The worklist after fields were replaced.

        Fields: `name`, `description`, `status`, `annotations`, `annotators`, `resource_ids`, `segmentation_data`
        (as for `create`), `segmentation_group`, `segmentation_type`.

        Example:
            >>> worklist = api.annotationsets.create("lungs", project="chest")
            >>> api.annotationsets.patch(worklist, {"annotators": ["ana@lab.example"]}).annotators[0].email
            'ana@lab.example'
        """
        changes = fields_of(entity_data, "entity_data")
        if "annotations" in changes:
            changes["annotations"] = _specs(changes["annotations"], None, None)
        if "annotators" in changes:
            changes["annotators"] = _annotators(changes["annotators"])
        if "resource_ids" in changes:
            changes["resource_ids"] = tuple(ids_of(changes["resource_ids"], Resource))
        if "segmentation_data" in changes:
            kind, group = segmentation_classes.from_data(changes.pop("segmentation_data"))
            changes |= {"segmentation_type": kind, "segmentation_group": group}
        elif "segmentation_group" in changes:
            changes["segmentation_group"] = segmentation_classes.from_group(changes["segmentation_group"])
        return self._backend.update_worklist(id_of(entity, AnnotationWorklist), changes)

    partial_update = patch
    update = patch

    # -- segmentation classes

    def get_segmentation_group(self, annotation_set: WorklistRef) -> dict[str, Any]:
        """`{"groups": {name: {"color": [r, g, b], "index": code}}}` of the worklist.

        Example:
            >>> worklist = api.annotationsets.create("lungs", project="chest")
            >>> definition = {"identifier": "lung", "color": [0, 255, 0], "index": 1}
            >>> api.annotationsets.update_segmentation_group(worklist, [definition])
            >>> api.annotationsets.get_segmentation_group(worklist)
            {'groups': {'lung': {'color': [0, 255, 0], 'index': 1}}}
        """
        worklist = self._backend.get_worklist(id_of(annotation_set, AnnotationWorklist))
        groups = {
            name: {"color": list(each.color), "index": each.index} for name, each in worklist.segmentation_group.items()
        }
        return {"groups": groups}

    def update_segmentation_group(
        self,
        annotation_worklist: WorklistRef,
        definitions: Sequence[Mapping[str, Any]],
        segmentation_value_type: SegmentationType = "single_label",
        renames: Sequence[str] | None = None,
    ) -> None:
        """Replace the segmentation classes of the worklist.

        Raises:
            NotImplementedError: `renames` is given: masks keep the names they were stored with.

        Example:
            >>> worklist = api.annotationsets.create("lungs", project="chest")
            >>> api.annotationsets.update_segmentation_group(worklist, [{"identifier": "lung", "index": 3}])
            >>> ImageDataset(project="chest", worklists=[worklist.id]).seglabel2code
            {'lung': 3}
        """
        if renames:
            raise NotImplementedError("renames is not implemented: masks keep their names. Use annotations.patch.")
        data = {"segmentationValueType": segmentation_value_type, "definitions": definitions}
        self.patch(annotation_worklist, {"segmentation_data": data})

    def delete_segmentation_group(self, worklist_id: WorklistRef, identifier: str) -> None:
        """Remove one segmentation class; the others keep their codes.

        Example:
            >>> worklist = api.annotationsets.create("lungs", project="chest")
            >>> classes = [{"identifier": "lung"}, {"identifier": "heart"}]
            >>> api.annotationsets.update_segmentation_group(worklist, classes)
            >>> api.annotationsets.delete_segmentation_group(worklist, "lung")
            >>> list(api.annotationsets.get_by_id(worklist.id).segmentation_group)
            ['heart']
        """
        worklist = self._backend.get_worklist(id_of(worklist_id, AnnotationWorklist))
        if identifier not in list(worklist.segmentation_group):
            known = ", ".join(worklist.segmentation_group) or "none"
            raise ValidationError(
                f"Worklist {worklist.name!r} has no segmentation class {identifier!r}; it has {known}."
            )
        kept = {name: each for name, each in worklist.segmentation_group.items() if name != identifier}
        self._backend.update_worklist(worklist.id, {"segmentation_group": kept})

    # -- resources

    def update_resources(
        self,
        worklist_id: WorklistRef,
        resource_ids_to_add: ResourceRef | Iterable[ResourceRef] | None = None,
        resource_ids_to_delete: ResourceRef | Iterable[ResourceRef] | None = None,
    ) -> dict[str, Any]:
        """`{"resource_ids": [...]}` after resources were added to, or taken out of, the worklist.

        Example:
            >>> worklist = api.annotationsets.create("lungs", [xray], project="chest")
            >>> api.annotationsets.update_resources(worklist, resource_ids_to_delete=xray)
            {'resource_ids': []}
        """
        worklist = self._backend.get_worklist(id_of(worklist_id, AnnotationWorklist))
        gone = set(ids_of(resource_ids_to_delete or (), Resource))
        added = ids_of(resource_ids_to_add or (), Resource)
        kept = [each for each in (*worklist.resource_ids, *added) if each not in gone]
        changed = self._backend.update_worklist(worklist.id, {"resource_ids": tuple(dict.fromkeys(kept))})
        return {"resource_ids": list(changed.resource_ids)}

    def add_resources(self, resources: ResourceRef | Iterable[ResourceRef], worklist: WorklistRef) -> None:
        """Put resources on the worklist.

        Example:
            >>> worklist = api.annotationsets.create("lungs", project="chest")
            >>> api.annotationsets.add_resources([xray], worklist)
            >>> len(api.annotationsets.get_by_id(worklist.id).resource_ids)
            1
        """
        self.update_resources(worklist, resource_ids_to_add=resources)

    def delete_resources(self, resources: ResourceRef | Iterable[ResourceRef], worklist: WorklistRef) -> None:
        """Take resources off the worklist.

        Example:
            >>> worklist = api.annotationsets.create("lungs", [xray], project="chest")
            >>> api.annotationsets.delete_resources([xray], worklist)
            >>> api.annotationsets.get_by_id(worklist.id).resource_ids
            ()
        """
        self.update_resources(worklist, resource_ids_to_delete=resources)


def _specs(
    given: Sequence[SpecGiven] | None, frame_labels: Sequence[str] | None, image_labels: Sequence[str] | None
) -> tuple[AnnotationSpec, ...]:
    specs = several(given, "annotations", "[{'type': 'label', 'identifier': 'normal'}]")
    labels = [("image", name) for name in several(image_labels, "image_labels", "['normal']")]
    labels += [("frame", name) for name in several(frame_labels, "frame_labels", "['normal']")]
    return (
        *(spec if isinstance(spec, AnnotationSpec) else _spec(spec) for spec in specs),
        *(AnnotationSpec(type="label", identifier=name, scope=scope) for scope, name in labels),
    )


def _spec(given: Any) -> AnnotationSpec:
    if not isinstance(given, Mapping):
        raise ValidationError(f"A spec is an AnnotationSpec or a dict, not a {type(given).__name__}.")
    return AnnotationSpec.from_dict({"identifier": given.get("name"), **given})


def _annotators(given: Any) -> tuple[WorklistAnnotator, ...]:
    return tuple(_annotator(each) for each in several(given, "annotators", "['a@lab.example']"))


def _annotator(given: str | Mapping[str, Any] | WorklistAnnotator) -> WorklistAnnotator:
    if isinstance(given, WorklistAnnotator):
        return given
    return WorklistAnnotator(email=given) if isinstance(given, str) else WorklistAnnotator.from_dict(given)
