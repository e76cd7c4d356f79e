"""What the way into a transform and out of it costs, as ratios within one process on one thread. Prints JSON.

`ratio`: an item's image and masks of several annotators through the adapter, against a direct call of the same
albumentations transform with the image as it wants it, all masks in one stack made beforehand, and the same seed. The
direct call is given the layout that it wants and keeps arrays (H, W, C), so it does less than anybody needs who trains.

`ratio_to_tensors`: both sides start from the image as the row has it and the masks by annotator, and end with
contiguous tensors, the image (C, H, W) and the masks by annotator. Where the image comes as planes the direct side gets
it (H, W, C) all the same, as OpenCV reads it. It joins, moves and splits in the fastest ways known here.

Rows `..._as_read` have the layout of a whole image that is read of files: the picture is decoded of a PNG (colours lie
pixel by pixel), and the masks are stacked of annotations (all annotators in one array). Other rows have colours in
planes, as TIFF and videos give them, and each annotator's masks in an array of their own, as a subclass may: joining
those before albumentations can be called with one image and one stack is in their `ratio`.

Of a volume the direct call takes the stack as `masks3d`; the ratio to one that takes it as the channels of one
`mask3d`, which somebody laid so beforehand, stands beside.

glibc is told to keep freed memory, as it does by itself in a process that has freed larger arrays before. Otherwise
both ways measure page faults, which differ by the order of what was freed.
"""

from __future__ import annotations

import ctypes
import json
import math
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

from datamint_like.annotations import LabelSpace, MaskPiece, stack_instances
from datamint_like.dataset.tensors import own_tensor
from datamint_like.dataset.transforms import Transformed, transformed
from datamint_like.imaging.raster import decode_bytes

#: The image (C, H, W) and the masks by author.
Tensors = tuple[torch.Tensor, dict[str, torch.Tensor]]
Ways = dict[str, Callable[[int], object]]
#: How often each way is run on arrays at one place, without those runs that warm it up; and at how many places.
ROUNDS, WARM_UP, PLACES = 23, 3, 8
RNG = np.random.default_rng(3)


@dataclass(frozen=True)
class Case:
    """An item (C, ...) with masks by author, and what is done to it."""

    transform: Any
    image: np.ndarray
    masks: dict[str, np.ndarray]

    @property
    def flat(self) -> bool:
        """Whether the item is a picture, not a volume."""
        return self.image.ndim == 3

    def ways(self) -> Ways:
        """Both, each with the layout that it is given."""
        return {"adapted": self.adapted, "direct": self.direct()}

    def ways_to_tensors(self) -> Ways:
        """Both, from the same start to the same end."""
        return {"adapted_to_tensors": self.adapted_to_tensors, "direct_to_tensors": self.direct_to_tensors()}

    def adapted(self, seed: int) -> Transformed:
        """Through the adapter, as an item of a dataset goes."""
        return transformed(self.transform, self.image, self.masks, seed=seed)

    def adapted_to_tensors(self, seed: int) -> Tensors:
        """Through the adapter, and into the tensors of the item."""
        image, masks, _ = self.adapted(seed)
        return own_tensor(image), {author: own_tensor(own) for author, own in masks.items()}

    def direct(self, *, as_channels: bool = False) -> Callable[[int], object]:
        """By albumentations alone, on arrays in its layout."""
        image = np.ascontiguousarray(np.moveaxis(self.image, 0, -1))
        stack = np.concatenate(list(self.masks.values()))
        targets = {"image" if self.flat else "volume": image}
        if as_channels:
            targets["mask3d"] = np.ascontiguousarray(np.moveaxis(stack, 0, -1))
        else:
            targets["masks" if self.flat else "masks3d"] = stack

        def call(seed: int) -> object:
            self.transform.set_random_seed(seed)
            return self.transform(**targets)

        return call

    def direct_to_tensors(self) -> Callable[[int], Tensors]:
        """By albumentations alone, from a picture (H, W, C) and the masks by author to the tensors of the item."""
        image = np.ascontiguousarray(np.moveaxis(self.image, 0, -1))
        counts = [len(own) for own in self.masks.values()]

        def call(seed: int) -> Tensors:
            self.transform.set_random_seed(seed)
            made = self.transform(image=image, masks=np.concatenate(list(self.masks.values())))
            planes = np.empty((made["image"].shape[2], *made["image"].shape[:2]), made["image"].dtype)
            cv2.split(made["image"], list(planes))
            own = torch.from_numpy(made["masks"]).split(counts)
            return torch.from_numpy(planes), dict(zip(self.masks, own, strict=True))

        return call


