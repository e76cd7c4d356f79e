"""Stacks that lie one after another are taken for the one array that they are; all others are joined in a new one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamint_like.dataset.one_stack import one_stack

SHAPE = (3, 4)


def parts(counts: list[int]) -> list[np.ndarray]:
    """Views that make up one array, of these lengths."""
    whole = np.arange(sum(counts) * 12, dtype=np.uint32).astype(np.uint8).reshape(-1, *SHAPE)
    ends = np.cumsum(counts)
    return [whole[end - count : end] for end, count in zip(ends, counts, strict=True)]


@given(counts=st.lists(st.integers(0, 3), min_size=1, max_size=5), data=st.data())
def test_any_stacks_in_any_order_are_what_joining_them_gives(counts: list[int], data: st.DataObject) -> None:
    made = parts(counts)
    chosen = data.draw(st.lists(st.sampled_from(range(len(made))), min_size=1, max_size=6))
    stacks = [made[n].copy() if data.draw(st.booleans()) else made[n] for n in chosen]
    found = one_stack(stacks)
    assert np.array_equal(found, np.concatenate(stacks))
    assert found.flags.c_contiguous
    assert found.flags.writeable


@given(counts=st.lists(st.integers(1, 3), min_size=1, max_size=5))
def test_what_makes_up_one_array_is_that_array(counts: list[int]) -> None:
    made = parts(counts)
    found = one_stack(made)
    assert all(np.shares_memory(found, each) for each in made)
    assert found.shape == (sum(counts), *SHAPE)


def _swapped(made: list[np.ndarray]) -> list[np.ndarray]:
    return [made[0], made[2], made[1]]


@pytest.mark.parametrize(
    "changed",
    [
        _swapped,
        lambda made: made[:2],
        lambda made: [made[0], made[0], made[2]],
        lambda made: [made[0], made[1].copy(), made[2]],
        lambda made: [each[:, ::-1] for each in made],
        lambda made: [each[..., :3] for each in made],
    ],
    ids=["swapped", "one missing", "one twice", "one copied", "flipped", "cropped"],
)
def test_all_else_is_a_copy(changed: object) -> None:
    made = parts([2, 2, 2])
    stacks = changed(made)  # type: ignore[operator]
    found = one_stack(stacks)
    assert np.array_equal(found, np.concatenate(stacks))
    assert not any(np.shares_memory(found, each) for each in made)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("whose", ["each", "one", "whole"])
def test_what_is_read_only_is_not_given_away(whose: str, count: int) -> None:
    made = parts([2] * count)
    owner = made[0].base
    assert owner is not None
    for each in {"each": made, "one": made[-1:], "whole": [owner]}[whose] if count > 1 else made:
        each.flags.writeable = False
    shared = one_stack(made)
    shared += 1
    assert not any(np.shares_memory(shared, each) for each in made)


def test_columns_of_an_array_that_lie_one_after_another_are_no_rows_of_it() -> None:
    columns = list(np.asfortranarray(np.arange(6).reshape(2, 3)).T[:, None])
    assert np.array_equal(one_stack(columns), [[0, 3], [1, 4], [2, 5]])
