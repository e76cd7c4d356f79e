"""What every backend promises of a project's revision and of reading everything at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from datamint_like.backends.base import Backend
from datamint_like.entities import Annotation, Project, Resource
from datamint_like.testing.contents import changes_since, whole
from datamint_like.testing.samples import label, project_of, upload, xray_mask

Change = Callable[[Backend, Project, Resource, Annotation], object]

CHANGES: dict[str, Change] = {
    "the project's name": lambda b, p, r, a: b.update_project(p.id, {"name": "Other"}),
    "archiving": lambda b, p, r, a: b.archive_project(p.id),
    "a new member": lambda b, p, r, a: b.add_project_resources(p.id, [upload(b).id]),
    "a member that leaves": lambda b, p, r, a: b.remove_project_resources(p.id, [r.id]),
    "a member's tags": lambda b, p, r, a: b.add_tags([r.id], ["x"]),
    "a member's new tags": lambda b, p, r, a: b.set_tags([r.id], ["x"]),
    "a member's deletion": lambda b, p, r, a: b.delete_resources([r.id]),
    "a new annotation": lambda b, p, r, a: b.create_annotations(r.id, [label()]),
    "a corrected annotation": lambda b, p, r, a: b.update_annotation(a.id, {"identifier": "y"}),
    "an approved annotation": lambda b, p, r, a: b.approve_annotation(a.id),
    "a deleted annotation": lambda b, p, r, a: b.delete_annotations([a.id]),
    "a worklist": lambda b, p, r, a: b.update_worklist(p.worklist_id or "", {"name": "Readers"}),
    "a split": lambda b, p, r, a: b.assign_split(p.id, [r.id], "train"),
    "a work status": lambda b, p, r, a: b.set_work_status(p.id, r.id, "closed"),
}


class RevisionPromises:
    """Equal revisions mean equal content."""

    @pytest.mark.parametrize("change", CHANGES)
    def test_each_change_of_the_project_changes_its_revision_and_is_told(self, backend: Backend, change: str) -> None:
        resource, elsewhere = upload(backend), upload(backend)
        project, other = project_of(backend, resource, name="P"), project_of(backend, elsewhere, name="Q")
        (annotation,) = backend.create_annotations(resource.id, [label()])
        before, untouched = backend.project_revision(project.id), backend.project_revision(other.id)
        assert backend.project_revision(project.id) == before
        content = whole(backend.read_project(project.id))
        CHANGES[change](backend, project, resource, annotation)
        assert backend.project_revision(project.id) != before
        assert backend.project_revision(other.id) == untouched
        changes_since(backend, content)

    def test_a_restored_member_changes_the_revision(self, backend: Backend) -> None:
        resource = upload(backend)
        project = project_of(backend, resource)
        backend.delete_resources([resource.id])
        before = backend.project_revision(project.id)
        backend.restore_resources([resource.id])
        assert backend.project_revision(project.id) != before

    def test_a_project_is_read_whole(self, backend: Backend) -> None:
        first, gone, third = upload(backend), upload(backend), upload(backend)
        project = project_of(backend, first, gone, third)
        stored = backend.create_annotations(third.id, [label(), xray_mask()])
        backend.delete_resources([gone.id])
        content = whole(backend.read_project(project.id))
        assert content.revision == backend.project_revision(project.id)
        assert content.project == backend.get_project(project.id)
        assert list(content.worklists) == backend.list_worklists(project.id)
        assert list(content.resources) == backend.list_project_resources(project.id)
        assert dict(content.parts) == backend.list_parts([first.id, third.id])
        assert {key: list(value) for key, value in content.annotations.items()} == {first.id: [], third.id: stored}

    def test_resources_are_read_in_the_order_asked_for_with_a_revision_of_their_own(self, backend: Backend) -> None:
        first, second = upload(backend), upload(backend)
        content = whole(backend.read_resources([second.id, first.id]))
        assert content.project is None
        assert [each.id for each in content.resources] == [second.id, first.id]
        assert whole(backend.read_resources([second.id, first.id])).revision == content.revision
        assert whole(backend.read_resources([first.id, second.id])).revision != content.revision
        backend.create_annotations(first.id, [label()])
        assert whole(backend.read_resources([second.id, first.id])).revision != content.revision
