from __future__ import annotations

import copy
import pickle
from itertools import permutations, product

import nibabel as nib
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


CODES = ["".join(letters) for order in permutations(("RL", "AP", "SI")) for letters in product(*order)]
TURNS = [Turn(axes, flips) for axes in permutations(range(3)) for flips in product((False, True), repeat=3)]
shears = st.tuples(*[st.floats(-0.2, 0.2)] * 3)
axis_orders = st.sampled_from(AXIS_ORDERS)
origins = st.tuples(finite, finite, finite)


@st.composite
def placed(draw: st.DrawFn) -> Affine:
    """Any axis order times an oblique rotation, spacings and a shear that leaves the closest axes as they are."""
    base = oblique(*draw(axis_orders), draw(steps), draw(origins), draw(angles))
    shear = np.eye(4)
    shear[np.triu_indices(3, 1)] = draw(shears)
    return base if draw(st.booleans()) else Affine(sheared(base, shear))


def sheared(affine: Affine, shear: np.ndarray) -> np.ndarray:
    """The axes leaned towards each other in proportion to their own lengths."""
    scale = np.diag([*affine.spacing, 1.0])
    return affine.matrix @ np.linalg.inv(scale) @ shear @ scale


def stays(affine: Affine, turn: Turn, shape: tuple[int, int, int], turned: Affine) -> None:
    """Every voxel of the turned array lies where it lay."""
    index = np.moveaxis(np.indices(shape), 0, -1)
    where = turn.array(np.moveaxis(affine.points(index.reshape(-1, 3)).reshape(*shape, 3), -1, 0))
    new = np.moveaxis(np.indices(turn.shape(shape)), 0, -1).reshape(-1, 3)
    assert np.allclose(turned.points(new), np.moveaxis(where, 0, -1).reshape(-1, 3), atol=1e-6)


@pytest.mark.parametrize("code", CODES)
@settings(deadline=None, max_examples=10)
@given(affine=placed(), shape=shapes)
def test_each_of_the_48_orientations_is_reached_and_keeps_each_voxel_in_place(code, affine, shape):
    turn, turned = affine.turn_to(code), affine.turned_to(code, shape)
    assert turned == turn.affine(affine, shape)
    assert turned.orientation == code
    stays(affine, turn, shape, turned)
    assert turned.turn_to(affine.orientation) == turn.inverse()


@settings(deadline=None)
@given(order=axis_orders, spacing=steps, about=st.tuples(*[st.floats(-3.2, 3.2)] * 3), shape=shapes)
def test_however_oblique_a_volume_lies_its_voxels_keep_their_place(order, spacing, about, shape):
    affine = oblique(*order, spacing, (1, 2, 3), about)
    stays(affine, affine.turn_to(), shape, affine.turned_to("SPL", shape))
    assert len({*affine.orientation} & {*"RL"}) == len({*affine.orientation} & {*"AP"}) == 1


@settings(deadline=None)
@given(affine=placed(), shape=shapes)
def test_turns_agree_with_the_orientations_of_nibabel(affine: Affine, shape: tuple[int, int, int]):
    assert affine.orientation == "".join(nib.aff2axcodes(affine.matrix))
    image = nib.Nifti1Image(np.arange(np.prod(shape), dtype=np.int32).reshape(shape), affine.matrix)
    closest = nib.as_closest_canonical(image)
    turn = affine.turn_to("RAS")
    assert np.array_equal(turn.array(np.asarray(image.dataobj)), np.asarray(closest.dataobj))
    assert np.allclose(turn.affine(affine, shape).matrix, closest.affine, atol=1e-9)
    ornt = nib.io_orientation(affine.matrix)
    for old, (new, sign) in enumerate(ornt):
        assert turn.axes[int(new)] == old
        assert turn.flips[int(new)] == (sign < 0)


