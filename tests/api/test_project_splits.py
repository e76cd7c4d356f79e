"""Splits of a project: both published argument orders, history, and what cannot be told apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from datamint_like import Api
from datamint_like.entities import Project
from datamint_like.exceptions import ItemNotFoundError, ValidationError

Call = Callable[[Any, Project, list[str]], None]

ORDERS: dict[str, Call] = {
    "project first": lambda projects, p, r: projects.assign_splits(p, r, "train"),
    "project last": lambda projects, p, r: projects.assign_splits(r, "train", p),
    "project first, by id": lambda projects, p, r: projects.assign_splits(p.id, r, "train"),
    "project first, by name": lambda projects, p, r: projects.assign_splits(p.name, r, "train"),
    "project last, by name": lambda projects, p, r: projects.assign_splits(r, "train", p.name),
    "a tuple": lambda projects, p, r: projects.assign_splits(tuple(r), "train", p),
    "project by keyword": lambda projects, p, r: projects.assign_splits(r, "train", project=p),
    "split by keyword": lambda projects, p, r: projects.assign_splits(p, r, split_name="train"),
    "split by keyword, project last": lambda projects, p, r: projects.assign_splits(r, p, split_name="train"),
    "all by keyword": lambda projects, p, r: projects.assign_splits(split_name="train", project=p, resources=r),
    "one text each": lambda projects, p, r: [projects.assign_splits(p.id, each, "train") for each in r],
    "one text each, project last": lambda projects, p, r: [projects.assign_splits(each, "train", p.id) for each in r],
}


@pytest.fixture
def filled(api: Api, project: Project, two_xrays: list[str]) -> list[str]:
    api.projects.add_resources(two_xrays, project)
    return two_xrays


@pytest.mark.parametrize("order", ORDERS)
def test_every_argument_order_assigns_the_same(api: Api, project: Project, filled: list[str], order: str) -> None:
    ORDERS[order](api.projects, project, filled)
    rows = api.projects.get_splits(project)
    assert {(row.resource_id, row.split_name) for row in rows} == {(each, "train") for each in filled}


def test_resource_objects_may_be_assigned(api: Api, project: Project, filled: list[str]) -> None:
    api.projects.assign_splits(api.projects.get_project_resources(project), "val", project)
    assert len(api.projects.get_splits("chest", "val")) == 2
    assert api.projects.get_splits("chest", split_name="train") == []


def test_arguments_that_fit_no_order_are_refused_with_both_orders_spelled(
    api: Api, project: Project, filled: list[str]
) -> None:
    spelled = r"assign_splits\(project, resources, split_name\) or assign_splits\(resources, split_name, project\)"
    for arguments in ((filled, project, "train"), ("train", project, filled), (project, filled), (project,)):
        with pytest.raises(ValidationError, match=spelled):
            api.projects.assign_splits(*arguments)  # type: ignore[call-overload]
    with pytest.raises(ValidationError, match="no argument 'split'"):
        api.projects.assign_splits(project, filled, split="train")  # type: ignore[call-overload]
    assert api.projects.get_splits(project) == []


def test_an_unknown_project_is_named_in_both_orders(api: Api, filled: list[str]) -> None:
    with pytest.raises(ItemNotFoundError, match="'nowhere'"):
        api.projects.assign_splits("nowhere", filled, "train")
    with pytest.raises(ItemNotFoundError, match="'nowhere'"):
        api.projects.assign_splits(filled, "train", "nowhere")


def test_a_split_named_like_a_project_is_no_trouble(api: Api, project: Project, filled: list[str]) -> None:
    api.projects.create("train")
    api.projects.assign_splits("chest", filled, "train")
    assert len(api.projects.get_splits("chest")) == 2
    assert api.projects.get_splits("train") == []


def test_a_resource_outside_the_project_is_refused(api: Api, project: Project, xray: str) -> None:
    with pytest.raises(ValidationError, match=xray):
        api.projects.assign_splits(project, [xray], "train")


def test_an_earlier_moment_replays_the_earlier_split(api: Api, project: Project, filled: list[str]) -> None:
    api.projects.assign_splits(project, filled, "train")
    moment = api.backend.now()
    api.projects.assign_splits(project, filled[:1], "test")
    assert {row.split_name for row in api.projects.get_splits(project)} == {"train", "test"}
    before = api.projects.get_splits(project, as_of_timestamp=moment)
    assert {row.split_name for row in before} == {"train"}


def test_the_split_of_one_resource_takes_both_argument_orders(api: Api, project: Project, filled: list[str]) -> None:
    api.projects.assign_splits(project, filled[:1], "train")
    resource = api.resources.get_by_id(filled[0])
    for arguments in ((project, resource), (resource, project), (project.id, filled[0]), (filled[0], project.id)):
        row = api.projects.get_resource_split(*arguments)  # type: ignore[call-overload]
        assert row.split_name == "train"
    row = api.projects.get_resource_split(resource=filled[0], project="chest")
    assert row is not None
    assert row.split_name == "train"
    assert api.projects.get_resource_split(project, filled[1]) is None
