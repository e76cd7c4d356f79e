"""Which project a text means: one rule for every call, here and in the store's own function."""

from __future__ import annotations

import pytest

from datamint_like import Api
from datamint_like.backends.finding import find_project
from datamint_like.entities import Project
from datamint_like.exceptions import ItemNotFoundError


def test_a_name_counts_before_an_id(api: Api, project: Project) -> None:
    rival = api.projects.create(project.id)
    assert find_project(api.backend, project.id).id == rival.id
    assert find_project(api.backend, "chest") == project
    assert find_project(api.backend, rival.id).name == project.id
    api.projects.patch(project.id, {"description": "the rival's"})
    assert api.projects.get_by_id(rival.id).description == "the rival's"


@pytest.mark.parametrize("form", ["name", "id"])
def test_an_archived_project_is_found_and_takes_resources(api: Api, project: Project, xray: str, form: str) -> None:
    api.projects.delete(project)
    given = {"name": project.name, "id": project.id}[form]
    assert find_project(api.backend, given).archived
    api.projects.add_resources(xray, given)
    assert [each.id for each in api.projects.get_project_resources(given)] == [xray]


def test_an_unknown_project_is_told_with_the_nearest_name_and_what_there_is(api: Api, project: Project) -> None:
    api.projects.create("liver")
    with pytest.raises(ItemNotFoundError) as error:
        find_project(api.backend, "Chest")
    assert str(error.value) == (
        f"Project 'Chest' was not found in the store {api.backend.url}. Did you mean 'chest'? "
        "It holds 'chest', 'liver'. Check the name, or the store (server_url, DATAMINT_LIKE_HOME)."
    )


def test_of_many_projects_only_the_first_are_named(api: Api) -> None:
    for n in range(7):
        api.projects.create(f"{n}")
    with pytest.raises(ItemNotFoundError, match=r"It holds '0', '1', '2', '3', '4', \.\.\.\. Check"):
        find_project(api.backend, "abdomen")


def test_an_empty_store_says_so(api: Api) -> None:
    with pytest.raises(ItemNotFoundError, match=r"'chest' was not found .*It holds no project yet\."):
        api.projects.get_project_resources("chest")
