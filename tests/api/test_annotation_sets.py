"""Worklists: specs in every form, segmentation classes, resources."""

from __future__ import annotations

import pytest

from datamint_like import Api
from datamint_like.entities import AnnotationSpec, AnnotationWorklist, Project
from datamint_like.exceptions import EntityAlreadyExistsError, ItemNotFoundError, ValidationError


@pytest.fixture
def worklist(api: Api, project: Project, two_xrays: list[str]) -> AnnotationWorklist:
    made = api.annotationsets.create(
        "Reading",
        two_xrays,
        "first round",
        annotations=[
            {"type": "category", "identifier": "view", "values": ["pa", "lat"]},
            AnnotationSpec(type="float", identifier="age"),
        ],
        annotators=["a@lab.example", {"email": "b@lab.example", "expertise_level": "expert"}],
        image_labels=["normal"],
        frame_labels=["motion"],
        segmentation_data={
            "segmentationValueType": "multi_label",
            "definitions": [{"identifier": "liver", "color": [255, 0, 0], "index": 4}, {"identifier": "spleen"}],
        },
        project=project,
    )
    assert isinstance(made, AnnotationWorklist)
    return made


def test_what_was_given_is_in_the_worklist(
    api: Api, project: Project, worklist: AnnotationWorklist, two_xrays: list[str]
) -> None:
    found = api.annotationsets.get_by_id(worklist.id)
    assert (found.name, found.description, found.project_id) == ("Reading", "first round", project.id)
    assert list(found.resource_ids) == two_xrays
    assert [(spec.type, spec.identifier, spec.scope, spec.values) for spec in found.annotations] == [
        ("category", "view", "image", ("pa", "lat")),
        ("float", "age", "image", ()),
        ("label", "normal", "image", ()),
        ("label", "motion", "frame", ()),
    ]
    assert [(each.email, each.expertise_level) for each in found.annotators] == [
        ("a@lab.example", "trained"),
        ("b@lab.example", "expert"),
    ]
    assert found.segmentation_type == "multi_label"


def test_a_project_has_its_default_worklist_first(api: Api, project: Project, worklist: AnnotationWorklist) -> None:
    names = [each.name for each in api.annotationsets.get_by_project("chest")]
    assert names[1:] == ["Reading"]
    assert [each.name for each in api.projects.get_worklists(project)] == names
    with pytest.raises(NotImplementedError, match="get_by_project"):
        api.annotationsets.get_list()


def test_segmentation_classes_are_read_replaced_and_removed(api: Api, worklist: AnnotationWorklist) -> None:
    groups = api.annotationsets.get_segmentation_group(worklist)["groups"]
    assert groups["liver"] == {"color": [255, 0, 0], "index": 4}
    assert groups["spleen"]["index"] == 5
    api.annotationsets.update_segmentation_group(worklist.id, [{"identifier": "kidney"}, {"identifier": "cyst"}])
    groups = api.annotationsets.get_segmentation_group(worklist.id)["groups"]
    assert {name: each["index"] for name, each in groups.items()} == {"kidney": 1, "cyst": 2}
    api.annotationsets.delete_segmentation_group(worklist, "kidney")
    assert list(api.annotationsets.get_segmentation_group(worklist)["groups"]) == ["cyst"]
    with pytest.raises(ValidationError, match="no segmentation class 'kidney'; it has cyst"):
        api.annotationsets.delete_segmentation_group(worklist, "kidney")
    with pytest.raises(NotImplementedError, match="renames"):
        api.annotationsets.update_segmentation_group(worklist, [], renames=["a"])


def test_fields_are_replaced(api: Api, worklist: AnnotationWorklist) -> None:
    changed = api.annotationsets.patch(
        worklist,
        {
            "name": "Second",
            "annotations": [{"type": "label", "name": "abnormal", "scope": "image"}],
            "annotators": ["c@lab.example"],
            "resource_ids": [],
            "segmentation_data": {"definitions": [{"identifier": "a", "index": 1}]},
        },
    )
    assert (changed.name, changed.resource_ids) == ("Second", ())
    assert [spec.identifier for spec in changed.annotations] == ["abnormal"]
    assert [each.email for each in changed.annotators] == ["c@lab.example"]
    assert list(changed.segmentation_group) == ["a"]


def test_resources_join_and_leave(api: Api, worklist: AnnotationWorklist, volume: str, two_xrays: list[str]) -> None:
    assert api.annotationsets.update_resources(worklist, volume, two_xrays[0]) == {
        "resource_ids": [two_xrays[1], volume]
    }
    api.annotationsets.add_resources(two_xrays, worklist)
    api.annotationsets.delete_resources(volume, worklist)
    assert list(api.annotationsets.get_by_id(worklist.id).resource_ids) == [two_xrays[1], two_xrays[0]]


def test_a_name_that_is_taken_in_the_project_is_refused_unless_it_may_exist(
    api: Api, project: Project, worklist: AnnotationWorklist
) -> None:
    with pytest.raises(EntityAlreadyExistsError, match=r"'Reading' already .*exists_ok=True"):
        api.annotationsets.create("Reading", project=project)
    assert api.annotationsets.create("Reading", project=project, exists_ok=True) == worklist
    assert api.annotationsets.create("Reading", project="chest", exists_ok=True, return_entity=False) == worklist.id


def test_bad_specs_and_classes_are_refused(api: Api, project: Project) -> None:
    for bad in ([{"type": "label"}], [{"type": "tune", "identifier": "a"}], ["a"]):
        with pytest.raises(ValidationError):
            api.annotationsets.create("Bad", annotations=bad, project=project)  # type: ignore[arg-type]
    twice = {"definitions": [{"identifier": "a", "index": 1}, {"identifier": "b", "index": 1}]}
    with pytest.raises(ValidationError, match="index"):
        api.annotationsets.create("Bad", segmentation_data=twice, project=project)
    with pytest.raises(ItemNotFoundError):
        api.annotationsets.create("Bad", ["11111111-1111-1111-1111-111111111111"], project=project)
    assert [each.name for each in api.annotationsets.get_by_project(project) if each.name == "Bad"] == []


def test_an_annotation_belongs_to_the_worklist_it_names(
    api: Api, worklist: AnnotationWorklist, two_xrays: list[str]
) -> None:
    api.annotations.add_label_annotation(two_xrays[0], "normal", worklist_id=worklist.id)
    api.annotations.add_label_annotation(two_xrays[0], "other")
    found = api.annotations.get_list(worklist_id=worklist.id)
    assert [(each.identifier, each.annotation_worklist_name) for each in found] == [("normal", "Reading")]


@pytest.mark.parametrize("listing", ["get_list", "get_all"])
def test_worklists_are_listed_by_project_and_other_listings_say_so(api: Api, listing: str) -> None:
    with pytest.raises(NotImplementedError, match="get_by_project"):
        getattr(api.annotationsets, listing)()
