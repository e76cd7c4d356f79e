"""The deprecated base of datasets over every kind of resource; `datamint_like.dataset.base` holds today's."""

from __future__ import annotations

import io
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from torch.utils.data import ConcatDataset, DataLoader, Dataset

from datamint_like._warn import warn_user
from datamint_like._words import counted
from datamint_like.annotations import OF_ONE_FRAME_SQL, is_of_one_frame
from datamint_like.dataset.annotation_processor import AnnotationProcessor
from datamint_like.dataset.collate import Collate
from datamint_like.dataset.every_kind import EveryFrame, EveryKindDataset
from datamint_like.dataset.item import Item
from datamint_like.dataset.loader import loader_of
from datamint_like.dataset.options import folder_of
from datamint_like.dataset.sums import summed
from datamint_like.entities import Annotation
from datamint_like.exceptions import DatamintDatasetException, DatamintWarning
from datamint_like.imaging import derive_single_file, probe, required_facts
from datamint_like.imaging._reading_errors import reading

if TYPE_CHECKING:
    from pydicom import FileDataset

__all__ = ["DatamintBaseDataset", "DatamintDatasetException"]


@dataclass(frozen=True)
class Returned:
    """What an item of a deprecated dataset holds; the names are those of the constructor's keywords."""

    dicom: bool
    metainfo: bool
    annotations: bool
    frame_by_frame: bool


