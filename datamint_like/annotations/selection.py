"""Which annotations a dataset keeps: one rule, told in Python and in SQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from typing import Any

from datamint_like.annotations.labelspace import LabelSpace
from datamint_like.entities import Annotation, is_of_one_frame
from datamint_like.exceptions import DatamintDatasetException

Names = tuple[str, ...]

#: `is_of_one_frame` as an SQL condition: the column that holds it.
OF_ONE_FRAME_SQL = "of_one_frame"

_PUBLISHED_SQL = "status IS 'published'"
_KINDS = ("annotators", "segmentation_names", "image_label_names", "frame_label_names")


@dataclass(frozen=True)
class Selection:
    """Which annotations a dataset keeps; None stands for no rule, an empty list for one that nothing passes.

    Attributes:
        include_annotators, exclude_annotators: By creator; an annotation without a creator passes.
        include_segmentation_names, exclude_segmentation_names: By class name of a mask.
        include_image_label_names, exclude_image_label_names: By name of a label of the whole image.
        include_frame_label_names, exclude_frame_label_names: By name of a label of one frame.
        allow_external_annotations: Whether names outside the label space's schema are kept.
        published_only: Leave out what is not published (a status other than `"published"`), of every type.

    Raises:
        DatamintDatasetException: Both include and exclude are given for a kind, or a string in place of a list.
    """

    include_annotators: Names | None = None
    exclude_annotators: Names | None = None
    include_segmentation_names: Names | None = None
    exclude_segmentation_names: Names | None = None
    include_image_label_names: Names | None = None
    exclude_image_label_names: Names | None = None
    include_frame_label_names: Names | None = None
    exclude_frame_label_names: Names | None = None
    allow_external_annotations: bool = False
    published_only: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str):
                raise DatamintDatasetException(
                    f"`{field.name}` is a list of names; found the single string {value!r}. Write [{value!r}]."
                )
            if value is not None and not isinstance(value, bool | tuple):
                object.__setattr__(self, field.name, tuple(value))
        for kind in _KINDS:
            include, exclude = f"include_{kind}", f"exclude_{kind}"
            if getattr(self, include) is not None and getattr(self, exclude) is not None:
                raise DatamintDatasetException(f"Give either `{include}` or `{exclude}`, not both.")


@dataclass(frozen=True)
class _NameRule:
    """Which names of one kind pass; None is no rule."""

    known: Collection[str] | None
    include: Names | None = None
    exclude: Names | None = None

    def allows(self, name: str) -> bool:
        return (
            (self.known is None or name in self.known)
            and (self.include is None or name in self.include)
            and (self.exclude is None or name not in self.exclude)
        )

    def sql(self, column: str, prefix: str, parameters: dict[str, Any]) -> str:
        """The same as a condition on `column`; lists become JSON parameters named after `prefix`."""
        conditions = []
        for part, names, operator in (
            ("known", self.known, "IN"),
            ("include", self.include, "IN"),
            ("exclude", self.exclude, "NOT IN"),
        ):
            if names is not None:
                parameters[f"{prefix}_{part}"] = json.dumps(sorted(names))
                conditions.append(f"{column} {operator} (SELECT j.value FROM json_each(:{prefix}_{part}) AS j)")
        return f"({' AND '.join(conditions)})" if conditions else "1"


@dataclass(frozen=True)
class _Rules:
    """The rule of a selection for each kind of name."""

    annotator: _NameRule
    segmentation: _NameRule
    image_label: _NameRule
    frame_label: _NameRule
    category: _NameRule


def _rules(s: Selection, space: LabelSpace) -> _Rules:
    """The selection as rules; names outside the space pass only where external annotations are allowed."""
    external = s.allow_external_annotations
    return _Rules(
        annotator=_NameRule(None, s.include_annotators, s.exclude_annotators),
        segmentation=_NameRule(
            None if external else space.segmentation_codes, s.include_segmentation_names, s.exclude_segmentation_names
        ),
        image_label=_NameRule(
            None if external else space.image_label_positions, s.include_image_label_names, s.exclude_image_label_names
        ),
        frame_label=_NameRule(
            None if external else space.frame_label_positions, s.include_frame_label_names, s.exclude_frame_label_names
        ),
        category=_NameRule(None if external else space.category_identifiers),
    )


def keeps(selection: Selection, space: LabelSpace, annotation: Annotation) -> bool:
    """Whether a dataset with this selection and label space keeps the annotation.

    Annotator lists go by `created_by`. Masks, labels and categories need a name of the label space (unless external
    annotations are allowed) that passes the lists of its kind; every other type is kept.

    Example:
        >>> space = LabelSpace({"lung": 1}, (), (), ())  # no labels, no categories
        >>> [keeps(Selection(), space, each) for each in dataset.resource_annotations[0]]
        [False, False, True]
    """
    return keeper(selection, space)(annotation)


def keeper(selection: Selection, space: LabelSpace) -> Callable[[Annotation], bool]:
    """`keeps` for many annotations.

    Example:
        >>> kept = keeper(Selection(), LabelSpace({"lung": 1}, (), (), ()))
        >>> [kept(each) for each in dataset.resource_annotations[0]]
        [False, False, True]
    """
    rules, published_only = _rules(selection, space), selection.published_only

    def kept(annotation: Annotation) -> bool:
        if published_only and annotation.status != "published":
            return False
        if annotation.created_by is not None and not rules.annotator.allows(annotation.created_by):
            return False
        match annotation.annotation_type:
            case "segmentation":
                return rules.segmentation.allows(annotation.identifier)
            case "label" if is_of_one_frame(annotation):
                return rules.frame_label.allows(annotation.identifier)
            case "label":
                return rules.image_label.allows(annotation.identifier)
            case "category":
                return rules.category.allows(annotation.identifier)
        return True

    return kept


def sql_condition(selection: Selection, space: LabelSpace) -> tuple[str, dict[str, Any]]:
    """`keeps` as a SQLite condition and its named parameters (each list one JSON string).

    The condition reads the columns `author` (the creator, NULL where there is none), `type`, `identifier`,
    `of_one_frame` and `status`. It needs SQLite's JSON functions, which every supported Python ships.

    Example:
        >>> space = LabelSpace({"liver": 1}, (), (), ())
        >>> condition, parameters = sql_condition(Selection(exclude_annotators=("ana@lab.example",)), space)
        >>> parameters["selection_annotator_exclude"]
        '["ana@lab.example"]'
    """
    rules, parameters = _rules(selection, space), dict[str, Any]()

    def of(rule: _NameRule, kind: str, column: str = "identifier") -> str:
        return rule.sql(column, f"selection_{kind}", parameters)

    condition = (
        f"{_PUBLISHED_SQL if selection.published_only else '1'}"
        f" AND (author IS NULL OR {of(rules.annotator, 'annotator', 'author')}) AND CASE"
        f" WHEN type = 'segmentation' THEN {of(rules.segmentation, 'segmentation')}"
        f" WHEN type = 'label' AND {OF_ONE_FRAME_SQL}"
        f" THEN {of(rules.frame_label, 'frame_label')}"
        f" WHEN type = 'label' THEN {of(rules.image_label, 'image_label')}"
        f" WHEN type = 'category' THEN {of(rules.category, 'category')}"
        " ELSE 1 END"
    )
    return f"({condition})", parameters
