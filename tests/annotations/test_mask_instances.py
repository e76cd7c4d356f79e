"""Decoded masks as instances of their annotators."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamint_like.annotations import LabelSpace, MaskPiece, stack_instances
from datamint_like.exceptions import DatamintDatasetException, GeometryError

SPACE = LabelSpace({"liver": 1, "tumour": 3}, (), (), ())
SHAPE = (3, 2, 4)


def plane(*points: tuple[int, int]) -> np.ndarray:
    array = np.zeros(SHAPE[1:], np.uint8)
    for point in points:
        array[point] = 1
    return array


def whole(*points: tuple[int, int, int]) -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    for point in points:
        array[point] = 1
    return array


def test_the_masks_of_a_class_on_single_frames_are_one_instance_of_full_depth() -> None:
    pieces = [
        MaskPiece("ana", "tumour", 2, plane((0, 0))),
        MaskPiece("ana", "liver", 0, plane((1, 1))),
        MaskPiece("ana", "tumour", 0, plane((1, 3))),
    ]
    masks, codes = stack_instances(pieces, SPACE, SHAPE, multi_frame=True)["ana"]
    assert masks.shape == (2, *SHAPE)
    assert masks.dtype == np.uint8
    assert codes.dtype == np.int64
    assert codes.tolist() == [3, 1]  # in the order the classes are first seen
    assert np.argwhere(masks).tolist() == [[0, 0, 1, 3], [0, 2, 0, 0], [1, 0, 1, 1]]


def test_two_masks_of_one_frame_are_united() -> None:
    pieces = [MaskPiece("ana", "liver", 1, plane((0, 0), (0, 1))), MaskPiece("ana", "liver", 1, plane((0, 1), (1, 2)))]
    masks, _ = stack_instances(pieces, SPACE, SHAPE, multi_frame=True)["ana"]
    assert np.argwhere(masks[0]).tolist() == [[1, 0, 0], [1, 0, 1], [1, 1, 2]]
    assert masks.max() == 1


def test_masks_of_the_whole_follow_those_of_frames_each_an_instance_of_its_own() -> None:
    pieces = [
        MaskPiece("ana", "liver", None, whole((0, 0, 0))),
        MaskPiece("ana", "tumour", None, whole((1, 0, 0))),
        MaskPiece("ana", "liver", None, whole((2, 0, 0))),
        MaskPiece("ana", "tumour", 0, plane((1, 1))),
    ]
    masks, codes = stack_instances(pieces, SPACE, SHAPE, multi_frame=True)["ana"]
    assert codes.tolist() == [3, 1, 3, 1]
    assert [int(np.argwhere(mask)[0][0]) for mask in masks] == [0, 0, 1, 2]


def test_each_mask_of_a_two_dimensional_image_is_an_instance_of_its_own() -> None:
    pieces = [
        MaskPiece("ana", "liver", 0, plane((0, 0))),
        MaskPiece("ana", "liver", None, plane((0, 2))),
        MaskPiece("ana", "liver", 0, plane((0, 1))),
        MaskPiece("ana", "tumour", None, plane((0, 3))[np.newaxis]),
    ]
    masks, codes = stack_instances(pieces, SPACE, (1, *SHAPE[1:]), multi_frame=False)["ana"]
    assert codes.tolist() == [1, 1, 1, 3]
    assert [np.argwhere(mask).tolist() for mask in masks] == [[[0, 0, 0]], [[0, 0, 1]], [[0, 0, 2]], [[0, 0, 3]]]


def test_authors_are_sorted_and_nobody_gives_nothing() -> None:
    pieces = [MaskPiece(name, "liver", 0, plane()) for name in ("zoe", "ben", "ana", "ben")]
    assert list(stack_instances(pieces, SPACE, SHAPE, multi_frame=True)) == ["ana", "ben", "zoe"]
    assert stack_instances([], SPACE, SHAPE, multi_frame=True) == {}


@pytest.mark.parametrize("frame", [-1, 3, 10**12])
def test_a_frame_that_the_resource_lacks_is_an_error_that_names_it(frame: int) -> None:
    with pytest.raises(GeometryError, match=rf"'liver' of 'ana' is on frame {frame}; .* frames 0 to 2"):
        stack_instances([MaskPiece("ana", "liver", frame, plane())], SPACE, SHAPE, multi_frame=True)


@pytest.mark.parametrize(("frame", "array"), [(1, np.ones((4, 2), np.uint8)), (None, plane()), (1, whole())])
def test_a_mask_of_another_shape_is_an_error_that_names_both_shapes(frame: int | None, array: np.ndarray) -> None:
    expected = SHAPE if frame is None else SHAPE[1:]
    with pytest.raises(GeometryError) as caught:
        stack_instances([MaskPiece("ana", "liver", frame, array)], SPACE, SHAPE, multi_frame=True)
    assert f"has shape {array.shape}; expected {expected}" in str(caught.value)


def test_the_masks_of_all_annotators_lie_in_one_array_one_after_another() -> None:
    pieces = [MaskPiece(author, "liver", 0, plane()) for author in ("zoe", "ana", "ben", "ana")]
    stacked = stack_instances(pieces, SPACE, (1, *SHAPE[1:]), multi_frame=False)
    whole = stacked["ana"][0].base
    assert whole is not None
    assert np.array_equal(whole, np.concatenate([masks for masks, _ in stacked.values()]))
    assert all(masks.base is whole for masks, _ in stacked.values())


def test_a_class_outside_the_label_space_is_an_error_that_names_it() -> None:
    with pytest.raises(DatamintDatasetException, match="class 'spleen', which the label space lacks"):
        stack_instances([MaskPiece("ana", "spleen", 0, plane())], SPACE, SHAPE, multi_frame=True)


@st.composite
def pieces_of(draw: st.DrawFn) -> MaskPiece:
    frame = draw(st.none() | st.integers(0, SHAPE[0] - 1))
    shape = SHAPE if frame is None else SHAPE[1:]
    bits = draw(st.integers(0, 2 ** int(np.prod(shape)) - 1))
    array = np.array([bits >> n & 1 for n in range(int(np.prod(shape)))], np.uint8).reshape(shape)
    return MaskPiece(draw(st.sampled_from("ab")), draw(st.sampled_from(["liver", "tumour"])), frame, array)


@given(pieces=st.lists(pieces_of(), max_size=8))
def test_no_voxel_of_any_mask_is_lost_or_invented(pieces: list[MaskPiece]) -> None:
    stacked = stack_instances(pieces, SPACE, SHAPE, multi_frame=True)
    assert list(stacked) == sorted({piece.author for piece in pieces})
    for author, (masks, codes) in stacked.items():
        assert len(masks) == len(codes)
        for name, code in SPACE.segmentation_codes.items():
            expected = np.zeros(SHAPE, bool)
            for piece in pieces:
                if (piece.author, piece.identifier) == (author, name):
                    expected[slice(None) if piece.frame_index is None else piece.frame_index] |= piece.array > 0
            assert np.array_equal(masks[codes == code].any(axis=0), expected)
