"""The walk of one item: row, pixels, targets, dict."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from datamint_like.annotations import is_of_one_frame
from datamint_like.dataset.metainfo import metainfo_of, slice_metainfo_of
from datamint_like.dataset.options import Output
from datamint_like.dataset.reader import Reader
from datamint_like.dataset.slice_reader import Slice, SliceReader
from datamint_like.dataset.targets import label_targets, segmentation_targets
from datamint_like.entities import Annotation, Resource

Item = dict[str, Any]


def whole_item(reader: Reader, row: int, output: Output) -> Item:
    """The item of a whole image, volume or video."""
    resource = reader.prepared.snapshot.resource(row)
    annotations = reader.annotations(row)
    decoded = reader.image(row)
    masks = reader.masks(row) if output.return_segmentations else {}
    if decoded.facts.kind == "image":
        image, masks = decoded.array[:, 0], {author: (m[:, 0], codes) for author, (m, codes) in masks.items()}
        num_frames = None
    else:
        image, num_frames = decoded.array, decoded.facts.shape[0]
    item: Item = {"image": torch.from_numpy(own(image, shared=False))}
    item |= segmentation_targets(masks, image.shape[1:], reader.prepared.space, output)
    item |= label_targets(annotations, reader.prepared.space, output, num_frames=num_frames)
    return item | _objects(output, metainfo_of(decoded, reader.units(decoded.facts)), annotations, resource)


def slice_item(slices: SliceReader, wanted: Slice, output: Output) -> Item:
    """The item of a slice: exactly the cut of its volume's item."""
    reader, volume, frame = slices.reader, wanted.volume, wanted.stored_frame
    annotations = reader.annotations(volume.row)
    image = slices.image(wanted)
    masks = slices.masks(wanted, annotations) if output.return_segmentations else {}
    item: Item = {"image": torch.from_numpy(own(image, shared=True))}
    item |= segmentation_targets(masks, image.shape[1:], reader.prepared.space, output)
    item |= label_targets(
        annotations,
        reader.prepared.space,
        output,
        num_frames=volume.facts.shape[0],
        frame=-1 if frame is None else frame,
    )
    if not output.return_objects:
        return item
    resource = reader.prepared.snapshot.resource(volume.row)
    metainfo = slice_metainfo_of(volume.place, volume.axis, wanted.index, reader.units(volume.facts))
    return item | _objects(output, metainfo, _applying(annotations, frame), sliced_resource(resource, wanted))


def sliced_resource(resource: Resource, wanted: Slice) -> Resource:
    """The resource as its slice or frame shows it: with axis and index of a slice, and the stored frame it is."""
    return msgspec.structs.replace(
        resource,
        slice_axis=wanted.volume.plane_name,
        slice_index=None if wanted.volume.plane_name is None else wanted.index,
        frame_index=wanted.stored_frame,
    )


def own(array: npt.NDArray[Any], *, shared: bool) -> npt.NDArray[Any]:
    """A contiguous, writable array in native byte order; a copy wherever `array` is not that already, or is shared.

    What an item holds is the user's to change, and must change nothing else.
    """
    native = array.dtype.newbyteorder("=")
    if shared:
        return np.array(array, dtype=native, order="C", copy=True)
    return np.require(array, dtype=native, requirements=["C", "W"])


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
