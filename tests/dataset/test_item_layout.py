"""How the tensors of an item lie in memory, whatever lay side by side before: contiguous, and nobody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812 -- its users' name for it
import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from datamint_like import Api
from datamint_like.dataset import ImageDataset
from tests.dataset.conftest import ANA, BEN, Shelf, slices_of

SIZE = (24, 36)
RNG = np.random.default_rng(5)
COLOUR = RNG.integers(0, 256, (*SIZE, 4), dtype=np.uint8)
#: File -> the values of its item (C, H, W).
VALUES = {
    "gray.png": COLOUR[None, ..., 0],
    "gray16.png": COLOUR[None, ..., 0].astype(np.int32) * 257,
    "rgb.png": np.moveaxis(COLOUR[..., :3], -1, 0),
    "rgba.png": np.moveaxis(COLOUR, -1, 0),
    "rgb.bmp": np.moveaxis(COLOUR[..., :3], -1, 0),
    "lossless.webp": np.moveaxis(COLOUR[..., :3], -1, 0),
    "turned.png": np.moveaxis(np.rot90(COLOUR[..., :3], -1), -1, 0),
}
#: What is done to an item, and what that does to its values (..., H, W).
TRANSFORMS: dict[str, tuple[Any, Any]] = {
    "nothing": (None, lambda values: values),
    "flip": (A.Compose([A.HorizontalFlip(p=1)]), lambda values: values[..., ::-1]),
    "no flip": (A.Compose([A.HorizontalFlip(p=0)]), lambda values: values),
    "two": (A.Compose([A.HorizontalFlip(p=1), A.VerticalFlip(p=1)]), lambda values: values[..., ::-1, ::-1]),
    "callable": (
        lambda image, masks: {"image": image[::-1], "masks": masks[:, ::-1]},
        lambda values: values[..., ::-1, :],
    ),
}


def mask(number: int) -> np.ndarray:
    """The mask of a file in its stored orientation."""
    made = np.zeros(SIZE, np.uint8)
    made[2 + number : 9 + number, 3 : 20 + number] = 255
    return made


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Api:
    """A store with a picture of each kind, on which Ana drew two masks and Ben one."""
    folder = tmp_path_factory.mktemp("layout")
    api = Api((folder / "store").as_uri())
    api.projects.create("layout")
    exif = Image.Exif()
    exif[274] = 6
    picture = Image.fromarray(COLOUR[..., :3].copy())
    Image.fromarray(COLOUR[..., 0].copy()).save(folder / "gray.png")
    cv2.imwrite(str(folder / "gray16.png"), COLOUR[..., 0].astype(np.uint16) * 257)
    for name in ("rgb.png", "rgb.bmp"):
        picture.save(folder / name)
    Image.fromarray(COLOUR).save(folder / "rgba.png")
    picture.save(folder / "lossless.webp", lossless=True)
    picture.save(folder / "turned.png", exif=exif)
    for name in VALUES:
        api.resources.upload_resource(folder / name, publish_to="layout")
    for resource in api.projects.get_project_resources("layout"):
        for number, (author, label) in enumerate(((ANA, "one"), (ANA, "two"), (BEN, "one"))):
            drawn = mask(number) if resource.filename != "turned.png" else np.rot90(mask(number), -1)
            api.annotations.upload_segmentations(
                resource.id, np.ascontiguousarray(drawn), name=label, author_email=author
            )
    return api


def images(api: Api, name: str, **options: Any) -> ImageDataset:
    found = [each for each in api.projects.get_project_resources("layout") if each.filename == name]
    return ImageDataset(resources=found, server_url=api.server_url, **options)


@pytest.mark.parametrize("how", TRANSFORMS)
@pytest.mark.parametrize("name", VALUES)
def test_an_item_holds_the_values_of_its_file_in_contiguous_tensors(name: str, how: str, api: Api) -> None:
    transform, moved = TRANSFORMS[how]
    item = images(api, name, alb_transform=transform)[0]
    expected = moved(VALUES[name])
    assert item["image"].is_contiguous()
    assert np.array_equal(item["image"].numpy(), expected)
    turns = -1 if name == "turned.png" else 0
    drawn = [moved(np.rot90(mask(number) > 0, turns)) for number in range(3)]
    for author, own in ((ANA, drawn[:2]), (BEN, drawn[2:])):
        found = item["segmentations"][author]
        assert found.is_contiguous()
        assert found.dtype == torch.uint8
        assert np.array_equal(found.numpy(), np.stack(own))


@pytest.mark.parametrize("how", TRANSFORMS)
@pytest.mark.parametrize("strategy", [None, "union"])
def test_semantic_masks_and_images_of_other_types_are_contiguous_too(how: str, strategy: Any, api: Api) -> None:
    transform, moved = TRANSFORMS[how]
    item = images(
        api,
        "rgb.png",
        dtype="float32",
        alb_transform=transform,
        return_as_semantic_segmentation=True,
        semantic_seg_merge_strategy=strategy,
    )[0]
    assert item["image"].dtype == torch.float32
    assert item["image"].is_contiguous()
    assert np.array_equal(item["image"].numpy(), moved(VALUES["rgb.png"]))
    masks = item["segmentations"].values() if strategy is None else [item["segmentations"]]
    assert all(own.is_contiguous() and own.dtype == torch.float32 for own in masks)


@pytest.mark.parametrize("how", TRANSFORMS)
def test_what_is_done_to_one_tensor_of_an_item_reaches_no_other(how: str, api: Api) -> None:
    dataset = images(api, "rgb.png", alb_transform=TRANSFORMS[how][0])
    item, again = dataset[0], dataset[0]
    item["image"].fill_(0)
    item["segmentations"][ANA].fill_(1)
    third = dataset[0]
    assert torch.equal(item["segmentations"][BEN], again["segmentations"][BEN])
    assert torch.equal(third["image"], again["image"])
    assert torch.equal(third["segmentations"][ANA], again["segmentations"][ANA])


def test_a_callable_may_change_in_place_what_it_is_given(api: Api) -> None:
    seen: list[tuple[bool, bool]] = []

    def inverted(image: np.ndarray, masks: np.ndarray) -> dict[str, np.ndarray]:
        seen.append((image.flags.c_contiguous, masks.flags.c_contiguous))
        np.subtract(255, image, out=image)
        np.subtract(1, masks, out=masks)
        return {"image": image, "masks": masks}

    dataset, plain = images(api, "rgb.png", alb_transform=inverted), images(api, "rgb.png")[0]
    for _ in range(2):
        item = dataset[0]
        assert torch.equal(item["image"], 255 - plain["image"])
        assert all(torch.equal(item["segmentations"][who], 1 - plain["segmentations"][who]) for who in (ANA, BEN))
    assert seen == [(True, True)] * 2


@pytest.mark.parametrize("compression", ["gzip", None])
def test_slices_that_are_kept_for_later_stay_as_they_are_under_a_callable_that_changes_them(
    compression: Any, shelf: Shelf, tmp_path: Path
) -> None:
    def cleared(image: np.ndarray, masks: np.ndarray) -> dict[str, np.ndarray]:
        image[:], masks[:] = 0, 0
        return {"image": image, "masks": masks}

    slices = slices_of(shelf, tmp_path, compression=compression)
    before = slices[11]
    slices.set_transform(cleared)
    assert not any(own.any() for own in slices[11]["segmentations"].values())
    slices.set_transform(None)
    after = slices[11]
    assert all(own.any() for own in before["segmentations"].values())
    assert torch.equal(after["image"], before["image"])
    assert all(torch.equal(own, before["segmentations"][who]) for who, own in after["segmentations"].items())


def test_boxes_of_a_colour_picture_follow_it(api: Api) -> None:
    (resource,) = [each for each in api.projects.get_project_resources("layout") if each.filename == "rgb.png"]
    api.annotations.add_box_annotation((3, 2), (19, 8), resource.id, "mass", None, author_email=ANA)
    flip = A.Compose([A.HorizontalFlip(p=1)], bbox_params=A.BboxParams(format="pascal_voc"))
    item = images(api, "rgb.png", alb_transform=flip, return_boxes=True)[0]
    assert item["boxes"][ANA][0].numpy() == pytest.approx([SIZE[1] - 1 - 19, 2, SIZE[1] - 1 - 3, 8])
    assert item["image"].is_contiguous()


def test_workers_send_the_masks_of_each_annotator_by_themselves(api: Api) -> None:
    dataset = images(api, "rgb.png", alb_transform=TRANSFORMS["flip"][0])
    (batch,) = dataset.get_dataloader(batch_size=1, num_workers=1)
    item = dataset[0]
    assert torch.equal(batch["image"][0], item["image"])
    for author, own in item["segmentations"].items():
        assert own.untyped_storage().nbytes() == own.numel()
        assert torch.equal(batch["segmentations"][0][author], own)
