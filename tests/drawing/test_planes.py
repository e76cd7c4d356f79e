"""How planes lie on the page: as radiologists read them, whatever the orientation of the array."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamint_like.drawing.planes import Plane, middle_plane, planes_of

ALL = ["".join(letters) for axes in permutations(("RL", "AP", "SI")) for letters in product(*axes)]
SIZE = {"R": 3, "L": 3, "A": 4, "P": 4, "S": 5, "I": 5}


def metainfo(
    orientation: str | None, spacing: tuple[float, float, float] | None, kind: str = "volume"
) -> dict[str, Any]:
    return {"orientation": orientation, "spacing": spacing, "kind": kind, "header": {}, "frame_axis": 0}


def positions(orientation: str) -> np.ndarray:
    """(3, D, H, W): the R, A and S coordinate of each voxel of a volume in an orientation."""
    shape = [SIZE[letter] for letter in orientation]
    made = np.zeros((3, *shape))
    for axis, letter in enumerate(orientation):
        along = np.arange(shape[axis]) * (1 if letter in "RAS" else -1)
        patient = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}[letter]
        made[patient] = along.reshape([-1 if n == axis else 1 for n in range(3)])
    return made


@pytest.mark.parametrize("orientation", ALL)
def test_right_is_left_on_the_page_and_anterior_and_superior_are_up(orientation: str) -> None:
    world = positions(orientation)
    planes = {
        plane.title.split()[0]: plane for plane in planes_of(world.shape[1:], metainfo(orientation, (1, 1, 1)), None)
    }
    assert set(planes) == {"axial", "coronal", "sagittal"}
    axial, coronal, sagittal = (planes[name].of(world) for name in ("axial", "coronal", "sagittal"))
    for plane in (axial, coronal):
        assert (np.diff(plane[0], axis=1) < 0).all()  # R falls towards the page's right
    assert (np.diff(axial[1], axis=0) < 0).all()  # A falls towards the page's bottom
    assert (np.diff(coronal[2], axis=0) < 0).all()
    assert (np.diff(sagittal[2], axis=0) < 0).all()
    assert (np.diff(sagittal[1], axis=1) < 0).all()  # anterior is left


@given(st.sampled_from(ALL), st.tuples(*[st.floats(0.2, 9)] * 3))
def test_proportions_are_those_of_the_patient(orientation: str, spacing: tuple[float, float, float]) -> None:
    image = np.zeros((1, *(SIZE[letter] for letter in orientation)))
    extent = {
        "RL" if a in "RL" else "AP" if a in "AP" else "SI": SIZE[a] * s
        for a, s in zip(orientation, spacing, strict=True)
    }
    for plane in planes_of(image.shape[1:], metainfo(orientation, spacing), None):
        across = {"axial": ("AP", "RL"), "coronal": ("SI", "RL"), "sagittal": ("SI", "AP")}[plane.title.split()[0]]
        assert plane.size(image) == pytest.approx([extent[name] for name in across])


def test_letters_stand_where_the_patients_sides_are() -> None:
    axial, coronal, sagittal = planes_of((5, 4, 3), metainfo("SPL", (1, 1, 1)), None)
    assert axial.letters == ("R", "L", "A", "P")
    assert coronal.letters == ("R", "L", "S", "I")
    assert sagittal.letters == ("A", "P", "S", "I")


def test_a_plane_that_a_mask_touches_is_chosen_nearest_to_the_middle() -> None:
    marked = np.zeros((11, 9, 9), dtype=bool)
    marked[[1, 7], 4, 8] = True
    assert [plane.index for plane in planes_of(marked.shape, metainfo("SPL", (1, 1, 1)), marked)] == [7, 4, 8]
    assert [plane.index for plane in planes_of(marked.shape, metainfo("SPL", (1, 1, 1)), None)] == [5, 4, 4]


def test_a_volume_without_geometry_is_shown_as_stored() -> None:
    planes = planes_of((5, 4, 3), metainfo(None, None), None)
    assert [plane.letters for plane in planes] == [(), (), ()]
    array = np.arange(60).reshape(5, 4, 3)
    np.testing.assert_array_equal(planes[0].of(array), array[2])


def test_a_sagittal_slice_lies_as_the_sagittal_plane_of_its_volume() -> None:
    array = np.arange(60).reshape(5, 4, 3)
    whole = planes_of(array.shape, metainfo("SPL", (3, 2, 1)), None)[2]
    (alone,) = planes_of((5, 4), metainfo("LSP", (1, 3, 2)), None)
    np.testing.assert_array_equal(alone.of(array[:, :, 1]), whole.of(array))
    assert alone.pixel == whole.pixel == (3, 2)


def test_videos_show_frames_with_the_shape_of_their_pixels() -> None:
    video = metainfo(None, None, "video") | {"header": {"pixel_aspect": 2.0}}
    planes = planes_of((30, 4, 4), video, None)
    assert [plane.index for plane in planes] == [0, 10, 19, 29]
    assert planes[0].size(np.zeros((3, 30, 4, 4))) == (4, 8)
    assert [plane.index for plane in planes_of((1, 4, 4), video, None)] == [0]
    assert middle_plane((30, 4, 4), video, None).index == 19
    assert Plane("", None, 0).aspect == 1
