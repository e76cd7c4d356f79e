"""MONAI's own transforms as the judge: world positions, seeds, and masks by nearest neighbour."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

from datamint_like import ImageDataset, VideoDataset, VolumeDataset
from datamint_like.exceptions import DatamintDatasetException
from datamint_like.integrations import from_monai
from tests.dataset.conftest import ANA, BEN, Shelf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from monai.data import DataLoader, MetaTensor
    from monai.transforms import (
        Compose,
        Identity,
        LoadImage,
        Orientation,
        Orientationd,
        RandAffined,
        RandCropByPosNegLabeld,
        RandFlip,
        Rotate90d,
        ScaleIntensityd,
        Spacingd,
        SpatialCropd,
        Zoomd,
    )

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
BOTH = ["image", "label"]


def volumes(shelf: Shelf, **options: Any) -> VolumeDataset:
    return VolumeDataset(resources=[shelf.philips], server_url=shelf.url, **options)


def centre_of_mass(masks: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Patient mm of the middle of a mask (D, H, W), or (X, Y, Z) with its own affine."""
    middle = np.argwhere(masks > 0).mean(axis=0)
    return (affine @ [*middle, 1])[:3]


def test_an_item_of_to_monai_has_the_values_of_ours_at_the_same_patient_positions(shelf: Shelf) -> None:
    dataset = volumes(shelf)
    ours, theirs = dataset[0], dataset.to_monai()[0]
    image = theirs["image"]
    assert isinstance(image, MetaTensor)
    assert image.shape == (1, 128, 128, 32)
    for index in ((0, 0, 0), (5, 40, 90), (31, 127, 127)):
        d, h, w = index
        assert image[0, w, h, d] == ours["image"][0, d, h, w]
        expected = ours["metainfo"]["affine"] @ [*index, 1]
        np.testing.assert_allclose(np.asarray(image.affine) @ [w, h, d, 1], expected, atol=1e-9)


def test_what_monai_reads_of_the_same_volume_as_nifti_is_what_to_monai_gives(shelf: Shelf, tmp_path: Path) -> None:
    item = volumes(shelf)[0]
    stored = np.asarray(item["image"][0]).transpose(2, 1, 0)
    affine = item["metainfo"]["affine"][:, [2, 1, 0, 3]]
    nibabel.save(nibabel.Nifti1Image(stored, affine), tmp_path / "ct.nii.gz")
    read = Orientation("RAS")(LoadImage(ensure_channel_first=True)(tmp_path / "ct.nii.gz"))
    given = Orientation("RAS")(volumes(shelf).to_monai()[0]["image"])
    np.testing.assert_array_equal(np.asarray(given), np.asarray(read))
    np.testing.assert_allclose(np.asarray(given.affine), np.asarray(read.affine), atol=1e-3)


def test_monais_spacing_and_orientation_keep_a_mask_where_it_lies_in_the_patient(shelf: Shelf) -> None:
    dataset = volumes(shelf)
    steps = Compose([Orientationd(BOTH, "RAS"), Spacingd(BOTH, (2, 2, 2), mode=("bilinear", "nearest"))])
    made = dataset.to_monai(steps)[0]
    np.testing.assert_allclose(made["label"].pixdim, 2, atol=1e-6)
    item = dataset[0]
    before = centre_of_mass(np.asarray(item["segmentations"][ANA][0]), item["metainfo"]["affine"])
    after = centre_of_mass(np.asarray(made["label"][0]), np.asarray(made["label"].affine))
    assert np.abs(before - after).max() < 1.1  # within half a voxel of 2 mm, and rounding


def test_the_channels_of_a_label_are_named(shelf: Shelf) -> None:
    made = volumes(shelf).to_monai()[0]
    codes = volumes(shelf).prepare()[0]["seg_labels"]
    assert made["label_codes"].tolist() == [*codes[ANA].tolist(), *codes[BEN].tolist()]
    assert made["label"].meta["authors"] == [ANA] * len(codes[ANA]) + [BEN] * len(codes[BEN])
    assert made["label"].shape == (3, 128, 128, 32)


