"""One patch of a volume before its transforms, from the slices that it crosses and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from datamint_like.annotations import is_of_one_frame
from datamint_like.dataset.boxes import patch_box_targets
from datamint_like.dataset.item import Item
from datamint_like.dataset.locations import Location, inside
from datamint_like.dataset.metainfo import patch_metainfo_of
from datamint_like.dataset.options import Output
from datamint_like.dataset.slice_reader import Slice, SliceReader, Volume
from datamint_like.dataset.targets import label_targets
from datamint_like.entities import Annotation
from datamint_like.exceptions import DatamintDatasetException

Array = npt.NDArray[Any]


def raw_patch_item(slices: SliceReader, volume: Volume, location: Location, output: Output, pad_value: float) -> Item:
    """The arrays of a patch before transforms, with all else that its item holds.

    `image` (C, d, h, w); `segmentations` (n, d, h, w) and `seg_labels` by author, whatever the output is;
    `location` int64 (3, 2); `frame_labels` those of the stored planes that the patch crosses, in stored order;
    `boxes`, with labels and planes, where they are asked for.
    """
    reader = slices.reader
    resource, annotations = reader.annotated_resource(volume.row)
    masks = _masks(slices, volume, location, annotations) if output.return_segmentations else {}
    targets = label_targets(annotations, reader.prepared.space, output, num_frames=volume.facts.shape[0])
    frames = _frames(volume, location)
    item: Item = {
        "image": _image(slices, volume, location, pad_value),
        "segmentations": {author: stack for author, (stack, _) in masks.items()},
        "seg_labels": {author: codes for author, (_, codes) in masks.items()},
        **targets,
        "frame_labels": _of_frames(targets["frame_labels"], frames),
        "location": torch.tensor(location, dtype=torch.int64),
        **_boxes(slices, volume, location, annotations, output),
    }
    if not output.return_objects:
        return item
    if output.return_metainfo:
        item["metainfo"] = patch_metainfo_of(volume.place, location, reader.units(volume.facts))
    item["annotations"] = [each for each in annotations if not is_of_one_frame(each) or each.frame_index in frames]
    return item | {"resource": resource}


def _boxes(
    slices: SliceReader, volume: Volume, location: Location, annotations: list[Annotation], output: Output
) -> dict[str, Any]:
    space = slices.reader.prepared.space
    return patch_box_targets(annotations, space, output, volume.place, volume.orientation, location=location)


def voxel_of_class(
    slices: SliceReader, volume: Volume, name: str, generator: np.random.Generator
) -> tuple[int, int, int] | None:
    """A voxel (d, h, w) of the masks of a class, drawn evenly; None where they have none.

    The masks of all annotators count, so a voxel that two have marked is drawn twice as often. One slice is read.
    """
    annotations = slices.reader.annotations(volume.row)
    masks = [mask for mask in slices.mask_voxels(volume, annotations) if mask.name == name]
    if not masks:
        return None
    ends = np.cumsum(np.concatenate([mask.counts for mask in masks]))
    if not ends[-1]:
        return None
    drawn = int(generator.integers(ends[-1]))
    found = int(np.searchsorted(ends, drawn, side="right"))
    mask, plane = masks[found // volume.count], found % volume.count
    before = int(ends[found - 1]) if found else 0
    stack, _ = slices.masks(Slice(volume, plane), annotations)[mask.author]
    place = int(np.flatnonzero(stack[mask.number])[drawn - before])
    h, w = divmod(place, volume.shape[2])
    return plane, h, w


def _image(slices: SliceReader, volume: Volume, location: Location, pad_value: float) -> Array:
    return _block(
        [slices.image(Slice(volume, n)) for n in range(*inside(location, volume.shape)[0][0])],
        volume,
        location,
        pad_value,
    )


def _masks(
    slices: SliceReader, volume: Volume, location: Location, annotations: Sequence[Annotation]
) -> dict[str, tuple[Array, Array]]:
    planes = [slices.masks(Slice(volume, n), annotations) for n in range(*inside(location, volume.shape)[0][0])]
    return {
        author: (_block([plane[author][0] for plane in planes], volume, location, 0), codes.copy())
        for author, (_, codes) in planes[0].items()
    }


def _block(planes: list[Array], volume: Volume, location: Location, pad_value: float) -> Array:
    """The patch (n, d, h, w) of the slices (n, H, W) that it crosses; what lies outside the volume is `pad_value`."""
    (_, h, w), (d0, h0, w0) = inside(location, volume.shape)
    kept = (len(planes), h[1] - h[0], w[1] - w[0])
    size = tuple(stop - start for start, stop in location)
    first = planes[0]
    block = np.empty((len(first), *size), first.dtype)
    if kept != size:
        block[...] = fitting(pad_value, first.dtype, volume.filename)
    for n, plane in enumerate(planes, start=d0):
        block[:, n, h0 : h0 + kept[1], w0 : w0 + kept[2]] = plane[:, h[0] : h[1], w[0] : w[1]]
    return block


def fitting(pad_value: float, dtype: np.dtype[Any], filename: str) -> Any:
    """The value in the type of the image of a file.

    Raises:
        DatamintDatasetException: The type does not hold it.
    """
    limits: Any = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    number = float if dtype.kind == "f" else int  # a comparison in the type itself would overflow
    if not (number(limits.min) <= pad_value <= number(limits.max) and pad_value == number(pad_value)):
        raise DatamintDatasetException(
            f"pad_value={pad_value!r} does not fit the image's type, {dtype}, of {filename}, which is smaller than the "
            "patch. Give another, or a dtype= to the volume dataset."
        )
    return dtype.type(pad_value)


def _frames(volume: Volume, location: Location) -> range:
    """The stored planes that a patch crosses, ascending; those beyond the volume too."""
    place = volume.place
    start, stop = location[place.frame_axis]
    if place.frame_flipped:
        start, stop = volume.facts.shape[0] - stop, volume.facts.shape[0] - start
    return range(start, stop)


def _of_frames(labels: Mapping[str, torch.Tensor] | torch.Tensor, frames: range) -> Any:
    """The rows of frame labels (F, L) of these frames, zeros where there are none."""
    if not isinstance(labels, torch.Tensor):
        return {author: _of_frames(own, frames) for author, own in labels.items()}
    first, last = max(0, frames.start), min(len(labels), frames.stop)
    rows = torch.zeros((len(frames), labels.shape[1]), dtype=labels.dtype)
    rows[first - frames.start : last - frames.start] = labels[first:last]
    return rows
