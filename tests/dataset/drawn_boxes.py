"""Boxes that tests draw: annotations, the geometries they lie in, and the pixels of masks to hold them against."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
from hypothesis import strategies as st

from datamint_like.annotations import LabelSpace
from datamint_like.dataset.options import Output
from datamint_like.entities import Annotation
from datamint_like.imaging.affine import Affine
from tests.dataset.conftest import ANA

SPACE = LabelSpace({}, (), (), (), ("mass",))
BOXES = Output(return_boxes=True)
SHAPE = (5, 7, 9)  # k, j, i


def extent(mask: Any) -> list[float]:
    """x1, y1, x2, y2 of the pixels of a mask (H, W), ends included."""
    rows, columns = np.nonzero(np.asarray(mask))
    return [float(n) for n in (columns.min(), rows.min(), columns.max(), rows.max())]


def signed_affine(axes: tuple[int, ...], signs: tuple[int, ...]) -> Affine:
    """Stored axis n runs along patient axis `axes[n]`, in this direction, with steps of 1.5, 2 and 3 mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = 0
    for n, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        matrix[axis, n] = sign * (3.0, 2.0, 1.5)[n]
    matrix[:3, 3] = (-7, 11, 13)
    return Affine(matrix)


AFFINES = st.builds(
    signed_affine,
    st.sampled_from(list(permutations(range(3)))),
    st.sampled_from(list(product((1, -1), repeat=3))),
)


@st.composite
def pixel_boxes(draw: st.DrawFn) -> tuple[int, int, int, int, int]:
    """Frame, then x1, y1, x2, y2 of whole pixels."""
    x1, y1 = draw(st.integers(0, SHAPE[2] - 2)), draw(st.integers(0, SHAPE[1] - 2))
    x2, y2 = draw(st.integers(x1 + 1, SHAPE[2] - 1)), draw(st.integers(y1 + 1, SHAPE[1] - 1))
    return draw(st.integers(0, SHAPE[0] - 1)), x1, y1, x2, y2


def square(points: Any, system: str, frame: int | None = None) -> Annotation:
    return Annotation(
        id="a1",
        identifier="mass",
        scope="image" if frame is None else "frame",
        frame_index=frame,
        annotation_type="square",
        resource_id="r1",
        created_by=ANA,
        geometry={"points": points, "coordinate_system": system},
    )
