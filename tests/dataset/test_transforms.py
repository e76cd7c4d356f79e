"""Transforms: one call an item with all masks, of any size, drawn from seed, epoch and item alone."""

from __future__ import annotations

import pickle
import random
from typing import Any

import albumentations as A  # noqa: N812 -- its users' name for it
import cv2
import numpy as np
import pytest
import torch
from albumentations.pytorch import ToTensorV2

from datamint_like.dataset import ImageDataset, SlicedVolumeDataset, VideoDataset, VolumeDataset
from datamint_like.dataset.seeds import EpochIndex
from datamint_like.exceptions import DatamintDatasetException
from tests.dataset.conftest import ANA, BEN, Shelf


def volumes(shelf: Shelf, **options: Any) -> VolumeDataset:
    return VolumeDataset(resources=[shelf.philips], server_url=shelf.url, **options)


def test_image_and_masks_of_a_slice_are_turned_alike_in_one_call(shelf: Shelf):
    plain = volumes(shelf).slice("axial")[11]
    item = volumes(shelf, alb_transform=A.Compose([A.HorizontalFlip(p=1.0)])).slice("axial")[11]
    assert torch.equal(item["image"], plain["image"].flip(-1).float())
    for author in (ANA, BEN):
        assert item["segmentations"][author].dtype == torch.uint8
        assert torch.equal(item["segmentations"][author], plain["segmentations"][author].flip(-1))
        assert torch.equal(item["seg_labels"][author], plain["seg_labels"][author])


@pytest.mark.parametrize(
    "dataset",
    [
        lambda shelf, **o: ImageDataset(resources=[shelf.xray], server_url=shelf.url, **o),
        lambda shelf, **o: volumes(shelf, **o),
        lambda shelf, **o: volumes(shelf, **o).slice("coronal"),
        lambda shelf, **o: VideoDataset(resources=[shelf.clip], server_url=shelf.url, **o),
        lambda shelf, **o: VideoDataset(resources=[shelf.clip], server_url=shelf.url, **o).frame_by_frame(),
        lambda shelf, **o: ImageDataset(resources=[shelf.plain_xray], server_url=shelf.url, **o),
    ],
    ids=["image", "volume", "slice", "video", "frame", "without masks"],
)
@pytest.mark.parametrize("semantic", [False, True])
def test_a_transform_that_changes_the_size_changes_masks_alike_on_every_class(
    dataset: Any, semantic: bool, shelf: Shelf
):
    options = {"return_as_semantic_segmentation": True, "semantic_seg_merge_strategy": "union"} if semantic else {}
    item = dataset(shelf, alb_transform=A.Compose([A.Resize(40, 56)]), **options)[0]
    plain = dataset(shelf, **options)[0]
    assert item["image"].shape == (*plain["image"].shape[:-2], 40, 56)
    assert set(item) == set(plain)
    if semantic:
        assert item["segmentations"].shape[-2:] == (40, 56)
        assert torch.equal(item["segmentations"].amax(0), torch.ones(item["segmentations"].shape[1:]))
    else:
        assert {a: m.shape[-2:] for a, m in item["segmentations"].items()} == dict.fromkeys(
            plain["segmentations"], (40, 56)
        )


def test_transforms_run_whether_or_not_masks_are_returned(shelf: Shelf):
    flip = A.Compose([A.VerticalFlip(p=1.0)])
    with_masks = volumes(shelf, alb_transform=flip).slice("axial")[4]["image"]
    without = volumes(shelf, alb_transform=flip, return_segmentations=False).slice("axial")[4]
    assert torch.equal(without["image"], with_masks)
    assert "segmentations" not in without


def test_a_volume_is_drawn_once_for_all_its_slices(shelf: Shelf):
    turn = A.Compose([A.Affine(rotate=(-40, 40), p=1.0, interpolation=cv2.INTER_NEAREST)])
    item = volumes(shelf, alb_transform=turn, seed=3)[0]
    plain = volumes(shelf)[0]
    mask, before = item["segmentations"][ANA][0], plain["segmentations"][ANA][0]
    assert not torch.equal(mask, before)
    inside = mask[4:20]  # a box drawn on these slices alike stays alike
    assert all(torch.equal(plane, inside[0]) for plane in inside)


def test_uint8_stays_and_other_types_enter_as_float32(shelf: Shelf):
    seen: list[Any] = []

    def look(image: Any, masks: Any) -> dict[str, Any]:
        seen.append((image.dtype, image.shape, masks.dtype, masks.shape))
        return {"image": image, "masks": masks}

    ImageDataset(resources=[shelf.xray], server_url=shelf.url, alb_transform=look)[0]
    volumes(shelf, alb_transform=look).slice("axial")[0]
    volumes(shelf, alb_transform=look)[0]
    assert seen == [
        (np.uint8, (512, 512, 1), np.uint8, (1, 512, 512)),
        (np.float32, (128, 128, 1), np.uint8, (3, 128, 128)),
        (np.float32, (32, 128, 128, 1), np.uint8, (3, 32, 128, 128)),
    ]