class DatamintBaseDataset(Dataset[Item]):
    """Deprecated: every resource of a project, or every frame of them, as `image`, `metainfo` and `annotations`.

    Use `ImageDataset`, `VolumeDataset` or `VideoDataset` instead. Frames are those of the file, in its order, so
    `frame_index` of an annotation counts them.

    Args:
        project_name: Name of the project.
        root: Folder for what is kept on this machine, in `DATAMINT_DATASETS_DIR` there; None is the configured one.
        auto_update: Ask the store for changes; False opens the newest snapshot on this machine, and no connection.
        api_key: Key of the server; never kept in a pickle.
        server_url: The store; None is the configured one.
        return_dicom: Give items `dicom`, the pydicom data set of a DICOM resource (with whatever identity its file
            holds), None for others. A series is one multi-frame data set; its frames one by one have their own.
        return_metainfo: Give items `metainfo`.
        return_annotations: Give items `annotations`.
        return_frame_by_frame: One item a stored frame, `image` (C, H, W), instead of one a resource, (N, C, H, W).
        include_unannotated: Keep resources without any kept annotation.
        all_annotations: Keep annotations that are not published too.
        include_annotators, exclude_annotators: Whose annotations are kept.
        include_segmentation_names, exclude_segmentation_names: Which masks are kept.
        include_image_label_names, exclude_image_label_names: Which image labels are kept.
        include_frame_label_names, exclude_frame_label_names: Which frame labels are kept.

    Raises:
        ItemNotFoundError: The store has no such project.
        DatamintDatasetException: Options that exclude each other.

    Warns:
        DeprecationWarning: Always.
        DatamintWarning: Annotations are left out because they are not published.

    Example:
        >>> frames = DatamintBaseDataset("echo", return_frame_by_frame=True)
        >>> len(frames), frames[0]["image"].shape
        (30, torch.Size([3, 240, 320]))
    """

    #: The folder under `root` that holds what is kept on this machine.
    DATAMINT_DATASETS_DIR: ClassVar[str] = "datasets"

    _whole: EveryKindDataset
    _frames: EveryFrame | None
    _returned: Returned
    _indices: Sequence[int]

    def __init__(
        self,
        project_name: str,
        root: str | None = None,
        auto_update: bool = True,
        api_key: str | None = None,
        server_url: str | None = None,
        return_dicom: bool = False,
        return_metainfo: bool = True,
        return_annotations: bool = True,
        return_frame_by_frame: bool = False,
        include_unannotated: bool = True,
        all_annotations: bool = False,
        include_annotators: list[str] | None = None,
        exclude_annotators: list[str] | None = None,
        include_segmentation_names: list[str] | None = None,
        exclude_segmentation_names: list[str] | None = None,
        include_image_label_names: list[str] | None = None,
        exclude_image_label_names: list[str] | None = None,
        include_frame_label_names: list[str] | None = None,
        exclude_frame_label_names: list[str] | None = None,
    ) -> None:
        self._open(
            Returned(return_dicom, return_metainfo, return_annotations, return_frame_by_frame),
            root,
            project=project_name,
            auto_update=auto_update,
            api_key=api_key,
            server_url=server_url,
            return_segmentations=False,
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

    def _open(self, returned: Returned, root: str | None, *, all_annotations: bool, **options: Any) -> None:
        """Sync the project and choose the items; `options` are those of today's datasets."""
        warn_user(
            f"{type(self).__name__} is deprecated and may go: use ImageDataset, VolumeDataset or VideoDataset of "
            "datamint_like.dataset (their slice() and frame_by_frame() give single frames).",
            DeprecationWarning,
        )
        kept_in = None if root is None else folder_of("root", root) / self.DATAMINT_DATASETS_DIR
        self._whole = EveryKindDataset(
            **options,
            all_annotations=all_annotations,
            cache_dir=kept_in,
            orientation="native",
            irregular_spacing="keep",
        ).prepare()
        self._returned = returned
        self._frames = EveryFrame(self._whole) if returned.frame_by_frame else None
        self._indices = range(len(self._whole) if self._frames is None else len(self._frames))
        if not all_annotations:
            self._warn_of_unpublished()

    def _warn_of_unpublished(self) -> None:
        snapshot = self._whole._prepared.snapshot
        unpublished = sum(count for _, _, count in snapshot.count_names("status IS NOT 'published'", {}))
        if unpublished:
            are = "is" if unpublished == 1 else "are"
            warn_user(
                f"{counted(unpublished, 'annotation')} of {self._project_name!r} {are} not published and so left out. "
                "Approve what should count, or pass all_annotations=True.",
                DatamintWarning,
            )

    @property
    def _project_name(self) -> str:
        project = self._whole.project
        assert project is not None
        return project.name

    # items

    def __len__(self) -> int:
        """How many items there are: resources, or frames."""
        return len(self._indices)

    def __getitem__(self, index: int) -> Item:
        """The item at `index`: `image`, and as asked for `metainfo`, `annotations` and `dicom`.

        `image` is a tensor (N, C, H, W), or (C, H, W) frame by frame.

        Raises:
            IndexError: There is no such item.
            DecodeError, GeometryError: Its files cannot be read.
        """
        position = self._position(index)
        return self._item(position, self._made(position))

    def __iter__(self) -> Iterator[Item]:
        """The items in order."""
        return (self[index] for index in range(len(self)))

    def __add__(self, other: Dataset[Item]) -> ConcatDataset[Item]:
        """The items of this dataset, then those of the other."""
        return summed(self, other)

    def __repr__(self) -> str:
        """Class, project and number of items."""
        size = counted(len(self), "frame" if self._frames is not None else "resource")
        return f"{type(self).__name__}(project={self._project_name!r}, {size})"

    def _position(self, index: int) -> int:
        """Where the item at `index` is among all resources or frames of the dataset."""
        wanted, length = operator.index(index), len(self)
        if not -length <= wanted < length:
            raise IndexError(f"Item {wanted} of a {type(self).__name__} with {counted(length, 'item')}.")
        return int(self._indices[wanted])

    def _made(self, position: int) -> Item:
        """The item as today's datasets make it."""
        return self._whole[position] if self._frames is None else self._frames[position]

    def _locate(self, position: int) -> tuple[int, int | None]:
        """Which resource an item is of, and which of its frames it is; None for all."""
        return (position, None) if self._frames is None else self._frames.locate(position)

    def _item(self, position: int, made: Item) -> Item:
        image = made["image"]
        item: Item = {"image": image.movedim(1, 0).contiguous() if self._frames is None else image}
        if self._returned.metainfo:
            item["metainfo"] = made["metainfo"]
        if self._returned.annotations:
            item["annotations"] = made["annotations"]
        if self._returned.dicom:
            item["dicom"] = self._dicom(position)
        return item

    def _dicom(self, position: int) -> FileDataset | None:
        """The data set of a DICOM resource, or of one of its frames; None of another format."""
        from pydicom import dcmread

        resource, frame = self._locate(position)
        facts = required_facts(self._whole.get_resource(resource))
        if facts.format != "dicom":
            return None
        reader = self._whole._read
        paths, names = reader.files(reader.record(int(self._whole._rows[resource])))
        if len(paths) > 1 and frame is None:
            file = io.BytesIO()
            derive_single_file(paths, facts, file, names=names)
            file.seek(0)
            return dcmread(file)
        part = frame if frame is not None and len(paths) > 1 else 0
        with reading(names[part]):
            return dcmread(paths[part], force=True)

    # what the dataset holds

    def get_annotations(
        self,
        index: int,
        type: Literal["label", "category", "segmentation", "all"] = "all",
        scope: Literal["frame", "image", "all"] = "all",
    ) -> list[Annotation]:
        """The kept annotations of the item at `index`, of a type and scope; of a frame its own and the image's.

        Raises:
            IndexError: There is no such item.
            ValidationError: There is no such type or scope.

        Example:
            >>> [each.identifier for each in old.get_annotations(0, "segmentation")]
            ['lung']
        """
        resource, frame = self._locate(self._position(index))
        found = self._whole.resource_annotations[resource]
        applying = [a for a in found if frame is None or not is_of_one_frame(a) or a.frame_index == frame]
        return AnnotationProcessor.filter_annotations(applying, type, scope)

    def get_info(self) -> dict[str, Any]:
        """The project's record, as it was when the dataset was made.

        Example:
            >>> old.get_info()["name"]
            'chest'
        """
        project = self._whole.project
        assert project is not None
        return project.to_dict()

    def get_resources_ids(self) -> list[str]:
        """The id of the resource of each item, each once, in order.

        Example:
            >>> old.get_resources_ids() == [resource.id for resource in dataset.resources]
            True
        """
        resources = dict.fromkeys(self._locate(int(position))[0] for position in self._indices)
        return [self._whole.get_resource(resource).id for resource in resources]

    @property
    def frame_labels_set(self) -> list[str]:
        """Names of the frame labels, in the order of their codes.

        Example:
            >>> old.frame_labels_set
            []
        """
        return self._whole.frame_labels_set

    @property
    def image_labels_set(self) -> list[str]:
        """Names of the image labels, in the order of their codes.

        Example:
            >>> old.image_labels_set
            ['chest', 'leg']
        """
        return self._whole.image_labels_set

    @property
    def segmentation_labels_set(self) -> list[str]:
        """Names of the segmentation classes: the one of code c stands at c - 1.

        Example:
            >>> old.segmentation_labels_set
            ['lung']
        """
        return self._whole.segmentation_labels_set

    @property
    def image_categories_set(self) -> list[tuple[str, str]]:
        """(name, value) of the image categories, in the order of their codes.

        Example:
            >>> old.image_categories_set
            [('view', 'frontal')]
        """
        return self._whole.image_categories_set

    @property
    def frame_categories_set(self) -> list[tuple[str, str]]:
        """(name, value) of the categories given to single frames, sorted.

        Example:
            >>> old.frame_categories_set
            []
        """
        in_use = f"type = 'category' AND value IS NOT NULL AND {OF_ONE_FRAME_SQL}"
        return [(name, value) for name, value in self._whole._prepared.snapshot.names("identifier, value", in_use)]

    def get_framelabel_distribution(self, normalize: bool = False) -> dict[str, float]:
        """How often each frame label was given in the items of the dataset, or the share of each of all of them.

        Example:
            >>> from datamint_like import Dataset
            >>> id = api.annotations.add_label_annotation(echo, "systole", frame_index=4)
            >>> Dataset("echo", all_annotations=True).get_framelabel_distribution()
            {'systole': 1.0}
        """
        return self._distribution("label", "frame", self.frame_labels_set, normalize)

    def get_segmentationlabel_distribution(self, normalize: bool = False) -> dict[str, float]:
        """How many masks of each class the items of the dataset have, or the share of each of all of them.

        Example:
            >>> old.get_segmentationlabel_distribution()
            {'lung': 2.0}
            >>> old.get_segmentationlabel_distribution(normalize=True)
            {'lung': 1.0}
        """
        return self._distribution("segmentation", "all", list(self._whole.seglabel2code), normalize)

    def _distribution(
        self, kind: Literal["label", "segmentation"], scope: Literal["frame", "all"], names: list[str], normalize: bool
    ) -> dict[str, float]:
        counts = Counter(a.identifier for index in range(len(self)) for a in self.get_annotations(index, kind, scope))
        total = (sum(counts.values()) or 1) if normalize else 1
        return {name: counts[name] / total for name in names}

    @staticmethod
    def read_number_of_frames(filepath: str) -> int:
        """How many frames or planes a file has; 1 for an image. Only a video is decoded for it.

        Raises:
            DecodeError: It cannot be read as an image, volume or video.

        Example:
            >>> video, path = api.resources.download_resource_file(echo, "echo", add_extension=True)
            >>> DatamintBaseDataset.read_number_of_frames(path)
            30
        """
        return probe([Path(filepath)]).shape[0]

    # loading

    def get_collate_fn(self) -> Callable[..., Any]:
        """The collation of this library's items.

        Example:
            >>> old.get_collate_fn()([old[0], old[1]])["image"].shape
            torch.Size([2, 1, 1, 512, 512])
        """
        return Collate()

    def get_dataloader(self, *args: Any, **kwargs: Any) -> DataLoader[Item]:
        """A `DataLoader` with `get_collate_fn()`; takes the arguments of `torch.utils.data.DataLoader`.

        Example:
            >>> next(iter(old.get_dataloader(batch_size=2)))["image"].shape
            torch.Size([2, 1, 1, 512, 512])
        """
        return loader_of(self, None, self.get_collate_fn(), *args, **kwargs)

    def subset(self, indices: list[int]) -> Self:
        """This dataset, which from now on has these items only, in the order given.

        Raises:
            IndexError: There is no such item; the dataset is unchanged.

        Example:
            >>> old.subset([2, 0]) is old, len(old)
            (True, 2)
        """
        self._indices = [self._position(index) for index in indices]
        return self
