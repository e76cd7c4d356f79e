"""The label space: which name is which code, position or channel, fixed once for a dataset and all its parts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from datamint_like.annotations._schema import MergedSchema, merge_schemas
from datamint_like.entities import AnnotationWorklist
from datamint_like.exceptions import DatamintDatasetException

#: The name that the list of classes shows for a code without a class.
UNKNOWN_CLASS = "UNKNOWN"


class _Codes(Mapping[str, int]):
    """An immutable, hashable, picklable mapping of class name to code, ordered by code."""

    __slots__ = ("_codes",)

    def __init__(self, codes: Mapping[str, int]) -> None:
        self._codes = dict(sorted(codes.items(), key=lambda pair: pair[1]))

    def __getitem__(self, name: str) -> int:
        return self._codes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._codes)

    def __len__(self) -> int:
        return len(self._codes)

    def __hash__(self) -> int:
        return hash(tuple(self._codes.items()))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return type(self), (self._codes,)

    def __repr__(self) -> str:
        return repr(self._codes)


@dataclass(frozen=True)
class LabelSpace:
    """The names that a dataset's targets are made of, each with its place.

    Attributes:
        segmentation_codes: Class name to code from 1, ordered by code; code 0 is background.
        image_labels: Labels of the whole image; the position is the index in `image_labels` vectors.
        frame_labels: Labels of single frames; the position is the column of the `frame_labels` matrix.
        image_categories: (identifier, value) pairs; the position is the category's code.
        box_labels: Names of boxes; the code is the position + 1, since detectors keep 0 for background.

    Raises:
        DatamintDatasetException: A code is below 1 or stands for two classes.

    Example:
        >>> space = LabelSpace({"liver": 1, "tumour": 3}, ("benign",), (), (("view", "pa"),))
        >>> space.segmentation_labels, space.num_segmentation_labels
        (['liver', 'UNKNOWN', 'tumour'], 3)
        >>> space.image_label_positions, space.frame_label_positions, space.box_codes
        ({'benign': 0}, {}, {})
        >>> space.image_category_positions, space.category_identifiers
        ({('view', 'pa'): 0}, frozenset({'view'}))
    """

    segmentation_codes: Mapping[str, int]
    image_labels: tuple[str, ...]
    frame_labels: tuple[str, ...]
    image_categories: tuple[tuple[str, str], ...]
    box_labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        codes = self.segmentation_codes
        if min(codes.values(), default=1) < 1 or len(set(codes.values())) != len(codes):
            raise DatamintDatasetException(
                f"Segmentation codes are distinct whole numbers from 1 (0 is background); found {dict(codes)}."
            )
        object.__setattr__(self, "segmentation_codes", _Codes(codes))
        for name in ("image_labels", "frame_labels", "box_labels"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "image_categories", tuple((str(i), str(v)) for i, v in self.image_categories))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """The fields alone: what is derived from them is derived again where it is loaded."""
        fields = (self.segmentation_codes, self.image_labels, self.frame_labels, self.image_categories, self.box_labels)
        return type(self), fields

    @property
    def num_segmentation_labels(self) -> int:
        """L, the highest code: a semantic mask has L + 1 channels."""
        return max(self.segmentation_codes.values(), default=0)

    @property
    def segmentation_labels(self) -> list[str]:
        """The class names by code (position code - 1); a code without a class shows as `'UNKNOWN'`."""
        labels = [UNKNOWN_CLASS] * self.num_segmentation_labels
        for name, code in self.segmentation_codes.items():
            labels[code - 1] = name
        return labels

    @cached_property
    def image_label_positions(self) -> dict[str, int]:
        """Image label to its position."""
        return {name: position for position, name in enumerate(self.image_labels)}

    @cached_property
    def frame_label_positions(self) -> dict[str, int]:
        """Frame label to its column."""
        return {name: position for position, name in enumerate(self.frame_labels)}

    @cached_property
    def image_category_positions(self) -> dict[tuple[str, str], int]:
        """(identifier, value) to the category's code."""
        return {pair: position for position, pair in enumerate(self.image_categories)}

    @cached_property
    def box_codes(self) -> dict[str, int]:
        """Box name to its code, from 1."""
        return {name: code for code, name in enumerate(self.box_labels, start=1)}

    @cached_property
    def category_identifiers(self) -> frozenset[str]:
        """The identifiers that have at least one category."""
        return frozenset(identifier for identifier, _ in self.image_categories)

    def fingerprint(self) -> str:
        """The SHA-256, in hex, of all names and their places: equal for equal label spaces, on every machine.

        Example:
            >>> LabelSpace({"liver": 1}, (), (), ()).fingerprint() == LabelSpace({"liver": 1}, (), (), ()).fingerprint()
            True
        """
        content = [
            list(self.segmentation_codes.items()),
            self.image_labels,
            self.frame_labels,
            self.image_categories,
            *([self.box_labels] if self.box_labels else []),
        ]
        return hashlib.sha256(json.dumps(content).encode("ascii")).hexdigest()


