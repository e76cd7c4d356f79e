"""TorchIO's own transforms as the judge: world positions, seeds, and masks by nearest neighbour."""

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
from datamint_like.integrations import from_torchio
from tests.dataset.conftest import ANA, Shelf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torchio

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


def volumes(shelf: Shelf, **options: Any) -> VolumeDataset:
    return VolumeDataset(resources=[shelf.philips], server_url=shelf.url, **options)


def test_a_subject_is_what_torchio_reads_of_the_same_volume_as_nifti(shelf: Shelf, tmp_path: Path) -> None:
    item = volumes(shelf)[0]
    stored = np.asarray(item["image"][0]).transpose(2, 1, 0)
    nibabel.save(nibabel.Nifti1Image(stored, item["metainfo"]["affine"][:, [2, 1, 0, 3]]), tmp_path / "ct.nii.gz")
    read = torchio.ToCanonical()(torchio.ScalarImage(tmp_path / "ct.nii.gz"))
    given = torchio.ToCanonical()(volumes(shelf).to_torchio()[0]["image"])
    assert torch.equal(given.data, read.data)
    np.testing.assert_allclose(given.affine, read.affine, atol=1e-3)
    assert given.orientation_str == "RAS"


def test_canonical_subjects_keep_a_mask_where_it_lies_in_the_patient(shelf: Shelf) -> None:
    item = volumes(shelf)[0]
    subject = volumes(shelf).to_torchio(torchio.ToCanonical())[0]
    for channel, mask in enumerate(item["segmentations"][ANA]):
        ours = np.argwhere(mask.numpy()).mean(axis=0)
        theirs = np.argwhere(subject["label"].data[channel].numpy()).mean(axis=0)
        expected = item["metainfo"]["affine"] @ [*ours, 1]
        np.testing.assert_allclose(subject["label"].affine @ [*theirs, 1], expected, atol=1e-9)


