"""The walk of one item: row, pixels, targets, dict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from datamint_like.dataset.metainfo import metainfo_of, slice_metainfo_of
from datamint_like.dataset.options import Output
from datamint_like.dataset.reader import Masks, Reader
from datamint_like.dataset.targets import label_targets, segmentation_targets
from datamint_like.entities import Annotation, Resource
from datamint_like.imaging.types import Decoded

Item = dict[str, Any]
AXIS_NAMES: tuple[Literal["axial", "coronal", "sagittal"], ...] = ("axial", "coronal", "sagittal")


@dataclass(frozen=True)
class Plane:
    """One slice: `index` along canonical `axis` (0 D, 1 H, 2 W)."""

    axis: int
    index: int


def whole_item(reader: Reader, row: int, output: Output) -> Item:
    """The item of a whole image, volume or video."""
    resource = reader.prepared.snapshot.resource(row)
    annotations = reader.annotations(row)
    decoded = reader.image(row, resource)
    masks = reader.masks(row, resource) if output.return_segmentations else {}
    if decoded.facts.kind == "image":
        image, masks = decoded.array[:, 0], {author: (m[:, 0], codes) for author, (m, codes) in masks.items()}
        num_frames = None
    else:
        image, num_frames = decoded.array, decoded.facts.shape[0]
    item: Item = {"image": owned_tensor(image)}
    item |= segmentation_targets(masks, image.shape[1:], reader.prepared.space, output)
    item |= label_targets(annotations, reader.prepared.space, output, num_frames=num_frames)
    return item | _objects(output, metainfo_of(decoded), annotations, resource)


def slice_item(reader: Reader, row: int, plane: Plane, output: Output) -> Item:
    """The item of one slice: exactly the cut of its volume's item."""
    resource = reader.prepared.snapshot.resource(row)
    decoded = reader.kept_image(row, resource)
    masks = reader.kept_masks(row, resource) if output.return_segmentations else {}
    image = np.take(decoded.array, plane.index, axis=1 + plane.axis)
    frame = stored_frame(decoded, plane)
    annotations = reader.annotations(row)
    item: Item = {"image": owned_tensor(image)}
    item |= segmentation_targets(_cut(masks, plane), image.shape[1:], reader.prepared.space, output)
    item |= label_targets(annotations, reader.prepared.space, output, num_frames=decoded.facts.shape[0], frame=frame)
    resource = msgspec.structs.replace(
        resource, slice_axis=AXIS_NAMES[plane.axis], slice_index=plane.index, frame_index=frame if frame >= 0 else None
    )
    applying = _annotations_on(annotations, plane, decoded)
    return item | _objects(output, slice_metainfo_of(decoded, plane.axis, plane.index), applying, resource)


def stored_frame(decoded: Decoded, plane: Plane) -> int:
    """The stored plane that a slice is, or -1 where slices run across the stored planes."""
    if plane.axis != decoded.frame_axis:
        return -1
    return decoded.facts.shape[0] - 1 - plane.index if decoded.frame_flipped else plane.index


def owned_tensor(array: npt.NDArray[Any]) -> torch.Tensor:
    """A tensor with memory of its own, in native byte order, so that changing it changes nothing else."""
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C", copy=True))


def _cut(masks: Masks, plane: Plane) -> Masks:
    return {author: (np.take(m, plane.index, axis=1 + plane.axis), codes) for author, (m, codes) in masks.items()}


def _annotations_on(annotations: list[Annotation], plane: Plane, decoded: Decoded) -> list[Annotation]:
    """Those of the whole volume, those of this stored frame, and masks of frames that the slice cuts."""
    frame = stored_frame(decoded, plane)
    return [
        a for a in annotations if a.frame_index is None or a.frame_index == frame or (frame < 0 and a.is_segmentation())
    ]


def _objects(output: Output, metainfo: dict[str, Any], annotations: list[Annotation], resource: Resource) -> Item:
    if not output.return_objects:
        return {}
    item: Item = {"metainfo": metainfo} if output.return_metainfo else {}
    return item | {"annotations": annotations, "resource": resource}
