"""Semantic masks and their merging: every voxel is background or at least one class, never both, never neither."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datamint_like.annotations import (
    MERGE_STRATEGIES,
    LabelSpace,
    MaskPiece,
    MergeStrategy,
    instances_to_semantic,
    merge_semantic,
    stack_instances,
)
from datamint_like.exceptions import ValidationError

SPATIAL = (3, 4)
NUM_LABELS = 3
INSTANCES = st.integers(0, 4).flatmap(
    lambda n: st.tuples(
        arrays(np.uint8, (n, *SPATIAL), elements=st.integers(0, 1)),
        arrays(np.int64, (n,), elements=st.integers(1, NUM_LABELS)),
    )
)
STRATEGIES = st.sampled_from(MERGE_STRATEGIES)


def assert_background_is_what_is_left(semantic: np.ndarray) -> None:
    assert semantic.dtype == np.float32
    assert set(np.unique(semantic)) <= {0.0, 1.0}
    assert np.array_equal(semantic[0] == 1, ~(semantic[1:] == 1).any(axis=0))


def plain_semantic(masks: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Voxel by voxel, as the definition says."""
    semantic = np.zeros((NUM_LABELS + 1, *SPATIAL), np.float32)
    for voxel in np.ndindex(*SPATIAL):
        classes = {int(code) for mask, code in zip(masks, codes, strict=True) if mask[voxel]}
        for code in classes or {0}:
            semantic[(code, *voxel)] = 1
    return semantic


def plain_merge(by_author: Mapping[str, np.ndarray], strategy: str) -> np.ndarray:
    """Voxel by voxel and class by class, as the definition says."""
    merged = np.zeros((NUM_LABELS + 1, *SPATIAL), np.float32)
    decide: dict[str, Callable[[list[bool]], bool]] = {
        "union": any,
        "intersection": all,
        "mode": lambda votes: sum(votes) * 2 >= len(votes),
    }
    for voxel in np.ndindex(*SPATIAL):
        classes = [
            code
            for code in range(1, NUM_LABELS + 1)
            if by_author and decide[strategy]([bool(m[(code, *voxel)]) for m in by_author.values()])
        ]
        for code in classes or [0]:
            merged[(code, *voxel)] = 1
    return merged


def merge(by_author: Mapping[str, Any], strategy: str) -> Any:
    return merge_semantic(by_author, strategy, num_labels=NUM_LABELS, spatial_shape=SPATIAL)  # type: ignore[arg-type]


@given(instances=INSTANCES)
def test_a_semantic_mask_has_a_channel_for_each_class_and_background_where_none_is(
    instances: tuple[np.ndarray, np.ndarray],
) -> None:
    masks, codes = instances
    semantic = instances_to_semantic(masks, codes, NUM_LABELS)
    assert np.array_equal(semantic, plain_semantic(masks, codes))
    assert_background_is_what_is_left(semantic)


@given(instances=INSTANCES)
def test_tensors_give_the_same_semantic_mask_as_arrays(instances: tuple[np.ndarray, np.ndarray]) -> None:
    masks, codes = instances
    semantic = instances_to_semantic(torch.tensor(masks), torch.tensor(codes), NUM_LABELS)
    assert semantic.dtype == torch.float32
    assert np.array_equal(semantic.numpy(), instances_to_semantic(masks, codes, NUM_LABELS))


@given(voters=st.dictionaries(st.sampled_from("abcde"), INSTANCES), strategy=STRATEGIES)
def test_merging_follows_the_definition_and_leaves_every_voxel_one_meaning(
    voters: dict[str, tuple[np.ndarray, np.ndarray]], strategy: MergeStrategy
) -> None:
    by_author = {author: plain_semantic(*instances) for author, instances in voters.items()}
    merged = np.asarray(merge(by_author, strategy))
    assert np.array_equal(merged, plain_merge(by_author, strategy))
    assert_background_is_what_is_left(merged)
    tensor = merge({author: torch.tensor(semantic) for author, semantic in by_author.items()}, strategy)
    assert isinstance(tensor, torch.Tensor)
    assert np.array_equal(tensor.numpy(), merged)


@given(voters=st.dictionaries(st.sampled_from("abcde"), INSTANCES, min_size=1), strategy=STRATEGIES)
def test_the_cut_of_the_merged_volume_is_the_merge_of_the_cuts(
    voters: dict[str, tuple[np.ndarray, np.ndarray]], strategy: MergeStrategy
) -> None:
    by_author = {author: plain_semantic(*instances) for author, instances in voters.items()}
    for index in range(SPATIAL[0]):
        cuts = {author: semantic[:, index] for author, semantic in by_author.items()}
        cut = merge_semantic(cuts, strategy, num_labels=NUM_LABELS, spatial_shape=SPATIAL[1:])
        assert np.array_equal(cut, merge(by_author, strategy)[:, index])


@given(voters=st.dictionaries(st.sampled_from("abcde"), INSTANCES, min_size=1))
def test_the_intersection_lies_in_the_mode_and_the_mode_in_the_union(
    voters: dict[str, tuple[np.ndarray, np.ndarray]],
) -> None:
    by_author = {author: plain_semantic(*instances) for author, instances in voters.items()}
    union, intersection, mode = (merge(by_author, strategy)[1:] for strategy in ("union", "intersection", "mode"))
    assert (intersection <= mode).all()
    assert (mode <= union).all()