def test_subjects_are_read_when_asked_for_and_pickle(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = volumes(shelf).slice("coronal")
    asked: list[int] = []
    whole = type(dataset)._get_raw_item

    def counted(self: Any, index: int) -> Any:
        asked.append(index)
        return whole(self, index)

    monkeypatch.setattr(type(dataset), "_get_raw_item", counted)
    subjects = pickle.loads(pickle.dumps(dataset.to_torchio()))
    assert asked == []
    assert len(subjects) == 128
    assert subjects[40]["image"].shape == (1, 128, 32, 1)
    assert asked == [40]
    np.testing.assert_allclose(subjects[40]["image"].spacing[:2], (1.8046875, 1.0), atol=1e-6)


def test_a_slice_lies_where_its_volume_has_it(shelf: Shelf) -> None:
    whole = volumes(shelf).to_torchio()[0]["image"]
    cut = volumes(shelf).slice("coronal").to_torchio()[40]["image"]
    np.testing.assert_allclose(cut.affine @ [7, 9, 0, 1], whole.affine @ [7, 40, 9, 1], atol=1e-9)
    assert torch.equal(cut.data[..., 0], whole.data[:, :, 40])


def test_a_subject_names_its_channels_and_collates(shelf: Shelf) -> None:
    subject = volumes(shelf).to_torchio()[0]
    assert len(subject["label_codes"]) == len(subject["label_authors"]) == subject["label"].shape[0] == 3
    merged = volumes(shelf, return_as_semantic_segmentation=True, semantic_seg_merge_strategy="union").slice()
    batch = next(iter(torchio.SubjectsLoader(merged.to_torchio(), batch_size=2)))
    assert batch["image"]["data"].shape == (2, 1, 128, 128, 1)


def test_every_item_has_a_name_of_its_own(shelf: Shelf) -> None:
    slices = volumes(shelf).slice("axial").subset([3, 4])
    names = [subject["name"] for subject in slices.to_torchio()]
    names += [item["image"].meta["filename_or_obj"] for item in slices.to_monai()]
    assert names == [f"{shelf.philips.id}_axial{n:04d}_philips.dcm" for n in (3, 4)] * 2
    frame = VideoDataset(resources=[shelf.clip], server_url=shelf.url).frame_by_frame().to_torchio()[7]
    assert frame["name"] == f"{shelf.clip.id}_frame0007_clip.dcm"


def test_images_and_videos_are_subjects_too(shelf: Shelf) -> None:
    image = ImageDataset(resources=[shelf.plain_xray], server_url=shelf.url).to_torchio()[0]
    assert image["image"].shape == image["label"].shape == (1, 512, 512, 1)
    video = VideoDataset(resources=[shelf.clip], server_url=shelf.url, return_segmentations=False).to_torchio()[0]
    assert video["image"].shape == (3, 320, 240, 30)
    assert "label" not in video


def test_what_torchio_cannot_take_is_refused(shelf: Shelf) -> None:
    with pytest.raises(DatamintDatasetException, match="empty"):
        volumes(shelf).subset([]).to_torchio()
    with pytest.raises(DatamintDatasetException, match="transforms"):
        volumes(shelf, alb_transform=from_torchio(torchio.RandomFlip())).to_torchio()
    with pytest.raises(DatamintDatasetException, match="transform"):
        from_torchio("flip")  # type: ignore[arg-type]
    with pytest.raises(DatamintDatasetException, match="subject"):
        volumes(shelf, alb_transform=from_torchio(lambda subject: subject["image"]))[0]


def test_resampling_in_our_dataset_uses_millimetres_and_keeps_masks_binary(shelf: Shelf) -> None:
    item = volumes(shelf, alb_transform=from_torchio(torchio.Resample((3.609375, 3.609375, 2))))[0]
    assert item["image"].shape == (1, 16, 64, 64)
    assert item["segmentations"][ANA].shape == (2, 16, 64, 64)
    assert item["segmentations"][ANA].dtype == torch.uint8
    assert set(np.unique(item["segmentations"][ANA])) == {0, 1}


def test_canonical_axes_of_torchio_turn_ours(shelf: Shelf) -> None:
    item = volumes(shelf)[0]
    turned = volumes(shelf, alb_transform=from_torchio(torchio.ToCanonical()))[0]
    torch.testing.assert_close(turned["image"].float(), item["image"].flip(2, 3).float())
    assert torch.equal(turned["segmentations"][ANA], item["segmentations"][ANA].flip(2, 3))


def test_intensity_transforms_leave_masks_alone_and_items_without_masks_go_through(shelf: Shelf) -> None:
    noisy = from_torchio(torchio.Compose([torchio.RandomNoise(std=(20, 20)), torchio.ZNormalization()]))
    item, plain = volumes(shelf, alb_transform=noisy)[0], volumes(shelf)[0]
    assert torch.equal(item["segmentations"][ANA], plain["segmentations"][ANA])
    assert abs(float(item["image"].mean())) < 1e-3
    xray = ImageDataset(resources=[shelf.plain_xray], server_url=shelf.url, alb_transform=noisy)[0]
    assert xray["image"].shape == (1, 512, 512)


def test_equal_seeds_draw_equal_items_on_any_worker(shelf: Shelf) -> None:
    moved = from_torchio(torchio.RandomAffine(scales=0, degrees=(0, 0, 20), translation=(9, 9, 0)))
    slices = volumes(shelf, alb_transform=moved, seed=3).slice("axial").subset(range(8, 12))
    alone = [batch["image"] for batch in slices.get_dataloader(batch_size=2)]
    spawned = slices.get_dataloader(batch_size=2, num_workers=1, multiprocessing_context="spawn")
    for batch, expected in zip(spawned, alone, strict=True):
        assert torch.equal(batch["image"], expected)
    assert not torch.equal(alone[0], slices.get_dataloader(batch_size=2).dataset[0]["image"])
