"""Items as the client's datasets give them, kept for a comparison with those of this project."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.interop.tour.guide import PICTURES, VIDEOS, VOLUMES, Tour, step
from tests.interop.tour.images import codes_of, masks_of


@step("after")
def items(tour: Tour) -> None:
    from datamint.dataset import ImageDataset, VideoDataset, VolumeDataset

    for project, kind in ((PICTURES, ImageDataset), (VOLUMES, VolumeDataset), (VIDEOS, VideoDataset)):
        for item in kind(project=project):
            _keep(tour, item)


def _keep(tour: Tour, item: dict[str, Any]) -> None:
    """`ITEM.npz`, by the id of its resource: the image, and for each author masks and codes in the order of codes."""
    arrays = {"image": np.asarray(item["image"])}
    for author, masks in masks_of(tour, item).items():
        codes = np.asarray(codes_of(tour, item)[author])
        order = np.argsort(codes, kind="stable")
        arrays |= {f"masks of {author}": np.asarray(masks)[order], f"codes of {author}": codes[order]}
    folder = tour.scratch / "items"
    folder.mkdir(exist_ok=True)
    np.savez(folder / f"{item['resource'].id}.npz", **arrays)
