"""One item before its transforms: row, pixels, masks, labels, and what is said of them."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from datamint_like.annotations import is_of_one_frame
from datamint_like.dataset.boxes import box_targets, slice_box_targets
from datamint_like.dataset.metainfo import metainfo_of, slice_metainfo_of
from datamint_like.dataset.options import Output
from datamint_like.dataset.reader import Masks, Reader
from datamint_like.dataset.slice_reader import Slice, SliceReader
from datamint_like.dataset.targets import label_targets
from datamint_like.dataset.tensors import read_only
from datamint_like.entities import Annotation, Resource
from datamint_like.exceptions import DatamintDatasetException

Item = dict[str, Any]


def raw_item(reader: Reader, row: int, output: Output) -> Item:
    """The arrays of a whole image, volume or video before transforms, with all else that its item holds.

    `image` (C, D, H, W), of an image with D = 1; `segmentations` and `seg_labels` by author, whatever the output is;
    `boxes`, with labels and planes, where they are asked for.
    """
    record = reader.record(row)
    decoded, annotations = reader.image(record), record.annotations
    masks = reader.masks(record) if output.return_segmentations else {}
    num_frames = None if decoded.facts.kind == "image" else decoded.facts.shape[0]
    return (
        _arrays(decoded.array, masks)
        | label_targets(annotations, reader.prepared.space, output, num_frames=num_frames)
        | box_targets(annotations, reader.prepared.space, output, decoded, reader.options.read.orientation)
        | _objects(output, metainfo_of(decoded, reader.units(decoded.facts)), annotations, record.resource)
    )


def raw_slice_item(slices: SliceReader, wanted: Slice, output: Output, neighbors: int = 0) -> Item:
    """The arrays of a slice before transforms, exactly the cut of its volume's, with all else that its item holds.

    `image` (C, H, W), of a slice with neighbours (C * (2 * neighbors + 1), H, W);
    `segmentations` and `seg_labels` by author, whatever the output is.
    The arrays are shared, and so read-only.
    """
    reader, volume, frame = slices.reader, wanted.volume, wanted.stored_frame
    resource, annotations = reader.annotated_resource(volume.row)
    masks = slices.masks(wanted, annotations) if output.return_segmentations else {}
    shared = {author: (read_only(stack), codes) for author, (stack, codes) in masks.items()}
    item = _arrays(_with_neighbors(slices, wanted, neighbors), shared) | label_targets(
        annotations,
        reader.prepared.space,
        output,
        num_frames=volume.facts.shape[0],
        frame=-1 if frame is None else frame,
    )
    item |= slice_box_targets(
        annotations,
        reader.prepared.space,
        output,
        volume.place,
        reader.options.read.orientation,
        axis=volume.axis,
        index=wanted.index,
    )
    if not output.return_objects:
        return item
    metainfo = slice_metainfo_of(volume.place, volume.axis, wanted.index, reader.units(volume.facts))
    return item | _objects(output, metainfo, _applying(annotations, frame), sliced_resource(resource, wanted))


def _with_neighbors(slices: SliceReader, wanted: Slice, neighbors: int) -> npt.NDArray[Any]:
    """The values of a slice between those of its neighbours, as channels; the ends of the volume are repeated."""
    if not neighbors:
        return read_only(slices.image(wanted))
    volume, last = wanted.volume, wanted.volume.count - 1
    shown = volume.facts.channels * (2 * neighbors + 1) * math.prod(volume.shape) // volume.count
    if shown > slices.reader.options.read.max_voxels:
        raise DatamintDatasetException(
            f"{volume.filename}: with neighbors={neighbors} a slice has {shown} values, the limit is "
            f"{slices.reader.options.read.max_voxels}. Ask for fewer neighbours."
        )
    around = range(wanted.index - neighbors, wanted.index + neighbors + 1)
    return np.concatenate([slices.image(Slice(volume, min(max(n, 0), last))) for n in around])


def _arrays(image: npt.NDArray[Any], masks: Masks) -> Item:
    return {
        "image": image,
        "segmentations": {author: stack for author, (stack, _) in masks.items()},
        "seg_labels": {author: codes for author, (_, codes) in masks.items()},
    }


def sliced_resource(resource: Resource, wanted: Slice) -> Resource:
    """The resource as its slice or frame shows it: with axis and index of a slice, and the stored frame it is."""
    return msgspec.structs.replace(
        resource,
        slice_axis=wanted.volume.plane_name,
        slice_index=None if wanted.volume.plane_name is None else wanted.index,
        frame_index=wanted.stored_frame,
    )


def _applying(annotations: list[Annotation], frame: int | None) -> list[Annotation]:
    """Those of the whole volume, those of this stored frame, and masks of frames that the slice cuts."""
    return [
        each
        for each in annotations
        if not is_of_one_frame(each) or each.frame_index == frame or (frame is None and each.is_segmentation())
    ]


def _objects(output: Output, metainfo: dict[str, Any], annotations: list[Annotation], resource: Resource) -> Item:
    if not output.return_objects:
        return {}
    item: Item = {"metainfo": metainfo} if output.return_metainfo else {}
    return item | {"annotations": annotations, "resource": resource}
