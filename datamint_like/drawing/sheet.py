"""One item as rows of pictures: the image alone, then with each annotator's masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from datamint_like.dataset.holdings import Holdings
from datamint_like.dataset.summary import box_colours, class_colours
from datamint_like.drawing.boxes import DrawnBox, boxes_of, planes_of_boxes
from datamint_like.drawing.channels import drawn_channels
from datamint_like.drawing.layers import Layer, authors_of, colours_of, layers_of, marked_by
from datamint_like.drawing.pixels import Colour, Pixels, Shade, gray, tinted
from datamint_like.drawing.planes import Plane, middle_plane, planes_of
from datamint_like.drawing.shading import shade_of
from datamint_like.entities import Annotation

_STRENGTH = 0.3


@dataclass(frozen=True)
class Sheet:
    """What is drawn of an item.

    Attributes:
        title: Its file and place.
        shade: Which values are black and white; None for colour.
        planes: The planes, one a column.
        image: What is drawn of the item's channels: the first (1, ...), or red, green and blue (3, ...).
        layers: Its masks.
        boxes: Its boxes.
        notes: What must be known to read it, then labels and categories, a line an annotator.
    """

    title: str
    shade: Shade | None
    planes: tuple[Plane, ...]
    image: npt.NDArray[Any]
    layers: tuple[Layer, ...]
    boxes: tuple[DrawnBox, ...]
    notes: tuple[str, ...]

    @property
    def authors(self) -> list[str]:
        """Who marked something of this item's classes, in order."""
        return list(dict.fromkeys([*authors_of(self.layers), *(box.author for box in self.boxes)]))

    def picture(self, plane: Plane, layers: Sequence[Layer] = ()) -> Pixels:
        """A plane (rows, columns, 3) with some layers."""
        base = _rgb(plane.of(self.image), self.shade)
        return tinted(base, ((x.colour, plane.of(x.mask)) for x in layers), strength=_STRENGTH, outlined=True)


def sheet_of(dataset: Holdings, index: int, *, one_plane: bool = False) -> Sheet:
    """The item at `index`, ready to be drawn.

    Args:
        dataset: A prepared dataset.
        index: Which item.
        one_plane: Only the plane that stands for the item.
    """
    item, metainfo = dataset[index], dataset.get_metainfo(index)
    image, said = drawn_channels(np.asarray(item["image"]), metainfo, dataset._neighbors)
    as_stored = len(image) == 3 and image.dtype == np.uint8
    colours = class_colour_table(dataset)
    layers = layers_of(item, dataset.seglabel2code, colours)
    boxes = boxes_of(item, dataset.boxlabel2code, box_colour_table(dataset))
    shown = image.shape[1:], metainfo, marked_by(layers), planes_of_boxes(boxes)
    planes = [middle_plane(*shown)] if one_plane else planes_of(*shown)
    if dataset._transforms:  # they may have turned it, and a wrong letter is worse than none
        planes = [replace(plane, letters=()) for plane in planes]
    resource = dataset.get_resource(index)
    place = [f"{resource.slice_axis} {resource.slice_index}"] if resource.slice_axis else []
    if not place and resource.frame_index is not None:
        place = [f"frame {resource.frame_index}"]
    changed = ["after transforms"] if dataset._transforms else []
    labels = label_lines(dataset.resource_annotations[index], resource.frame_index)
    return Sheet(
        title=", ".join([resource.filename, *place, *changed]),
        shade=None if as_stored else shade_of(image, metainfo, native=_is_native(dataset)),
        planes=tuple(planes),
        image=image,
        layers=tuple(layers),
        boxes=tuple(boxes),
        notes=(*said, *_warnings(planes, metainfo), *labels),
    )


def class_colour_table(dataset: Holdings) -> dict[str, Colour]:
    """Each segmentation class of a dataset with its colour."""
    return colours_of(dataset.seglabel2code, class_colours(dataset._prepared))


def box_colour_table(dataset: Holdings) -> dict[str, Colour]:
    """Each name of a box with its colour; without one of its own that of the class of this name."""
    codes, classes = dataset.boxlabel2code, class_colour_table(dataset)
    alike = {name: classes[name] for name in codes if name in classes}
    return colours_of(codes, alike | box_colours(dataset._prepared))


def label_lines(annotations: Sequence[Annotation], frame: int | None) -> list[str]:
    """Labels and categories by annotator, in words; frame labels with their frames, of one frame only its own."""
    found: dict[str, dict[str, list[int]]] = {}
    for each in annotations:
        if not (each.is_category() or each.is_label()):
            continue
        frames = [] if each.frame_index is None else [each.frame_index]
        if frame is not None and frames not in ([], [frame]):
            continue
        words = f"{each.identifier}: {each.text_value}" if each.is_category() else each.identifier
        found.setdefault(each.author, {}).setdefault(words, []).extend(frames)
    return [f"{author}: {', '.join(_at_frames(names))}" for author, names in sorted(found.items())]


def _at_frames(names: Mapping[str, Sequence[int]]) -> list[str]:
    told = {0: "", 1: " (frame {0[0]})"}
    return [words + told.get(len(frames), f" ({len(frames)} frames)").format(frames) for words, frames in names.items()]


def _warnings(planes: Sequence[Plane], metainfo: Mapping[str, Any]) -> list[str]:
    """What makes a picture untrue to scale."""
    uneven = metainfo["irregularity"] and any(plane.axis not in (None, metainfo["frame_axis"]) for plane in planes)
    return ["unevenly spaced planes, drawn as if they were even"] if uneven else []


def _is_native(dataset: Holdings) -> bool:
    """Whether the values of an item are those that the header speaks of."""
    intensity = dataset._reading.read.intensity
    kept = intensity == "native" or (isinstance(intensity, tuple) and intensity[0] == "clip")
    return kept and not dataset._transforms


def _rgb(plane: npt.NDArray[Any], shade: Shade | None) -> Pixels:
    """(1, H, W) or (3, H, W) as RGB: 8-bit colour as it is, all else through the shade."""
    if shade is None:
        return np.ascontiguousarray(np.moveaxis(plane, 0, -1))
    if len(plane) == 3:
        return np.stack([gray(channel, shade.window)[..., 0] for channel in plane], axis=-1)
    return gray(plane[0], shade.window)
