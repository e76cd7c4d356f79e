"""The boxes of an item, as named and coloured rectangles that lie in its planes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datamint_like.dataset.boxes import EVERY_PLANE
from datamint_like.drawing.pixels import Colour
from datamint_like.drawing.planes import Plane

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class DrawnBox:
    """One box of an item.

    Attributes:
        author: Whose it is.
        name: What it is called.
        colour: Of its lines.
        corners: x1, y1, x2, y2 in its plane; the centre of the first pixel is (0, 0).
        axis: The axis that its plane is square to; None of a 2-D item.
        index: Which plane along it, -1 for every one.
    """

    author: str
    name: str
    colour: Colour
    corners: Corners
    axis: int | None = None
    index: int = EVERY_PLANE

    def lies_in(self, plane: Plane) -> bool:
        """Whether it is a box of this plane."""
        return self.axis == plane.axis and self.index in (plane.index, EVERY_PLANE)


def boxes_of(item: Mapping[str, Any], codes: Mapping[str, int], colours: Mapping[str, Colour]) -> list[DrawnBox]:
    """The boxes of an item, authors sorted; none where its dataset returns none."""
    names = {code: name for name, code in codes.items()}
    found = []
    for author, own in sorted(item.get("boxes", {}).items()):
        planes = item["box_planes"][author].tolist() if "box_planes" in item else [(None, EVERY_PLANE)] * len(own)
        labels = item["box_labels"][author].tolist()
        for (x1, y1, x2, y2), code, (axis, index) in zip(own.tolist(), labels, planes, strict=True):
            name = names[code]
            found.append(DrawnBox(author, name, colours[name], (x1, y1, x2, y2), axis, index))
    return found


def planes_of_boxes(boxes: Sequence[DrawnBox]) -> set[tuple[int, int]]:
    """Axis and index of the planes that boxes of a volume or video lie in."""
    return {(box.axis, box.index) for box in boxes if box.axis is not None}
