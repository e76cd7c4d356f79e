"""Which values are black and white, and what is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from datamint_like.drawing.shading import shade_of

CT = {"units": "HU", "header": {"WindowCenter": [40.0, 400.0], "WindowWidth": [80.0, 1500.0]}}


def ends(image: np.ndarray, metainfo: dict[str, Any], *, native: bool = True) -> tuple[float, float, str]:
    shade = shade_of(image, metainfo, native=native)
    return shade.window.center - shade.window.width / 2, shade.window.center + shade.window.width / 2, shade.words


def test_native_values_take_the_first_window_of_the_header() -> None:
    assert ends(np.array([[[-1000, 3000]]], np.int16), CT) == (0, 80, "window 40 / 80 HU (header)")


def test_values_that_are_no_longer_the_headers_do_not() -> None:
    low, high, words = ends(np.linspace(-5, 5, 1001).reshape(1, 1, -1), CT, native=False)
    assert (low, high) == pytest.approx((-4.9, 4.9))
    assert "percentile" in words
    assert ends(np.array([[[0.0, 1.0]]], np.float32), CT, native=False) == (0, 1, "values 0 to 1")


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"WindowCenter": [], "WindowWidth": []},
        {"WindowCenter": "40", "WindowWidth": 80},
        {"WindowCenter": 40.0, "WindowWidth": 0.0},
        {"WindowCenter": float("nan"), "WindowWidth": 80.0},
        {"WindowCenter": 40.0, "WindowWidth": 80.0, "PhotometricInterpretation": "MONOCHROME1"},
    ],
)
def test_a_header_without_a_usable_window_leaves_it_to_the_values(header: dict[str, Any]) -> None:
    assert "percentile" in ends(np.arange(100, dtype=np.int16)[None, None], {"header": header})[2]


def test_pictures_of_8_bits_are_shown_as_they_are() -> None:
    assert ends(np.zeros((1, 2, 2), np.uint8), CT) == (0, 255, "values 0 to 255")


def test_constant_and_infinite_images_have_a_range_too() -> None:
    low, high, _ = ends(np.full((1, 2, 2), 7, np.int16), {})
    assert low < high
    assert ends(np.full((1, 2, 2), np.nan), {})[2] == "no finite value"
    low, high, _ = ends(np.array([[[np.inf, 3.0, 9.0, -np.inf]]]), {})
    assert 3 <= low < high <= 9


def test_masks_and_labels_of_other_types_are_shown_by_their_values() -> None:
    assert "0.99 to 98.01" in ends(np.arange(100, dtype=np.int32)[None, None], {})[2]