def cases() -> dict[str, Callable[[], Case]]:
    """Items as projects have them, made anew: 512x512 pictures and a volume, with the masks of three readers."""
    usual = [A.HorizontalFlip(p=0.5), A.Affine(rotate=(-10, 10), scale=(0.9, 1.1), p=1)]
    light, flip = A.RandomBrightnessContrast(p=1), A.Compose([A.HorizontalFlip(p=1)])
    crop = A.Compose([A.RandomCrop3D(size=(48, 112, 112)), A.CubicSymmetry(p=1)], seed=1)
    flat = (512, 512)
    return {
        "rgb_512_warped": lambda: Case(A.Compose([*usual, light]), _image(3, *flat), _masks(*flat)),
        "gray_512_warped": lambda: Case(A.Compose([*usual, light]), _image(1, *flat), _masks(*flat)),
        "float_512_warped": lambda: Case(A.Compose(usual), _image(1, *flat).astype(np.float32), _masks(*flat)),
        "gray_512_flipped": lambda: Case(flip, _image(1, *flat), _masks(*flat)),
        "gray_512_flipped_as_read": lambda: Case(flip, _picture(1, *flat), _masks_as_read(*flat)),
        "rgb_512_flipped": lambda: Case(flip, _image(3, *flat), _masks(*flat)),
        "rgb_512_flipped_as_read": lambda: Case(flip, _picture(3, *flat), _masks_as_read(*flat)),
        "volume_64_cropped": lambda: Case(crop, _image(1, 64, 128, 128).astype(np.float32), _masks(64, 128, 128)),
    }


def _image(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def _masks(*spatial: int) -> dict[str, np.ndarray]:
    return {f"reader-{n}@x.org": RNG.integers(0, 2, (2, *spatial), dtype=np.uint8) for n in range(3)}


def _picture(*shape: int) -> np.ndarray:
    """A picture as it comes of its file."""
    png = cv2.imencode(".png", np.moveaxis(_image(*shape), 0, -1))[1]
    return decode_bytes(png.tobytes(), max_voxels=math.prod(shape)).array[:, 0]


def _masks_as_read(*spatial: int) -> dict[str, np.ndarray]:
    """The masks of the same three readers, as they come of their annotations."""
    drawn = _masks(*spatial)
    pieces = [MaskPiece(author, "lesion", 0, mask) for author, own in drawn.items() for mask in own]
    stacked = stack_instances(pieces, LabelSpace({"lesion": 1}, (), (), ()), (1, *spatial), multi_frame=False)
    return {author: own[:, 0] for author, (own, _) in stacked.items()}


def ratios(made: Callable[[], Case]) -> dict[str, float]:
    """Each ratio of a case, with the times behind it (ms)."""
    if not made().flat:
        found = race(lambda case: case.ways() | {"direct_as_channels": case.direct(as_channels=True)}, made)
        return _over(found, "adapted", "direct") | _over(found, "adapted", "direct_as_channels")
    # A race of its own: two ways that use the same arrays would find them in the processor's cache.
    to_tensors = race(Case.ways_to_tensors, made)
    return _over(race(Case.ways, made), "adapted", "direct") | _over(to_tensors, *to_tensors)


def race(ways_of: Callable[[Case], Ways], made: Callable[[], Case]) -> dict[str, float]:
    """CPU time (ms) of each way, run in turn with equal seeds: the median at the place in memory where it is fastest.

    The same work takes up to half as long again where arrays happen to lie badly aligned to each other.
    """
    best: dict[str, float] = {}
    kept = []
    for _ in range(PLACES):
        kept.append(np.empty(random.randrange(1 << 16), np.uint8))
        ways = ways_of(made())
        times: dict[str, list[float]] = {name: [] for name in ways}
        for seed in range(ROUNDS):
            for name in random.sample(sorted(ways), len(ways)):
                start = time.process_time()
                ways[name](seed)
                times[name].append((time.process_time() - start) * 1000)
        for name, found in times.items():
            best[name] = min(best.get(name, math.inf), statistics.median(found[WARM_UP:]))
    return best


def _over(found: dict[str, float], ours: str, theirs: str) -> dict[str, float]:
    ratio = {theirs.replace("direct", "ratio"): round(found[ours] / found[theirs], 3)}
    return ratio | {f"{name}_ms": round(found[name], 3) for name in (ours, theirs)}


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
    found = {name: ratios(made) for name, made in cases().items()}
    rounds = {"rounds": ROUNDS - WARM_UP, "places": PLACES}
    print(json.dumps(found | {"compared_with": "albumentations called directly"} | rounds, indent=2))
