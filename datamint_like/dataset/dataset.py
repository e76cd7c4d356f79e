"""The deprecated dataset with masks and labels over every kind of resource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from datamint_like.annotations import MergeStrategy, frame_label_matrix, merge_semantic
from datamint_like.dataset.base_dataset import DatamintBaseDataset, Returned
from datamint_like.dataset.item import Item
from datamint_like.dataset.options import Output
from datamint_like.dataset.transforms import Transform

Tensor = torch.Tensor


class DatamintDataset(DatamintBaseDataset):
    """Deprecated: every resource of a project, or every frame of them, with masks and labels.

    Use `ImageDataset`, `VolumeDataset` or `VideoDataset` instead. See the base for what is not said here.

    Args:
        project_name: Name of the project.
        root, auto_update, api_key, server_url: As for the base.
        return_dicom, return_metainfo, return_frame_by_frame: As for the base.
        return_annotations: Give items `annotations`, `image_labels` and `frame_labels`.
        return_segmentations: Give items `segmentations` and `seg_labels`.
        return_as_semantic_segmentation: Masks as float32 (N, L, H, W), or (L, H, W) frame by frame; channel 0 is the
            background, L = len(segmentation_labels_set) + 1.
        image_transform: Called with the image tensor; what it returns is the item's `image`.
        mask_transform: Called with each mask tensor.
        alb_transform: As `alb_transform` of today's datasets: image and masks in one call, before the two above.
        semantic_seg_merge_strategy: Merge the annotators' semantic masks into one tensor.
        include_unannotated, all_annotations: As for the base.
        include_annotators, exclude_annotators: As for the base; so are the other filters.
        include_segmentation_names, exclude_segmentation_names: Which masks are kept.
        include_image_label_names, exclude_image_label_names: Which image labels are kept.
        include_frame_label_names, exclude_frame_label_names: Which frame labels are kept.

    Warns:
        DeprecationWarning: Always.
        DatamintWarning: Annotations are left out because they are not published.

    Example:
        >>> old = Dataset("chest", all_annotations=True)
        >>> old[0]["image"].shape  # (N, C, H, W)
        torch.Size([1, 1, 512, 512])
    """

    def __init__(
        self,
        project_name: str,
        root: str | None = None,
        auto_update: bool = True,
        api_key: str | None = None,
        server_url: str | None = None,
        return_dicom: bool = False,
        return_metainfo: bool = True,
        return_frame_by_frame: bool = False,
        return_annotations: bool = True,
        return_segmentations: bool = True,
        return_as_semantic_segmentation: bool = False,
        image_transform: Callable[[Tensor], Any] | None = None,
        mask_transform: Callable[[Tensor], Any] | None = None,
        alb_transform: Transform | None = None,
        semantic_seg_merge_strategy: MergeStrategy | None = None,
        include_unannotated: bool = True,
        include_annotators: list[str] | None = None,
        exclude_annotators: list[str] | None = None,
        include_segmentation_names: list[str] | None = None,
        exclude_segmentation_names: list[str] | None = None,
        include_image_label_names: list[str] | None = None,
        exclude_image_label_names: list[str] | None = None,
        include_frame_label_names: list[str] | None = None,
        exclude_frame_label_names: list[str] | None = None,
        all_annotations: bool = False,
    ) -> None:
        self._output = Output(
            return_segmentations=return_segmentations,
            return_as_semantic_segmentation=return_as_semantic_segmentation,
            semantic_seg_merge_strategy=semantic_seg_merge_strategy,
        )
        self._image_transform, self._mask_transform = image_transform, mask_transform
        self._open(
            Returned(return_dicom, return_metainfo, return_annotations, return_frame_by_frame),
            root,
            project=project_name,
            auto_update=auto_update,
            api_key=api_key,
            server_url=server_url,
            alb_transform=alb_transform,
            return_segmentations=return_segmentations,
            return_as_semantic_segmentation=return_as_semantic_segmentation,
            include_unannotated=include_unannotated,
            all_annotations=all_annotations,
            include_annotators=include_annotators,
            exclude_annotators=exclude_annotators,
            include_segmentation_names=include_segmentation_names,
            exclude_segmentation_names=exclude_segmentation_names,
            include_image_label_names=include_image_label_names,
            exclude_image_label_names=exclude_image_label_names,
            include_frame_label_names=include_frame_label_names,
            exclude_frame_label_names=exclude_frame_label_names,
        )

    def __getitem__(self, index: int) -> Item:
        """The item at `index`, with the keys that were asked for.

        * `image`: tensor (N, C, H, W) with the N stored frames, or (C, H, W) frame by frame.
        * `metainfo`: dict.
        * `segmentations`: author to a list of N uint8 tensors (n, H, W) with the n instances that are on the frame,
          or to one such tensor frame by frame. Semantic: author to float32 (N, L, H, W) or (L, H, W), merged one
          such tensor.
        * `seg_labels`: author to int64 codes (n,), in the same form; not of semantic masks.
        * `frame_labels`: author to int32 (N, num_frame_labels), or (num_frame_labels,) frame by frame.
        * `image_labels`: author to int32 (num_image_labels,).
        * `annotations`, `dicom`: as in the base.

        Raises:
            IndexError: There is no such item.
            DecodeError, GeometryError: Its files cannot be read, or do not fit together.
        """
        position = self._position(index)
        made = self._made(position)
        item = self._item(position, made)
        if self._output.return_segmentations:
            item |= self._semantic(made) if self._output.return_as_semantic_segmentation else self._instances(made)
        if self._returned.annotations:
            item["frame_labels"] = self._frame_labels(made)
            item["image_labels"] = made["image_labels"]
        if self._image_transform is not None:
            item["image"] = self._image_transform(item["image"])
        return item

    def apply_semantic_seg_merge_strategy(
        self, segmentations: dict[str, Tensor], nframes: int, h: int, w: int
    ) -> Tensor | dict[str, Tensor]:
        """The authors' semantic masks (N, L, H, W) as one, by the dataset's strategy; the dict itself without one.

        Of nobody's masks it is all background, (nframes, L, h, w).

        Raises:
            ValidationError: A mask has another shape.

        Example:
            >>> union = {"return_as_semantic_segmentation": True, "semantic_seg_merge_strategy": "union"}
            >>> merging = Dataset("chest", all_annotations=True, **union)
            >>> merging.apply_semantic_seg_merge_strategy({}, nframes=1, h=4, w=4).shape
            torch.Size([1, 2, 4, 4])
        """
        strategy = self._output.semantic_seg_merge_strategy
        if strategy is None:
            return segmentations
        merged = merge_semantic(
            {author: own.movedim(1, 0) for author, own in segmentations.items()},
            strategy,
            num_labels=len(self.segmentation_labels_set),
            spatial_shape=(nframes, h, w),
        )
        return merged.movedim(0, 1).contiguous()

    def _semantic(self, made: Item) -> Item:
        by_frame = self._frames is not None
        masks = {
            author: own[None] if by_frame else own.movedim(1, 0).contiguous()
            for author, own in made["segmentations"].items()
        }
        frames, height, width = (1, *made["image"].shape[-2:]) if by_frame else made["image"].shape[-3:]
        found = self.apply_semantic_seg_merge_strategy(masks, frames, height, width)
        if isinstance(found, Tensor):
            return {"segmentations": self._mask(found[0] if by_frame else found)}
        return {"segmentations": {a: self._mask(own[0] if by_frame else own) for a, own in found.items()}}

    def _instances(self, made: Item) -> Item:
        """The instances on each frame, and their codes."""
        masks: dict[str, Any] = {}
        codes: dict[str, Any] = {}
        for author, own in made["segmentations"].items():
            frames = [own] if self._frames is not None else list(own.unbind(1))
            there = [(frame != 0).flatten(1).any(1) for frame in frames]
            masks[author] = [self._mask(frame[on]) for frame, on in zip(frames, there, strict=True)]
            codes[author] = [made["seg_labels"][author][on] for on in there]
            if self._frames is not None:
                masks[author], codes[author] = masks[author][0], codes[author][0]
        return {"segmentations": masks, "seg_labels": codes}

    def _mask(self, mask: Tensor) -> Any:
        return mask if self._mask_transform is None else self._mask_transform(mask)

    def _frame_labels(self, made: Item) -> dict[str, Tensor]:
        """Those that the item has, or of an image those of its one frame."""
        if "frame_labels" in made:
            found: dict[str, Tensor] = made["frame_labels"]
            return found
        own = frame_label_matrix(made["annotations"], self._whole._prepared.space, 1)
        return own if self._frames is None else {author: matrix[0] for author, matrix in own.items()}


#: The published name at the root of the package.
Dataset = DatamintDataset
