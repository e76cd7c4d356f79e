"""Boxes of an item: from stored corners to x and y of the item's own planes, whole or cut into slices.

Coordinates are array indices: the centre of the first pixel is (0, 0), as for `metainfo["affine"]` and as boxes are
stored. The pixels of a box are those whose centre lies in it, its edge included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from datamint_like.annotations import LabelSpace, StoredBox, is_box, stored_box
from datamint_like.dataset.locations import Location, inside
from datamint_like.dataset.options import Output
from datamint_like.entities import Annotation
from datamint_like.exceptions import DatamintDatasetException
from datamint_like.imaging import turn_of
from datamint_like.imaging.types import HeaderFacts, Orientation, Place

#: The keys of an item that are boxes; each is a mapping of author to an array with one row a box.
BOX_KEYS = ("boxes", "box_labels", "box_planes")
#: The plane of a box that belongs to every frame.
EVERY_PLANE = -1
_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Placed:
    """A box in the item's array.

    Attributes:
        author: Whose it is.
        code: What it is.
        low, high: Its least and greatest index along D, H and W.
        axis: The axis that its plane is square to.
        index: Which plane along it; -1 for every one.
    """

    author: str
    code: int
    low: Numbers
    high: Numbers
    axis: int
    index: int

    @property
    def xyxy(self) -> list[float]:
        """x1, y1, x2, y2 in its plane, whose rows lie along the first of the other two axes."""
        y, x = (axis for axis in range(3) if axis != self.axis)
        return [self.low[x], self.low[y], self.high[x], self.high[y]]


def box_targets(
    annotations: Iterable[Annotation],
    space: LabelSpace,
    output: Output,
    place: Place,
    orientation: Orientation,
) -> dict[str, Any]:
    """`boxes`, `box_labels` and, of a volume or video, `box_planes` of a whole item; nothing where not asked for.

    Author -> float32 (n, 4) x1, y1, x2, y2; author -> int64 (n,); author -> int64 (n, 2), axis and index of the plane.
    """
    if not output.return_boxes:
        return {}
    placed = _placed(annotations, space, place, orientation)
    return _by_author(placed, {box.author for box in placed}, planes=place.facts.kind != "image")


def slice_box_targets(
    annotations: Iterable[Annotation],
    space: LabelSpace,
    output: Output,
    place: Place,
    orientation: Orientation,
    *,
    axis: int,
    index: int,
) -> dict[str, Any]:
    """`boxes` and `box_labels` of a slice: those that lie in it. It keeps its volume's authors."""
    if not output.return_boxes:
        return {}
    placed = _placed(annotations, space, place, orientation)
    inside = [box for box in placed if box.axis == axis and box.index in (index, EVERY_PLANE)]
    return _by_author(inside, {box.author for box in placed}, planes=False)


def patch_box_targets(
    annotations: Iterable[Annotation],
    space: LabelSpace,
    output: Output,
    place: Place,
    orientation: Orientation,
    *,
    location: Location,
) -> dict[str, Any]:
    """`boxes`, `box_labels` and `box_planes` of a patch, in its own voxels: what it holds of its volume's boxes.

    A box stays where the patch crosses its plane and overlaps it there, clipped to the voxels that patch and volume
    share, half a voxel around their centres. The patch keeps its volume's authors.
    """
    if not output.return_boxes:
        return {}
    placed = _placed(annotations, space, place, orientation)
    kept, _ = inside(location, turn_of(place.facts, orientation).shape(place.facts.shape))
    held = [box for box in placed if _overlaps(box, kept)]
    moved = [_clipped(box, kept, np.array([start for start, _ in location])) for box in held]
    return _by_author(moved, {box.author for box in placed}, planes=True)


def _overlaps(box: Placed, voxels: Location) -> bool:
    """Whether a box shares more than an edge with a block of voxels."""
    plane = voxels[box.axis]
    return (box.index == EVERY_PLANE or plane[0] <= box.index < plane[1]) and all(
        box.low[axis] < stop - 0.5 and box.high[axis] > start - 0.5
        for axis, (start, stop) in enumerate(voxels)
        if axis != box.axis
    )


def _clipped(box: Placed, voxels: Location, origin: npt.NDArray[np.int64]) -> Placed:
    """The part of a box that lies in a block of voxels, in indices from `origin`."""
    edges = np.array(voxels, dtype=np.float64).T - 0.5
    low, high = (np.clip(corner, *edges) - origin for corner in (box.low, box.high))
    index = box.index if box.index == EVERY_PLANE else box.index - int(origin[box.axis])
    return replace(box, low=low, high=high, index=index)


def placed_box(annotation: Annotation, place: Place, orientation: Orientation) -> Placed | None:
    """The box of an annotation, with code 0; None where it cannot be placed in its item."""
    try:
        return _in_item(stored_box(annotation), 0, place, orientation)
    except DatamintDatasetException:  # whoever asks for boxes is told which annotation to mend
        return None


