"""The dataset base: {snapshot, int64 rows, options}, and what every dataset class can do with them."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from datamint_like._cache import CacheFolder
from datamint_like._sizes import parse_size
from datamint_like._words import counted
from datamint_like.annotations import MergeStrategy, Selection
from datamint_like.backends import remember_key, store_url
from datamint_like.config import checked_mode, load_settings
from datamint_like.dataset import splits
from datamint_like.dataset.box_transforms import Boxes, check_step_takes_boxes, left_boxes
from datamint_like.dataset.boxes import BOX_KEYS
from datamint_like.dataset.bringing import Bringing
from datamint_like.dataset.collate import Collate
from datamint_like.dataset.faces import Faces
from datamint_like.dataset.item import Item
from datamint_like.dataset.loader import loader_of
from datamint_like.dataset.missing import told_with_all
from datamint_like.dataset.options import (
    Output,
    Source,
    Worklists,
    check_origin,
    dtype_name,
    flag,
    folder_of,
    key_of,
    lock_file,
    names_of,
    resource_ids_of,
    worklist_ids_of,
)
from datamint_like.dataset.placing import lying_at
from datamint_like.dataset.prepared import Prepared, prepare, root_rows
from datamint_like.dataset.reader import Reader, ReaderOptions
from datamint_like.dataset.rows import RowNumbers, packed, unpacked
from datamint_like.dataset.seeds import EpochIndex, checked_seed, drawing_from, item_seed
from datamint_like.dataset.sums import summed
from datamint_like.dataset.targets import segmentation_targets
from datamint_like.dataset.tensors import own_tensor
from datamint_like.dataset.transforms import Transform, checked_transform, transformed_by_all
from datamint_like.entities import Project, Resource
from datamint_like.exceptions import DatamintDatasetException, NotHereError
from datamint_like.imaging.types import Intensity, Kind, Orientation, ReadOptions
from datamint_like.slices.packs import Compression, Packs

__all__ = ["DatamintBaseDataset", "DatamintDatasetException"]


class DatamintBaseDataset(Faces, Bringing, Dataset[Item], ABC):
    """A PyTorch dataset over the resources of a project (or a list of resources).

    Nothing is read before it is needed; `prepare()` does it now. After that the dataset is pinned to one revision
    of the project: no later change of the store reaches it, nor a part that was taken from it.

    Args:
        project: Name, id or `Project`. Either this or `resources` or `lock`.
        resources: `Resource` objects or ids.
        auto_update: Ask the store for changes when preparing, and for files when they are missing. False opens the
            newest snapshot on this machine and no connection: a file that is not here is an error, until `prefetch()`,
            which asks because it is called.
        api_key: Key of the server; None is that of the settings. It is never kept in a pickle: spawned workers take
            theirs from `DATAMINT_LIKE_API_KEY`, and need none for files that `prefetch()` brought here.
        server_url: The store: `file:///path`, a folder, the address of a server, or None for the configured one.
        return_metainfo: Give items `metainfo` (affine, spacing in mm, orientation, header facts).
        return_segmentations: Give items `segmentations`.
        return_as_semantic_segmentation: Masks as float32 (L + 1, ...), channel 0 the background.
        semantic_seg_merge_strategy: Merge the annotators' semantic masks into one tensor.
        alb_transform: An albumentations transform, or any callable that takes `image=` and `masks=` and returns a
            dict of both: called once with the image (H, W, C) and all masks (n, H, W) of an item, of a volume as
            albumentations' `volume` and `mask3d`. It may change their size. What is not uint8 enters as float32, of
            which albumentations' brightness, contrast, noise and such expect [0, 1] and clip to it: bring HU there
            first, by `intensity=("window", center, width)`.
            MONAI's and TorchIO's come by `datamint_like.integrations.from_monai` and `from_torchio`. With
            `return_boxes` an albumentations `Compose` needs `bbox_params`; any other callable gets `bboxes=` (n, 4),
            from the corner of the first pixel, and `bbox_ids=` (n,), and returns both.
        include_unannotated: Keep resources without any kept annotation.
        include_annotators, exclude_annotators: Whose annotations are kept.
        include_segmentation_names, exclude_segmentation_names: Which masks are kept.
        include_image_label_names, exclude_image_label_names: Which image labels are kept.
        include_frame_label_names, exclude_frame_label_names: Which frame labels are kept.
        allow_external_annotations: Keep names that the worklists do not know, after theirs.
        image_labels_merge_strategy: Merge the annotators' image and frame labels.
        image_categories_merge_strategy: Merge the annotators' categories.
        worklists: The schemas that count: `"all"`, a list, or None (as `[]`) for the names in use.
        all_annotations: False keeps published annotations only: those that were approved (status `"published"`).
        strict_kind: Raise where resources of another kind would be left out with a warning.
        return_objects: False leaves out `metainfo`, `annotations` and `resource`; with merged masks and labels
            an item is then tensors only, and torch's own collation works.
        irregular_spacing: `"keep"` reads series with missing or uneven planes as volumes; `"raise"` does not.
        intensity: `"native"` (the values the file means), `("window", center, width)` or `"dicom-window"` (float32 in
            [0, 1]), `("clip", low, high)`, or a function of the array (C, D, H, W).
        dtype: Type of `image`, such as `"float32"` or `torch.float32`; None is what the header decides. Values that
            do not fit are an error.
        orientation: `"canonical"` turns volumes to the patient's axes; `"native"` keeps the file's own (k, j, i).
        resample_masks: Bring masks of another grid to that of their resource, by nearest neighbour; without it they
            are an error.
        memory_cache: How much decoded data a sliced dataset keeps in each process, in bytes or as `"256MB"`.
        cache_dir: Folder of snapshots, slice packs and the files of servers; None is the configured one.
        compression: `"gzip"` packs slices compressed, None as they are: faster to read, and larger on the disk.
        return_boxes: Give items `boxes` (n, 4), `box_labels` (n,) and, of volumes, videos and patches, `box_planes`
            (n, 2) by author. Coordinates are array indices: the centre of the first pixel is (0, 0).
        lock: A lock file (`datamint-like lock PROJECT > project.lock`): exactly the state that it holds, whatever the
            store holds today. The store is asked for files alone, by their digests, and may be any that has them.
        seed: Transforms draw what (seed, epoch, item) says, on any number of workers; None follows torch's random
            numbers. `get_dataloader` then also shuffles by it, and counts the epochs; of an index that tells no epoch,
            as that of a `DataLoader` made otherwise, it is epoch 0.
        cache_limit: How much the cache folder should hold, in bytes or as `"200GB"`: what was used longest ago goes
            when something is added. None is the configured limit, else none.
        cache_mode: Of the folders in the cache when they are made: `0o750` lets the group read them. None is the
            configured mode, else 0o700.

    Raises:
        DatamintDatasetException: Several or none of `project`, `resources` and `lock`, or options that exclude each
            other.

    Example:
        >>> dataset = ImageDataset(project="chest", seed=42)  # every dataset class is one of these
        >>> sorted(dataset[0]["segmentations"])
        ['annotator.a@demo.example']
    """

    #: Kinds of resources this class takes; others are left out with one warning.
    kinds: ClassVar[frozenset[Kind]]
    #: Whether items are 2-D, whatever the resources are.
    _is_flat: ClassVar[bool] = False

    def __init__(
        self,
        project: str | Project | None = None,
        resources: Sequence[Resource | str] | None = None,
        auto_update: bool = True,
        api_key: str | None = None,
        server_url: str | None = None,
        return_metainfo: bool = True,
        return_segmentations: bool = True,
        return_as_semantic_segmentation: bool = False,
        semantic_seg_merge_strategy: MergeStrategy | None = None,
        alb_transform: Transform | None = None,
        include_unannotated: bool = True,
        include_annotators: Sequence[str] | None = None,
        exclude_annotators: Sequence[str] | None = None,
        include_segmentation_names: Sequence[str] | None = None,
        exclude_segmentation_names: Sequence[str] | None = None,
        include_image_label_names: Sequence[str] | None = None,
        exclude_image_label_names: Sequence[str] | None = None,
        include_frame_label_names: Sequence[str] | None = None,
        exclude_frame_label_names: Sequence[str] | None = None,
        allow_external_annotations: bool = False,
        image_labels_merge_strategy: MergeStrategy | None = None,
        image_categories_merge_strategy: MergeStrategy | None = None,
        worklists: Worklists = "all",
        *,
        all_annotations: bool = True,
        strict_kind: bool = False,
        return_objects: bool = True,
        irregular_spacing: Literal["raise", "keep"] = "raise",
        intensity: Intensity = "native",
        dtype: str | torch.dtype | None = None,
        orientation: Orientation = "canonical",
        resample_masks: bool = False,
        memory_cache: int | str = "256MB",
        cache_dir: str | Path | None = None,
        compression: Compression = "gzip",
        seed: int | None = None,
        return_boxes: bool = False,
        cache_limit: int | str | None = None,
        cache_mode: int | None = None,
        lock: str | Path | None = None,
    ) -> None:
        if not hasattr(type(self), "kinds"):
            raise DatamintDatasetException(
                f"{type(self).__name__} is abstract: it takes no kind of resource. Use VolumeDataset, VideoDataset or "
                "ImageDataset, or give a class of your own `kinds`."
            )
        check_origin(type(self).__name__, auto_update, project=project, resources=resources, lock=lock)
        settings = load_settings()
        cache = CacheFolder(
            settings.cache_dir if cache_dir is None else folder_of("cache_dir", cache_dir),
            settings.cache_limit if cache_limit is None else parse_size(cache_limit),
            settings.cache_mode if cache_mode is None else checked_mode(cache_mode),
        )
        self._source = Source(
            store_url=store_url(server_url or settings.store_url),
            cache=cache,
            project=project,
            resource_ids=None if resources is None else resource_ids_of(resources),
            lock=None if lock is None else lock_file(lock),
            auto_update=auto_update,
            worklists=worklist_ids_of(worklists),
            strict_kind=strict_kind,
            include_unannotated=include_unannotated,
        )
        self._selection = Selection(
            include_annotators=names_of("include_annotators", include_annotators),
            exclude_annotators=names_of("exclude_annotators", exclude_annotators),
            include_segmentation_names=names_of("include_segmentation_names", include_segmentation_names),
            exclude_segmentation_names=names_of("exclude_segmentation_names", exclude_segmentation_names),
            include_image_label_names=names_of("include_image_label_names", include_image_label_names),
            exclude_image_label_names=names_of("exclude_image_label_names", exclude_image_label_names),
            include_frame_label_names=names_of("include_frame_label_names", include_frame_label_names),
            exclude_frame_label_names=names_of("exclude_frame_label_names", exclude_frame_label_names),
            allow_external_annotations=flag("allow_external_annotations", allow_external_annotations),
            published_only=not flag("all_annotations", all_annotations),
        )
        self._output = Output(
            return_metainfo=return_metainfo,
            return_segmentations=return_segmentations,
            return_as_semantic_segmentation=return_as_semantic_segmentation,
            semantic_seg_merge_strategy=semantic_seg_merge_strategy,
            image_labels_merge_strategy=image_labels_merge_strategy,
            image_categories_merge_strategy=image_categories_merge_strategy,
            return_objects=return_objects,
            return_boxes=return_boxes,
        )
        read = ReadOptions(
            irregular_spacing=irregular_spacing,
            max_voxels=settings.max_voxels,
            dtype=dtype_name(dtype),  # type: ignore[arg-type]  # ReadOptions says what is wrong with it
            intensity=intensity,
            orientation=orientation,
        )
        packs = Packs(cache, compression)
        self._reading = ReaderOptions(read, parse_size(memory_cache), packs, flag("resample_masks", resample_masks))
        self._transforms: tuple[Transform, ...] = ()
        self._seed = checked_seed(seed)
        self.set_transform(alb_transform)
        self._check_steps()
        self._api_key = key_of(api_key)
        if api_key is not None:
            remember_key(self._source.store_url, api_key)
        self._state: tuple[Prepared, RowNumbers] | None = None
        self._reader: Reader | None = None
        self._split: splits.SplitOrigin = splits.UNSPLIT

    # preparation

    def prepare(self) -> Self:
        """This dataset, with its snapshot synced, its label space fixed and its rows chosen.

        Raises:
            ItemNotFoundError: The store has no such project or resource.
            DatamintDatasetException: The worklists contradict each other, or `strict_kind` found another kind.

        Example:
            >>> ImageDataset(project="chest")
            ImageDataset(project='chest', not prepared)
            >>> ImageDataset(project="chest").prepare()
            ImageDataset(project='chest', 3 items)
        """
        if self._state is None:
            prepared = prepare(self._source, self._selection, api_key=self._api_key)
            self._state = prepared, self._root_rows(prepared)
        return self

    def _root_rows(self, prepared: Prepared) -> RowNumbers:
        return root_rows(prepared, self._source, self.kinds, type(self).__name__)

    @property
    def _prepared(self) -> Prepared:
        if self._state is None:
            self.prepare()
            assert self._state is not None
        return self._state[0]

    @property
    def _rows(self) -> RowNumbers:
        if self._state is None:
            self.prepare()
            assert self._state is not None
        return self._state[1]

    @property
    def _read(self) -> Reader:
        if self._reader is None:
            self._reader = Reader(self._prepared, self._reader_options())
        return self._reader

    def _reader_options(self) -> ReaderOptions:
        return self._reading

    def __getstate__(self) -> dict[str, Any]:
        """The prepared state without the key; open files and cached arrays stay behind."""
        return {**self.__dict__, "_api_key": None, "_state": (self._prepared, packed(self._rows))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        prepared, rows = state["_state"]
        self.__dict__.update(state, _state=(prepared, unpacked(rows)))

    # items

    def __getitem__(self, index: int) -> Item:
        """The item at `index`; negative indices count from the end.

        Raises:
            IndexError: There is no such item.
            DecodeError, GeometryError: Its files cannot be read, or do not fit together.
            NotHereError: A file is not on this machine and the server may not be asked; it counts and names what the
                dataset lacks.
        """
        position = EpochIndex(self._position(index), getattr(index, "epoch", 0))
        try:
            raw = self._get_raw_item(position)
        except NotHereError as error:
            raise told_with_all(error, self, self._resource_row(int(self._rows[position]))) from error
        image, masks = raw.pop("image"), raw.pop("segmentations")
        boxes = {key: raw.pop(key) for key in BOX_KEYS if key in raw}
        given = (image, masks, Boxes.of(boxes)) if boxes else (image, masks)
        with self._drawing(position), self._lying_at(position):
            made = self.apply_alb_transform(*given)
        image, masks = made["image"], made["segmentations"]
        boxes = left_boxes(boxes, made["boxes"]) if boxes else {}
        image, masks = self._shaped(image, masks)
        targets = self._process_segmentations(masks, raw.pop("seg_labels"), tuple(image.shape[1:]))
        owned = {key: {author: own_tensor(each) for author, each in own.items()} for key, own in boxes.items()}
        return {"image": own_tensor(image), **targets, **owned, **raw}

    def __iter__(self) -> Iterator[Item]:
        return (self[index] for index in range(len(self)))

    def __add__(self, other: Dataset[Item]) -> ConcatDataset[Item]:
        return summed(self, other)

    @abstractmethod
    def _get_raw_item(self, index: int) -> Item:
        """The item at `index` before transforms: `image`, and by author `segmentations` and `seg_labels`, as arrays.

        A class of your own may change them here; the other keys of the dict are those of the item.
        """

    def apply_alb_transform(
        self, img: npt.NDArray[Any], segmentations: dict[str, npt.NDArray[Any]], boxes: Boxes | None = None
    ) -> dict[str, Any]:
        """Image and masks after the dataset's transforms, as `{"image": ..., "segmentations": {author: ...}}`.

        It is called for every item, also where there is no transform; a class of your own may override it.

        Args:
            img: (C, H, W) or (C, D, H, W).
            segmentations: Author to uint8 (n, H, W) or (n, D, H, W); they may be none.
            boxes: Those of the item, with `return_boxes`; the result then has the key `boxes` too.

        Example:
            >>> class Bright(ImageDataset):
            ...     def apply_alb_transform(self, img, segmentations, boxes=None):
            ...         return super().apply_alb_transform(img.clip(100), segmentations, boxes)
            >>> int(Bright(project="chest")[0]["image"].min())
            100
        """
        image, masks, left = transformed_by_all(self._transforms, img, segmentations, boxes)
        return {"image": image, "segmentations": masks} | ({} if boxes is None else {"boxes": left})

    def _shaped(self, image: Any, masks: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Image and masks with the axes that an item of this class has."""
        return image, masks

    def _process_segmentations(
        self, segmentations: dict[str, Any], seg_labels: dict[str, Any], spatial: tuple[int, ...]
    ) -> dict[str, Any]:
        """The keys `segmentations` and `seg_labels` of the item, of the masks (n, *spatial) by author."""
        return segmentation_targets(segmentations, seg_labels, spatial, self._prepared.space, self._output)

    def _drawing(self, position: EpochIndex) -> drawing_from:
        """A block in which transforms draw what (seed, epoch, row) says, or freely where the dataset has no seed."""
        return drawing_from(None if self._seed is None else item_seed(self._seed, position.epoch, self._row(position)))

    def _lying_at(self, position: EpochIndex) -> lying_at:
        """A block in which transforms can ask for the affine and the resource of the item at a position."""
        row = self._row(position)
        return lying_at(lambda: self._metainfo(row)["affine"], lambda: self._resource(row))

    def _row(self, position: EpochIndex) -> EpochIndex:
        """The row number at a position of this dataset, in the same epoch."""
        return EpochIndex(int(self._rows[position]), position.epoch)

    def _position(self, index: int) -> int:
        if isinstance(index, (bool, np.bool_)) or not hasattr(index, "__index__"):
            raise TypeError(f"An item is asked for by a whole number, not {index!r}; several items by subset([...]).")
        length, index = len(self), operator.index(index)
        if not -length <= index < length:
            raise IndexError(f"Item {index} of a {type(self).__name__} with {counted(length, 'item')}.")
        return index + length if index < 0 else index

    # loading

    def get_collate_fn(self) -> Collate:
        """The collation of this library's items: picklable, keeps every key, names items that do not stack.

        Example:
            >>> collate = dataset.get_collate_fn()
            >>> collate([dataset[0], dataset[1]])["image"].shape
            torch.Size([2, 1, 512, 512])
        """
        return Collate()

    def get_dataloader(self, *args: Any, **kwargs: Any) -> DataLoader[Item]:
        """A `DataLoader` with `get_collate_fn()`; takes the arguments of `torch.utils.data.DataLoader`.

        Without a sampler of your own it is a `Loader`: with a seed, order and draws follow from seed and epoch alone,
        `state_dict()` and `load_state_dict()` go on in the middle of an epoch, and under a process group each rank
        gets its share. With a `sampler`, `batch_sampler` or `generator` of your own it is a `DataLoader` without
        `state_dict()`: order, shares and state are then yours, and draws still differ from pass to pass. With
        `batch_size=None` it gives single items, each as `dataset[index]` gives it.

        Raises:
            TypeError: There is no such argument; the message names those there are.
            DatamintDatasetException: `shuffle` is no truth value.

        Example:
            >>> loader = dataset.subset([0, 1]).get_dataloader(batch_size=2, shuffle=True, num_workers=0)
            >>> [batch["image"].shape for batch in loader]
            [torch.Size([2, 1, 512, 512])]
        """
        self.prepare()
        return loader_of(self, self._seed, self.get_collate_fn(), *args, **kwargs)

    # transforms

    def set_transform(self, alb_transform: Transform | None = None) -> None:
        """Use this transform instead of those there were, None for none; parts made before keep theirs.

        Raises:
            DatamintDatasetException: It cannot be called with `image=` and `masks=` (and boxes, if there are any).

        Example:
            >>> dataset.set_transform(lambda image, masks: {"image": 255 - image, "masks": masks})
            >>> inverted = dataset[0]["image"]
            >>> dataset.set_transform(None)
            >>> torch.equal(inverted, 255 - dataset[0]["image"])
            True
        """
        self._transforms = () if alb_transform is None else (self._checked(alb_transform),)
        self.__dict__.pop("fingerprint", None)

    def add_transform(self, alb_transform: Transform) -> None:
        """Use this transform too, after those there are.

        Raises:
            DatamintDatasetException: It cannot be called with `image=` and `masks=` (and boxes, if there are any).

        Example:
            >>> dataset.add_transform(lambda image, masks: {"image": image[::2, ::2], "masks": masks[:, ::2, ::2]})
            >>> dataset.add_transform(lambda image, masks: {"image": image / 255, "masks": masks})
            >>> dataset[0]["image"].shape, float(dataset[0]["image"].max()) <= 1
            (torch.Size([1, 256, 256]), True)
        """
        self._transforms = (*self._transforms, self._checked(alb_transform))
        self.__dict__.pop("fingerprint", None)

    def _checked(self, transform: Transform) -> Transform:
        """The transform, where it can be called with such items, and with boxes if there are any."""
        return checked_transform(transform, boxes=self._output.return_boxes, flat=self._is_flat)

    def _check_steps(self) -> None:
        """Refuse steps and transforms of an item that cannot be taken."""
        if self._output.return_boxes:
            check_step_takes_boxes(self.apply_alb_transform)
        for transform in self._transforms:
            self._checked(transform)
