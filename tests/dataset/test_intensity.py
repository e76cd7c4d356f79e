"""`intensity=` and `dtype=`: the same for a volume and its slices, and honest about units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from datamint_like.dataset import VolumeDataset
from datamint_like.exceptions import DecodeError
from tests.dataset.conftest import Shelf


def halved(array: np.ndarray) -> np.ndarray:
    return array / 2


def volumes(shelf: Shelf, **options: Any) -> VolumeDataset:
    return VolumeDataset(resources=[shelf.philips], server_url=shelf.url, **options)


@pytest.mark.parametrize(
    ("options", "dtype", "units"),
    [
        ({}, torch.int16, "HU"),
        ({"dtype": "float32"}, torch.float32, "HU"),
        ({"dtype": torch.int32}, torch.int32, "HU"),
        ({"dtype": np.float16}, torch.float16, "HU"),
        ({"intensity": ("clip", -100, 300)}, torch.int16, "HU"),
        ({"intensity": ("window", 40, 400)}, torch.float32, None),
        ({"intensity": halved, "dtype": "float32"}, torch.float32, None),
    ],
    ids=["native", "float32", "torch", "numpy", "clip", "window", "function"],
)
def test_a_slice_has_the_values_type_and_units_of_its_volume(
    shelf: Shelf, options: dict[str, Any], dtype: torch.dtype, units: str | None
) -> None:
    dataset = volumes(shelf, **options)
    whole, cut = dataset[0], dataset.slice("coronal")[60]
    assert whole["image"].dtype == cut["image"].dtype == dtype
    assert torch.equal(cut["image"], whole["image"][:, :, 60])
    assert whole["metainfo"]["units"] == cut["metainfo"]["units"] == units


def test_a_window_is_the_linear_function_of_the_standard(shelf: Shelf) -> None:
    hu = volumes(shelf)[0]["image"].double()
    windowed = volumes(shelf, intensity=("window", 40, 400))[0]["image"]
    expected = ((hu - (40 - 0.5)) / (400 - 1) + 0.5).clip(0, 1)
    torch.testing.assert_close(windowed, expected.float(), atol=1e-6, rtol=0)


def test_values_that_do_not_fit_a_type_are_refused(shelf: Shelf) -> None:
    with pytest.raises(DecodeError, match="uint8"):
        volumes(shelf, dtype="uint8")[0]


def test_options_of_reading_are_part_of_the_fingerprint(shelf: Shelf) -> None:
    prints = {
        volumes(shelf, **options).fingerprint
        for options in ({}, {"dtype": "float32"}, {"intensity": ("window", 40, 400)}, {"irregular_spacing": "keep"})
    }
    assert len(prints) == 4
    assert volumes(shelf, dtype=torch.float32).fingerprint == volumes(shelf, dtype="float32").fingerprint
