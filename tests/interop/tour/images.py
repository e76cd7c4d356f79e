"""`ImageDataset` over a project: items, masks, labels, splits, prefetching."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from tests.interop.tour.guide import ANA, BO, PICTURES, Tour, agree, raises, step


def masks_of(tour: Tour, item: dict[str, Any]) -> dict[str, Any]:
    """The masks of an item; the clients name the key differently."""
    found: dict[str, Any] = item["segmentations" if tour.is_old else "masks"]
    return found


def codes_of(tour: Tour, item: dict[str, Any]) -> dict[str, list[int]]:
    """The codes of an item's masks, by author."""
    found = item["seg_labels" if tour.is_old else "mask_labels"]
    return {author: [int(each) for each in codes] for author, codes in found.items()}


def _dataset(**options: Any) -> Any:
    from datamint.dataset import ImageDataset

    return ImageDataset(project=PICTURES, **options)


@step("after")
def items(tour: Tour) -> None:
    dataset = _dataset()
    agree(dataset.segmentation_labels_set, ["lung", "UNKNOWN", "lesion"])
    agree((dataset.image_labels_set, dataset.frame_labels_set), (["benign", "sharp"], ["motion"]))
    item = dataset[0]
    image = np.asarray(item["image"])
    agree((image.shape, image.dtype), ((1, 512, 512), np.uint8))
    drawn = np.asarray(Image.open(tour.file("chest.png")))
    agree(bool((image[0] == drawn).all()), True, "pixels")
    lung = np.asarray(masks_of(tour, item)[ANA])
    agree((lung.shape, lung.dtype), ((1, 512, 512), np.uint8))
    agree(
        bool((lung[0] == (np.asarray(Image.open(tour.file("chest_mask.png"))) != 0)).all()), True, "the lung's pixels"
    )
    agree(codes_of(tour, item)[ANA], [1])


@step("after")
def items_of_several_annotators(tour: Tour) -> None:
    dataset = _dataset()
    agree(len(dataset), 4)
    item = dataset[0]
    agree(set(masks_of(tour, item)), {ANA, BO})
    agree(np.argwhere(np.asarray(masks_of(tour, item)[BO])[0])[[0, -1]].tolist(), [[100, 200], [109, 229]])
    agree(codes_of(tour, item)[BO], [3])
    labels = {author: np.asarray(codes).tolist() for author, codes in item["image_labels"].items()}
    agree(labels, {ANA: [1, 0], BO: [0, 1]})
    coloured = dataset[1]
    agree(np.asarray(masks_of(tour, coloured)[ANA]).sum(axis=(1, 2)).tolist(), [5 * 512, 10 * 512])
    agree(codes_of(tour, coloured), {ANA: [3, 1]})


@step("after")
def deep_pixels(tour: Tour) -> None:
    image = np.asarray(_dataset()[2]["image"])
    drawn = np.asarray(Image.open(tour.file("deep.png")))
    agree(image.shape, (1, *drawn.shape))
    if tour.is_old:  # the newer client makes bytes of them
        agree(bool((image[0] == drawn).all()), True, "pixels")


@step("after")
def semantic(tour: Tour) -> None:
    item = _dataset(return_as_semantic_segmentation=True, semantic_seg_merge_strategy="union")[0]
    merged = np.asarray(masks_of(tour, item))
    agree((merged.shape, merged.dtype), ((4, 512, 512), np.float32))
    agree(int(merged[3].sum()), 10 * 30)
    agree(int(merged[1].sum()), int((np.asarray(Image.open(tour.file("chest_mask.png"))) != 0).sum()))


@step("after")
def categories(tour: Tour) -> None:
    """The clients know categories only without the worklists' schema."""
    dataset = _dataset(worklists=None)
    agree([tuple(each) for each in dataset.image_categories_set], [("view", "pa")])
    agree([int(each) for each in dataset[0]["image_categories"].values()], [0])


@step("after")
def filters(tour: Tour) -> None:
    agree(len(_dataset(include_unannotated=False)), 2)
    only = _dataset(include_annotators=[BO])[0]
    agree(set(masks_of(tour, only)), {BO})
    none = _dataset(exclude_segmentation_names=["lesion"])[0]
    agree(set(masks_of(tour, none)), {ANA})
    dataset = _dataset()
    agree([each.filename for each in dataset.filter(filename_pattern="*.png").resources], ["chest.png", "deep.png"])


@step("after")
def batches(tour: Tour) -> None:
    dataset = _dataset().subset([0, 1])
    batch = next(iter(dataset.get_dataloader(batch_size=2, num_workers=1)))
    agree(tuple(np.asarray(batch["image"]).shape), (2, 1, 512, 512))


@step("after")
def local_split(tour: Tour) -> None:
    parts = _dataset().split(train=0.5, val=0.5, seed=42)
    agree({name: len(part) for name, part in parts.items()}, {"train": 2, "val": 2})


@step("after")
def project_splits(tour: Tour) -> None:
    first = tour.notes["first splits"]
    parts = _dataset().split(as_of_timestamp=first["instant"])
    found = {resource.id: name for name, part in parts.items() for resource in part.resources}
    agree(found, first["splits"])
    now = _dataset().split()
    agree({resource.id: name for name, part in now.items() for resource in part.resources}, tour.notes["second splits"])


@step("after")
def prefetch(tour: Tour) -> None:
    dataset = _dataset()
    dataset.prefetch(include_annotations=True)
    agree([each.is_cached() for each in dataset.resources], [True] * 4)
    again = _dataset()
    agree([each.is_cached() for each in again.resources], [True] * 4)
    masks = [each for row in again.resource_annotations for each in row if str(each.type) == "segmentation"]
    agree({each.is_cached() for each in masks}, {True})


@step("after")
def unknown_project(tour: Tour) -> None:
    from datamint.dataset import ImageDataset
    from datamint.exceptions import DatamintException

    error = raises(DatamintException, lambda: len(ImageDataset(project="No such project")))
    agree("not found" in str(error), True, str(error))
