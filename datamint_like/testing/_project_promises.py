"""What every backend promises of projects, worklists and users."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from datamint_like.backends.base import Backend, NewProject, NewWorklist, ResourceQuery
from datamint_like.entities import AnnotationSpec, SegmentationClass, User, WorklistAnnotator
from datamint_like.exceptions import EntityAlreadyExistsError, ItemNotFoundError, ValidationError
from datamint_like.testing.contents import whole
from datamint_like.testing.samples import OTHER_XRAY, project_of, upload

UNKNOWN = "00000000-0000-4000-8000-000000000000"
LUNG = {"lung": SegmentationClass(color=(255, 0, 0), index=1)}


class ProjectPromises:
    """Projects, their members, worklists and users."""

    def test_a_new_project_has_a_default_worklist_with_its_schema(self, backend: Backend) -> None:
        spec = AnnotationSpec(type="category", identifier="view", values=("pa", "lat"))
        reader = WorklistAnnotator(email="r1@lab.example")
        project = backend.create_project(
            NewProject("Chest", annotations=(spec,), segmentation_group=LUNG, annotators=(reader,))
        )
        (worklist,) = backend.list_worklists(project.id)
        assert (worklist.name, worklist.id, worklist.project_id) == ("Default", project.worklist_id, project.id)
        assert worklist.annotations == (spec,)
        assert worklist.segmentation_group == LUNG
        assert worklist.annotators == (reader,)
        assert [each.email for each in project.annotators] == ["r1@lab.example"]

    @pytest.mark.parametrize("kind", ["single_label", "multi_label"])
    def test_a_new_projects_masks_may_overlap_or_not(self, backend: Backend, kind: str) -> None:
        project = backend.create_project(NewProject("Chest", segmentation_type=kind))
        assert [each.segmentation_type for each in backend.list_worklists(project.id)] == [kind]
        assert NewProject("x").segmentation_type == "single_label"

    def test_each_project_of_a_listing_is_as_it_is_alone(self, backend: Backend) -> None:
        first, second, gone = upload(backend), upload(backend), upload(backend)
        busy = project_of(backend, first, second, gone, name="A")
        shared, empty = project_of(backend, first, name="B"), project_of(backend, name="C")
        for name, email in (("Second read", "b@lab.example"), ("Third read", "a@lab.example")):
            reader = (WorklistAnnotator(email=email), WorklistAnnotator(email="c@lab.example"))
            backend.create_worklist(NewWorklist(name, project_id=busy.id, annotators=reader))
        for project, resource, status in (
            *((busy, first, "opened"), (busy, second, "closed"), (busy, gone, "closed")),
            *((busy, first, "annotated"), (shared, first, "opened")),
        ):
            backend.set_work_status(project.id, resource.id, status)
        backend.delete_resources([gone.id])
        listed = backend.list_projects()
        assert listed == [backend.get_project(each.id) for each in (busy, shared, empty)]
        counts = [
            (
                each.resource_count,
                each.annotated_resource_count,
                each.closed_resources_count,
                each.resources_to_annotate_count,
            )
            for each in listed
        ]
        assert counts == [(2, 2, 1, 0), (1, 0, 0, 1), (0, 0, 0, 0)]
        assert [each.email for each in listed[0].annotators] == ["b@lab.example", "c@lab.example", "a@lab.example"]
        assert [len(each.worklist_ids) for each in listed[0].annotators] == [1, 2, 1]

    def test_a_project_keeps_its_resources_in_the_order_of_adding(self, backend: Backend) -> None:
        first, second, third = (upload(backend) for _ in range(3))
        project = project_of(backend, third)
        backend.add_project_resources(project.id, [first.id, third.id, second.id])
        assert [each.id for each in backend.list_project_resources(project.id)] == [third.id, first.id, second.id]
        assert backend.get_project(project.id).resource_count == 3

    def test_adding_a_resource_publishes_it(self, backend: Backend) -> None:
        resource = upload(backend)
        assert (resource.status, resource.published) == ("inbox", False)
        project_of(backend, resource)
        stored = backend.get_resource(resource.id)
        assert (stored.status, stored.published) == ("published", True)
        assert stored.published_by == backend.current_user().email

    def test_a_taken_name_is_refused_and_named_even_when_archived(self, backend: Backend) -> None:
        project = project_of(backend, name="Liver")
        for _ in range(2):
            with pytest.raises(EntityAlreadyExistsError, match="Liver"):
                project_of(backend, name="Liver")
            backend.archive_project(project.id)
        assert len(backend.list_projects(include_archived=True)) == 1

    def test_a_refused_project_leaves_nothing(self, backend: Backend) -> None:
        with pytest.raises(ItemNotFoundError, match=UNKNOWN):
            backend.create_project(NewProject("Half", resource_ids=(UNKNOWN,)))
        assert backend.find_project("Half") is None

    @pytest.mark.parametrize("name", ["", "   ", "\udcff"])
    def test_a_project_needs_a_name_in_valid_text(self, backend: Backend, name: str) -> None:
        with pytest.raises(ValidationError):
            project_of(backend, name=name)

    def test_an_archived_project_leaves_the_listing_until_restored(self, backend: Backend) -> None:
        first, second = project_of(backend, name="A"), project_of(backend, name="B")
        backend.archive_project(first.id)
        assert [each.name for each in backend.list_projects()] == ["B"]
        assert [each.name for each in backend.list_projects(include_archived=True)] == ["A", "B"]
        found = backend.find_project("A")
        assert found is not None
        assert found.archived
        assert not backend.restore_project(first.id).archived
        assert [each.id for each in backend.list_projects()] == [first.id, second.id]

    def test_a_project_can_be_renamed_but_not_to_a_taken_name(self, backend: Backend) -> None:
        project, _ = project_of(backend, name="A"), project_of(backend, name="B")
        assert backend.update_project(project.id, {"name": "C", "description": "d"}).name == "C"
        with pytest.raises(EntityAlreadyExistsError):
            backend.update_project(project.id, {"name": "B"})
        with pytest.raises(ValidationError, match="created_by"):
            backend.update_project(project.id, {"created_by": "x"})

    def test_a_removed_resource_leaves_the_project_and_stays_in_the_store(self, backend: Backend) -> None:
        kept, removed = upload(backend), upload(backend, OTHER_XRAY)
        project = project_of(backend, kept, removed)
        backend.assign_split(project.id, [kept.id, removed.id], "train")
        backend.remove_project_resources(project.id, [removed.id])
        assert [each.id for each in backend.list_project_resources(project.id)] == [kept.id]
        assert [each.resource_id for each in backend.list_splits(project.id)] == [kept.id]
        assert backend.get_resource(removed.id).id == removed.id

    def test_work_statuses_are_counted(self, backend: Backend) -> None:
        first, second = upload(backend), upload(backend)
        project = project_of(backend, first, second)
        for status in ("opened", "annotated", "closed"):
            backend.set_work_status(project.id, first.id, status)
        assert [(each.resource_id, each.status) for each in backend.list_work_statuses(project.id)] == [
            (first.id, "closed")
        ]
        stored = backend.get_project(project.id)
        assert (stored.annotated_resource_count, stored.closed_resources_count) == (1, 1)
        assert stored.resources_to_annotate_count == 1
        with pytest.raises(ValidationError):
            backend.set_work_status(project.id, first.id, "finished")

    def test_worklists_change_and_their_names_are_unique_in_a_project(self, backend: Backend) -> None:
        project, other = project_of(backend, name="A"), project_of(backend, name="B")
        worklist = backend.create_worklist(NewWorklist("Second read", project_id=project.id))
        assert [each.name for each in backend.list_worklists(project.id)] == ["Default", "Second read"]
        changed = backend.update_worklist(
            worklist.id, {"annotations": [{"type": "label", "identifier": "motion", "scope": "frame"}]}
        )
        assert changed.annotations == (AnnotationSpec(type="label", identifier="motion", scope="frame"),)
        assert backend.get_worklist(worklist.id) == changed
        with pytest.raises(EntityAlreadyExistsError):
            backend.create_worklist(NewWorklist("Second read", project_id=project.id))
        assert backend.create_worklist(NewWorklist("Second read", project_id=other.id)).name == "Second read"

    def test_a_schema_that_makes_no_sense_is_refused(self, backend: Backend) -> None:
        wrong_type = AnnotationSpec(type="guess", identifier="x")
        twice = {**LUNG, "heart": SegmentationClass(color=(0, 0, 0), index=1)}
        for new in (NewProject("P", annotations=(wrong_type,)), NewProject("P", segmentation_group=twice)):
            with pytest.raises(ValidationError):
                backend.create_project(new)
        assert backend.list_projects(include_archived=True) == []

    def test_users_are_created_changed_and_deleted(self, backend: Backend) -> None:
        ana = User(
            email="ana@lab.example", created_at="", customer_id="", firstname="Ana", roles=("PROJECT_ANNOTATOR",)
        )
        stored = backend.create_user(ana)
        assert (stored.firstname, stored.roles) == ("Ana", ("PROJECT_ANNOTATOR",))
        assert stored.created_at
        with pytest.raises(EntityAlreadyExistsError, match="ana@lab"):
            backend.create_user(ana)
        assert backend.update_user(ana.email, {"lastname": "B"}).lastname == "B"
        backend.delete_user(ana.email)
        with pytest.raises(ItemNotFoundError, match="ana@lab"):
            backend.get_user(ana.email)

    def test_unknown_ids_are_named_with_the_store_that_was_searched(self, backend: Backend) -> None:
        resource, project = upload(backend), project_of(backend)
        calls: list[Callable[[], object]] = [
            lambda: backend.get_project(UNKNOWN),
            lambda: backend.list_project_resources(UNKNOWN),
            lambda: backend.project_revision(UNKNOWN),
            lambda: backend.archive_project(UNKNOWN),
            lambda: backend.restore_project(UNKNOWN),
            lambda: backend.list_worklists(UNKNOWN),
            lambda: backend.get_worklist(UNKNOWN),
            lambda: backend.list_splits(UNKNOWN),
            lambda: backend.assign_split(UNKNOWN, [resource.id], "train"),
            lambda: backend.assign_splits(UNKNOWN, {resource.id: "train"}),
            lambda: backend.add_project_resources(project.id, [resource.id, UNKNOWN]),
            lambda: backend.get_resource(UNKNOWN),
            lambda: backend.get_resources([resource.id, UNKNOWN]),
            lambda: backend.list_parts([UNKNOWN]),
            lambda: backend.set_tags([resource.id, UNKNOWN], ["x"]),
            lambda: backend.add_tags([UNKNOWN], ["x"]),
            lambda: backend.delete_resources([UNKNOWN]),
            lambda: backend.restore_resources([UNKNOWN]),
            lambda: backend.open_resource_file(UNKNOWN),
            lambda: backend.get_annotation(UNKNOWN),
            lambda: backend.delete_annotations([UNKNOWN]),
            lambda: backend.create_annotations(UNKNOWN, []),
            lambda: whole(backend.read_project(UNKNOWN)),
            lambda: whole(backend.read_resources([UNKNOWN])),
        ]
        for call in calls:
            with pytest.raises(ItemNotFoundError, match=f"{UNKNOWN} not found") as caught:
                call()
            assert backend.url in str(caught.value)
        assert backend.list_project_resources(project.id) == []
        assert backend.list_resources(ResourceQuery(tags=("x",))) == []
