from __future__ import annotations

import pickle
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamint_like.exceptions import GeometryError
from datamint_like.imaging import Affine, Turn

AXIS_ORDERS = [(order, signs) for order in permutations(range(3)) for signs in product((1.0, -1.0), repeat=3)]
finite = st.floats(-300, 300, allow_nan=False)
steps = st.tuples(*[st.floats(0.1, 10)] * 3)
#: Below 30 degrees about each axis: the closest anatomical axes stay those of the axis order.
angles = st.tuples(*[st.floats(-0.35, 0.35)] * 3)
shapes = st.tuples(*[st.integers(1, 6)] * 3)


def rotation(about: tuple[float, float, float]) -> np.ndarray:
    result = np.eye(3)
    for axis, angle in enumerate(about):
        turn = np.eye(3)
        a, b = [n for n in range(3) if n != axis]
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        result = result @ turn
    return result


def oblique(order, signs, spacing, origin, about) -> Affine:
    matrix = np.eye(4)
    axes = np.zeros((3, 3))
    for index, (axis, sign) in enumerate(zip(order, signs, strict=True)):
        axes[axis, index] = sign
    matrix[:3, :3] = rotation(about) @ axes * np.array(spacing)
    matrix[:3, 3] = origin
    return Affine(matrix)


@pytest.mark.parametrize(("order", "signs"), AXIS_ORDERS)
@settings(deadline=None)
@given(spacing=steps, origin=st.tuples(finite, finite, finite), about=angles, shape=shapes)
def test_every_axis_order_turns_to_canonical_and_keeps_each_voxel_in_place(order, signs, spacing, origin, about, shape):
    stored = oblique(order, signs, spacing, origin, about)
    turn = stored.turn_to()
    array = np.arange(np.prod(shape)).reshape(shape)
    turned, affine = turn.array(array), turn.affine(stored, shape)
    assert turned.shape == turn.shape(shape)
    assert affine.orientation == "SPL"
    index = np.array(list(np.ndindex(*shape)))
    where = {int(array[tuple(i)]): tuple(p) for i, p in zip(index, np.round(stored.points(index), 6), strict=True)}
    for i in np.ndindex(*turned.shape):
        assert np.allclose(where[int(turned[i])], affine.points([i])[0], atol=1e-5)


@settings(deadline=None)
@given(order=st.sampled_from(AXIS_ORDERS), spacing=steps, about=angles)
def test_spacing_and_direction_come_back_out_of_the_matrix(order, spacing, about):
    affine = oblique(*order, spacing, (1, 2, 3), about)
    assert affine.spacing == pytest.approx(spacing)
    assert affine.origin == (1, 2, 3)
    assert np.allclose(affine.direction.T @ affine.direction, np.eye(3))


def test_the_turn_of_a_canonical_volume_does_nothing():
    assert Affine([[0, 0, -1, 0], [0, -1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1]]).turn_to() == Turn()


def test_a_turned_array_is_a_view():
    array = np.zeros((2, 3, 4))
    assert np.shares_memory(Turn((2, 0, 1), (True, False, True)).array(array), array)


def test_an_affine_pickles_and_does_not_change():
    affine = Affine(np.diag([1, 2, 3, 1]))
    assert pickle.loads(pickle.dumps(affine)) == affine
    with pytest.raises(AttributeError, match="does not change"):
        affine.matrix = np.eye(4)
    with pytest.raises(ValueError, match="read-only"):
        affine.matrix[0, 0] = 5


@pytest.mark.parametrize(
    "matrix", [np.eye(3), np.diag([1, 1, 0, 1]), np.full((4, 4), np.nan), np.ones((4, 4))], ids=str
)
def test_what_is_no_affine_is_a_geometry_error(matrix):
    with pytest.raises(GeometryError):
        Affine(matrix)