def test_merged_masks_collate_in_monais_loader_after_a_pickle(shelf: Shelf) -> None:
    merged = volumes(shelf, return_as_semantic_segmentation=True, semantic_seg_merge_strategy="union").slice("axial")
    theirs = pickle.loads(pickle.dumps(merged.to_monai()))
    batch = next(iter(DataLoader(theirs, batch_size=3)))
    assert batch["image"].shape == (3, 1, 128, 128)
    assert batch["label"].shape == (3, merged[0]["segmentations"].shape[0], 128, 128)


def test_a_slice_carries_millimetres_of_its_own_plane(shelf: Shelf) -> None:
    made = volumes(shelf).slice("sagittal").to_monai()[60]
    assert made["image"].shape == (1, 128, 32)
    np.testing.assert_allclose(np.asarray(made["image"].pixdim)[:2], (1.8046875, 1.0), atol=1e-6)


def test_an_image_without_masks_or_geometry_has_one_empty_channel_and_the_identity(shelf: Shelf) -> None:
    dataset = ImageDataset(resources=[shelf.plain_xray], server_url=shelf.url)
    made = dataset.to_monai()[0]
    assert made["label"].shape == (1, 512, 512)
    assert not made["label"].any()
    np.testing.assert_array_equal(np.asarray(made["image"].affine), np.eye(4))
    assert (
        "label"
        not in ImageDataset(resources=[shelf.plain_xray], server_url=shelf.url, return_segmentations=False).to_monai()[
            0
        ]
    )


def test_a_video_has_time_as_its_last_axis(shelf: Shelf) -> None:
    assert VideoDataset(resources=[shelf.clip], server_url=shelf.url).to_monai()[0]["image"].shape == (3, 320, 240, 30)


def test_a_dataset_with_transforms_is_refused(shelf: Shelf) -> None:
    dataset = volumes(shelf, alb_transform=from_monai(ScaleIntensityd("image")))
    with pytest.raises(DatamintDatasetException, match="transforms"):
        dataset.to_monai()


def test_spacing_in_our_dataset_uses_the_millimetres_of_the_item(shelf: Shelf) -> None:
    spacing = Spacingd(BOTH, (1.8046875 * 2, 1.8046875 * 2, 4), mode=("bilinear", "nearest"))
    item = volumes(shelf, alb_transform=from_monai(spacing))[0]
    assert item["image"].shape in ((1, 9, 64, 64), (1, 8, 64, 64))  # MONAI rounds the last plane up or down
    assert item["segmentations"][ANA].shape == (2, *item["image"].shape[1:])
    assert set(np.unique(item["segmentations"][ANA])) == {0, 1}


def test_the_affine_is_there_without_metainfo_too(shelf: Shelf) -> None:
    spacing = Spacingd(BOTH, (1.8046875, 1.8046875, 2), mode=("bilinear", "nearest"))
    item = volumes(shelf, return_objects=False, alb_transform=from_monai(spacing))[0]
    assert item["image"].shape[1] in (16, 17)


def test_a_second_transform_knows_where_the_first_left_the_item(shelf: Shelf) -> None:
    to_two = from_monai(Spacingd(BOTH, (1.8046875, 1.8046875, 2), mode=("bilinear", "nearest")))
    dataset = volumes(shelf, alb_transform=to_two)
    once = dataset[0]["image"].shape
    dataset.add_transform(to_two)
    assert dataset[0]["image"].shape == once


def test_a_turn_of_the_axes_turns_ours_the_same_way(shelf: Shelf) -> None:
    item = volumes(shelf)[0]
    turned = volumes(shelf, alb_transform=from_monai(Orientationd(BOTH, "RAS")))[0]
    expected = item["image"].flip(2, 3).float()  # canonical is S, P, L; R and A run the other way
    torch.testing.assert_close(turned["image"].float(), expected)
    assert torch.equal(turned["segmentations"][ANA], item["segmentations"][ANA].flip(2, 3))


def test_a_sagittal_slice_is_rescaled_along_the_axes_it_has(shelf: Shelf) -> None:
    spacing = Spacingd(BOTH, (1.8046875, 2.0), mode=("bilinear", "nearest"))
    made = volumes(shelf, alb_transform=from_monai(spacing)).slice("sagittal")[60]
    assert made["image"].shape[2] == 128
    assert made["image"].shape[1] in (16, 17)