@given(instances=INSTANCES, strategy=STRATEGIES)
def test_one_voter_alone_is_the_answer(instances: tuple[np.ndarray, np.ndarray], strategy: MergeStrategy) -> None:
    semantic = plain_semantic(*instances)
    assert np.array_equal(merge({"ana": semantic}, strategy), semantic)


def test_two_annotators_who_disagree_as_worked_out_by_hand() -> None:
    # One row of four voxels, one class: ana marks 0 and 1, ben 1 and 2.
    ana = instances_to_semantic(np.array([[[1, 1, 0, 0]]], np.uint8), np.array([1]), 1)
    ben = instances_to_semantic(np.array([[[0, 1, 1, 0]]], np.uint8), np.array([1]), 1)
    expected = {"union": [1, 1, 1, 0], "intersection": [0, 1, 0, 0], "mode": [1, 1, 1, 0]}
    for strategy, foreground in expected.items():
        merged = merge_semantic({"ana": ana, "ben": ben}, strategy, num_labels=1, spatial_shape=(1, 4))  # type: ignore[call-overload]
        assert merged[1].tolist() == [foreground]
        assert merged[0].tolist() == [[1 - value for value in foreground]]


def test_an_annotator_whose_masks_are_empty_here_still_votes() -> None:
    ana = plain_semantic(np.ones((1, *SPATIAL), np.uint8), np.array([2]))
    ben = plain_semantic(np.zeros((0, *SPATIAL), np.uint8), np.zeros(0, np.int64))
    assert merge({"ana": ana, "ben": ben}, "intersection")[0].all()
    assert merge({"ana": ana, "ben": ben, "eve": ben}, "mode")[0].all()


@pytest.mark.parametrize("strategy", MERGE_STRATEGIES)
def test_without_voters_all_is_background(strategy: MergeStrategy) -> None:
    merged = merge({}, strategy)
    assert isinstance(merged, torch.Tensor)
    assert merged.dtype == torch.float32
    assert merged[0].all()
    assert not merged[1:].any()


def test_a_label_space_without_classes_gives_one_channel_of_background() -> None:
    semantic = instances_to_semantic(np.zeros((0, *SPATIAL), np.uint8), np.zeros(0, np.int64), 0)
    assert semantic.tolist() == np.ones((1, *SPATIAL)).tolist()
    merged = merge_semantic({"ana": semantic}, "mode", num_labels=0, spatial_shape=SPATIAL)
    assert np.array_equal(merged, semantic)


def test_read_only_and_mirrored_masks_are_read_as_they_are() -> None:
    masks = np.array([[[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]], np.uint8)[:, ::-1]
    masks.flags.writeable = False
    assert np.array_equal(instances_to_semantic(masks, np.array([2]), NUM_LABELS), plain_semantic(masks, np.array([2])))


@pytest.mark.parametrize("code", [-1, 0, NUM_LABELS + 1])
def test_a_code_outside_the_label_space_is_refused(code: int) -> None:
    with pytest.raises(ValidationError, match=rf"Class codes are 1 to 3; found \[{code}\]"):
        instances_to_semantic(np.zeros((1, *SPATIAL), np.uint8), np.array([code]), NUM_LABELS)


def test_masks_and_codes_of_different_number_are_refused() -> None:
    with pytest.raises(ValidationError, match="found 2 masks and 1 codes"):
        instances_to_semantic(np.zeros((2, *SPATIAL), np.uint8), np.array([1]), NUM_LABELS)


def test_a_semantic_mask_of_another_shape_is_refused_by_author() -> None:
    with pytest.raises(ValidationError, match=r"mask of 'ana' has shape \(4, 4, 3\); expected \(4, 3, 4\)"):
        merge({"ana": np.zeros((4, 4, 3), np.float32)}, "union")


def test_an_unknown_strategy_is_refused_even_without_voters() -> None:
    with pytest.raises(ValidationError, match="'union', 'intersection', 'mode'; found 'majority'"):
        merge({}, "majority")


def test_a_real_mask_and_its_eroded_copy_merge_to_the_larger_and_the_smaller(demo_images: Path) -> None:
    drawn = cv2.imread(str(demo_images / "xray" / "nih_00000001_000_mask.png"), cv2.IMREAD_UNCHANGED) > 0
    eroded = cv2.erode(drawn.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    space = LabelSpace({"lung": 1}, (), (), ())
    pieces = [
        MaskPiece("ben", "lung", None, eroded.astype(np.uint8)),
        MaskPiece("ana", "lung", None, drawn.astype(np.uint8)),
    ]
    stacked = stack_instances(pieces, space, (1, *drawn.shape), multi_frame=False)
    semantic = {author: instances_to_semantic(masks, codes, 1) for author, (masks, codes) in stacked.items()}
    assert list(semantic) == ["ana", "ben"]
    assert 0 < eroded.sum() < drawn.sum()
    expected: dict[MergeStrategy, np.ndarray] = {"union": drawn, "intersection": eroded, "mode": drawn}
    for strategy, foreground in expected.items():
        merged = np.asarray(merge_semantic(semantic, strategy, num_labels=1, spatial_shape=(1, *drawn.shape)))
        assert np.array_equal(merged[1, 0] > 0, foreground)
        assert np.array_equal(merged[0, 0] > 0, ~foreground)
