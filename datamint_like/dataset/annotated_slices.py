"""On which slices of a volume (or frames of a video) something is marked: a mask, a frame label, a box.

Where an annotation names its frame and frames are what is cut, nothing is read. Masks of whole volumes, and frame
masks where slices run across the frames, are counted once, when their slices are packed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from datamint_like.annotations import OF_ONE_FRAME_SQL, is_of_one_frame
from datamint_like.dataset.prepared import Prepared
from datamint_like.dataset.slice_reader import SliceReader, Volume
from datamint_like.entities import Annotation
from datamint_like.imaging import turn_of
from datamint_like.imaging.types import HeaderFacts

Flags = npt.NDArray[np.bool_]
#: The annotation type of boxes.
_BOX = "square"


def rows_with_marks(prepared: Prepared) -> npt.NDArray[np.int64]:
    """The rows, ascending, with a kept mask, frame label or box."""
    marks = f"type IN ('segmentation', '{_BOX}') OR (type = 'label' AND {OF_ONE_FRAME_SQL})"
    return prepared.snapshot.annotated_rows(f"({prepared.condition}) AND ({marks})", prepared.values)


def annotated_planes(slices: SliceReader, row: int) -> Flags:
    """For each slice of a row whether a kept mask, frame label or box lies on it.

    A mask or box of one frame marks its frame. Where slices run across the frames, a mask marks those on which it has
    a voxel, and a box those that its corners span, each corner taken to the nearest plane; so does a box that names
    no frame. A box whose corners cannot be placed marks none of these.
    """
    volume, annotations = slices.volume(row), slices.reader.annotations(row)
    found = np.zeros(volume.count, dtype=np.bool_)
    along = volume.axis == volume.place.frame_axis
    unread = []
    for each in annotations:
        box = each.annotation_type == _BOX
        if along and is_of_one_frame(each) and (box or each.is_segmentation() or each.is_label()):
            _mark(found, *[volume.slice_of_frame(each.frame_index or 0)] * 2)
        elif box:
            _mark_box(found, volume, each)
        elif each.is_segmentation():
            unread.append(each)
    if unread:
        for mask in slices.mask_voxels(volume, annotations):
            found |= mask.counts > 0
    return found


def _mark(found: Flags, first: int, last: int) -> None:
    """Mark the slices from `first` to `last` that there are."""
    found[max(0, first) : max(0, last + 1)] = True


def _mark_box(found: Flags, volume: Volume, box: Annotation) -> None:
    corners = _corners(volume.facts, box)
    if not len(corners):
        return
    turn = turn_of(volume.facts, volume.orientation)
    stored_axis = turn.axes[volume.axis]
    spanned = corners[:, stored_axis]
    if turn.flips[volume.axis]:
        spanned = volume.facts.shape[stored_axis] - 1 - spanned
    _mark(found, int(np.rint(spanned.min())), int(np.rint(spanned.max())))


def _corners(facts: HeaderFacts, box: Annotation) -> npt.NDArray[np.float64]:
    """The corners of a box as stored index (k, j, i); none where its geometry cannot be placed."""
    geometry: Mapping[str, Any] = box.geometry if isinstance(box.geometry, Mapping) else {}
    pixels = geometry.get("coordinate_system", "pixel") == "pixel"
    try:
        points = np.array(geometry.get("points"), dtype=np.float64)
    except (TypeError, ValueError):  # a store keeps any JSON as geometry
        return np.zeros((0, 3))
    if points.ndim != 2 or points.shape[1] not in ((2, 3) if pixels else (3,)):
        return np.zeros((0, 3))
    if pixels:  # (x, y, frame)
        named = points[:, 2] if points.shape[1] == 3 else np.zeros(len(points))
        frames = named if box.frame_index is None else np.full(len(points), box.frame_index)
        return np.stack([frames, points[:, 1], points[:, 0]], axis=1)
    if facts.affine is None:
        return np.zeros((0, 3))
    patient = points * (-1, -1, 1)  # LPS+ to RAS+
    index: npt.NDArray[np.float64] = (
        np.linalg.solve(facts.affine.matrix, np.c_[patient, np.ones(len(patient))].T).T[:, :3].copy()
    )
    if facts.plane_origins is not None:
        index[:, 0] = _nearest_planes(patient, facts)
    return index


def _nearest_planes(points: npt.NDArray[np.float64], facts: HeaderFacts) -> Sequence[int]:
    """The plane of an unevenly spaced series that each point is nearest to, along the normal."""
    assert facts.affine is not None
    normal = np.cross(facts.affine.matrix[:3, 1], facts.affine.matrix[:3, 2])
    places = np.array(facts.plane_origins) @ normal
    return [int(np.abs(places - point @ normal).argmin()) for point in points]
