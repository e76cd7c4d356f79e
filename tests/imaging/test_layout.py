from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamint_like.imaging._layout import channels_first, channels_last, contiguous, copied

TYPES = ["uint8", "float32", "int16", "float64"]


@given(
    shape=st.lists(st.integers(0, 5), min_size=2, max_size=3),
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=3),
    dtype=st.sampled_from(TYPES),
)
def test_channels_go_last_and_come_back_as_they_were(shape: list[int], counts: list[int], dtype: str) -> None:
    rng = np.random.default_rng(sum(counts))
    stacks = [rng.integers(0, 200, (count, *shape)).astype(dtype) for count in counts]
    whole = np.concatenate(stacks)
    last = channels_last(*stacks)
    np.testing.assert_array_equal(last, np.moveaxis(whole, 0, -1))
    assert (last.dtype, last.shape) == (whole.dtype, (*shape, sum(counts)))
    first = channels_first(last)
    np.testing.assert_array_equal(first, whole)
    assert first.flags.c_contiguous
    assert first.dtype == whole.dtype


@pytest.mark.parametrize("count", [1, 3])
def test_what_a_transform_is_given_never_shares_what_is_read_only(count: int) -> None:
    shared = np.zeros((count, 4, 5), np.uint8)
    shared.flags.writeable = False
    given_away = channels_last(shared)
    given_away += 1
    assert not shared.any()


def test_a_crop_of_a_picture_is_taken_for_what_it_is() -> None:
    picture = np.arange(3 * 8 * 9, dtype=np.uint8).reshape(3, 8, 9)[:, 2:7, ::2]
    np.testing.assert_array_equal(channels_last(picture), np.moveaxis(picture, 0, -1))
    np.testing.assert_array_equal(channels_first(np.moveaxis(picture, 0, -1)), picture)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(5, 7, 3), (1, 5, 7, 4), (5, 7, 9), (5, 7, 1)])
def test_pixels_behind_a_view_are_taken_as_they_lie_and_copied_to_planes(shape: tuple[int, ...], dtype: str) -> None:
    pixels = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    planes = np.moveaxis(pixels, -1, 0)
    assert np.shares_memory(channels_last(planes), pixels)
    for made in (copied(planes), contiguous(planes)):
        np.testing.assert_array_equal(made, planes)
        assert made.flags.c_contiguous
        assert made.dtype == planes.dtype
    assert not np.shares_memory(copied(planes), pixels)


def test_what_is_contiguous_is_not_copied() -> None:
    planes = np.zeros((3, 4, 5), np.uint8)
    assert contiguous(planes) is planes
    assert not np.shares_memory(copied(planes), planes)
