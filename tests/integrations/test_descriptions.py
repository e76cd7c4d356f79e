"""Fingerprints tell MONAI's and TorchIO's transforms apart by what they were made with, in every process alike."""

from __future__ import annotations

import functools
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from datamint_like import VolumeDataset
from datamint_like.integrations import from_monai, from_torchio
from datamint_like.integrations.descriptions import description_of
from tests.dataset.conftest import Shelf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import monai.transforms as mt
    import torchio as tio

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
BOTH = ["image", "label"]

#: Makers of transforms, no two of which do the same.
MAKERS: dict[str, Callable[[], Any]] = {
    "turn 0.1": lambda: from_monai(mt.RandAffined(BOTH, prob=1.0, rotate_range=0.1, mode=("bilinear", "nearest"))),
    "turn 0.2": lambda: from_monai(mt.RandAffined(BOTH, prob=1.0, rotate_range=0.2, mode=("bilinear", "nearest"))),
    "turn, sometimes": lambda: from_monai(
        mt.RandAffined(BOTH, prob=0.5, rotate_range=0.1, mode=("bilinear", "nearest"))
    ),
    "axis 0": lambda: from_monai(mt.RandFlipd(BOTH, spatial_axis=0)),
    "axis 1": lambda: from_monai(mt.RandFlipd(BOTH, spatial_axis=1)),
    "other keys": lambda: from_monai(mt.RandFlipd(["a", "b"], spatial_axis=1), keys=("a", "b")),
    "composed": lambda: from_monai(mt.Compose([mt.RandFlipd(BOTH, spatial_axis=0), mt.Rotate90d(BOTH)])),
    "composed otherwise": lambda: from_monai(mt.Compose([mt.Rotate90d(BOTH), mt.RandFlipd(BOTH, spatial_axis=0)])),
    "matrix": lambda: from_monai(mt.Affined(BOTH, affine=np.eye(4))),
    "other matrix": lambda: from_monai(mt.Affined(BOTH, affine=np.diag([2.0, 1, 1, 1]))),
    "scales 0.1": lambda: from_torchio(tio.RandomAffine(scales=0.1)),
    "scales 0.2": lambda: from_torchio(tio.RandomAffine(scales=0.2)),
    "one of two": lambda: from_torchio(tio.OneOf({tio.RandomBlur(): 0.3, tio.RandomNoise(): 0.7})),
    "one of two, other odds": lambda: from_torchio(tio.OneOf({tio.RandomBlur(): 0.7, tio.RandomNoise(): 0.3})),
    "in turn": lambda: from_torchio(tio.Compose([tio.RandomFlip(axes=(0, 1)), tio.ZNormalization()])),
    "named function": lambda: from_torchio(tio.Lambda(torch.abs)),
    "a ufunc": lambda: from_torchio(tio.Lambda(np.negative)),
    "part of a function": lambda: from_torchio(tio.Lambda(functools.partial(torch.clamp, min=0))),
    "other part": lambda: from_torchio(tio.Lambda(functools.partial(torch.clamp, min=1))),
}


def descriptions() -> list[str]:
    return [make().description for make in MAKERS.values()]


def test_transforms_made_alike_are_described_alike_and_others_are_not() -> None:
    first = descriptions()
    assert descriptions() == first
    assert len(set(first)) == len(MAKERS)
    assert not any("unknown" in told or " at 0x" in told for told in first)


def test_the_description_is_the_same_in_another_process() -> None:
    code = f"from {__name__} import descriptions; print(ascii(descriptions()))"
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.splitlines()[-1] == ascii(descriptions())


def test_a_function_without_a_name_is_unknown_and_the_rest_is_told() -> None:
    told = [from_torchio(tio.Lambda(lambda x: x, types_to_apply=[kind])).description for kind in ("a", "b")]
    assert all("function=unknown" in each for each in told)
    assert told[0] != told[1]


def test_what_holds_itself_has_an_end() -> None:
    odd = mt.Identity()
    odd.again = [odd]  # type: ignore[attr-defined]
    assert description_of(odd).endswith("Identity(again=[...])")


@pytest.mark.parametrize("name", ["turn 0.1", "composed", "scales 0.1"])
def test_a_fingerprint_tells_the_transform_and_stays_when_it_is_used(shelf: Shelf, name: str) -> None:
    def volumes(make: Callable[[], Any]) -> VolumeDataset:
        return VolumeDataset(resources=[shelf.philips], server_url=shelf.url, alb_transform=make(), seed=1)

    used, fresh, twin = (volumes(MAKERS[name]) for _ in range(3))
    used[0]
    again = pickle.loads(pickle.dumps(used))
    again[0]
    assert used.fingerprint == fresh.fingerprint == again.fingerprint
    twin.set_transform(MAKERS["axis 1"]())
    assert twin.fingerprint != fresh.fingerprint


class Scaled:
    """A callable of one's own that says what it does."""

    def __init__(self, factor: float) -> None:
        self.factor, self.description = factor, f"scaled by {factor}"

    def __call__(self, image: Any, masks: Any) -> dict[str, Any]:
        return {"image": image * self.factor, "masks": masks}


def test_a_callable_of_ones_own_may_describe_itself(shelf: Shelf) -> None:
    prints = [
        VolumeDataset(resources=[shelf.philips], server_url=shelf.url, alb_transform=Scaled(n)).fingerprint
        for n in (1, 2, 2)
    ]
    assert prints[0] != prints[1] == prints[2]
