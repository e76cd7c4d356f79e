"""Many resources by `api.resources.bulk_load`: with what is said of them, in order, and once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamint_like import Api, ImageDataset, VolumeDataset
from datamint_like.backends.base import NewAnnotation, NewResource
from datamint_like.exceptions import GeometryError, ItemNotFoundError, ValidationError
from datamint_like.testing.samples import CT_FILES, OTHER_XRAY, XRAY, label, xray_mask


def rows() -> list[NewResource]:
    """Two images and a series, with what two people say of them."""
    said = (xray_mask("ana@lab.example"), label("benign", "bo@lab.example"))
    view = NewAnnotation("category", "view", value="pa", author="ana@lab.example")
    return [
        NewResource((XRAY,), "first.png", tags=("chest",), annotations=said),
        NewResource(CT_FILES, "ct", metadata={"site": 3}),
        NewResource((OTHER_XRAY,), "second.png", annotations=(view,)),
    ]


@pytest.mark.filterwarnings("ignore::datamint_like.exceptions.SkippedResourcesWarning")
def test_rows_become_resources_with_what_is_said_of_them(api: Api, tmp_path: Path) -> None:
    project = api.projects.create("many", return_entity=True)
    report = api.resources.bulk_load(iter(rows()), project, batch_size=2)
    assert (report.made, report.present, str(report)) == (3, 0, "3 resources made, 0 there already.")
    members = api.projects.get_project_resources(project)
    assert [(each.filename, each.status) for each in members] == [
        ("first.png", "published"),
        ("ct", "published"),
        ("second.png", "published"),
    ]
    assert members[0].tags == ("chest",)
    assert members[1].metadata["site"] == 3
    assert api.resources.download_resource_file(members[0], auto_convert=False) == XRAY.read_bytes()
    options = {"server_url": api.server_url, "cache_dir": tmp_path / "cache"}
    images = ImageDataset("many", **options)
    assert len(images) == 2
    assert images[0]["segmentations"]["ana@lab.example"].sum() > 0
    assert images.image_categories_set == [("view", "pa")]
    assert VolumeDataset("many", irregular_spacing="keep", **options)[0]["image"].shape[1] == len(CT_FILES)


def test_rows_are_loaded_once(api: Api) -> None:
    api.projects.create("many")
    api.resources.bulk_load(rows()[:2], "many")
    assert str(api.resources.bulk_load([*rows(), *rows()], "many")) == "1 resource made, 5 there already."
    members = api.projects.get_project_resources("many")
    assert [len(list(api.annotations.get_list(each))) for each in members] == [2, 0, 1]


def test_a_row_that_does_not_fit_is_named_by_its_place_in_all_rows(api: Api) -> None:
    api.projects.create("many")
    wrong = NewResource(CT_FILES[:3], "some", annotations=(xray_mask(),))
    with pytest.raises(GeometryError, match=r"^Row 3 \('some'\): ") as caught:
        api.resources.bulk_load([*rows(), wrong], "many", batch_size=2)
    assert caught.value.__notes__[0].startswith("2 rows of earlier batches are stored. Load the same rows again")
    assert str(api.resources.bulk_load([*rows(), replace(wrong, annotations=())], "many")) == (
        "2 resources made, 2 there already."
    )


@pytest.mark.parametrize("size", [0, -1, True, 2.5, "9", 100_001])
def test_a_batch_is_a_whole_number_of_rows(api: Api, size: Any) -> None:
    api.projects.create("many")
    with pytest.raises(ValidationError, match="batch_size"):
        api.resources.bulk_load([], "many", batch_size=size)


@pytest.mark.parametrize("bad", [5, ["x.png"], [XRAY], [None]], ids=repr)
def test_rows_are_new_resources(api: Api, bad: Any) -> None:
    api.projects.create("many")
    with pytest.raises(ValidationError, match="NewResource"):
        api.resources.bulk_load(bad, "many")


def test_an_unknown_project_is_named(api: Api) -> None:
    with pytest.raises(ItemNotFoundError, match="nowhere"):
        api.resources.bulk_load(rows(), "nowhere")


def test_values_of_what_was_loaded_are_those_of_an_upload(api: Api, tmp_path: Path) -> None:
    for name in ("one", "many"):
        api.projects.create(name)
    api.resources.upload_resource(XRAY, publish_to="one")
    api.resources.bulk_load(rows()[:1], "many")
    first, second = (
        ImageDataset(name, server_url=api.server_url, cache_dir=tmp_path / "cache")[0]["image"]
        for name in ("one", "many")
    )
    assert np.array_equal(first, second)
