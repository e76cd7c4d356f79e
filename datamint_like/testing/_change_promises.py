"""What every backend promises of the changes of a project since one of its revisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from datamint_like.backends.base import Backend
from datamint_like.entities import Project, Resource
from datamint_like.testing.contents import changes_since, encoded, whole
from datamint_like.testing.samples import label, project_of, upload, xray_mask

Step = Callable[[Backend, Project, list[Resource]], object]


def _leave(*numbers: int) -> Step:
    return lambda b, p, r: b.remove_project_resources(p.id, [r[n].id for n in numbers])


def _come(*numbers: int) -> Step:
    return lambda b, p, r: b.add_project_resources(p.id, [r[n].id for n in numbers])


def _come_new(b: Backend, p: Project, r: list[Resource]) -> None:
    b.add_project_resources(p.id, [upload(b).id, upload(b).id])


def _delete(b: Backend, p: Project, r: list[Resource]) -> None:
    b.delete_resources([r[1].id])


def _restore(b: Backend, p: Project, r: list[Resource]) -> None:
    b.restore_resources([r[1].id])


def _annotate_last(b: Backend, p: Project, r: list[Resource]) -> None:
    b.create_annotations(r[2].id, [label(), xray_mask()])


#: What happens, one after another, to a project that holds three resources.
STEPS: dict[str, list[Step]] = {
    "the first leaves": [_leave(0)],
    "it comes again": [_come(0)],
    "one leaves and comes again": [_leave(1), _come(1)],
    "two leave and come in the other order": [_leave(0, 1), _come(1, 0)],
    "one is deleted": [_delete],
    "it is restored": [_restore],
    "one is deleted and restored": [_delete, _restore],
    "one leaves, another is changed, two new ones come": [_leave(0), _annotate_last, _come_new],
    "one is deleted, then leaves": [_delete, _leave(1)],
    "all leave": [_leave(2)],
}


class ChangePromises:
    """Content and changes since are the content of now."""

    def test_changes_keep_the_order_of_resources(self, backend: Backend) -> None:
        resources = [upload(backend) for _ in range(3)]
        project = project_of(backend, *resources)
        contents = [whole(backend.read_project(project.id))]
        for steps in STEPS.values():
            for each in steps:
                each(backend, project, resources)
            changes_since(backend, contents[0])
            changes_since(backend, contents[-1])
            contents.append(whole(backend.read_project(project.id)))

    def test_a_resource_that_comes_back_is_told_with_the_one_before_it(self, backend: Backend) -> None:
        resources = [upload(backend) for _ in range(3)]
        project = project_of(backend, *resources)
        backend.delete_resources([resources[1].id])
        before = whole(backend.read_project(project.id))
        backend.restore_resources([resources[1].id])
        later = changes_since(backend, before)
        assert later.changes is not None
        assert later.changes.places == ((resources[1].id, resources[0].id),)
        assert [each.id for each in later.resources] == [resources[1].id]

    def test_the_name_of_a_worklist_changes_what_was_said_in_it_wherever_it_is_read(self, backend: Backend) -> None:
        resource = upload(backend)
        project, other = project_of(backend, resource, name="P"), project_of(backend, resource, name="Q")
        backend.create_annotations(resource.id, [replace(label(), worklist_id=project.worklist_id)])
        before = [whole(backend.read_project(each.id)) for each in (project, other)]
        backend.update_worklist(project.worklist_id or "", {"name": "Readers"})
        for each in before:
            said = changes_since(backend, each).annotations[resource.id]
            assert [one.annotation_worklist_name for one in said] == ["Readers"]

    def test_nothing_changed_is_told_as_nothing(self, backend: Backend) -> None:
        before = whole(backend.read_project(project_of(backend, upload(backend)).id))
        later = changes_since(backend, before)
        assert later.changes is not None
        assert (later.revision, later.resources, later.changes.gone) == (before.revision, [], ())

    def test_of_an_unknown_revision_everything_comes(self, backend: Backend) -> None:
        project, other = project_of(backend, upload(backend), name="P"), project_of(backend, upload(backend), name="Q")
        start, last = backend.project_revision(project.id).rsplit("-", 1)
        for token in ("", "x", "é", backend.project_revision(other.id), f"{start}-{'0' * len(last)}"):
            content = whole(backend.read_changes(project.id, token))
            assert content.changes is None
            assert encoded(content) == encoded(whole(backend.read_project(project.id)))
