"""Boxes through transforms: into the form that a transform takes, and back, with what became of each.

Items count from the centre of the first pixel; transforms count from its corner, so every coordinate gains half a pixel
on the way in and loses it on the way out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from datamint_like.exceptions import DatamintDatasetException

Numbers = npt.NDArray[np.float64]
_HOW = (
    "Write albumentations.Compose([...], bbox_params=albumentations.BboxParams(format='pascal_voc')), "
    "or leave return_boxes at False."
)


@dataclass(frozen=True)
class Boxes:
    """The boxes of an item, whoever drew them, on their way through transforms.

    Attributes:
        xyxy: (n, 4), from the centre of the first pixel.
        codes: (n,) what each is.
        number: (n,) the place that each had before any transform.
        across: Whether one lies in another plane than (H, W).
    """

    xyxy: Numbers
    codes: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    across: bool = False

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Boxes:
        """Those of an item's keys, one author after another."""
        own = list(item["boxes"].values())
        planes = np.concatenate([np.zeros((0, 2), np.int64), *item.get("box_planes", {}).values()])
        return cls(
            np.concatenate([np.zeros((0, 4)), *own]).astype(np.float64),
            np.concatenate([np.zeros(0, np.int64), *item["box_labels"].values()]),
            np.arange(sum(map(len, own))),
            bool((planes[:, 0] != 0).any()),
        )


def left_boxes(before: Mapping[str, Any], left: Boxes) -> dict[str, Any]:
    """An item's keys of boxes after transforms: dropped boxes drop their label and plane, authors stay."""
    after: dict[str, Any] = {key: {} for key in before}
    first = 0
    for author, own in before["boxes"].items():
        mine = (left.number >= first) & (left.number < first + len(own))
        after["boxes"][author] = left.xyxy[mine].astype(np.float32)
        for key in before.keys() - {"boxes"}:
            after[key][author] = before[key][author][left.number[mine] - first]
        first += len(own)
    return after


def check_takes_boxes(transform: Any) -> None:
    """Refuse an albumentations transform that was not told what boxes look like.

    Raises:
        DatamintDatasetException: It has no `bbox_params`.
    """
    if _params(transform) is None:
        raise DatamintDatasetException(
            f"return_boxes=True, but the transform {type(transform).__name__} has no bbox_params, so it would leave "
            f"the boxes behind. {_HOW}"
        )


def check_step_takes_boxes(step: Callable[..., Any]) -> None:
    """Refuse a dataset's own step of transforms that has no argument for boxes.

    Raises:
        DatamintDatasetException: It takes image and masks alone.
    """
    try:
        inspect.signature(step).bind(None, {}, None)
    except TypeError as error:
        raise DatamintDatasetException(
            f"return_boxes=True, but {step.__qualname__} takes no boxes. Write it as apply_alb_transform(self, img, "
            "segmentations, boxes=None), and return the key 'boxes' too, as super().apply_alb_transform(img, "
            "segmentations, boxes) does; or leave return_boxes at False."
        ) from error


def check_is_given_boxes(transform: Any) -> None:
    """Refuse a callable that has no argument for boxes.

    Raises:
        DatamintDatasetException: It takes neither `bboxes=` nor any keyword.
    """
    try:
        parameters = inspect.signature(transform).parameters.values()
    except (TypeError, ValueError):  # one written in C tells no signature
        return
    if not any(each.name == "bboxes" or each.kind is each.VAR_KEYWORD for each in parameters):
        raise DatamintDatasetException(
            f"return_boxes=True, but the transform {type(transform).__name__} takes no boxes: a callable gets them as "
            "bboxes= and bbox_ids= beside image= and masks=. Leave return_boxes at False, or use albumentations."
        )


def box_arguments(transform: Any, boxes: Boxes | None, size: tuple[int, int], *, flat: bool) -> dict[str, Any]:
    """What a call of an albumentations transform says of boxes: clipped to the picture, in its own format.

    A fifth column numbers them. Those that lie outside of the picture are left out.
    """
    params = _params(transform)
    if boxes is None:  # one that asks for boxes cannot be called without
        fields = () if params is None else params.label_fields or ()
        return {} if params is None else {"bboxes": np.zeros((0, 4)), **{name: [] for name in fields}}
    check_takes_boxes(transform)
    if not flat:
        _check_planes(transform, boxes)
    height, width = size
    limits = np.array([width, height, width, height], dtype=np.float64)
    edges = np.clip(boxes.xyxy + 0.5, 0, limits)
    seen = (edges[:, 2] > edges[:, 0]) & (edges[:, 3] > edges[:, 1])
    rows = np.column_stack([_to_format(edges[seen], params.format, limits), np.flatnonzero(seen)])
    return {"bboxes": rows, **{name: boxes.codes[seen].tolist() for name in params.label_fields or ()}}


