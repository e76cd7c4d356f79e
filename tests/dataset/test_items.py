"""Items have the same keys of the same types, whatever is annotated."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from datamint_like.dataset import ImageDataset, SlicedVolumeDataset, VideoDataset, VolumeDataset
from datamint_like.exceptions import GeometryError, SkippedResourcesWarning
from tests.dataset.conftest import ANA, BEN, Shelf


def build(cls: Any, shelf: Shelf, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkippedResourcesWarning)
        return cls(project="mixed", server_url=shelf.url, **options).prepare()


@pytest.fixture
def volumes(shelf: Shelf) -> VolumeDataset:
    return VolumeDataset(resources=[shelf.philips], server_url=shelf.url)


def test_a_ct_volume_is_an_int16_tensor_in_hounsfield_units(shelf: Shelf) -> None:
    item = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)[0]
    assert item["image"].shape == (1, 32, 128, 128)
    assert item["image"].dtype == torch.int16
    assert item["image"].min() == -1024
    assert item["metainfo"]["units"] == "HU"
    np.testing.assert_allclose(item["metainfo"]["spacing"], (1.0, 1.8046875, 1.8046875), atol=1e-4)
    assert item["metainfo"]["orientation"] == "SPL"


def test_instances_come_by_sorted_author_with_their_codes(shelf: Shelf) -> None:
    item = build(VolumeDataset, shelf, irregular_spacing="keep")[0]
    assert list(item["segmentations"]) == [ANA, BEN]
    assert item["segmentations"][ANA].shape == (2, 32, 128, 128)
    assert item["segmentations"][ANA].dtype == torch.uint8
    assert item["seg_labels"][ANA].tolist() == [1, 2]
    assert item["seg_labels"][BEN].tolist() == [1]
    assert item["segmentations"][BEN].sum() == 12 * 20 * 40
    assert item["segmentations"][ANA][1].nonzero().amin(0).tolist() == [10, 70, 20]


def test_an_unannotated_item_has_the_keys_of_an_annotated_one(shelf: Shelf) -> None:
    dataset = build(VolumeDataset, shelf, irregular_spacing="keep")
    annotated, bare = dataset[0], dataset[1]
    assert set(annotated) == set(bare)
    assert bare["segmentations"] == {}
    assert bare["seg_labels"] == {}
    assert bare["image_labels"] == {}
    assert {key: type(value) for key, value in annotated.items()} == {key: type(value) for key, value in bare.items()}


def test_an_image_has_no_depth_and_no_frame_labels(shelf: Shelf) -> None:
    dataset = build(ImageDataset, shelf)
    item = dataset[0]
    assert len(dataset) == 2
    assert item["image"].shape == (1, 512, 512)
    assert item["image"].dtype == torch.uint8
    assert item["segmentations"][ANA].shape == (1, 512, 512)
    assert item["segmentations"][ANA].sum() == 200 * 150
    assert "frame_labels" not in item
    assert item["metainfo"]["affine"] is None


def test_semantic_masks_have_a_background_channel_and_no_codes(shelf: Shelf) -> None:
    item = build(VolumeDataset, shelf, return_as_semantic_segmentation=True)[0]
    semantic = item["segmentations"][ANA]
    assert semantic.shape == (3, 32, 128, 128)
    assert semantic.dtype == torch.float32
    assert torch.equal(semantic[0], 1 - semantic[1:].amax(0))
    assert "seg_labels" not in item


@pytest.mark.parametrize(
    ("strategy", "soft"), [("union", 16 * 30 * 50), ("intersection", 12 * 20 * 40), ("mode", 16 * 30 * 50)]
)
def test_merged_masks_are_one_tensor_whether_annotated_or_not(shelf: Shelf, strategy: Any, soft: int) -> None:
    dataset = build(
        VolumeDataset,
        shelf,
        return_as_semantic_segmentation=True,
        semantic_seg_merge_strategy=strategy,
        irregular_spacing="keep",
    )
    merged, empty = dataset[0]["segmentations"], dataset[1]["segmentations"]
    assert merged.dtype == torch.float32
    assert merged[1].sum() == soft
    assert torch.equal(merged[0], 1 - merged[1:].amax(0))
    assert empty[0].min() == 1
    assert empty[1:].max() == 0


def test_labels_categories_and_frame_labels_come_by_author(shelf: Shelf) -> None:
    volume = build(VolumeDataset, shelf)[0]
    assert volume["image_labels"][ANA].tolist() == [1, 0]
    assert volume["image_labels"][BEN].tolist() == [1, 1]
    assert volume["image_labels"][ANA].dtype == torch.int32
    assert volume["frame_labels"][ANA].shape == (32, 1)
    assert volume["frame_labels"][ANA].nonzero().tolist() == [[3, 0]]
    image = build(ImageDataset, shelf)
    assert image.image_categories_set == [("view", "pa"), ("view", "lateral")]
    assert image[0]["image_categories"] == {ANA: torch.tensor(0), BEN: torch.tensor(1)}
    assert image[0]["image_categories"][ANA].dtype == torch.int64


def test_merged_labels_and_categories_are_tensors_for_every_item(shelf: Shelf) -> None:
    dataset = build(
        VolumeDataset,
        shelf,
        image_labels_merge_strategy="intersection",
        image_categories_merge_strategy="mode",
        irregular_spacing="keep",
    )
    assert dataset[0]["image_labels"].tolist() == [1, 0]
    assert dataset[1]["image_labels"].tolist() == [0, 0]
    assert dataset[0]["frame_labels"].shape == (32, 1)
    assert dataset[1]["image_categories"].item() == -1


def test_tensors_only_items_collate_with_torch_alone(shelf: Shelf) -> None:
    dataset = build(
        ImageDataset,
        shelf,
        return_objects=False,
        return_as_semantic_segmentation=True,
        semantic_seg_merge_strategy="union",
        image_labels_merge_strategy="union",
        image_categories_merge_strategy="union",
    )
    batch = torch.utils.data.default_collate([dataset[0], dataset[1]])
    assert set(batch) == {"image", "segmentations", "image_labels", "image_categories"}
    assert batch["segmentations"].shape == (2, 3, 512, 512)


@pytest.mark.parametrize(
    ("keyword", "key"), [("return_metainfo", "metainfo"), ("return_segmentations", "segmentations")]
)
def test_a_key_that_is_switched_off_is_absent(shelf: Shelf, keyword: str, key: str) -> None:
    assert key in build(ImageDataset, shelf)[0]
    assert key not in build(ImageDataset, shelf, **{keyword: False})[0]


def test_a_video_has_its_frames_where_a_volume_has_depth(shelf: Shelf) -> None:
    item = build(VideoDataset, shelf)[0]
    assert item["image"].shape == (3, 30, 240, 320)
    assert item["image"].dtype == torch.uint8


def test_negative_indices_count_from_the_end_and_others_raise(shelf: Shelf) -> None:
    dataset = build(ImageDataset, shelf)
    assert torch.equal(dataset[-1]["image"], dataset[1]["image"])
    for index in (2, -3):
        with pytest.raises(IndexError, match="2 items"):
            dataset[index]


def test_changing_an_item_changes_no_later_one(shelf: Shelf) -> None:
    dataset = SlicedVolumeDataset(resources=[shelf.philips], server_url=shelf.url)
    before = dataset[7]
    kept = before["image"].clone()
    before["image"].zero_()
    before["segmentations"][ANA].zero_()
    again = dataset[7]
    assert torch.equal(again["image"], kept)
    assert again["segmentations"][ANA].sum() > 0


def test_an_uneven_series_is_no_volume_unless_it_is_kept(shelf: Shelf) -> None:
    with pytest.raises(GeometryError, match=r"ge\.dcm.*mm"):
        VolumeDataset(resources=[shelf.ge], server_url=shelf.url)[0]
    item = VolumeDataset(resources=[shelf.ge], server_url=shelf.url, irregular_spacing="keep")[0]
    assert item["image"].shape == (1, 28, 128, 128)
    assert item["metainfo"]["plane_origins"].shape == (28, 3)
    assert item["metainfo"]["irregularity"]


def test_identity_is_in_no_item(shelf: Shelf) -> None:
    item = build(VolumeDataset, shelf)[0]
    text = repr(item["metainfo"]) + repr(item["resource"].metadata) + repr(item["resource"])
    for word in ("ANON", "PLASTIC", "PatientName", "PatientID", "BirthDate", "Institution"):
        assert word not in text
