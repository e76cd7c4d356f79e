"""What every backend promises of arguments of a wrong type: an error of this package, and nothing stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from datamint_like.backends.base import (
    AnnotationQuery,
    Backend,
    NewProject,
    NewResource,
    NewWorklist,
    ResourceQuery,
)
from datamint_like.entities import AnnotationSpec, Project, Resource, SegmentationClass, User
from datamint_like.exceptions import ValidationError
from datamint_like.testing.samples import XRAY, label, project_of, upload, xray_mask

Call = Callable[[Backend, Project, Resource, Any], object]


def _user(**changes: Any) -> User:
    return User(**{"email": "a@lab.example", "created_at": "", "customer_id": "", **changes})


def _resource(**changes: Any) -> NewResource:
    return replace(NewResource((XRAY,), XRAY.name), **changes)


LISTS: dict[str, Call] = {
    "tags to set": lambda b, p, r, bad: b.set_tags([r.id], bad),
    "tags of an upload": lambda b, p, r, bad: b.create_resource(_resource(tags=bad)),
    "files of an upload": lambda b, p, r, bad: b.create_resource(_resource(paths=bad)),
    "resources of a project": lambda b, p, r, bad: b.add_project_resources(p.id, bad),
    "resources of a split": lambda b, p, r, bad: b.assign_split(p.id, bad, "train"),
    "resources of several splits": lambda b, p, r, bad: b.assign_splits(p.id, bad),
    "resources to get": lambda b, p, r, bad: b.get_resources(bad),
    "resources of annotations": lambda b, p, r, bad: b.list_annotations(AnnotationQuery(resource_ids=bad)),
    "annotations to delete": lambda b, p, r, bad: b.delete_annotations(bad),
    "names of projects": lambda b, p, r, bad: b.list_resources(ResourceQuery(project_names=bad)),
    "tags of a query": lambda b, p, r, bad: b.list_resources(ResourceQuery(tags=bad)),
    "roles": lambda b, p, r, bad: b.create_user(_user(roles=bad)),
    "specs": lambda b, p, r, bad: b.create_project(NewProject("Q", annotations=bad)),
    "annotators": lambda b, p, r, bad: b.create_worklist(NewWorklist("W", annotators=bad)),
    "members of a worklist": lambda b, p, r, bad: b.create_worklist(NewWorklist("W", resource_ids=bad)),
}
TEXTS: dict[str, Call] = {
    "a work status": lambda b, p, r, bad: b.set_work_status(p.id, r.id, bad),
    "the type of an annotation": lambda b, p, r, bad: b.create_annotations(r.id, [replace(label(), type=bad)]),
    "the scope of an annotation": lambda b, p, r, bad: b.create_annotations(r.id, [replace(label(), scope=bad)]),
    "a segmentation type": lambda b, p, r, bad: b.create_worklist(NewWorklist("W", segmentation_type=bad)),
    "a segmentation type of a project": lambda b, p, r, bad: b.create_project(NewProject("Q", segmentation_type=bad)),
    "deleted": lambda b, p, r, bad: b.list_resources(ResourceQuery(deleted=bad)),
    "an order": lambda b, p, r, bad: b.list_resources(ResourceQuery(order_field=bad)),
    "a part of a filename": lambda b, p, r, bad: b.list_resources(ResourceQuery(filename=bad)),
    "a status": lambda b, p, r, bad: b.list_resources(ResourceQuery(status=bad)),
    "a date": lambda b, p, r, bad: b.list_resources(ResourceQuery(from_date=bad)),
    "an author": lambda b, p, r, bad: b.list_annotations(AnnotationQuery(author=bad)),
    "a date of annotations": lambda b, p, r, bad: b.list_annotations(AnnotationQuery(to_date=bad)),
    "an e-mail": lambda b, p, r, bad: b.create_user(_user(email=bad)),
    "a name of a project": lambda b, p, r, bad: b.create_project(NewProject(bad)),
    "a media type": lambda b, p, r, bad: b.create_resource(_resource(mimetype=bad)),
    "a first name": lambda b, p, r, bad: b.create_user(_user(firstname=bad)),
    "a payload's name": lambda b, p, r, bad: b.create_annotations(r.id, [replace(xray_mask(), payload_name=bad)]),
    "a filename": lambda b, p, r, bad: b.create_resource(_resource(filename=bad)),
    "the name of a split": lambda b, p, r, bad: b.assign_split(p.id, [r.id], bad),
    "an instant": lambda b, p, r, bad: b.list_splits(p.id, as_of=bad),
    "changes": lambda b, p, r, bad: b.update_project(p.id, bad),
    "classes": lambda b, p, r, bad: b.create_project(NewProject("Q", segmentation_group=bad)),
    "a payload": lambda b, p, r, bad: b.create_annotations(r.id, [replace(label(), type="segmentation", payload=bad)]),
    "metadata": lambda b, p, r, bad: b.create_resource(_resource(metadata=bad)),
    "a spec's type": lambda b, p, r, bad: b.create_project(
        NewProject("Q", annotations=(AnnotationSpec(type=bad, identifier="x"),))
    ),
    "a class's colour": lambda b, p, r, bad: b.create_project(
        NewProject("Q", segmentation_group={"x": SegmentationClass(color=bad, index=1)})
    ),
}


class ArgumentPromises:
    """A wrong type is an error that says so."""

    @pytest.mark.parametrize("bad", [5, "one text", [5], [["nested"]]], ids=repr)
    @pytest.mark.parametrize("argument", LISTS)
    def test_what_is_no_list_of_texts_is_refused(self, backend: Backend, argument: str, bad: object) -> None:
        self._refused(backend, LISTS[argument], bad)

    @pytest.mark.parametrize("bad", [5, ["a list"]], ids=repr)
    @pytest.mark.parametrize("argument", TEXTS)
    def test_what_is_not_of_its_type_is_refused(self, backend: Backend, argument: str, bad: object) -> None:
        self._refused(backend, TEXTS[argument], bad)

    @pytest.mark.parametrize("bad", ["3", 1.5, [1]], ids=repr)
    @pytest.mark.parametrize("field", ["offset", "limit"])
    def test_a_page_is_counted_in_whole_numbers(self, backend: Backend, field: str, bad: Any) -> None:
        with pytest.raises(ValidationError):
            backend.list_resources(replace(ResourceQuery(), **{field: bad}))
        with pytest.raises(ValidationError):
            backend.list_annotations(replace(AnnotationQuery(), **{field: bad}))

    def _refused(self, backend: Backend, call: Call, bad: object) -> None:
        resource = upload(backend)
        project = project_of(backend, resource)
        with pytest.raises(ValidationError):
            call(backend, project, resource, bad)
        assert backend.list_projects() == [project]
        assert [each.id for each in backend.list_resources(ResourceQuery())] == [resource.id]
        assert backend.list_annotations(AnnotationQuery()) == []
        assert len(backend.list_users()) == 1
