"""The target keys of an item, always the same keys of the same types whether it is annotated or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from datamint_like.annotations import (
    LabelSpace,
    frame_label_matrix,
    image_category_codes,
    image_label_vectors,
    instances_to_semantic,
    merge_categories,
    merge_labels,
    merge_semantic,
)
from datamint_like.dataset.options import Output
from datamint_like.dataset.tensors import own_tensor
from datamint_like.entities import Annotation


def segmentation_targets(
    masks: Mapping[str, Any], codes: Mapping[str, Any], spatial: Sequence[int], space: LabelSpace, output: Output
) -> dict[str, Any]:
    """`segmentations` (and `seg_labels`) of an item, of masks (n, *spatial) and codes (n,) by author.

    Instances: author -> uint8 (n, *spatial) and author -> int64 (n,). Semantic: author -> float32
    (L + 1, *spatial), or one such tensor when merged, channel 0 the background.
    """
    if not output.return_segmentations:
        return {}
    if not output.return_as_semantic_segmentation:
        return {
            "segmentations": {author: own_tensor(stack) for author, stack in masks.items()},
            "seg_labels": {author: own_tensor(own) for author, own in codes.items()},
        }
    count = space.num_segmentation_labels
    semantic = {
        author: instances_to_semantic(np.asarray(stack), np.asarray(codes[author]), count)
        for author, stack in masks.items()
    }
    strategy = output.semantic_seg_merge_strategy
    if strategy is None:
        return {"segmentations": {author: torch.as_tensor(stack) for author, stack in semantic.items()}}
    merged = merge_semantic(semantic, strategy, num_labels=count, spatial_shape=tuple(spatial))
    return {"segmentations": torch.as_tensor(merged)}


def label_targets(
    annotations: Sequence[Annotation],
    space: LabelSpace,
    output: Output,
    *,
    num_frames: int | None,
    frame: int | None = None,
) -> dict[str, Any]:
    """`image_labels`, `image_categories` and, for what has frames, `frame_labels`.

    Args:
        annotations: Those that apply to the item.
        space: The label space.
        output: Merge strategies.
        num_frames: Stored frames of the resource; None for an image.
        frame: For a slice, the stored frame it is, or -1 where it runs across frames.
    """
    labels = image_label_vectors(annotations, space)
    categories = image_category_codes(annotations, space)
    strategy = output.image_labels_merge_strategy
    item: dict[str, Any] = {
        "image_labels": labels if strategy is None else merge_labels(labels, strategy, len(space.image_labels)),
        "image_categories": categories
        if output.image_categories_merge_strategy is None
        else merge_categories(categories, output.image_categories_merge_strategy, len(space.image_categories)),
    }
    if num_frames is not None:
        item["frame_labels"] = _frame_labels(annotations, space, output, num_frames, frame)
    return item


def _frame_labels(
    annotations: Sequence[Annotation], space: LabelSpace, output: Output, num_frames: int, frame: int | None
) -> Mapping[str, torch.Tensor] | torch.Tensor:
    """Author -> int32 (frames, labels) (of a slice: (labels,)); merged by the strategy of the image labels."""
    matrices = frame_label_matrix(annotations, space, num_frames)
    count = len(space.frame_labels)
    if frame is not None:
        matrices = {
            author: torch.zeros(count, dtype=torch.int32) if frame < 0 else matrix[frame].clone()
            for author, matrix in matrices.items()
        }
    if output.image_labels_merge_strategy is None:
        return matrices
    shape = (count,) if frame is not None else (num_frames, count)
    flat = {author: matrix.reshape(-1) for author, matrix in matrices.items()}
    return merge_labels(flat, output.image_labels_merge_strategy, int(np.prod(shape))).reshape(shape)
