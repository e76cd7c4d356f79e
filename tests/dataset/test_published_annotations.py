"""`all_annotations=False` keeps what was approved, in every target and part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamint_like import Api, ImageDataset
from datamint_like.dataset.dataset import DatamintDataset
from tests.dataset.conftest import ANA, BEN


@pytest.fixture
def reviewed(tmp_path: Path, demo_images: Path) -> Api:
    """Two radiographs with a mask, a label and a category each, of which those of the first are approved."""
    api = Api(server_url=(tmp_path / "store").as_uri())
    folder = demo_images / "xray"
    names = ["nih_00000001_000.png", "nih_00027426_000.png"]
    ids = api.resources.upload_resources([folder / name for name in names])
    api.projects.create("chest", resource_ids=ids)
    for number, resource in enumerate(ids):
        made = [
            *api.annotations.upload_segmentations(resource, np.eye(512, dtype=np.uint8), "line", author_email=ANA),
            api.annotations.add_label_annotation(resource, "benign", author_email=BEN),
            api.annotations.add_category_annotation(resource, "view", "pa", author_email=BEN),
        ]
        for annotation in made if number == 0 else []:
            assert isinstance(annotation, str)
            api.annotations.approve(annotation)
    return api


def test_unpublished_annotations_are_in_no_target_when_they_are_not_asked_for(reviewed: Api) -> None:
    both = ImageDataset(project="chest", server_url=reviewed.server_url, worklists=None)
    approved = ImageDataset(project="chest", server_url=reviewed.server_url, worklists=None, all_annotations=False)
    assert [len(item["annotations"]) for item in both] == [3, 3]
    assert [len(item["annotations"]) for item in approved] == [3, 0]
    assert list(approved[0]["segmentations"]) == list(both[1]["segmentations"]) == [ANA]
    for key in ("segmentations", "seg_labels", "image_labels", "image_categories"):
        assert approved[1][key] == {}
    assert approved.image_labels_set == both.image_labels_set == ["benign"]
    assert approved.fingerprint != both.fingerprint


def test_a_resource_without_a_published_annotation_counts_as_unannotated(reviewed: Api) -> None:
    options = {"project": "chest", "server_url": reviewed.server_url, "worklists": None, "all_annotations": False}
    assert len(ImageDataset(**options, include_unannotated=False)) == 1
    assert len(ImageDataset(**options).filter(has_annotations=True)) == 1


def test_an_approval_reaches_the_next_dataset_and_not_the_one_before(reviewed: Api) -> None:
    options = {"project": "chest", "server_url": reviewed.server_url, "worklists": None, "all_annotations": False}
    before = ImageDataset(**options).prepare()
    for annotation in reviewed.annotations.get_list(status="new"):
        reviewed.annotations.approve(annotation)
    assert [len(item["annotations"]) for item in before] == [3, 0]
    assert [len(item["annotations"]) for item in ImageDataset(**options)] == [3, 3]


@pytest.mark.filterwarnings("ignore:DatamintDataset is deprecated:DeprecationWarning")
def test_the_deprecated_dataset_leaves_them_out_unless_asked(reviewed: Api) -> None:
    every = DatamintDataset("chest", server_url=reviewed.server_url, all_annotations=True)
    with pytest.warns(UserWarning, match="3 annotations of 'chest' are not published"):
        approved = DatamintDataset("chest", server_url=reviewed.server_url)
    assert [len(every.get_annotations(n)) for n in range(2)] == [3, 3]
    assert [len(approved.get_annotations(n)) for n in range(2)] == [3, 0]
