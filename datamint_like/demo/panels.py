"""The rows of the demo's picture, taken from the validation side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from datamint_like.dataset import DatamintBaseDataset
from datamint_like.demo import picture
from datamint_like.demo.masks import ANNOTATORS
from datamint_like.demo.training import predict

HEADINGS = ("annotator A", "annotator B", "merged (union)", "prediction")
CAPTION = "All masks are SYNTHETIC (thresholds); not for clinical use."
_PLACES = (0.2, 0.5, 0.8)


def rows(model: nn.Module, merged: DatamintBaseDataset, by_author: DatamintBaseDataset) -> list[picture.Row]:
    """Three slices, evenly spread: the image, each annotator's masks, the merged masks and the prediction.

    `merged` and `by_author` are the same slices with merged semantic masks and with those of each author.
    """
    classes = merged.segmentation_labels_set
    return [_row(model, merged[index], by_author[index], classes, index) for index in _indices(len(merged))]


def _indices(count: int) -> list[int]:
    return sorted({round(place * (count - 1)) for place in _PLACES})


def _row(
    model: nn.Module, merged: dict[str, Any], by_author: dict[str, Any], classes: Sequence[str], index: int
) -> picture.Row:
    image = merged["image"]
    codes = predict(model, image[None])[0]
    predicted = {name: (codes == code).numpy() for code, name in enumerate(classes, start=1)}
    authors = [_masks(by_author["segmentations"][annotator.email], classes) for annotator in ANNOTATORS]
    panels = (*authors, _masks(merged["segmentations"], classes), predicted)
    return picture.Row(title=f"slice {index}", hu=np.asarray(image[0]), panels=panels)


def _masks(semantic: Any, classes: Sequence[str]) -> dict[str, Any]:
    """The masks (H, W) by class name of a semantic tensor (L + 1, H, W), background left out."""
    return {name: semantic[code].numpy() > 0 for code, name in enumerate(classes, start=1)}
