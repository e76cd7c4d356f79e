"""The deprecated classes work as they are documented, over today's, and say what replaces them."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import albumentations
import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch

import datamint_like
from datamint_like.dataset import base, base_dataset
from datamint_like.dataset.dataset import DatamintDataset
from datamint_like.exceptions import DatamintDatasetException, DatamintWarning, DecodeError
from tests.dataset.conftest import ANA, BEN, Shelf


def old(shelf: Shelf, cls: Any = DatamintDataset, **options: Any) -> Any:
    with pytest.warns(DeprecationWarning, match="use ImageDataset, VolumeDataset or VideoDataset"):
        return cls("mixed", server_url=shelf.url, all_annotations=True, **options)


@pytest.fixture(scope="module")
def frame_counts(shelf: Shelf) -> list[int]:
    counts = [base_dataset.required_facts(each).shape[0] for each in (shelf.philips, shelf.ge, shelf.xray)]
    return [*counts, 1, base_dataset.required_facts(shelf.clip).shape[0]]


def test_the_root_name_and_the_exception_are_the_published_ones() -> None:
    assert datamint_like.Dataset is DatamintDataset
    assert issubclass(DatamintDataset, base_dataset.DatamintBaseDataset)
    assert base_dataset.DatamintDatasetException is base.DatamintDatasetException is DatamintDatasetException
    assert base_dataset.DatamintBaseDataset.DATAMINT_DATASETS_DIR == "datasets"


def test_resources_of_every_kind_are_items_with_frames_first(shelf: Shelf, frame_counts: list[int]) -> None:
    dataset = old(shelf)
    assert len(dataset) == 5
    assert [len(item["image"]) for item in dataset] == frame_counts
    assert dataset[0]["image"].shape == (32, 1, 128, 128)
    assert dataset[2]["image"].shape == (1, 1, 512, 512)
    assert dataset[-1]["image"].shape[1] == 3
    keys = {"image", "metainfo", "segmentations", "seg_labels", "frame_labels", "image_labels", "annotations"}
    assert all(set(item) == keys for item in dataset)
    assert repr(dataset) == "DatamintDataset(project='mixed', 5 resources)"
    assert len(dataset + dataset) == 10
    with pytest.raises(IndexError, match="5 items"):
        dataset[5]


def test_frames_are_those_of_the_file_in_its_order(shelf: Shelf, demo_images: Path) -> None:
    stored = [pydicom.dcmread(path) for path in (demo_images / "ct_philips").iterdir()]
    stored.sort(key=lambda each: float(each.ImagePositionPatient[2]))
    item = old(shelf)[0]
    for frame, file in enumerate(stored):
        expected = file.pixel_array.astype(int) * int(file.RescaleSlope) + int(file.RescaleIntercept)
        np.testing.assert_array_equal(item["image"][frame, 0], np.maximum(expected, -1024))


def test_masks_are_lists_by_frame_of_the_instances_that_are_there(shelf: Shelf) -> None:
    item = old(shelf)[0]
    masks, codes = item["segmentations"], item["seg_labels"]
    assert list(masks) == list(codes) == [ANA, BEN]
    assert len(masks[ANA]) == len(codes[ANA]) == 32
    per_frame = sorted(len(frame) for frame in masks[ANA])
    assert per_frame == [0] * 16 + [1] * 12 + [2] * 4  # 16 planes of soft, 4 of them with bone
    assert [len(frame) for frame in masks[ANA]] == [len(frame) for frame in codes[ANA]]
    assert all(frame.shape[1:] == (128, 128) and frame.dtype == torch.uint8 for frame in masks[ANA])
    assert sum(int(frame.sum()) for frame in masks[BEN]) == 12 * 20 * 40
    assert {code for frame in codes[ANA] for code in frame.tolist()} == {1, 2}


def test_frame_by_frame_gives_each_frame_of_the_whole(shelf: Shelf, frame_counts: list[int]) -> None:
    whole, frames = old(shelf), old(shelf, return_frame_by_frame=True)
    assert len(frames) == sum(frame_counts)
    assert repr(frames).endswith(f"{sum(frame_counts)} frames)")
    starts = np.cumsum([0, *frame_counts])
    for resource, frame in [(0, 0), (0, 9), (0, 31), (1, 5), (2, 0), (3, 0), (4, 0), (4, frame_counts[4] - 1)]:
        item, volume = frames[int(starts[resource]) + frame], whole[resource]
        assert torch.equal(item["image"], volume["image"][frame])
        assert list(item["segmentations"]) == list(volume["segmentations"])
        for author, masks in item["segmentations"].items():
            assert torch.equal(masks, volume["segmentations"][author][frame])
            assert torch.equal(item["seg_labels"][author], volume["seg_labels"][author][frame])
        for author, labels in item["frame_labels"].items():
            assert torch.equal(labels, volume["frame_labels"][author][frame])
        assert {a: each.tolist() for a, each in item["image_labels"].items()} == {
            a: each.tolist() for a, each in volume["image_labels"].items()
        }
    assert torch.equal(frames[-1]["image"], whole[-1]["image"][-1])


def test_frame_labels_follow_the_stored_frame(shelf: Shelf) -> None:
    dataset = old(shelf)
    labels = dataset[0]["frame_labels"]
    assert labels[ANA].shape == (32, 1)
    assert labels[ANA].nonzero().tolist() == [[3, 0]]
    assert dataset.frame_labels_set == ["motion"]
    assert old(shelf, return_frame_by_frame=True)[3]["frame_labels"][ANA].tolist() == [1]
    assert [len(dataset.get_annotations(0, "label", "frame")), len(dataset.get_annotations(0, "label"))] == [1, 4]
    assert len(old(shelf, return_frame_by_frame=True).get_annotations(4, "label", "frame")) == 0


@pytest.mark.parametrize("by_frame", [False, True])
def test_semantic_masks_are_frames_by_labels(shelf: Shelf, by_frame: bool) -> None:
    dataset = old(shelf, return_as_semantic_segmentation=True, return_frame_by_frame=by_frame)
    item = dataset[10] if by_frame else dataset[0]
    assert item["segmentations"][ANA].shape == ((3, 128, 128) if by_frame else (32, 3, 128, 128))
    assert "seg_labels" not in item
    assert dataset.segmentation_labels_set == ["soft", "bone"]


@pytest.mark.parametrize("by_frame", [False, True])
def test_merged_masks_are_one_tensor_for_every_item(shelf: Shelf, by_frame: bool) -> None:
    options = {"return_as_semantic_segmentation": True, "return_frame_by_frame": by_frame}
    apart = old(shelf, **options)
    dataset = old(shelf, semantic_seg_merge_strategy="intersection", **options)
    for index in (0, 1, -1):
        item, parts = dataset[index], apart[index]["segmentations"].values()
        merged = item["segmentations"]
        axis = 0 if by_frame else 1
        assert merged.ndim == (3 if by_frame else 4)
        assert torch.equal(merged.sum(axis) >= 1, torch.ones_like(merged.sum(axis), dtype=torch.bool))
        both = torch.stack(list(parts)).amin(0).narrow(axis, 1, 2) if parts else torch.zeros(())
        assert torch.equal(merged.narrow(axis, 1, 2), both.expand_as(merged.narrow(axis, 1, 2)))


def test_merging_of_nobody_is_background_and_without_strategy_nothing_changes(shelf: Shelf) -> None:
    dataset = old(shelf, return_as_semantic_segmentation=True, semantic_seg_merge_strategy="union")
    merged = dataset.apply_semantic_seg_merge_strategy({}, 2, 4, 5)
    assert merged.shape == (2, 3, 4, 5)
    assert merged[:, 0].all()
    masks = {ANA: torch.zeros(2, 3, 4, 5)}
    assert old(shelf).apply_semantic_seg_merge_strategy(masks, 2, 4, 5) is masks
    with pytest.raises(DatamintDatasetException, match="return_as_semantic_segmentation"):
        DatamintDataset("mixed", server_url=shelf.url, semantic_seg_merge_strategy="union")


@pytest.mark.parametrize("by_frame", [False, True])
def test_transforms_of_images_masks_and_both(shelf: Shelf, by_frame: bool) -> None:
    dataset = old(
        shelf,
        return_frame_by_frame=by_frame,
        alb_transform=albumentations.Resize(32, 48),
        image_transform=lambda image: image.float() + 1000,
        mask_transform=lambda mask: mask.bool(),
    )
    plain = old(shelf, return_frame_by_frame=by_frame, alb_transform=albumentations.Resize(32, 48))
    for index in (8 if by_frame else 0, -1, len(dataset) - 31 if by_frame else 2):
        item, before = dataset[index], plain[index]
        assert item["image"].shape[-2:] == (32, 48)
        assert torch.equal(item["image"], before["image"].float() + 1000)
        for author, masks in item["segmentations"].items():
            for mask in [masks] if by_frame else masks:
                assert mask.dtype == torch.bool
                assert mask.shape[-2:] == (32, 48)
            assert len(masks) == len(before["segmentations"][author])


def test_what_is_not_asked_for_is_left_out(shelf: Shelf) -> None:
    dataset = old(shelf, return_metainfo=False, return_annotations=False, return_segmentations=False)
    assert set(dataset[0]) == {"image"}
    plain = old(shelf, base_dataset.DatamintBaseDataset)
    assert set(plain[0]) == {"image", "metainfo", "annotations"}
    assert plain[0]["metainfo"]["units"] == "HU"


def test_the_dicom_object_comes_with_dicom_resources_only(shelf: Shelf) -> None:
    items = list(old(shelf, return_dicom=True, return_segmentations=False))
    assert [isinstance(item["dicom"], pydicom.FileDataset) for item in items] == [True, True, False, False, True]
    assert int(items[0]["dicom"].NumberOfFrames) == 32
    frame = old(shelf, return_dicom=True, return_frame_by_frame=True)[7]
    own = frame["dicom"].pixel_array.astype(int) * int(frame["dicom"].RescaleSlope) + int(
        frame["dicom"].RescaleIntercept
    )
    np.testing.assert_array_equal(frame["image"][0], np.maximum(own, -1024))


def test_a_subset_changes_the_dataset_itself(shelf: Shelf) -> None:
    dataset = old(shelf)
    before = dataset[2]["image"]
    assert dataset.subset([2, -1]) is dataset
    assert len(dataset) == 2
    assert torch.equal(dataset[0]["image"], before)
    assert dataset.get_resources_ids() == [shelf.xray.id, shelf.clip.id]
    with pytest.raises(IndexError):
        dataset.subset([2])
    assert len(dataset.subset([1])) == 1
    assert dataset.get_resources_ids() == [shelf.clip.id]
    frames = old(shelf, return_frame_by_frame=True).subset([0, 1, 40])
    assert frames.get_resources_ids() == [shelf.philips.id, shelf.ge.id]


def test_distributions_count_annotations_of_the_items(shelf: Shelf) -> None:
    dataset = old(shelf)
    assert dataset.get_segmentationlabel_distribution() == {"soft": 3, "bone": 1}
    assert dataset.get_segmentationlabel_distribution(normalize=True) == {"soft": 0.75, "bone": 0.25}
    assert dataset.get_framelabel_distribution() == {"motion": 1}
    assert dataset.subset([1]).get_framelabel_distribution(normalize=True) == {"motion": 0}


def test_the_sets_of_names_are_those_of_the_project(shelf: Shelf) -> None:
    dataset = old(shelf)
    assert dataset.image_labels_set == ["contrast", "artefact"]
    assert dataset.image_categories_set == [("view", "pa"), ("view", "lateral")]
    assert dataset.frame_categories_set == []
    assert dataset.get_info()["name"] == "mixed"


def test_filters_choose_annotations_and_resources(shelf: Shelf) -> None:
    assert len(old(shelf, include_unannotated=False)) == 2
    assert list(old(shelf, include_annotators=[BEN])[0]["segmentations"]) == [BEN]
    assert old(shelf, exclude_segmentation_names=["bone"]).get_segmentationlabel_distribution()["bone"] == 0
    assert old(shelf, include_image_label_names=["artefact"])[0]["image_labels"].keys() == {BEN}
    assert old(shelf, exclude_frame_label_names=["motion"])[0]["frame_labels"] == {}


def test_unpublished_annotations_are_left_out_with_one_warning_that_counts_them(shelf: Shelf) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dataset = DatamintDataset("mixed", server_url=shelf.url)
    assert [each.category for each in caught] == [DeprecationWarning, DatamintWarning]
    assert "10 annotations" in str(caught[1].message)
    assert all(each.filename == __file__ for each in caught)
    assert dataset[0]["segmentations"] == {}


def test_a_root_without_a_name_is_refused(shelf: Shelf) -> None:
    for blank in ("", " "):
        with pytest.raises(DatamintDatasetException, match="root is the path of a folder"):
            old(shelf, root=blank)


def test_root_holds_what_is_kept_and_opens_it_again_without_the_store(shelf: Shelf, tmp_path: Path) -> None:
    first = old(shelf, root=str(tmp_path))
    assert list((tmp_path / "datasets").iterdir())
    again = old(shelf, root=str(tmp_path), auto_update=False)
    assert again.get_resources_ids() == first.get_resources_ids()


@pytest.mark.parametrize("by_frame", [False, True])
def test_it_pickles_without_its_key_and_loads_in_spawned_workers(shelf: Shelf, by_frame: bool) -> None:
    dataset = old(shelf, return_frame_by_frame=by_frame, api_key="sesame-open").subset([0, 1])
    assert b"sesame" not in pickle.dumps(dataset)
    found = list(dataset.get_dataloader(num_workers=2, multiprocessing_context="spawn"))
    assert [torch.equal(batch["image"][0], item["image"]) for batch, item in zip(found, dataset, strict=True)] == [
        True,
        True,
    ]


def test_frames_of_a_file_are_counted(demo_images: Path, tmp_path: Path) -> None:
    count = DatamintDataset.read_number_of_frames
    clip = demo_images / "ultrasound" / "examples_ybr_color.dcm"
    assert count(str(clip)) == pydicom.dcmread(clip).NumberOfFrames
    assert count(str(demo_images / "xray" / "nih_00000001_000.png")) == 1
    (tmp_path / "words.png").write_text("no image")
    for path in (tmp_path / "words.png", tmp_path / "gone.nii"):
        with pytest.raises(DecodeError, match=path.name):
            count(str(path))


@pytest.mark.filterwarnings("ignore:DatamintDataset is deprecated:DeprecationWarning")
def test_nifti_over_time_has_its_planes_as_nibabel_shows_them(tmp_path: Path) -> None:
    values = np.arange(3 * 4 * 5 * 2, dtype=np.int16).reshape(3, 4, 5, 2)
    nib.save(nib.Nifti1Image(values, np.diag([-1.0, 2.0, -3.0, 1.0])), tmp_path / "time.nii.gz")
    api = datamint_like.Api(server_url=(tmp_path / "store").as_uri())
    volume = api.resources.upload_resource(tmp_path / "time.nii.gz")
    api.annotations.upload_volume_segmentation(volume, (values[..., 0] > 40).astype(np.uint8), "high", author_email=ANA)
    api.projects.create("time", resource_ids=[volume])
    options: dict[str, Any] = {"server_url": api.server_url, "all_annotations": True}
    (item,) = DatamintDataset("time", **options)
    np.testing.assert_array_equal(item["image"], values.transpose(2, 3, 1, 0))
    frames = list(DatamintDataset("time", return_frame_by_frame=True, **options))
    assert len(frames) == 5
    for k, frame in enumerate(frames):
        np.testing.assert_array_equal(frame["image"], values[:, :, k].transpose(2, 1, 0))
        drawn = (values[:, :, k, 0] > 40).T
        np.testing.assert_array_equal(
            frame["segmentations"][ANA], drawn[None] if drawn.any() else drawn[:0].reshape(0, 4, 3)
        )


@pytest.mark.filterwarnings("ignore:DatamintDataset is deprecated:DeprecationWarning")
@pytest.mark.parametrize("by_frame", [False, True])
def test_projects_that_are_empty_or_hold_one_kind_only_work_too(
    tmp_path: Path, demo_images: Path, by_frame: bool
) -> None:
    api = datamint_like.Api(server_url=(tmp_path / "store").as_uri())
    project = api.projects.create("one")
    options: dict[str, Any] = {"server_url": api.server_url, "return_frame_by_frame": by_frame, "return_dicom": True}
    empty = DatamintDataset("one", **options)
    assert len(empty) == len(list(empty)) == len(empty.get_resources_ids()) == 0
    assert empty.get_segmentationlabel_distribution(normalize=True) == {}
    xray = api.resources.upload_resource(demo_images / "xray" / "nih_00000001_000.png")
    api.projects.add_resources(xray, project)
    (item,) = DatamintDataset("one", **options)
    assert item["image"].shape == ((1, 512, 512) if by_frame else (1, 1, 512, 512))
    assert item["dicom"] is None
    assert len(empty) == 0