def test_tensors_that_a_transform_makes_are_taken_as_they_are(shelf: Shelf):
    to_tensor = A.Compose([A.Normalize(mean=0.0, std=1.0, max_pixel_value=255.0), ToTensorV2()])
    item = ImageDataset(resources=[shelf.xray], server_url=shelf.url, alb_transform=to_tensor)[0]
    assert item["image"].shape == (1, 512, 512)
    assert item["image"].dtype == torch.float32
    assert item["segmentations"][ANA].shape == (1, 512, 512)


def _noise(image: Any, masks: Any) -> dict[str, Any]:
    """Draws from every global source that callables use."""
    shift = random.random() + np.random.random() + float(torch.rand(()))
    return {"image": image + np.float32(shift), "masks": masks}


RANDOM = {
    "albumentations": A.Compose([A.RandomCrop(64, 64), A.RandomBrightnessContrast(p=1.0), A.RandomRotate90(p=0.9)]),
    "callable": _noise,
}


@pytest.mark.parametrize("kind", RANDOM)
def test_the_same_seed_epoch_and_item_give_the_same_draw(kind: str, shelf: Shelf):
    slices = volumes(shelf, alb_transform=RANDOM[kind], seed=11).slice("axial")
    first = [slices[n]["image"] for n in (3, 5)]
    state = torch.get_rng_state(), random.getstate()
    again = volumes(shelf, alb_transform=RANDOM[kind], seed=11).slice("axial")
    assert torch.equal(again[5]["image"], first[1])
    assert torch.equal(again[EpochIndex(3, 0)]["image"], first[0])
    assert torch.equal(again.subset([7, 3])[1]["image"], first[0])
    assert not torch.equal(again[EpochIndex(3, 1)]["image"], first[0])
    assert not torch.equal(volumes(shelf, alb_transform=RANDOM[kind], seed=12).slice("axial")[3]["image"], first[0])
    assert torch.equal(torch.get_rng_state(), state[0])
    assert random.getstate() == state[1]


@pytest.mark.parametrize("kind", RANDOM)
@pytest.mark.parametrize(
    ("workers", "method", "persistent"),
    [(1, "fork", False), (1, "fork", True), (2, "fork", False), (2, "fork", True), (2, "spawn", True)],
)
def test_epochs_are_the_same_on_any_number_of_workers(
    kind: str, workers: int, method: str, persistent: bool, shelf: Shelf
):
    def epochs(**loading: Any) -> list[torch.Tensor]:
        slices = volumes(shelf, alb_transform=RANDOM[kind], seed=5).slice("axial").subset(range(6))
        loader = slices.get_dataloader(batch_size=2, shuffle=True, **loading)
        return [torch.cat([batch["image"] for batch in loader]) for _ in range(2)]

    alone = epochs()
    assert not torch.equal(*alone)
    found = epochs(num_workers=workers, persistent_workers=persistent, multiprocessing_context=method)
    assert all(torch.equal(a, b) for a, b in zip(alone, found, strict=True))


def test_without_a_seed_workers_and_epochs_draw_differently_and_torch_decides(shelf: Shelf):
    slices = volumes(shelf, alb_transform=RANDOM["albumentations"]).slice("axial").subset([9] * 4)
    loader = slices.get_dataloader(batch_size=1, num_workers=2)
    torch.manual_seed(1)
    drawn = [batch["image"] for _ in range(2) for batch in loader]
    assert len({image.numpy().tobytes() for image in drawn}) == 8
    torch.manual_seed(1)
    assert all(torch.equal(a, b["image"]) for a, b in zip(drawn, loader, strict=False))


def test_set_and_add_transform_work_on_a_part_and_not_on_its_root(shelf: Shelf):
    root = volumes(shelf).slice("axial")
    part = root.subset([1, 2])
    before = part.fingerprint
    part.set_transform(A.Compose([A.HorizontalFlip(p=1.0)]))
    part.add_transform(lambda image, masks: {"image": image[:10], "masks": masks[:, :10]})
    assert part[0]["image"].shape == (1, 10, 128)
    assert torch.equal(part[0]["image"], root[1]["image"].float().flip(-1)[:, :10])
    assert root[1]["image"].shape == (1, 128, 128)
    assert part.fingerprint != before
    part.set_transform(None)
    assert torch.equal(part[0]["image"], root[1]["image"])
    assert part.fingerprint == before