def boxes_returned(transform: Any, boxes: Boxes | None, result: Mapping[str, Any], size: Sequence[int]) -> Boxes | None:
    """The boxes that came back of an albumentations transform, of a picture of this size (H, W)."""
    if boxes is None:
        return None
    rows = np.asarray(result["bboxes"], dtype=np.float64)
    if not len(rows):
        return _left(boxes, np.zeros((0, 4)), np.zeros(0, np.int64))
    limits = np.array([size[1], size[0], size[1], size[0]], dtype=np.float64)
    edges = _from_format(rows[:, :4], _params(transform).format, limits)
    return _left(boxes, edges - 0.5, np.rint(rows[:, 4]).astype(np.int64))


def boxes_of_callable(boxes: Boxes, result: Any) -> Boxes:
    """The boxes that a callable returned, which was given `bboxes` from the corner of the first pixel and `bbox_ids`.

    Raises:
        DatamintDatasetException: It returned none, or not which they are.
    """
    rows = result.get("bboxes")
    ids = result.get("bbox_ids", np.arange(len(boxes.xyxy)) if rows is not None else ())
    if rows is None or len(rows) != len(ids):
        raise DatamintDatasetException(
            f"The transform was given {len(boxes.xyxy)} boxes as 'bboxes' (n, 4) and 'bbox_ids' (n,) and must return "
            "both, with a row less for each box that it drops."
        )
    which = np.asarray(ids, dtype=np.int64).reshape(-1)
    return _left(boxes, np.asarray(rows, dtype=np.float64).reshape(-1, 4) - 0.5, which)


def _left(boxes: Boxes, xyxy: Numbers, which: npt.NDArray[np.int64]) -> Boxes:
    order = np.argsort(which, kind="stable")
    which = which[order]
    return replace(boxes, xyxy=xyxy[order], codes=boxes.codes[which], number=boxes.number[which])


def _params(transform: Any) -> Any:
    processors = getattr(transform, "processors", None) or {}
    return getattr(processors.get("bboxes"), "params", None)


def _check_planes(transform: Any, boxes: Boxes) -> None:
    """Boxes of volumes, videos and patches follow what happens within planes (H, W) alone."""
    if boxes.across or name_of_3d(transform):
        raise DatamintDatasetException(
            "Boxes of a volume, video or patch follow transforms within its planes (H, W) only, and this "
            f"{'box lies in another plane' if boxes.across else 'transform changes the depth'}. Cut it into slices "
            "(.slice(...), .frame_by_frame()), or leave return_boxes at False."
        )


def name_of_3d(transform: Any) -> str | None:
    """What this, or the first transform in it, that is one of albumentations' 3-D transforms is called, or None."""
    if any(kind.__name__ == "Transform3D" for kind in type(transform).__mro__):
        return type(transform).__name__
    inner = getattr(transform, "transforms", ())
    return next(filter(None, map(name_of_3d, inner if isinstance(inner, list | tuple) else ())), None)


def _to_format(edges: Numbers, form: str, limits: Numbers) -> Numbers:
    """x1, y1, x2, y2 in one of albumentations' formats."""
    if form == "pascal_voc":
        return edges
    if form == "albumentations":
        return edges / limits
    sides = edges[:, 2:] - edges[:, :2]
    if form == "coco":
        return np.column_stack([edges[:, :2], sides])
    return np.column_stack([(edges[:, :2] + edges[:, 2:]) / 2, sides]) / limits


def _from_format(rows: Numbers, form: str, limits: Numbers) -> Numbers:
    """x1, y1, x2, y2 of one of albumentations' formats."""
    if form == "pascal_voc":
        return rows
    if form == "albumentations":
        return rows * limits
    if form == "coco":
        return np.column_stack([rows[:, :2], rows[:, :2] + rows[:, 2:]])
    scaled = rows * limits
    return np.column_stack([scaled[:, :2] - scaled[:, 2:] / 2, scaled[:, :2] + scaled[:, 2:] / 2])
