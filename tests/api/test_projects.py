"""Projects: made, found under every kind of reference, filled, archived, brought back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from datamint_like import Api
from datamint_like.entities import Project
from datamint_like.exceptions import DatamintWarning, EntityAlreadyExistsError, ItemNotFoundError, ValidationError


def test_a_new_project_is_found_by_id_and_by_name(api: Api) -> None:
    project = api.projects.create("chest", "pilot")
    assert project.description == "pilot"
    assert api.projects.get_by_id(project.id) == project
    assert api.projects.get_by_name("chest") == project
    assert api.projects.get_by_name("other") is None
    assert [each.id for each in api.projects.get_list()] == [project.id]


def test_create_returns_the_id_when_asked(api: Api) -> None:
    made = api.projects.create("chest", return_entity=False)
    assert isinstance(made, str)
    assert api.projects.get_by_id(made).name == "chest"


@pytest.mark.parametrize("keyword", ["resources_ids", "resource_ids"])
def test_create_takes_resources_under_both_published_names(api: Api, two_xrays: list[str], keyword: str) -> None:
    project = api.projects.create("chest", **{keyword: two_xrays})  # type: ignore[arg-type]
    assert [each.id for each in api.projects.get_project_resources(project)] == two_xrays


def test_a_name_that_is_taken_is_refused_unless_it_may_exist(api: Api, project: Project) -> None:
    with pytest.raises(EntityAlreadyExistsError, match=r"'chest' already .*exists_ok=True"):
        api.projects.create("chest", "again")
    assert api.projects.create("chest", "pilot", exists_ok=True) == project
    assert api.projects.create("chest", exists_ok=True) == project


def test_a_project_that_may_exist_gets_the_resources_that_it_lacks(
    api: Api, project: Project, two_xrays: list[str]
) -> None:
    api.projects.add_resources(two_xrays[1], project)
    found = api.projects.create("chest", exists_ok=True, resource_ids=two_xrays)
    assert (found.id, found.resource_count) == (project.id, 2)
    assert [each.id for each in api.projects.get_project_resources("chest")] == two_xrays[::-1]
    with pytest.raises(ItemNotFoundError, match="11111111"):
        api.projects.create("chest", exists_ok=True, resource_ids=["11111111-1111-1111-1111-111111111111"])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"description": "other"}, "description"),
        ({"segmentation_spec": "multi_label"}, "segmentation_spec"),
        ({"description": "other", "segmentation_spec": "multi_label"}, "description and segmentation_spec"),
    ],
)
def test_a_project_that_may_exist_keeps_what_it_says_of_itself_with_a_warning(
    api: Api, project: Project, given: dict[str, Any], kept: str
) -> None:
    with pytest.warns(DatamintWarning, match=f"'chest' exists already and keeps its own {kept}. Use projects.patch"):
        assert api.projects.create("chest", exists_ok=True, **given) == project


def test_an_archived_project_is_not_one_that_may_exist(api: Api, project: Project, xray: str) -> None:
    api.projects.delete(project)
    with pytest.raises(EntityAlreadyExistsError, match=r"archived project .*projects\.restore"):
        api.projects.create("chest", exists_ok=True, resource_ids=[xray])
    assert api.projects.get_project_resources("chest") == []


@pytest.mark.parametrize("form", ["entity", "name"])
def test_an_upload_to_an_archived_project_is_refused(api: Api, project: Project, demo_images: Path, form: str) -> None:
    api.projects.delete(project)
    given = {"entity": project, "name": project.name}[form]  # the entity is as it was before
    with pytest.raises(ValidationError, match=r"'chest' is archived. Bring it back with Api\(\).projects.restore"):
        api.resources.upload_resource(demo_images / "xray" / "cr_16bit.png", publish_to=given)
    assert api.resources.get_list(deleted="include") == []


def test_an_archived_project_comes_back(api: Api, project: Project) -> None:
    api.projects.delete(project)
    assert api.projects.get_list() == []
    assert [each.id for each in api.projects.get_all()] == [project.id]
    assert [each.id for each in api.projects.get_deleted()] == [project.id]
    assert api.projects.get_by_name("chest", include_archived=False) is None
    with pytest.raises(EntityAlreadyExistsError, match="archived"):
        api.projects.create("chest")
    assert api.projects.restore("chest").archived is False
    assert len(api.projects.get_list()) == 1


@pytest.mark.parametrize("form", ["entity", "id", "name"])
def test_a_project_may_be_given_as_itself_its_id_or_its_name(
    api: Api, project: Project, two_xrays: list[str], form: str
) -> None:
    given = {"entity": project, "id": project.id, "name": project.name}[form]
    api.projects.add_resources(two_xrays, given)
    assert [each.id for each in api.projects.get_project_resources(given)] == two_xrays


def test_one_resource_may_be_added_without_a_list(api: Api, project: Project, two_xrays: list[str]) -> None:
    api.projects.add_resources(two_xrays[0], project)
    api.projects.add_resources(api.resources.get_by_id(two_xrays[1]), project)
    api.projects.add_resources(two_xrays[0], project)
    assert [each.id for each in api.projects.get_project_resources(project)] == two_xrays
    api.projects.remove_resources(two_xrays[0], project)
    assert [each.id for each in api.projects.get_project_resources(project)] == two_xrays[1:]


def test_an_unknown_project_is_named_with_the_store_that_was_searched(api: Api, project: Project) -> None:
    with pytest.raises(ItemNotFoundError, match=r"'chst' was not found in the store file:.*Did you mean 'chest'"):
        api.projects.get_project_resources("chst")
    with pytest.raises(ItemNotFoundError, match=r"11111111-1111-1111-1111-111111111111.*file:"):
        api.projects.get_by_id("11111111-1111-1111-1111-111111111111")


def test_a_resource_is_no_project(api: Api, xray: str) -> None:
    with pytest.raises(ValidationError, match="Expected a Project or its id, not a Resource"):
        api.projects.delete(api.resources.get_by_id(xray))  # type: ignore[arg-type]


def test_a_project_that_is_named_like_an_id_is_found(api: Api) -> None:
    name = "11111111-1111-1111-1111-111111111111"
    project = api.projects.create(name)
    assert api.projects.get_project_resources(name) == []
    assert api.projects.restore(name).id == project.id


def test_fields_of_a_project_change(api: Api, project: Project) -> None:
    api.projects.patch(project, {"description": "larger"})
    assert api.projects.get_by_id(project.id).description == "larger"


def test_a_multi_label_project_has_a_multi_label_worklist(api: Api) -> None:
    project = api.projects.create("multi", segmentation_spec="multi_label")
    assert [each.segmentation_type for each in api.projects.get_worklists(project)] == ["multi_label"]


def test_a_new_project_is_whole_and_current_or_not_there_at_all(api: Api, two_xrays: list[str]) -> None:
    made = api.projects.create("multi", "", two_xrays, segmentation_spec="multi_label")
    assert made == api.projects.get_by_id(made.id)
    assert made.resource_count == 2
    with pytest.raises(ValidationError, match=r"segmentation_type must be one of .*'bogus' is not"):
        api.projects.create("half", segmentation_spec="bogus")  # type: ignore[call-overload]
    assert [each.name for each in api.projects.get_all()] == ["multi"]


def test_options_of_an_annotation_front_end_are_refused(api: Api) -> None:
    with pytest.raises(NotImplementedError, match="front end"):
        api.projects.create("x", is_active_learning=True)


def test_work_status_takes_both_published_argument_orders(api: Api, project: Project, two_xrays: list[str]) -> None:
    api.projects.add_resources(two_xrays, project)
    api.projects.set_work_status(project, two_xrays[0], "annotated")
    api.projects.set_work_status(two_xrays[1], "closed", project)
    api.projects.set_work_status(two_xrays[1], "opened", project="chest")
    found = {each["resource_id"]: each["status"] for each in api.projects.get_annotation_statuses(project)}
    assert found == {two_xrays[0]: "annotated", two_xrays[1]: "opened"}
    assert len(api.projects.get_annotation_statuses(project, status="opened")) == 1
    assert len(api.projects.get_annotation_statuses(project, resource_id=two_xrays[0])) == 1
    with pytest.raises(ValidationError, match="opened, annotated, closed"):
        api.projects.set_work_status(project, two_xrays[0], "done")  # type: ignore[call-overload]


def test_of_many_that_make_one_project_at_once_all_get_it(api: Api) -> None:
    def make(n: int) -> str:
        with Api(api.server_url) as own:
            return own.projects.create("shared", exists_ok=True).id

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(make, range(6)))) == 1
    assert len(api.projects.get_list()) == 1
