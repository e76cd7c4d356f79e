"""The walk of one item: row, pixels, targets, dict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from datamint_like.annotations import is_of_one_frame
from datamint_like.dataset.metainfo import metainfo_of, slice_metainfo_of
from datamint_like.dataset.options import Output
from datamint_like.dataset.reader import Reader
from datamint_like.dataset.targets import label_targets, segmentation_targets
from datamint_like.entities import Annotation, Resource
from datamint_like.imaging import frame_axis_of, required_facts
from datamint_like.imaging.types import HeaderFacts

Item = dict[str, Any]
AXIS_NAMES: tuple[Literal["axial", "coronal", "sagittal"], ...] = ("axial", "coronal", "sagittal")


@dataclass(frozen=True)
class Plane:
    """One slice: `index` along canonical `axis` (0 D, 1 H, 2 W)."""

    axis: int
    index: int

    def of(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The slice of an array (n, D, H, W), as a view (n, ...)."""
        return array[(slice(None),) * (1 + self.axis) + (self.index,)]


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
    item: Item = {"image": torch.from_numpy(own(image, shared=False))}
    item |= segmentation_targets(masks, image.shape[1:], reader.prepared.space, output)
    item |= label_targets(annotations, reader.prepared.space, output, num_frames=num_frames)
    return item | _objects(output, metainfo_of(decoded, reader.units(decoded)), annotations, resource)


def slice_item(reader: Reader, row: int, plane: Plane, output: Output) -> Item:
    """The item of one slice: exactly the cut of its volume's item."""
    resource = reader.prepared.snapshot.resource(row)
    decoded = reader.kept_image(row, resource)
    masks = reader.kept_masks(row, resource) if output.return_segmentations else {}
    image = plane.of(decoded.array)
    frame = stored_frame(decoded.facts, plane)
    annotations = reader.annotations(row)
    cut = {author: (plane.of(stack), codes) for author, (stack, codes) in masks.items()}
    item: Item = {"image": torch.from_numpy(own(image, shared=True))}
    item |= segmentation_targets(cut, image.shape[1:], reader.prepared.space, output)
    item |= label_targets(
        annotations,
        reader.prepared.space,
        output,
        num_frames=decoded.facts.shape[0],
        frame=-1 if frame is None else frame,
    )
    metainfo = slice_metainfo_of(decoded, plane.axis, plane.index, reader.units(decoded))
    return item | _objects(output, metainfo, _applying(annotations, frame), sliced_resource(resource, plane))


def stored_frame(facts: HeaderFacts, plane: Plane) -> int | None:
    """The stored plane that a slice is, or None where slices run across the stored planes."""
    axis, flipped = frame_axis_of(facts)
    if plane.axis != axis:
        return None
    return facts.shape[0] - 1 - plane.index if flipped else plane.index


def sliced_resource(resource: Resource, plane: Plane) -> Resource:
    """The resource as its slice shows it: with the slice's axis and index, and the stored frame it is."""
    return msgspec.structs.replace(
        resource,
        slice_axis=AXIS_NAMES[plane.axis],
        slice_index=plane.index,
        frame_index=stored_frame(required_facts(resource), plane),
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
