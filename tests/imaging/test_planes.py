"""Colour pixels become planes: exactly those that numpy takes apart, whatever way they lie."""

from __future__ import annotations

import numpy as np
import pytest

from datamint_like.imaging._planes import split_into

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 5, 4), dtype=np.uint8)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_pixels_of_colours_are_split_into_planes_in_the_order_given(channels: int):
    planes = np.ascontiguousarray(PIXELS[..., :channels]).transpose(2, 0, 1)
    out = np.zeros((channels, 7, 5), np.uint8)
    assert split_into(list(out[::-1]), planes)
    assert np.array_equal(out[::-1], planes)


@pytest.mark.parametrize(
    "planes",
    [
        PIXELS[..., :1].transpose(2, 0, 1),
        PIXELS.transpose(2, 0, 1)[:, ::-1],
        PIXELS.transpose(2, 1, 0),
        PIXELS.transpose(2, 0, 1)[:3],
        PIXELS.astype(np.uint16).transpose(2, 0, 1),
    ],
    ids=["one channel", "flipped", "turned", "further channels between", "16 bits"],
)
def test_what_lies_otherwise_is_left_to_others(planes: np.ndarray):
    out = np.zeros(planes.shape, np.uint8)
    assert not split_into(list(out), planes)
    assert not out.any()


def test_planes_of_another_type_or_size_are_not_written_to():
    planes = PIXELS.transpose(2, 0, 1)
    for out in (np.zeros((4, 7, 5), np.int16), np.zeros((4, 5, 7), np.uint8), np.zeros((4, 7, 10), np.uint8)[..., ::2]):
        assert not split_into(list(out), planes)
        assert not out.any()
