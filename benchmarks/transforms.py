"""What the way into a transform and out of it costs, as ratios within one process on one thread. Prints JSON.

Each ratio: an item's image and masks of several annotators through the adapter, against a direct call of the same
albumentations transform with the image as it wants it, all masks in one stack made beforehand, and the same seed.
Of a volume the direct call takes the stack as `masks3d`; the ratio to one that takes it as the channels of one
`mask3d`, which somebody laid so beforehand, stands beside.

glibc is told to keep freed memory, as it does by itself in a process that has freed larger arrays before. Otherwise
both ways measure page faults, which differ by the order of what was freed.
"""

from __future__ import annotations

import ctypes
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import albumentations as A  # noqa: N812 (its own custom)
import cv2
import numpy as np
import torch

from datamint_like.dataset.transforms import transformed

ROUNDS = 60
RNG = np.random.default_rng(3)


@dataclass(frozen=True)
class Case:
    """An item (C, ...) with masks by author, and what is done to it."""

    transform: Any
    image: np.ndarray
    masks: dict[str, np.ndarray]

    def adapted(self, seed: int) -> None:
        """Through the adapter, as an item of a dataset goes."""
        transformed(self.transform, self.image, self.masks, seed=seed)

    @property
    def flat(self) -> bool:
        """Whether the item is a picture, not a volume."""
        return self.image.ndim == 3

    def direct(self, *, as_channels: bool = False) -> Callable[[int], None]:
        """By albumentations alone, on arrays in its layout."""
        image = np.ascontiguousarray(np.moveaxis(self.image, 0, -1))
        stack = np.concatenate(list(self.masks.values()))
        targets = {"image" if self.flat else "volume": image}
        if as_channels:
            targets["mask3d"] = np.ascontiguousarray(np.moveaxis(stack, 0, -1))
        else:
            targets["masks" if self.flat else "masks3d"] = stack

        def call(seed: int) -> None:
            self.transform.set_random_seed(seed)
            self.transform(**targets)

        return call


def cases() -> dict[str, Case]:
    """Items as projects have them: 512x512 pictures and a volume, with the masks of three readers."""
    usual = [A.HorizontalFlip(p=0.5), A.Affine(rotate=(-10, 10), scale=(0.9, 1.1), p=1)]
    light = A.RandomBrightnessContrast(p=1)
    return {
        "rgb_512_warped": Case(A.Compose([*usual, light]), _image(3, 512, 512), _masks(512, 512)),
        "gray_512_warped": Case(A.Compose([*usual, light]), _image(1, 512, 512), _masks(512, 512)),
        "float_512_warped": Case(A.Compose(usual), _image(1, 512, 512).astype(np.float32), _masks(512, 512)),
        "gray_512_flipped": Case(A.Compose([A.HorizontalFlip(p=1)]), _image(1, 512, 512), _masks(512, 512)),
        "rgb_512_flipped": Case(A.Compose([A.HorizontalFlip(p=1)]), _image(3, 512, 512), _masks(512, 512)),
        "volume_64_cropped": Case(
            A.Compose([A.RandomCrop3D(size=(48, 112, 112)), A.CubicSymmetry(p=1)], seed=1),
            _image(1, 64, 128, 128).astype(np.float32),
            _masks(64, 128, 128),
        ),
    }


def _image(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def _masks(*spatial: int) -> dict[str, np.ndarray]:
    return {f"reader-{n}@x.org": RNG.integers(0, 2, (2, *spatial), dtype=np.uint8) for n in range(3)}


def ratio(case: Case) -> dict[str, float]:
    """Median CPU time of each way, run in turn with equal seeds."""
    ways = {"adapted": case.adapted, "direct": case.direct()}
    if not case.flat:
        ways["direct_as_channels"] = case.direct(as_channels=True)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for seed in range(ROUNDS):
        for name in random.sample(sorted(ways), len(ways)):
            start = time.process_time()
            ways[name](seed)
            times[name].append(time.process_time() - start)
    median = {name: statistics.median(found[3:]) for name, found in times.items()}
    ratios = {
        name.replace("direct", "ratio"): round(median["adapted"] / value, 3)
        for name, value in median.items()
        if name != "adapted"
    }
    return ratios | {f"{name}_ms": round(value * 1000, 2) for name, value in median.items()}


def keep_freed_memory() -> None:
    """Let glibc's malloc serve large arrays from memory that it has, where this is glibc."""
    mmap_threshold, trim_threshold, much = -3, -1, 1 << 30
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(mmap_threshold, much)
        libc.mallopt(trim_threshold, much)


if __name__ == "__main__":
    keep_freed_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    found = {name: ratio(case) for name, case in cases().items()}
    print(json.dumps(found | {"compared_with": "albumentations called directly", "rounds": ROUNDS}, indent=2))