def random_affine() -> Any:
    return RandAffined(BOTH, prob=1, rotate_range=(0.4,), translate_range=9, mode=("bilinear", "nearest"))


def test_equal_seeds_draw_equal_items_and_other_seeds_others(shelf: Shelf) -> None:
    first, again, other = (
        volumes(shelf, alb_transform=from_monai(random_affine()), seed=seed).slice("axial")[10] for seed in (1, 1, 2)
    )
    assert torch.equal(first["image"], again["image"])
    assert torch.equal(first["segmentations"][ANA], again["segmentations"][ANA])
    assert not torch.equal(first["image"], other["image"])


def test_workers_draw_what_the_main_process_draws(shelf: Shelf) -> None:
    slices = volumes(shelf, alb_transform=from_monai(random_affine()), seed=3).slice("axial").subset(range(8, 12))
    alone = [batch["image"] for batch in slices.get_dataloader(batch_size=2)]
    spawned = slices.get_dataloader(batch_size=2, num_workers=1, multiprocessing_context="spawn")
    for batch, expected in zip(spawned, alone, strict=True):
        assert torch.equal(batch["image"], expected)


def test_without_a_seed_torchs_decides(shelf: Shelf) -> None:
    slices = volumes(shelf, alb_transform=from_monai(random_affine())).slice("axial")
    made = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        made.append(slices[10]["image"])
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_masks_that_were_interpolated_are_an_error_that_says_what_to_give(shelf: Shelf) -> None:
    blurring = from_monai(Zoomd(BOTH, 1.3, mode="bilinear", keep_size=True))
    with pytest.raises(DatamintDatasetException, match="nearest"):
        volumes(shelf, alb_transform=blurring).slice("axial")[10]


def test_an_item_without_masks_goes_through_as_well(shelf: Shelf) -> None:
    dataset = ImageDataset(
        resources=[shelf.plain_xray], server_url=shelf.url, alb_transform=from_monai(Rotate90d(BOTH))
    )
    item = dataset[0]
    assert item["image"].shape == (1, 512, 512)
    assert item["segmentations"] == {}


def test_names_of_the_keys_are_the_users(shelf: Shelf) -> None:
    crop = SpatialCropd(["ct", "seg"], roi_start=(0, 0, 4), roi_end=(64, 32, 20))
    item = volumes(shelf, alb_transform=from_monai(crop, keys=("ct", "seg")))[0]
    assert item["image"].shape == (1, 16, 32, 64)


def test_several_samples_of_one_item_are_refused(shelf: Shelf) -> None:
    crops = RandCropByPosNegLabeld(BOTH, "label", spatial_size=(16, 16, 8), num_samples=2)
    with pytest.raises(DatamintDatasetException, match="2 samples"):
        volumes(shelf, alb_transform=from_monai(crops))[0]


def test_what_is_no_dictionary_transform_is_refused(shelf: Shelf) -> None:
    with pytest.raises(DatamintDatasetException, match="dictionary transform"):
        volumes(shelf, alb_transform=from_monai(lambda given: given["image"])).slice()[0]
    with pytest.raises(DatamintDatasetException, match="keys"):
        from_monai(ScaleIntensityd("image"), keys=("image", "image"))
    with pytest.raises(DatamintDatasetException, match="transform"):
        from_monai(None)  # type: ignore[arg-type]


def test_a_transform_of_arrays_and_a_class_are_refused_with_what_to_write(shelf: Shelf) -> None:
    for wrong in (RandFlip(), Compose([Rotate90d(BOTH), Compose([RandFlip()])])):
        with pytest.raises(DatamintDatasetException, match=r"RandFlip takes an array: write RandFlipd\(keys="):
            from_monai(wrong)
    with pytest.raises(DatamintDatasetException, match=r"Rotate90d is a class: make one"):
        from_monai(Rotate90d)
    made = volumes(shelf, alb_transform=from_monai(Compose([Identity(), Rotate90d(BOTH)])))[0]["image"]
    assert made.ndim == 4
