"""What a prepared dataset holds: project, resources, annotations, label space, origin, fingerprint."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from datamint_like._words import counted
from datamint_like.annotations import Selection
from datamint_like.catalog import Snapshot
from datamint_like.dataset.annotation_processor import AnnotationProcessor
from datamint_like.dataset.fingerprint import fingerprint
from datamint_like.dataset.item import Item
from datamint_like.dataset.metainfo import metainfo_of
from datamint_like.dataset.options import Output, Source
from datamint_like.dataset.prepared import Prepared
from datamint_like.dataset.reader import Reader, ReaderOptions
from datamint_like.dataset.rows import LazySequence, RowNumbers, as_array
from datamint_like.dataset.splits import SplitOrigin
from datamint_like.dataset.transforms import Transform, stable_name
from datamint_like.entities import Annotation, Project, Resource
from datamint_like.imaging import place_of, required_facts
from datamint_like.imaging.types import ReadOptions


class Holdings:
    """The read-only half of a dataset; `DatamintBaseDataset` prepares it and makes items of it."""

    _source: Source
    _api_key: str | None
    _selection: Selection
    _output: Output
    _reading: ReaderOptions
    _transforms: tuple[Transform, ...]
    _seed: int | None
    _split: SplitOrigin
    _state: tuple[Prepared, RowNumbers] | None

    @property
    @abstractmethod
    def _prepared(self) -> Prepared:
        """What the dataset shares with its root."""

    @property
    @abstractmethod
    def _rows(self) -> RowNumbers:
        """The dataset's row numbers."""

    @property
    @abstractmethod
    def _read(self) -> Reader:
        """The reader of this process."""

    @abstractmethod
    def prepare(self) -> Self:
        """This dataset, with its snapshot synced, its label space fixed and its rows chosen."""

    @abstractmethod
    def __getitem__(self, index: int) -> Item:
        """The item at `index`."""

    @abstractmethod
    def _position(self, index: int) -> int:
        """`index` counted from the start, or IndexError."""

    def __len__(self) -> int:
        return len(self._rows)

    def _resource_row(self, row: int) -> int:
        """The snapshot's row behind one row number of this dataset; slices share their volume's."""
        return row

    @property
    def _neighbors(self) -> int:
        """How many planes on each side of its own an item has among its channels."""
        return 0

    def _resource(self, row: int) -> Resource:
        """The resource of one row number of this dataset."""
        return self._prepared.snapshot.resource(row)

    def _annotations_at(self, index: int) -> list[Annotation]:
        return self._read.annotations(self._resource_row(int(self._rows[index])))

    @property
    def project(self) -> Project | None:
        """The project as it was when the dataset was prepared; None for a list of resources.

        Example:
            >>> dataset.project.name
            'chest'
        """
        return self._prepared.snapshot.meta.project

    @property
    def snapshot(self) -> Snapshot:
        """The state of the project that this dataset is pinned to: for tables (`export`) and lock files (`write_lock`).

        Example:
            >>> len(dataset.subset([0]).snapshot)  # a part shares that of the whole
            3
        """
        return self._prepared.snapshot

    @property
    def resources(self) -> Sequence[Resource]:
        """The resource of each item, built when asked for.

        Example:
            >>> [resource.filename for resource in dataset.resources]
            ['nih_00000001_000.png', 'nih_00027426_000.png', 'cr_16bit.png']
        """
        return LazySequence(range(len(self)), self.get_resource)

    @property
    def resource_annotations(self) -> Sequence[Sequence[Annotation]]:
        """The kept annotations of each item's resource, read when asked for.

        Example:
            >>> [each.annotation_type for each in dataset.resource_annotations[0]]
            ['label', 'category', 'segmentation']
        """
        return LazySequence(range(len(self)), self._annotations_at)

    def get_resource(self, index: int) -> Resource:
        """The resource of the item at `index`; of a slice it tells which one.

        Raises:
            IndexError: There is no such item.

        Example:
            >>> dataset.get_resource(-1).filename
            'cr_16bit.png'
        """
        return self._resource(int(self._rows[self._position(index)]))

    def get_metainfo(self, index: int) -> dict[str, Any]:
        """The `metainfo` of the item at `index` before transforms, by header facts alone: nothing is decoded.

        Raises:
            IndexError: There is no such item.

        Example:
            >>> info = volumes.get_metainfo(0)
            >>> info["orientation"], info["units"]
            ('SPL', 'HU')
        """
        return self._metainfo(int(self._rows[self._position(index)]))

    def _metainfo(self, row: int) -> dict[str, Any]:
        """The metainfo of one row number of this dataset."""
        facts = required_facts(self._resource(row))
        return metainfo_of(place_of(facts, self._reading.read.orientation), self._read.units(facts))

    @property
    def segmentation_labels_set(self) -> list[str]:
        """Names of the segmentation classes: the one of code c stands at c - 1.

        Example:
            >>> volumes.segmentation_labels_set
            ['bone', 'soft_tissue']
        """
        return self._prepared.space.segmentation_labels

    @property
    def image_labels_set(self) -> list[str]:
        """Names of the image labels, in the order of their codes.

        Example:
            >>> dataset.image_labels_set
            ['chest', 'leg']
        """
        return list(self._prepared.space.image_labels)

    @property
    def frame_labels_set(self) -> list[str]:
        """Names of the frame labels, in the order of their codes.

        Example:
            >>> VideoDataset(project="echo").frame_labels_set
            []
        """
        return list(self._prepared.space.frame_labels)

    @property
    def image_categories_set(self) -> list[tuple[str, str]]:
        """(name, value) of the image categories, in the order of their codes.

        Example:
            >>> dataset.image_categories_set
            [('view', 'frontal')]
        """
        return list(self._prepared.space.image_categories)

    @property
    def seglabel2code(self) -> dict[str, int]:
        """Code of each segmentation class, from 1; 0 is background.

        Example:
            >>> volumes.seglabel2code
            {'bone': 1, 'soft_tissue': 2}
        """
        return dict(self._prepared.space.segmentation_codes)

    @property
    def annotation_processor(self) -> AnnotationProcessor:
        """The steps from annotations to targets with this dataset's label space, reading masks from its store.

        Example:
            >>> masks, codes, of = volumes.annotation_processor.load_segmentations(volumes.resource_annotations[0])
            >>> {author: own.shape for author, own in masks.items()}
            {'annotator.a@demo.example': (2, 32, 128, 128), 'annotator.b@demo.example': (2, 32, 128, 128)}
        """
        space = self._prepared.space
        return AnnotationProcessor(
            self.seglabel2code,
            space.image_labels,
            {"multilabel": space.image_label_positions, "multiclass": space.image_category_positions},
            self._selection.allow_external_annotations,
            load=self._read.annotation_bytes,
        )

    @property
    def box_labels_set(self) -> list[str]:
        """Names of the boxes: the one of code c stands at c - 1.

        Example:
            >>> id = api.annotations.add_box_annotation((10, 20), (60, 90), xray, "nodule", frame_index=0)
            >>> ImageDataset(project="chest", return_boxes=True).box_labels_set
            ['nodule']
        """
        return list(self._prepared.space.box_labels)

    @property
    def boxlabel2code(self) -> dict[str, int]:
        """Code of each name of a box, from 1; detectors keep 0 for background.

        Example:
            >>> id = api.annotations.add_box_annotation((10, 20), (60, 90), xray, "nodule", frame_index=0)
            >>> ImageDataset(project="chest", return_boxes=True).boxlabel2code
            {'nodule': 1}
        """
        return dict(self._prepared.space.box_codes)

    @property
    def split_name(self) -> str | None:
        """The part of a split that this is, or None.

        Example:
            >>> dataset.split_name, dataset.split(train=0.7, val=0.3)["val"].split_name
            (None, 'val')
        """
        return self._split.name

    @property
    def split_source(self) -> str | None:
        """`"local"`, `"project_api"` or `"server_tags"` for a part of a split, else None.

        Example:
            >>> dataset.split(train=0.7, val=0.3)["val"].split_source
            'local'
        """
        return self._split.source

    @property
    def split_as_of_timestamp(self) -> str | None:
        """The instant at which a project split was resolved, else None.

        Example:
            >>> instant = dataset.split(train=0.7, val=0.3).save()
            >>> dataset.split(as_of_timestamp=instant)["val"].split_as_of_timestamp == instant
            True
        """
        return self._split.as_of_timestamp

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256: equal fingerprints mean equal resources, versions, annotations, label space and options.

        Example:
            >>> dataset.fingerprint == ImageDataset(project="chest").fingerprint
            True
            >>> dataset.fingerprint == dataset.subset([0]).fingerprint
            False
        """
        resource_rows = self._resource_rows()
        return fingerprint(self._prepared, resource_rows, self._planes(resource_rows), self._fingerprint_options())

    def order_fingerprint(self) -> str:
        """The fingerprint without seed and transforms, which a training may go on with changed.

        Example:
            >>> ImageDataset(project="chest", seed=7).order_fingerprint() == dataset.order_fingerprint()
            True
        """
        twin = copy.copy(self)
        twin.__dict__.pop("fingerprint", None)
        twin._transforms, twin._seed = (), None
        return twin.fingerprint

    def _fingerprint_options(self) -> tuple[object, ...]:
        read = replace(self._reading.read, max_voxels=ReadOptions.max_voxels)  # a limit changes no value
        transforms = tuple(stable_name(each) for each in self._transforms)
        asked = (self._selection, self._output, read, self._reading.resample_masks, transforms, self._seed)
        return type(self).__name__, *asked

    def _resource_rows(self) -> npt.NDArray[np.int64]:
        """The snapshot's row of each item."""
        return as_array(self._rows)

    def _planes(self, resource_rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Which slice of its resource each item is; 0 for whole items."""
        return np.zeros_like(resource_rows)

    def __repr__(self) -> str:
        what = self._source.project
        name = what.name if isinstance(what, Project) else what
        ids, lock = self._source.resource_ids or (), self._source.lock
        source = f"project={name!r}" if name else f"lock={lock.name!r}" if lock else counted(len(ids), "resource")
        size = "not prepared" if self._state is None else counted(len(self), "item")
        part = f", split={self.split_name!r}" if self.split_name else ""
        return f"{type(self).__name__}({source}, {size}{part})"
