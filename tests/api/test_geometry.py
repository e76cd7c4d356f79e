"""Points, lines, boxes and polygons: they read back in the coordinate system they were given in."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamint_like import Api
from datamint_like.api._geometry import box
from datamint_like.entities import Annotation
from datamint_like.exceptions import ValidationError

numbers = st.floats(-1e4, 1e4)


def drawn(api: Api, annotation_id: str) -> tuple[Annotation, Any]:
    found = api.annotations.get_by_id(annotation_id)
    return found, found.geometry


def test_a_line_of_the_whole_image_is_in_pixels_and_of_image_scope(api: Api, xray: str) -> None:
    found, geometry = drawn(api, api.annotations.add_line_annotation((1, 2), (11, 22), xray, "length"))
    assert geometry == {"points": [[1, 2, 0], [11, 22, 0]], "coordinate_system": "pixel"}
    assert (found.type, found.scope) == ("line", "image")


def test_a_pixel_box_has_four_corners_on_its_frame(api: Api, clip: str) -> None:
    found, geometry = drawn(api, api.annotations.add_box_annotation((1, 2), (11, 22), clip, "lesion", frame_index=3))
    assert geometry["points"] == [[1, 2, 3], [11, 2, 3], [1, 22, 3], [11, 22, 3]]
    assert (found.type, found.scope, found.frame_index) == ("square", "frame", 3)


def test_a_patient_box_lies_in_one_plane(api: Api, volume: str) -> None:
    corners = ((0.5, 1.0, -7.0), (2.5, 4.0, -7.0))
    for plane in (None, "axial"):
        made = api.annotations.add_box_annotation(
            *corners,
            volume,
            "lesion",
            coords_system="patient",
            slice_plane=plane,  # type: ignore[arg-type]
        )
        geometry = drawn(api, made)[1]
        assert geometry["coordinate_system"] == "patient"
        assert geometry["points"] == [[0.5, 1, -7], [2.5, 1, -7], [0.5, 4, -7], [2.5, 4, -7]]


def test_points_polylines_and_polygons_keep_their_values(api: Api, volume: str) -> None:
    point, at = drawn(api, api.annotations.add_point_annotation((3.5, 4), volume, "tip", frame_index=1, value={"k": 1}))
    assert at == {"points": [[3.5, 4, 1]], "coordinate_system": "pixel"}
    assert json.loads(point.value or "") == {"k": 1}
    path = [(0, 0), (3, 4), (5, 1)]
    _, opened = drawn(api, api.annotations.add_polyline_annotation(path, volume, "vessel", frame_index=0))
    _, closed = drawn(api, api.annotations.add_polygon_annotation(path, volume, "node", frame_index=0))
    assert (opened["closed"], closed["closed"]) == (False, True)
    assert opened["points"] == closed["points"] == [[0, 0, 0], [3, 4, 0], [5, 1, 0]]
    around = api.annotations.add_polyline_annotation(
        np.array([[1.0, 2, 3], [4, 5, 6]]),
        volume,
        "vessel",
        coords_system="patient",  # type: ignore[arg-type]
    )
    assert drawn(api, around)[1]["points"] == [[1, 2, 3], [4, 5, 6]]


BAD: dict[str, tuple[Any, str]] = {
    "one number": (lambda a, r: a.add_point_annotation((1,), r, "x"), r"\(x, y\), got 1"),
    "three for a pixel": (lambda a, r: a.add_point_annotation((1, 2, 3), r, "x"), r"\(x, y\), got 3"),
    "two for a patient": (lambda a, r: a.add_point_annotation((1, 2), r, "x", coords_system="patient"), "got 2"),
    "not a number": (lambda a, r: a.add_point_annotation((1, float("nan")), r, "x"), "finite"),
    "text": (lambda a, r: a.add_point_annotation("12", r, "x"), "not a str"),
    "another system": (
        lambda a, r: a.add_point_annotation((1, 2), r, "x", coords_system="voxel"),
        '"pixel" or "patient"',
    ),
    "a flat box": (lambda a, r: a.add_box_annotation((1, 2), (1, 9), r, "x"), "span none"),
    "a box across planes": (
        lambda a, r: a.add_box_annotation((1, 2, 3), (4, 5, 6), r, "x", coords_system="patient"),
        "must lie in one axial, coronal or sagittal plane",
    ),
    "a box in another plane": (
        lambda a, r: a.add_box_annotation((1, 2, 3), (4, 5, 3), r, "x", None, "coronal", coords_system="patient"),
        "coronal plane",
    ),
    "a polygon of two": (lambda a, r: a.add_polygon_annotation([(0, 0), (1, 1)], r, "x"), "polygon needs 3 points"),
    "a frame too many": (lambda a, r: a.add_point_annotation((1, 2), r, "x", frame_index=99), "frames 0 to 27"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_drawing_that_makes_no_sense_is_refused(api: Api, volume: str, case: str) -> None:
    call, message = BAD[case]
    with pytest.raises(ValidationError, match=message):
        call(api.annotations, volume)
    assert api.annotations.get_list(volume) == []


def test_conversions_between_systems_are_refused_not_ignored(api: Api, volume: str) -> None:
    with pytest.raises(NotImplementedError, match="metadata="):
        api.annotations.add_point_annotation((1, 2), volume, "x", metadata=object())
    with pytest.raises(NotImplementedError, match="slice_plane"):
        api.annotations.add_point_annotation((1, 2), volume, "x", slice_plane="axial")


@given(st.tuples(numbers, numbers), st.tuples(numbers, numbers))
def test_the_corners_of_a_box_span_it_whichever_two_are_given(
    first: tuple[float, float], second: tuple[float, float]
) -> None:
    if first[0] == second[0] or first[1] == second[1]:
        return
    corners = {tuple(point) for point in box(first, second, "pixel", None, None)["points"]}
    exchanged = box((first[0], second[1]), (second[0], first[1]), "pixel", None, None)["points"]
    assert corners == {tuple(point) for point in exchanged}
    assert corners == {(x, y, 0) for x in (first[0], second[0]) for y in (first[1], second[1])}