def test_a_dataset_with_a_transform_pickles_and_its_fingerprint_tells_the_transform(shelf: Shelf):
    flip = volumes(shelf, alb_transform=A.Compose([A.HorizontalFlip(p=1.0)]))
    twin = pickle.loads(pickle.dumps(flip))
    assert torch.equal(twin[0]["image"], flip[0]["image"])
    other = volumes(shelf, alb_transform=A.Compose([A.HorizontalFlip(p=0.5)]))
    assert len({flip.fingerprint, other.fingerprint, volumes(shelf).fingerprint}) == 3
    assert twin.fingerprint == flip.fingerprint


@pytest.mark.parametrize(
    ("transform", "says"),
    [
        (lambda image, masks: None, "must return a dict with 'image'"),
        (lambda image, masks: {"image": image, "masks": masks[:1]}, "was given 3 masks and returned 1"),
        (lambda image, masks: {"image": image[:9], "masks": masks}, r"image of size \(9, 128\) and masks of size"),
    ],
)
def test_a_transform_that_breaks_the_rules_is_an_error_that_says_how(transform: Any, says: str, shelf: Shelf):
    with pytest.raises(DatamintDatasetException, match=says):
        volumes(shelf, alb_transform=transform).slice("axial")[0]


@pytest.mark.parametrize("option", [{"alb_transform": 5}, {"seed": "x"}, {"seed": 2.5}, {"seed": True}, {"seed": -1}])
def test_a_transform_or_seed_of_no_use_is_refused_when_it_is_given(option: dict[str, Any], shelf: Shelf):
    with pytest.raises(DatamintDatasetException, match=next(iter(option))):
        volumes(shelf, **option)


class _Inverted(SlicedVolumeDataset):
    """A subclass as people write them: it changes the arrays, adds a key, transforms and targets in its own way."""

    def _get_raw_item(self, index: int) -> dict[str, Any]:
        item = super()._get_raw_item(index)
        return item | {"image": -item["image"], "position": index}

    def apply_alb_transform(self, img: Any, segmentations: Any) -> dict[str, Any]:
        made = super().apply_alb_transform(img, segmentations)
        return {"image": made["image"] * 2, "segmentations": made["segmentations"]}

    def _process_segmentations(self, segmentations: Any, seg_labels: Any, spatial: tuple[int, ...]) -> dict[str, Any]:
        made = super()._process_segmentations(segmentations, seg_labels, spatial)
        return made | {"mask_count": sum(len(own) for own in segmentations.values())}


def test_a_subclass_may_override_each_step_of_the_walk(shelf: Shelf):
    slices = _Inverted(
        resources=[shelf.philips], server_url=shelf.url, alb_transform=A.Compose([A.HorizontalFlip(p=1.0)])
    )
    item = slices[3]
    assert torch.equal(item["image"], -2 * volumes(shelf).slice()[3]["image"].flip(-1).float())
    assert (item["position"], item["mask_count"]) == (3, 3)


def test_a_step_that_a_subclass_overrides_is_taken_without_a_transform_too(shelf: Shelf):
    slices = _Inverted(resources=[shelf.philips], server_url=shelf.url)
    assert torch.equal(slices[3]["image"], -2 * volumes(shelf).slice()[3]["image"])


@pytest.mark.parametrize("factor", [0.5, 255, np.nan])
def test_masks_that_a_callable_scales_are_refused(shelf: Shelf, factor: float):
    def scaling(image: Any, masks: Any) -> dict[str, Any]:
        return {"image": image, "masks": masks * factor}

    with pytest.raises(DatamintDatasetException, match="masks with values other than 0 and 1"):
        volumes(shelf, alb_transform=scaling)[0]


@pytest.mark.parametrize("kind", [np.float32, bool, torch.as_tensor])
def test_masks_of_a_callable_are_bytes_whatever_it_makes_of_them(shelf: Shelf, kind: Any):
    def turning(image: Any, masks: Any) -> dict[str, Any]:
        return {
            "image": image,
            "masks": [kind(each) if kind is torch.as_tensor else each.astype(kind) for each in masks],
        }

    plain = volumes(shelf)[0]["segmentations"]
    turned = volumes(shelf, alb_transform=turning)[0]["segmentations"]
    assert any(own.any() for own in plain.values())
    for author, own in plain.items():
        assert turned[author].dtype == torch.uint8
        assert torch.equal(turned[author], own)


def test_a_callable_without_an_argument_for_boxes_is_refused_where_boxes_are_asked_for(shelf: Shelf):
    with pytest.raises(DatamintDatasetException, match="takes no boxes"):
        volumes(shelf, return_boxes=True, alb_transform=lambda image, masks: {"image": image, "masks": masks})
