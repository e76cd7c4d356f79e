"""What the published client gets wrong around items: projects, splits, tags and lists, one test a row of that list."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamint_like import Api
from datamint_like.dataset import ImageDataset, VideoDataset, VolumeDataset
from datamint_like.exceptions import (
    DatamintDatasetException,
    DatamintWarning,
    DecodeError,
    ItemNotFoundError,
    SkippedResourcesWarning,
)
from tests.dataset.peer_defects.conftest import of, upload_nifti

pytestmark = pytest.mark.filterwarnings(f"ignore::{SkippedResourcesWarning.__module__}.SkippedResourcesWarning")


def test_a20_an_empty_project_has_no_items_and_no_annotations(api: Api) -> None:
    api.projects.create("empty")
    dataset = ImageDataset(project="empty", server_url=api.server_url)
    assert len(dataset) == len(dataset.resources) == len(dataset.resource_annotations) == 0
    assert list(dataset) == list(dataset.resource_annotations) == []


def test_a21_resources_may_be_ids_and_errors_name_what_was_asked(api: Api, two_xrays: list[str]) -> None:
    assert [each.id for each in of(api, ImageDataset, *two_xrays).resources] == two_xrays
    with pytest.raises(ItemNotFoundError, match="livr-ct"):
        ImageDataset(project="livr-ct", server_url=api.server_url).prepare()
    with pytest.raises(DatamintDatasetException, match=r"1\.5"):
        VolumeDataset(project="any", server_url=api.server_url).slice(1.5)  # type: ignore[arg-type]


def test_a22_every_page_palette_and_wide_type_is_read_or_refused(api: Api, tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((4, 5), 60 * n, np.uint8)) for n in range(3)]
    pages[0].save(tmp_path / "pages.tiff", save_all=True, append_images=pages[1:])
    stack = of(api, VolumeDataset, api.resources.upload_resource(tmp_path / "pages.tiff"))[0]["image"]
    assert stack[0, :, 0, 0].tolist() == [0, 60, 120]
    palette = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.save(tmp_path / "palette.png")
    colours = of(api, ImageDataset, api.resources.upload_resource(tmp_path / "palette.png"))[0]["image"]
    assert colours[:, 0].T.tolist() == [[10, 20, 30], [200, 100, 50]]
    pages[0].save(tmp_path / "pages.gif", save_all=True, append_images=pages[1:])
    with pytest.raises(DecodeError, match=r"pages\.gif.*GIF"):
        api.resources.upload_resource(tmp_path / "pages.gif")
    for dtype, expected in ((np.uint32, torch.int32), (np.float64, torch.float32)):
        wide = of(api, VolumeDataset, upload_nifti(api, tmp_path, np.ones((2, 3, 4), dtype)))[0]["image"]
        assert wide.dtype == expected


def test_a23_a_split_without_assignments_is_refused_not_drawn(api: Api, two_xrays: list[str]) -> None:
    project = api.projects.create("chest", resource_ids=two_xrays)
    dataset = ImageDataset(project="chest", server_url=api.server_url)
    with pytest.raises(DatamintDatasetException, match="no split assignments"):
        dataset.split()
    before = api.projects.create("clock").created_at
    api.projects.assign_splits(project, two_xrays, "train")
    with pytest.raises(DatamintDatasetException, match=f"no split assignments as of {before}"):
        dataset.split(as_of_timestamp=before)


def test_a24_a_replay_gives_the_parts_of_the_stores_instant(api: Api, two_xrays: list[str]) -> None:
    project = api.projects.create("chest", resource_ids=two_xrays)
    api.projects.assign_splits(project, two_xrays[:1], "train")
    api.projects.assign_splits(project, two_xrays[1:], "val")
    dataset = ImageDataset(project="chest", server_url=api.server_url)
    first = dataset.split()
    instant = first["train"].split_as_of_timestamp
    api.projects.assign_splits(project, two_xrays, "val")
    assert set(dataset.split()) == {"val"}
    again = dataset.split(as_of_timestamp=instant)
    assert {n: part.fingerprint for n, part in again.items()} == {n: part.fingerprint for n, part in first.items()}


def test_a25_tags_are_added_to_what_is_there(api: Api, two_xrays: list[str]) -> None:
    stale = api.resources.get_by_id(two_xrays[0])
    api.resources.add_tags(two_xrays[0], ["z"])
    api.resources.add_tags(stale, ["y"])
    assert set(api.resources.get_by_id(two_xrays[0]).tags) == {"y", "z"}
    api.resources.set_tags(two_xrays[0], ["only"])
    assert api.resources.get_by_id(two_xrays[0]).tags == ("only",)
    assert api.resources.get_by_id(two_xrays[1]).tags == ()


def test_a26_lists_need_no_arguments(api: Api, two_xrays: list[str]) -> None:
    called = []
    for endpoint in (api.resources, api.projects, api.annotations, api.users):
        for name, method in inspect.getmembers(endpoint, inspect.ismethod):
            parameters = inspect.signature(method).parameters.values()
            needs = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
            if name.startswith(("get", "list")) and not needs:
                assert method() is not None, name
                called.append(name)
    assert called.count("get_list") >= 4
    assert len(api.resources.get_list()) == 2


def test_a27_publishing_what_is_published_changes_nothing(api: Api, two_xrays: list[str]) -> None:
    for _ in range(2):
        api.resources.publish_resources(two_xrays)
    assert {each.status for each in api.resources.get_list()} == {"published"}


def test_a29_worklists_that_differ_in_looks_merge_and_contradictions_are_told_together(
    api: Api, two_xrays: list[str]
) -> None:
    project = api.projects.create("chest", resource_ids=two_xrays)
    for n, name in enumerate(("first", "second")):
        api.annotationsets.create(
            name,
            two_xrays,
            annotations=[{"type": "label", "identifier": "benign", "scope": "image", "required": bool(n)}],
            segmentation_data={"definitions": [{"identifier": "lung", "color": [255 * n, 0, 9], "index": 1}]},
            project=project,
        )
    with pytest.warns(DatamintWarning, match=r"'lung' has different colours.*'benign' is required in one"):
        dataset = ImageDataset(project="chest", server_url=api.server_url).prepare()
    assert (dataset.segmentation_labels_set, dataset.image_labels_set) == (["lung"], ["benign"])
    other = {"definitions": [{"identifier": "lung", "index": 2}, {"identifier": "heart", "index": 1}]}
    api.annotationsets.create("third", two_xrays, segmentation_data=other, project=project)
    with pytest.raises(DatamintDatasetException, match=r"'lung' has index 1.*index 1 means 'lung'"):
        ImageDataset(project="chest", server_url=api.server_url).prepare()


def test_a31_geometry_keeps_its_coordinate_system_and_scope(api: Api, clip: str) -> None:
    line = api.annotations.add_line_annotation((1, 2), (3, 4), clip, "axis", coords_system="pixel")
    found = api.annotations.get_by_id(line)
    assert found.geometry["coordinate_system"] == "pixel"
    assert (found.scope, found.frame_index) == ("image", None)
    (drawn,) = of(api, VideoDataset, clip)[0]["annotations"]
    assert drawn.geometry == found.geometry
