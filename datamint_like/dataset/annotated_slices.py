"""On which slices of a volume (or frames of a video) something is marked: a mask, a frame label, a box.

Where an annotation names its frame and frames are what is cut, nothing is read. Masks of whole volumes, and frame
masks where slices run across the frames, are counted once, when their slices are packed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from datamint_like.annotations import BOX_TYPE, OF_ONE_FRAME_SQL, is_box, is_of_one_frame
from datamint_like.dataset.boxes import EVERY_PLANE, placed_box
from datamint_like.dataset.prepared import Prepared
from datamint_like.dataset.slice_reader import SliceReader, Volume
from datamint_like.entities import Annotation

Flags = npt.NDArray[np.bool_]


def rows_with_marks(prepared: Prepared) -> npt.NDArray[np.int64]:
    """The rows, ascending, with a kept mask, frame label or box."""
    marks = f"type IN ('segmentation', '{BOX_TYPE}') OR (type = 'label' AND {OF_ONE_FRAME_SQL})"
    return prepared.snapshot.annotated_rows(f"({prepared.condition}) AND ({marks})", prepared.values)


def annotated_planes(slices: SliceReader, row: int) -> Flags:
    """For each slice of a row whether a kept mask, frame label or box lies on it.

    A mask of one frame marks its frame, and a box the slices whose items hold it: that of its plane, or each where it
    names no frame; none across its plane. Where slices run across the frames, a mask marks those on which it has a
    voxel. A box that cannot be placed marks none.
    """
    volume, annotations = slices.volume(row), slices.reader.annotations(row)
    found = np.zeros(volume.count, dtype=np.bool_)
    along = volume.axis == volume.place.frame_axis
    unread = []
    for each in annotations:
        box = is_box(each)
        if along and is_of_one_frame(each) and (box or each.is_segmentation() or each.is_label()):
            _mark(found, volume.slice_of_frame(each.frame_index or 0))
        elif box:
            _mark_box(found, volume, each)
        elif each.is_segmentation():
            unread.append(each)
    if unread:
        for mask in slices.mask_voxels(volume, annotations):
            found |= mask.counts > 0
    return found


def _mark(found: Flags, index: int) -> None:
    """Mark a slice, where there is one of this number."""
    if 0 <= index < len(found):
        found[index] = True


def _mark_box(found: Flags, volume: Volume, annotation: Annotation) -> None:
    box = placed_box(annotation, volume.place, volume.orientation)
    if box is None or box.axis != volume.axis:
        return
    if box.index == EVERY_PLANE:
        found[:] = True
    else:
        _mark(found, box.index)