@settings(deadline=None)
@given(first=st.sampled_from(TURNS), second=st.sampled_from(TURNS), third=st.sampled_from(TURNS), shape=shapes)
def test_turns_are_a_group(first: Turn, second: Turn, third: Turn, shape: tuple[int, int, int]):
    array = np.arange(np.prod(shape)).reshape(shape)
    both = first.then(second)
    assert np.array_equal(both.array(array), second.array(first.array(array)))
    assert both.shape(shape) == second.shape(first.shape(shape))
    assert first.then(second).then(third) == first.then(second.then(third))
    assert first.then(first.inverse()) == first.inverse().then(first) == Turn()
    assert both.inverse() == second.inverse().then(first.inverse())


@settings(deadline=None)
@given(affine=placed(), first=st.sampled_from(TURNS), second=st.sampled_from(TURNS), shape=shapes)
def test_two_turns_of_an_affine_are_their_composition(affine, first, second, shape):
    one = second.affine(first.affine(affine, shape), first.shape(shape))
    assert np.allclose(one.matrix, first.then(second).affine(affine, shape).matrix, atol=1e-6)
    back = first.inverse().affine(first.affine(affine, shape), first.shape(shape))
    assert np.allclose(back.matrix, affine.matrix, atol=1e-6)


@settings(deadline=None)
@given(affine=placed(), other=placed(), index=st.lists(st.tuples(finite, finite, finite), min_size=1, max_size=5))
def test_points_and_indices_undo_each_other_and_a_product_applies_the_right_one_first(affine, other, index):
    assert np.allclose(affine.indices(affine.points(index)), index, atol=1e-6)
    assert np.allclose((affine @ other).points(index), affine.points(other.points(index)), atol=1e-5)
    assert affine @ other == affine @ other.matrix
    assert np.allclose((affine @ other @ affine).matrix, (affine @ (other @ affine)).matrix, rtol=1e-9, atol=1e-5)
    assert affine @ np.eye(4) == affine == Affine(np.eye(4)) @ affine


@settings(deadline=None)
@given(affine=placed())
def test_an_affine_is_a_value(affine: Affine):
    for twin in (pickle.loads(pickle.dumps(affine)), copy.deepcopy(affine), Affine(affine.matrix.tolist())):
        assert twin == affine
        assert hash(twin) == hash(affine)
        assert not twin.matrix.flags.writeable
    assert len({affine, Affine(affine.matrix), Affine(np.diag([1, 2, 3, 1]))}) == 2
    assert affine != affine.matrix.tolist()


def test_zero_of_either_sign_is_the_same_place():
    minus = np.diag([1.0, 1, 1, 1])
    minus[0, 1] = minus[0, 3] = -0.0
    assert Affine(minus) == Affine(np.eye(4))
    assert hash(Affine(minus)) == hash(Affine(np.eye(4)))


@pytest.mark.parametrize("size", [1e-150, 1e-6, 1e-4, 1e150])
def test_the_size_of_voxels_does_not_decide_whether_axes_span_space(size: float):
    assert Affine(np.diag([size, size, size, 1])).orientation == "RAS"
    flat = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]]) * size
    with pytest.raises(GeometryError, match="one plane"):
        Affine(np.block([[flat, np.zeros((3, 1))], [np.zeros((1, 3)), np.ones((1, 1))]]))


@pytest.mark.parametrize(
    "bad", [None, "affine", [[1, 2], [3]], np.eye(3), np.zeros((4, 4)), object()], ids=lambda bad: type(bad).__name__
)
def test_what_is_no_matrix_is_a_geometry_error_wherever_it_is_given(bad):
    with pytest.raises(GeometryError):
        Affine(bad)
    with pytest.raises(GeometryError):
        Affine(np.eye(4)) @ bad


@pytest.mark.parametrize("code", ["", "RA", "RRS", "RLS", "XYZ", "RASL", "ras"])
def test_what_names_no_three_axes_is_a_geometry_error(code: str):
    with pytest.raises(GeometryError, match="An orientation names R or L"):
        Affine(np.eye(4)).turned_to(code, (1, 2, 3))
