"""Annotations to masks, labels and merged targets, outside a dataset: the published methods over `annotations/`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
import torch

from datamint_like.annotations import (
    LabelSpace,
    MaskPiece,
    MergeStrategy,
    check_strategy,
    image_category_codes,
    image_label_vectors,
    instance_groups,
    instances_to_semantic,
    is_of_one_frame,
    merge_categories,
    merge_labels,
    merge_semantic,
    stack_instances,
)
from datamint_like.config import load_settings
from datamint_like.dataset.mask_payloads import Load, Mask, decode_planes, read_local_file
from datamint_like.dataset.mask_shapes import depth_of, refuse_oversized, shape_of
from datamint_like.entities import Annotation
from datamint_like.exceptions import DatamintDatasetException, ValidationError

Array = npt.NDArray[Any]
_TYPES = ("label", "category", "segmentation", "all")
_SCOPES = ("frame", "image", "all")
#: What `load_segmentations` gives: by author the masks, their codes, and the annotation of each.
Segmentations = tuple[dict[str, Mask], dict[str, npt.NDArray[np.int64]], dict[str, list[Annotation]]]


class AnnotationProcessor:
    """What a dataset does with annotations, one step at a time, on records, NumPy arrays and tensors.

    Masks are uint8 planes (N, H, W) as they are stored, 1 where something was marked; semantic masks are float32
    (L + 1, ...), channel 0 the background, and every voxel has background or at least one class.

    Args:
        seglabel2code: Class name to code, from 1; `resolve_seg_code` adds to it.
        image_labels_set: Names of the image labels, by position.
        image_lcodes: `{"multilabel": {name: position}, "multiclass": {(name, value): code}}`; each may be missing:
            positions are then those of `image_labels_set`, and there are no categories.
        allow_external_annotations: Give names that `seglabel2code` lacks the next code instead of refusing them.
        load: From an annotation to the bytes of its mask. Without it the local file `annotation.file` is read.

    Raises:
        ValidationError: The codes of labels or categories are not 0, 1, 2, ...

    Example:
        >>> processor = AnnotationProcessor({"liver": 1}, ["benign"], {})
        >>> processor.resolve_seg_code("liver")
        1
        >>> processor.instance_to_semantic_segmentation(torch.ones(1, 1, 2, 2), torch.tensor([1]), 1).shape
        torch.Size([2, 1, 2, 2])
    """

    def __init__(
        self,
        seglabel2code: dict[str, int],
        image_labels_set: Sequence[str],
        image_lcodes: Mapping[str, Mapping[Any, int]],
        allow_external_annotations: bool = False,
        *,
        load: Load | None = None,
    ) -> None:
        self.seglabel2code = seglabel2code
        self.image_labels_set = list(image_labels_set)
        self.image_lcodes = image_lcodes
        self.allow_external_annotations = allow_external_annotations
        self._load = read_local_file if load is None else load
        self._max_voxels = load_settings().max_voxels
        named = image_lcodes.get("multilabel", {name: n for n, name in enumerate(self.image_labels_set)})
        self._image_labels = tuple(_by_code("multilabel", named))
        self._image_categories = tuple(_by_code("multiclass", image_lcodes.get("multiclass", {})))

    @property
    def _space(self) -> LabelSpace:
        """The label space as it is now: codes may have been added."""
        return LabelSpace(self.seglabel2code, self._image_labels, (), self._image_categories)

    # records

    @staticmethod
    def get_author(ann: Annotation) -> str:
        """The key of an annotation's author: its creator, else its model, else `"unknown"`.

        Example:
            >>> AnnotationProcessor.get_author(dataset.resource_annotations[0][0])
            'annotator.a@demo.example'
        """
        return ann.author

    @staticmethod
    def filter_annotations(
        annotations: Sequence[Annotation],
        type: Literal["label", "category", "segmentation", "all"] = "all",
        scope: Literal["frame", "image", "all"] = "all",
    ) -> list[Annotation]:
        """The annotations of a type and scope, in order.

        Raises:
            ValidationError: There is no such type or scope.

        Example:
            >>> given = dataset.resource_annotations[0]
            >>> [each.identifier for each in AnnotationProcessor.filter_annotations(given, "segmentation", "frame")]
            ['lung']
        """
        for keyword, value, allowed in (("type", type, _TYPES), ("scope", scope, _SCOPES)):
            if value not in allowed:
                raise ValidationError(f"`{keyword}` is one of {', '.join(map(repr, allowed))}; found {value!r}.")
        return [
            each
            for each in annotations
            if type in ("all", each.annotation_type) and scope in ("all", "frame" if is_of_one_frame(each) else "image")
        ]

    def group_annotations(
        self, annotations: Iterable[Annotation], by_author: bool = False, by_identifier: bool = False
    ) -> dict[tuple[str, ...], list[Annotation]]:
        """The annotations by `(author,)`, `(identifier,)`, `(author, identifier)` or `()`, in first-seen order.

        Example:
            >>> groups = volumes.annotation_processor.group_annotations(volumes.resource_annotations[0], by_author=True)
            >>> {key: len(group) for key, group in groups.items()}
            {('annotator.a@demo.example',): 2, ('annotator.b@demo.example',): 2}
        """
        groups: dict[tuple[str, ...], list[Annotation]] = {}
        for each in annotations:
            key = (each.author,) * by_author + (each.identifier,) * by_identifier
            groups.setdefault(key, []).append(each)
        return groups

    def resolve_seg_code(self, identifier: str) -> int:
        """The code of a class; an unknown one gets the next code where external annotations are allowed.

        Raises:
            DatamintDatasetException: The class is unknown, and they are not.

        Example:
            >>> processor = AnnotationProcessor({"liver": 1}, [], {}, allow_external_annotations=True)
            >>> processor.resolve_seg_code("spleen"), processor.seglabel2code
            (2, {'liver': 1, 'spleen': 2})
        """
        code = self.seglabel2code.get(identifier)
        if code is not None:
            return code
        if not self.allow_external_annotations:
            raise DatamintDatasetException(
                f"There is no segmentation class {identifier!r}; there are {list(self.seglabel2code)}. "
                "Add it to seglabel2code, or pass allow_external_annotations=True."
            )
        self.seglabel2code[identifier] = max(self.seglabel2code.values(), default=0) + 1
        return self.seglabel2code[identifier]

    # masks

    def load_segmentation_data(self, ann: Annotation, auto_convert_gray: bool = True) -> Mask:
        """The mask (N, H, W) of an annotation, uint8 0/1, as stored; N = 1 for a mask of one frame.

        Args:
            ann: A mask annotation.
            auto_convert_gray: Take pictures of several channels (marked where any colour is not zero); False
                refuses them.

        Raises:
            DatamintDatasetException: It has no bytes: there is no `load`, and no local file.
            DecodeError: The bytes are no readable picture or NIfTI.
            GeometryError: A mask of one frame has several planes.

        Example:
            >>> mask = volumes.annotation_processor.load_segmentation_data(volumes.resource_annotations[0][0])
            >>> mask.shape, mask.dtype
            ((32, 128, 128), dtype('uint8'))
        """
        if not ann.is_segmentation():
            raise ValidationError(f"Annotation {ann.id} is a {ann.annotation_type}; only masks have planes.")
        payload = self._load(ann)
        return decode_planes(payload, ann, convert_gray=auto_convert_gray, max_voxels=self._max_voxels)

    def collate_frame_segmentations(
        self, fr_anns: Sequence[Annotation], depth: int | None = None
    ) -> tuple[Mask | None, int]:
        """One class's masks of single frames as (depth, H, W), uint8, and its code; (None, 0) of no annotation.

        Masks of one frame are united; frames without a mask are empty.

        Args:
            fr_anns: Masks of one class, each with a `frame_index`.
            depth: Frames of the resource; None is up to the last frame that has a mask.

        Raises:
            ValidationError: They are of several classes, or one is not of a frame.
            GeometryError: Their sizes differ, or a frame is not below `depth`.

        Example:
            >>> lungs = api.annotations.get_list(xray, "segmentation")
            >>> mask, code = dataset.annotation_processor.collate_frame_segmentations(lungs, depth=1)
            >>> mask.shape, code
            ((1, 512, 512), 1)
        """
        if not fr_anns:
            return None, 0
        names = sorted({each.identifier for each in fr_anns})
        if len(names) > 1:
            raise ValidationError(f"Frames of one class are collated; found {names}. Group them by identifier first.")
        masks, code = self._collated(fr_anns, depth_of(fr_anns) if depth is None else depth)
        return masks, code

    def load_frame_segmentations(
        self, annotations: Iterable[Annotation], *, depth: int | None = None
    ) -> tuple[dict[str, list[Mask]], dict[str, list[int]], dict[str, list[list[Annotation]]]]:
        """The masks of single frames: by author one (1, F, H, W) a class, its codes, and its annotations.

        Args:
            annotations: Masks; those of the whole image are passed over.
            depth: F, the frames of the resource; None is up to the last frame that has a mask.

        Example:
            >>> lungs = api.annotations.get_list(xray, "segmentation")
            >>> masks, codes, of = dataset.annotation_processor.load_frame_segmentations(lungs)
            >>> masks["annotator.a@demo.example"][0].shape, codes
            ((1, 1, 512, 512), {'annotator.a@demo.example': [1]})
        """
        framed = [each for each in annotations if is_of_one_frame(each)]
        frames = depth_of(framed) if depth is None else depth
        masks: dict[str, list[Mask]] = {}
        codes: dict[str, list[int]] = {}
        of: dict[str, list[list[Annotation]]] = {}
        for (author, _), group in sorted(self._groups(framed), key=lambda pair: pair[0][0]):
            stack, code = self._collated(group, frames)
            masks.setdefault(author, []).append(stack[np.newaxis])
            codes.setdefault(author, []).append(code)
            of.setdefault(author, []).append(group)
        return masks, codes, of

    def load_image_segmentations(
        self, annotations: Iterable[Annotation]
    ) -> tuple[dict[str, list[Mask]], dict[str, list[int]], dict[str, list[Annotation]]]:
        """The masks of whole images or volumes: by author each (N, H, W), its code, and its annotation.

        Masks of single frames are passed over.

        Example:
            >>> given = volumes.resource_annotations[0]
            >>> masks, codes, of = volumes.annotation_processor.load_image_segmentations(given)
            >>> codes
            {'annotator.a@demo.example': [2, 1], 'annotator.b@demo.example': [2, 1]}
        """
        whole = sorted((each for each in annotations if not is_of_one_frame(each)), key=lambda each: each.author)
        masks: dict[str, list[Mask]] = {}
        codes: dict[str, list[int]] = {}
        of: dict[str, list[Annotation]] = {}
        for each in whole:
            masks.setdefault(each.author, []).append(self.load_segmentation_data(each))
            codes.setdefault(each.author, []).append(self.resolve_seg_code(each.identifier))
            of.setdefault(each.author, []).append(each)
        return masks, codes, of

    def load_segmentations(self, annotations: Iterable[Annotation], *, depth: int | None = None) -> Segmentations:
        """All masks of one image, volume or video: by author (n, D, H, W) uint8, codes (n,) int64, annotations.

        As in an item: masks of single frames first, those of one class one instance (in a single image each is its
        own), then masks of the whole, one instance each. An instance that was drawn on several frames names the
        first of its annotations; `load_frame_segmentations` names all.

        Args:
            annotations: Masks, in the store's order.
            depth: D, the planes or frames of the resource; None is what its masks show.

        Raises:
            GeometryError: The masks are not of one size.

        Example:
            >>> masks, codes, of = volumes.annotation_processor.load_segmentations(volumes.resource_annotations[0])
            >>> masks["annotator.a@demo.example"].shape, codes["annotator.a@demo.example"]
            ((2, 32, 128, 128), array([2, 1]))
        """
        given = list(annotations)
        of_piece = {self._piece(each): each for each in given}
        if not of_piece:
            return {}, {}, {}
        shape = shape_of(of_piece, depth_of(given) if depth is None else depth)
        refuse_oversized(len(given), shape, self._max_voxels)
        many = shape[0] > 1
        stacked = stack_instances(list(of_piece), self._space, shape, multi_frame=many)
        own = {author: [piece for piece in of_piece if piece.author == author] for author in stacked}
        return (
            {author: masks for author, (masks, _) in stacked.items()},
            {author: codes for author, (_, codes) in stacked.items()},
            {
                author: [of_piece[group[0]] for group in instance_groups(pieces, multi_frame=many)]
                for author, pieces in own.items()
            },
        )

    def _groups(self, annotations: Iterable[Annotation]) -> list[tuple[tuple[str, ...], list[Annotation]]]:
        return list(self.group_annotations(annotations, by_author=True, by_identifier=True).items())

    def _collated(self, annotations: Sequence[Annotation], depth: int) -> tuple[Mask, int]:
        """The masks of one class, whoever drew them, as (depth, H, W), and its code."""
        for each in annotations:
            if not is_of_one_frame(each):
                raise ValidationError(f"Annotation {each.id} is of the whole image; expected a scope and a frame.")
        pieces = [MaskPiece("", *self._framed(each)) for each in annotations]
        shape = shape_of(pieces, depth)
        refuse_oversized(1, shape, self._max_voxels)
        masks, codes = stack_instances(pieces, self._space, shape, multi_frame=True)[""]
        return masks[0], int(codes[0])

    def _framed(self, annotation: Annotation) -> tuple[str, int | None, Mask]:
        self.resolve_seg_code(annotation.identifier)
        planes = self.load_segmentation_data(annotation)
        if is_of_one_frame(annotation):
            return annotation.identifier, annotation.frame_index, planes[0]
        return annotation.identifier, None, planes

    def _piece(self, annotation: Annotation) -> MaskPiece:
        return MaskPiece(annotation.author, *self._framed(annotation))

    # semantic masks

    @overload
    def instance_to_semantic_segmentation(
        self, segmentations: None, seg_labels: torch.Tensor | Array, num_labels: int
    ) -> None: ...
    @overload
    def instance_to_semantic_segmentation(
        self, segmentations: torch.Tensor, seg_labels: torch.Tensor | Array, num_labels: int
    ) -> torch.Tensor: ...
    @overload
    def instance_to_semantic_segmentation(
        self, segmentations: Array, seg_labels: torch.Tensor | Array, num_labels: int
    ) -> npt.NDArray[np.float32]: ...
    def instance_to_semantic_segmentation(
        self, segmentations: torch.Tensor | Array | None, seg_labels: torch.Tensor | Array, num_labels: int
    ) -> torch.Tensor | npt.NDArray[np.float32] | None:
        """Instances (n, D, H, W) as float32 (num_labels + 1, D, H, W), channel 0 the background; None of None.

        A tensor gives a tensor, an array an array.

        Raises:
            ValidationError: The number of codes is not n, or a code is not 1 to `num_labels`.

        Example:
            >>> processor = AnnotationProcessor({"liver": 1}, [], {})
            >>> instances = torch.tensor([[[[0, 1]]]])  # one, of (D, H, W) = (1, 1, 2)
            >>> processor.instance_to_semantic_segmentation(instances, torch.tensor([1]), num_labels=1).tolist()
            [[[[1.0, 0.0]]], [[[0.0, 1.0]]]]
        """
        return None if segmentations is None else instances_to_semantic(segmentations, seg_labels, num_labels)

    @overload
    def apply_merge_strategy(self, segmentations: dict[str, torch.Tensor], strategy: MergeStrategy) -> torch.Tensor: ...
    @overload
    def apply_merge_strategy(self, segmentations: dict[str, Array], strategy: MergeStrategy) -> Array: ...
    @overload
    def apply_merge_strategy(
        self, segmentations: dict[str, torch.Tensor] | dict[str, Array], strategy: None
    ) -> dict[str, Any]: ...
    def apply_merge_strategy(
        self, segmentations: dict[str, torch.Tensor] | dict[str, Array], strategy: MergeStrategy | None
    ) -> Any:
        """The authors' semantic masks (L + 1, ...) as one, float32; the dict itself without a strategy.

        Classes merge one by one (`union`: any author, `intersection`: all, `mode`: at least half); background is
        what is left, so the merged mask has background or a class everywhere, never both. Tensors give a tensor,
        arrays an array.

        Raises:
            ValidationError: The strategy is unknown, the shapes differ, or there is no mask: no shape is known then.

        Example:
            >>> processor = AnnotationProcessor({"liver": 1}, [], {})
            >>> masks = {"ana": torch.tensor([[1.0, 0], [0, 1]]), "ben": torch.tensor([[0.0, 0], [1, 1]])}
            >>> processor.apply_merge_strategy(masks, "intersection").tolist()
            [[1.0, 0.0], [0.0, 1.0]]
        """
        if strategy is None:
            return segmentations
        check_strategy("strategy", strategy)
        if not segmentations:
            raise ValidationError("There is no mask to merge, so its shape is unknown. Merge where an author has one.")
        channels, *spatial = next(iter(dict[str, Any](segmentations).values())).shape
        return merge_semantic(segmentations, strategy, num_labels=channels - 1, spatial_shape=tuple(spatial))

    # labels and categories

    def convert_image_labels(self, annotations: Sequence[Annotation]) -> dict[str, torch.Tensor]:
        """Each author's labels of the whole image: int32 (num_labels,), 1 where given; unknown names are left out.

        Example:
            >>> dataset.annotation_processor.convert_image_labels(dataset.resource_annotations[0])
            {'annotator.a@demo.example': tensor([1, 0], dtype=torch.int32)}
        """
        return image_label_vectors(annotations, self._space)

    def convert_image_categories(self, annotations: Sequence[Annotation]) -> dict[str, torch.Tensor]:
        """Each author's category of the whole image: a 0-d int64 code, of several the first.

        Example:
            >>> dataset.annotation_processor.convert_image_categories(dataset.resource_annotations[0])
            {'annotator.a@demo.example': tensor(0)}
        """
        return image_category_codes(annotations, self._space)

    def merge_image_labels(self, labels_by_user: dict[str, torch.Tensor], strategy: MergeStrategy) -> torch.Tensor:
        """The authors' labels as one int32 (num_labels,); a tie counts as given in `mode`; zeros of nobody.

        Raises:
            ValidationError: The strategy is unknown, or a vector has not one value for each image label.

        Example:
            >>> processor = AnnotationProcessor({}, ["benign", "blurred"], {})
            >>> processor.merge_image_labels({"ana": torch.tensor([1, 0]), "ben": torch.tensor([1, 1])}, "intersection")
            tensor([1, 0], dtype=torch.int32)
        """
        return merge_labels(labels_by_user, strategy, len(self._image_labels))

    @staticmethod
    def merge_image_categories(
        categories_by_user: dict[str, torch.Tensor], strategy: MergeStrategy, num_categories: int
    ) -> torch.Tensor:
        """The authors' categories as one: `mode` a 0-d int64 code (-1 of nobody), else int32 (num_categories,).

        Raises:
            ValidationError: The strategy is unknown, or a code is not below `num_categories`.

        Example:
            >>> votes = {"ana": torch.tensor(0), "ben": torch.tensor(1), "cleo": torch.tensor(1)}
            >>> AnnotationProcessor.merge_image_categories(votes, "mode", num_categories=2)
            tensor(1)
        """
        return merge_categories(categories_by_user, strategy, num_categories)


#: Names of the published classes for single images, and for volumes and videos: one class serves all.
BaseAnnotationProcessor = AnnotationProcessor
ImageAnnotationProcessor = AnnotationProcessor
SequenceAnnotationProcessor = AnnotationProcessor


def _by_code(kind: str, codes: Mapping[Any, int]) -> list[Any]:
    """The names in the order of their codes, which are 0, 1, 2, ...

    Raises:
        ValidationError: They are not.
    """
    names = sorted(codes, key=lambda name: codes[name])
    if [codes[name] for name in names] != list(range(len(names))):
        raise ValidationError(
            f"The codes of image_lcodes[{kind!r}] are 0 to {len(names) - 1}, each once; found {dict(codes)}."
        )
    return names
