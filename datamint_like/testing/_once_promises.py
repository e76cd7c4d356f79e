"""What every backend promises of what is to be in a project, or on a resource, once: whoever asks, and how often."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import pytest

from datamint_like.backends.base import AnnotationQuery, Backend, NewAnnotation, NewResource, ResourceQuery
from datamint_like.entities import Project
from datamint_like.exceptions import ItemNotFoundError, ValidationError
from datamint_like.testing.contents import whole
from datamint_like.testing.samples import CT_FILES, OTHER_XRAY, XRAY, label, project_of, upload, xray_mask

T = TypeVar("T")


def at_once(work: Callable[[], T], times: int = 6) -> list[T]:
    """What `work` gives in each of several threads."""
    with ThreadPoolExecutor(times) as threads:
        return [each.result() for each in [threads.submit(work) for _ in range(times)]]


def series(project: Project, **more: object) -> NewResource:
    """A series that is to be in the project once."""
    return replace(NewResource(CT_FILES, "ct", project_id=project.id), **more)  # type: ignore[arg-type]


def from_file(*identifiers: str, origin: str = "urn:oid:1.2") -> list[NewAnnotation]:
    """Annotations that one file gave."""
    return [replace(label(each), imported_from=origin) for each in identifiers]


class OncePromises:
    """Conditional creation: resources by the digests of their files, annotations by their origin."""

    def test_equal_bytes_are_in_a_project_once_and_what_is_there_stays_as_it_is(self, backend: Backend) -> None:
        project = project_of(backend)
        first, made = backend.create_resource_once(series(project, tags=("a",)))
        assert made
        before = whole(backend.read_project(project.id))
        again = series(project, paths=tuple(reversed(CT_FILES)), filename="other", tags=("b",), annotations=(label(),))
        assert backend.create_resource_once(again) == (first, False)
        assert whole(backend.read_project(project.id)) == before
        assert len(backend.list_resources(ResourceQuery(deleted="include"))) == 1

    def test_other_bytes_some_of_the_files_or_another_project_are_another_resource(self, backend: Backend) -> None:
        project, other = project_of(backend), project_of(backend, name="other")
        whole, _ = backend.create_resource_once(series(project))
        made = [
            backend.create_resource_once(series(project, paths=CT_FILES[:5])),
            backend.create_resource_once(series(other)),
            backend.create_resource_once(NewResource((XRAY,), "a.png", project_id=project.id)),
            backend.create_resource_once(NewResource((OTHER_XRAY,), "a.png", project_id=project.id)),
        ]
        assert all(new for _, new in made)
        assert len({whole.id, *(resource.id for resource, _ in made)}) == 5

    def test_a_resource_that_joined_the_project_later_counts_and_a_deleted_one_does_not(self, backend: Backend) -> None:
        added = upload(backend)
        project = project_of(backend, added)
        new = NewResource((XRAY,), XRAY.name, project_id=project.id)
        assert backend.create_resource_once(new)[0].id == added.id
        backend.delete_resources([added.id])
        fresh, made = backend.create_resource_once(new)
        assert made
        assert fresh.id != added.id

    def test_many_that_ask_at_once_get_the_one_resource_that_one_of_them_made(self, backend: Backend) -> None:
        project = project_of(backend)
        found = at_once(lambda: backend.create_resource_once(series(project)))
        assert len({resource.id for resource, _ in found}) == 1
        assert [made for _, made in found].count(True) == 1
        assert len(backend.list_project_resources(project.id)) == 1

    def test_once_needs_a_project_that_there_is(self, backend: Backend) -> None:
        with pytest.raises(ValidationError, match="project"):
            backend.create_resource_once(NewResource((XRAY,), XRAY.name))
        with pytest.raises(ItemNotFoundError):
            backend.create_resource_once(NewResource((XRAY,), XRAY.name, project_id="none"))
        assert backend.list_resources(ResourceQuery(deleted="include")) == []

    def test_annotations_of_an_origin_are_on_a_resource_once(self, backend: Backend) -> None:
        resource = upload(backend)
        mask = replace(xray_mask(), imported_from="urn:oid:1.2")
        made = backend.create_annotations_once(resource.id, [*from_file("fat", "bone"), mask])
        assert [each.identifier for each in made] == ["fat", "bone", "lung"]
        assert backend.create_annotations_once(resource.id, [*from_file("fat"), mask]) == []
        other = [*from_file("fat"), *from_file("fat", origin="urn:oid:3"), label("free"), label("free")]
        assert [each.identifier for each in backend.create_annotations_once(resource.id, other)] == [
            "fat",
            "free",
            "free",
        ]
        backend.delete_annotations([each.id for each in made])
        assert len(backend.create_annotations_once(resource.id, from_file("fat"))) == 1

    def test_many_that_annotate_at_once_from_one_origin_are_heard_once(self, backend: Backend) -> None:
        resource = upload(backend)
        found = at_once(lambda: backend.create_annotations_once(resource.id, from_file("fat", "bone")))
        assert sorted(len(each) for each in found) == [0, 0, 0, 0, 0, 2]
        assert len(backend.list_annotations(AnnotationQuery(resource_ids=(resource.id,)))) == 2

    def test_annotations_of_an_unknown_resource_are_refused_once_as_well(self, backend: Backend) -> None:
        with pytest.raises(ItemNotFoundError):
            backend.create_annotations_once("none", from_file("fat"))