def _placed(
    annotations: Iterable[Annotation], space: LabelSpace, place: Place, orientation: Orientation
) -> list[Placed]:
    return [
        _in_item(stored_box(each), space.box_codes[each.identifier], place, orientation)
        for each in annotations
        if is_box(each)
    ]


def _by_author(placed: list[Placed], authors: Iterable[str], *, planes: bool) -> dict[str, Any]:
    item: dict[str, Any] = {"boxes": {}, "box_labels": {}} | ({"box_planes": {}} if planes else {})
    for author in sorted(authors):
        own = [box for box in placed if box.author == author]
        item["boxes"][author] = np.array([box.xyxy for box in own], dtype=np.float32).reshape(-1, 4)
        item["box_labels"][author] = np.array([box.code for box in own], dtype=np.int64)
        if planes:
            rows = [(box.axis, box.index) for box in own]
            item["box_planes"][author] = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return item


def _in_item(box: StoredBox, code: int, place: Place, orientation: Orientation) -> Placed:
    facts = place.facts
    frame = box.frame
    if frame is not None and not 0 <= frame < facts.shape[0]:
        raise _outside(box, f"is on frame {frame}; the resource has frames 0 to {facts.shape[0] - 1}")
    if box.system == "pixel":
        corners = _of_pixels(box, facts, orientation)
    elif place.affine is None:
        raise _outside(box, "is in patient coordinates, and the resource has no geometry")
    else:
        corners = _of_patient(box.corners * _LPS_TO_RAS, place)
    low, high = corners.min(axis=0), corners.max(axis=0)
    axis, index = _plane_of(box, low, high, place)
    placed = Placed(box.author, code, low, high, axis, index)
    _check_inside(box, placed, turn_of(facts, orientation).shape(facts.shape))
    return placed


def _check_inside(box: StoredBox, placed: Placed, shape: tuple[int, int, int]) -> None:
    """Refuse a box whose plane is not there, or that shares nothing with the pixels of its plane."""
    there = EVERY_PLANE <= placed.index < shape[placed.axis]
    if not there or (placed.index == EVERY_PLANE and box.system == "patient"):
        raise _outside(box, "lies outside of the resource")
    d, h, w = ((0, size) for size in shape)
    if not _overlaps(placed, (d, h, w)):
        raise _outside(box, "lies outside of the resource, beside the pixels of its plane")


def _plane_of(box: StoredBox, low: Numbers, high: Numbers, place: Place) -> tuple[int, int]:
    """Axis and index of the plane of a box: that of its frame, else the flattest, closest to its centre."""
    axis, facts = place.frame_axis, place.facts
    if box.frame is not None:
        return axis, facts.shape[0] - 1 - box.frame if place.frame_flipped else box.frame
    if box.system == "pixel":
        return axis, 0 if facts.kind == "image" or facts.shape[0] == 1 else EVERY_PLANE
    if facts.kind == "image":
        return axis, _nearest(low[axis], high[axis])
    thickness = (high - low) * np.array(place.spacing)
    thickness[axis] -= 1e-6  # of equals the acquisition's plane
    axis = int(thickness.argmin())
    return axis, _nearest(low[axis], high[axis])


def _nearest(low: float, high: float) -> int:
    return int(np.floor((low + high) / 2 + 0.5))


def _of_pixels(box: StoredBox, facts: HeaderFacts, orientation: Orientation) -> Numbers:
    """(n, 3) indices of the item of x and y of a stored frame."""
    frames = np.full(len(box.corners), float(box.frame or 0))
    stored = np.column_stack([frames, box.corners[:, 1], box.corners[:, 0]])
    turn = turn_of(facts, orientation)
    item = stored[:, turn.axes]
    last = np.array(turn.shape(facts.shape), dtype=np.float64) - 1
    return np.where(turn.flips, last - item, item)


def _of_patient(points: Numbers, place: Place) -> Numbers:
    """(n, 3) indices of the item of RAS+ mm; in an uneven series the plane is the closest, by its own place."""
    assert place.affine is not None
    inverse = np.linalg.inv(place.affine.matrix[:3, :3])
    if place.plane_origins is None:
        found: Numbers = (points - place.affine.matrix[:3, 3]) @ inverse.T
        return found
    axis, last = place.frame_axis, len(place.plane_origins) - 1
    steps: Numbers = (points[:, None] - place.plane_origins[None]) @ inverse.T
    nearest = np.abs(steps[:, :, axis]).argmin(axis=1)
    found = steps[np.arange(len(points)), nearest]
    beyond = np.where(nearest == 0, np.minimum(found[:, axis], 0), 0)
    beyond = np.where(nearest == last, np.maximum(found[:, axis], 0), beyond)
    found[:, axis] = nearest + beyond
    return found


def _outside(box: StoredBox, why: str) -> DatamintDatasetException:
    system = " Patient coordinates are LPS+ mm: x to the left, y to the back, z to the head."
    return DatamintDatasetException(
        f"The box {box.name!r} (annotation {box.annotation_id}) {why}.{system if box.system == 'patient' else ''} "
        "Delete or correct that annotation."
    )
