"""Label spaces of datasets: schemas that differ a little, schemas that contradict, and what nobody knows."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from datamint_like.backends import open_backend
from datamint_like.backends.base import Backend, NewAnnotation, NewProject, NewResource, NewWorklist
from datamint_like.dataset import ImageDataset
from datamint_like.entities import AnnotationSpec, SegmentationClass
from datamint_like.exceptions import DatamintDatasetException, DatamintWarning

RED, BLUE = (255, 0, 0), (0, 0, 255)
VIEW = AnnotationSpec(type="category", identifier="view", values=("pa", "lateral"))


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    return open_backend((tmp_path / "store").as_uri())


def project(
    backend: Backend, demo_images: Path, *worklists: NewWorklist, drawn: list[NewAnnotation] | None = None
) -> ImageDataset:
    """A dataset of one annotated radiograph under these worklists."""
    path = demo_images / "xray" / "nih_00000001_000.png"
    image = backend.create_resource(NewResource(paths=(path,), filename="one.png"))
    made = backend.create_project(NewProject(name="one", resource_ids=(image.id,)))
    for each in worklists:
        backend.create_worklist(replace(each, project_id=made.id))
    if drawn:
        backend.create_annotations(image.id, drawn)
    return ImageDataset(project="one", server_url=backend.url)


def test_worklists_that_differ_in_colour_or_required_load_with_a_warning(backend: Backend, demo_images: Path) -> None:
    first = NewWorklist(
        "A",
        annotations=(VIEW, AnnotationSpec(type="label", identifier="benign", required=True)),
        segmentation_group={"lung": SegmentationClass(color=RED, index=1)},
    )
    second = NewWorklist(
        "B",
        annotations=(VIEW, AnnotationSpec(type="label", identifier="benign")),
        segmentation_group={"lung": SegmentationClass(color=BLUE, index=1)},
    )
    dataset = project(backend, demo_images, first, second)
    with pytest.warns(DatamintWarning, match=r"'lung' has different colours.*'benign' is required in one"):
        dataset.prepare()
    assert (dataset.seglabel2code, dataset.image_labels_set) == ({"lung": 1}, ["benign"])


def test_contradictions_are_one_error_that_lists_them_all(backend: Backend, demo_images: Path) -> None:
    first = NewWorklist(
        "A",
        annotations=(VIEW,),
        segmentation_group={
            "lung": SegmentationClass(color=RED, index=1),
            "heart": SegmentationClass(color=RED, index=2),
        },
    )
    second = NewWorklist(
        "B",
        annotations=(AnnotationSpec(type="label", identifier="view"),),
        segmentation_group={"lung": SegmentationClass(color=RED, index=2)},
    )
    with pytest.raises(DatamintDatasetException) as caught:
        project(backend, demo_images, first, second).prepare()
    for part in ("'lung' has index 1", "index 2 means 'heart'", "'view' is a category"):
        assert part in str(caught.value)


def test_categories_of_a_schema_are_targets_without_allowing_external_names(
    backend: Backend, demo_images: Path
) -> None:
    drawn = [NewAnnotation(type="category", identifier="view", value="lateral", author="ana@lab.example")]
    dataset = project(backend, demo_images, NewWorklist("A", annotations=(VIEW,)), drawn=drawn)
    assert dataset.image_categories_set == [("view", "pa"), ("view", "lateral")]
    assert dataset[0]["image_categories"] == {"ana@lab.example": torch.tensor(1)}


@pytest.mark.parametrize("schema", [(), (NewWorklist("A", annotations=(VIEW,)),)], ids=["inferred", "schema"])
def test_an_annotation_of_an_unknown_type_is_kept_and_reported(
    backend: Backend, demo_images: Path, tmp_path: Path, schema: tuple[NewWorklist, ...]
) -> None:
    drawn = [
        NewAnnotation(type="text", identifier="note", value="a newer kind"),
        NewAnnotation(type="float", identifier="age", value=3.5),
        NewAnnotation(type="category", identifier="view", value="pa"),
    ]
    dataset = project(backend, demo_images, *schema, drawn=drawn)
    with sqlite3.connect(tmp_path / "store" / "store.sqlite") as connection:  # as a newer store would hold it
        connection.execute("UPDATE annotations SET annotation_type = 'hologram' WHERE identifier = 'note'")
    connection.close()
    with pytest.warns(DatamintWarning, match=r"'hologram' \(1\)") as caught:
        dataset.prepare()
    assert len(caught) == 1
    kept = dataset[0]["annotations"]
    assert {each.annotation_type for each in kept} == {"hologram", "float", "category"}
    assert len(dataset.filter(annotation_names=["note"])) == 1


def test_boxes_of_a_schema_have_codes_before_any_is_drawn(backend: Backend, demo_images: Path) -> None:
    schema = NewWorklist("A", annotations=(AnnotationSpec(type="square", identifier="mass"),))
    dataset = project(backend, demo_images, schema)
    assert (dataset.box_labels_set, dataset.boxlabel2code) == (["mass"], {"mass": 1})
