"""Boxes as they are stored: two opposite corners, in pixels of a frame or in patient millimetres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from datamint_like.entities import Annotation, is_of_one_frame
from datamint_like.exceptions import DatamintDatasetException

#: The annotation type of a box.
BOX_TYPE = "square"
#: No pixel or millimetre of an image lies farther away; it also keeps out infinity and NaN.
_FARTHEST = 1e9
Corners = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StoredBox:
    """One box, as its annotation gives it.

    Attributes:
        author: Whose it is.
        name: What it is called.
        system: `"pixel"`: x and y count columns and rows of the stored frame from the centre of the first pixel;
            `"patient"`: mm, LPS+.
        corners: (n, 2) x, y, or (n, 3) x, y, z of all its corners.
        frame: The stored frame, None where it names none.
        annotation_id: Which annotation it is.
    """

    author: str
    name: str
    system: Literal["pixel", "patient"]
    corners: Corners
    frame: int | None
    annotation_id: str


def is_box(annotation: Annotation) -> bool:
    """Whether this is a box.

    Example:
        >>> id = api.annotations.add_box_annotation((10, 20), (60, 90), xray, "nodule", frame_index=0)
        >>> is_box(api.annotations.get_by_id(id))
        True
    """
    return annotation.annotation_type == BOX_TYPE


def stored_box(annotation: Annotation) -> StoredBox:
    """The box of an annotation.

    A geometry that names no coordinate system is in patient coordinates where it has the normal of a view plane, and
    else in pixels, as the published client writes them.

    Raises:
        DatamintDatasetException: Its geometry does not hold at least two corners of finite numbers.

    Example:
        >>> id = api.annotations.add_box_annotation((10, 20), (60, 90), xray, "nodule", frame_index=0)
        >>> box = stored_box(api.annotations.get_by_id(id))
        >>> box.system, box.frame, box.corners.min(0).tolist(), box.corners.max(0).tolist()
        ('pixel', 0, [10.0, 20.0], [60.0, 90.0])
    """
    geometry = annotation.geometry
    about: Mapping[str, Any] = geometry if isinstance(geometry, Mapping) else {"points": geometry}
    system = about.get("coordinate_system") or ("patient" if about.get("viewPlaneNormal") else "pixel")
    wanted = 3 if system == "patient" else 2
    points = about.get("points")
    corners = _corners(points, wanted) if isinstance(points, Sequence) and not isinstance(points, str) else None
    if corners is None or system not in ("pixel", "patient"):
        raise DatamintDatasetException(
            f"The box {annotation.identifier!r} (annotation {annotation.id}) of resource {annotation.resource_id} has "
            f"no readable geometry: expected at least two points of {wanted} or more finite numbers in pixel or "
            "patient coordinates. Delete or correct that annotation."
        )
    frame = annotation.frame_index if is_of_one_frame(annotation) else None
    return StoredBox(
        author=annotation.author,
        name=annotation.identifier,
        system="patient" if system == "patient" else "pixel",
        corners=corners,
        frame=frame,
        annotation_id=annotation.id,
    )


def _corners(points: Sequence[Any], wanted: int) -> Corners | None:
    """(n, wanted) finite numbers, None where the points are not that."""
    try:
        corners = np.array([[float(number) for number in point[:wanted]] for point in points], dtype=np.float64)
    except (TypeError, ValueError, OverflowError, KeyError):
        return None
    if corners.ndim != 2 or corners.shape[0] < 2 or corners.shape[1] != wanted:
        return None
    return corners if (np.abs(corners) <= _FARTHEST).all() else None