@dataclass(frozen=True)
class NamesInUse:
    """The names that the annotations of a snapshot use, before any filter of the user.

    Attributes:
        segmentations: Identifiers of masks.
        image_labels: Identifiers of labels of the whole image.
        frame_labels: Identifiers of labels of single frames.
        image_categories: (identifier, value) of categories.
        boxes: Identifiers of boxes.
    """

    segmentations: tuple[str, ...] = ()
    image_labels: tuple[str, ...] = ()
    frame_labels: tuple[str, ...] = ()
    image_categories: tuple[tuple[str, str], ...] = ()
    boxes: tuple[str, ...] = ()


def label_space_from_worklists(worklists: Sequence[AnnotationWorklist]) -> LabelSpace:
    """The label space that the worklists' schema declares, names in first-seen order.

    A class of a segmentation group has the group's index; a class that only a spec names follows after the highest.

    Warns:
        DatamintWarning: Worklists differ in colours, in `required` or in a category's values.

    Raises:
        DatamintDatasetException: Worklists contradict each other; the message lists every contradiction.

    Example:
        >>> spec = AnnotationSpec(type="label", identifier="benign")
        >>> label_space_from_worklists([AnnotationWorklist(id="1", name="all", annotations=(spec,))]).image_labels
        ('benign',)
    """
    return _space_of(merge_schemas(worklists))


def label_space_from_names(names: NamesInUse) -> LabelSpace:
    """The label space of the names in use: each kind sorted, segmentation codes 1 to n.

    Example:
        >>> label_space_from_names(NamesInUse(segmentations=("tumour", "liver"))).segmentation_codes
        {'liver': 1, 'tumour': 2}
    """
    return LabelSpace(
        segmentation_codes={name: code for code, name in enumerate(sorted(set(names.segmentations)), start=1)},
        image_labels=tuple(sorted(set(names.image_labels))),
        frame_labels=tuple(sorted(set(names.frame_labels))),
        image_categories=tuple(sorted(set(names.image_categories))),
        box_labels=tuple(sorted(set(names.boxes))),
    )


def resolve_label_space(
    worklists: Sequence[AnnotationWorklist] | None, names: NamesInUse, *, allow_external: bool
) -> LabelSpace:
    """The label space of a dataset: the worklists' schema if it holds anything, else the sorted names in use.

    A category that the schema declares without values takes the values in use. Boxes are never left out, so names of
    boxes in use follow the schema's, whatever `allow_external` is. The user's filters play no part:
    a name that they exclude keeps its place.

    Args:
        worklists: The worklists to follow; None follows none.
        names: What the snapshot's annotations use.
        allow_external: Whether names outside the schema are appended, sorted, after the schema's.

    Warns:
        DatamintWarning: Worklists differ in colours, in `required` or in a category's values.

    Raises:
        DatamintDatasetException: Worklists contradict each other; the message lists every contradiction.

    Example:
        >>> resolve_label_space(None, NamesInUse(image_labels=("leg", "chest")), allow_external=False).image_labels
        ('chest', 'leg')
    """
    schema = merge_schemas(worklists or ())
    if schema.is_empty:
        return label_space_from_names(names)
    space = _with_boxes_in_use(_space_of(_with_values_in_use(schema, names)), names)
    return _with_external_names(space, names) if allow_external else space


def _space_of(schema: MergedSchema) -> LabelSpace:
    return LabelSpace(
        segmentation_codes=schema.segmentation_codes,
        image_labels=schema.image_labels,
        frame_labels=schema.frame_labels,
        image_categories=tuple((name, value) for name, values in schema.categories.items() for value in values),
        box_labels=schema.boxes,
    )


def _with_boxes_in_use(space: LabelSpace, names: NamesInUse) -> LabelSpace:
    """The space with the names of boxes in use that it lacks, sorted, at the end."""
    return replace(space, box_labels=space.box_labels + tuple(sorted(set(names.boxes) - set(space.box_labels))))


def _with_values_in_use(schema: MergedSchema, names: NamesInUse) -> MergedSchema:
    """The schema whose categories without listed values have the sorted values in use."""
    in_use = sorted(set(names.image_categories))
    categories = {
        name: values or tuple(value for identifier, value in in_use if identifier == name)
        for name, values in schema.categories.items()
    }
    return replace(schema, categories=categories)


def _with_external_names(space: LabelSpace, names: NamesInUse) -> LabelSpace:
    """The space followed by the names in use that it lacks, sorted."""
    unseen = sorted(set(names.segmentations) - set(space.segmentation_codes))
    following = space.num_segmentation_labels + 1
    return LabelSpace(
        segmentation_codes={
            **space.segmentation_codes,
            **{name: code for code, name in enumerate(unseen, start=following)},
        },
        image_labels=space.image_labels + tuple(sorted(set(names.image_labels) - set(space.image_labels))),
        frame_labels=space.frame_labels + tuple(sorted(set(names.frame_labels) - set(space.frame_labels))),
        image_categories=space.image_categories
        + tuple(sorted(set(names.image_categories) - set(space.image_categories))),
        box_labels=space.box_labels,
    )
