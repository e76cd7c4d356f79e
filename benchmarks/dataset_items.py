"""What a dataset costs beyond decoding, as ratios within one process on one thread. Prints JSON.

`item_overhead`: what an image item takes beyond reading and decoding its file, over `cv2.imdecode` of that 512x512 PNG.
`item_total`: the whole item over the same.
`slices_once`: all axial slices of a CT series, read in order, against decoding that series once.
`pickle_bytes`: a dataset of every slice, and of a random half of them.
"""

from __future__ import annotations

import json
import pickle
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from datamint_like.api import Api
from datamint_like.dataset import ImageDataset, VolumeDataset
from datamint_like.imaging import probe, read

IMAGES = Path(__file__).parent.parent / "datamint_like" / "demo" / "images"
ROUNDS = 60


def seconds(work: Callable[[], object]) -> float:
    """The CPU time of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def race(**works: Callable[[], object]) -> dict[str, float]:
    """Median CPU seconds of each, run in turn so that a noisy machine disturbs all alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(ROUNDS):
        for name in random.sample(sorted(works), len(works)):
            times[name].append(seconds(works[name]))
    return {name: statistics.median(found) for name, found in times.items()}


def measure(folder: Path) -> dict[str, object]:
    """All figures, on a store made in `folder`."""
    api = Api(server_url=folder.as_uri())
    api.projects.create("bench")
    api.resources.upload_resources(
        [IMAGES / "xray" / "nih_00000001_000.png", IMAGES / "ct_philips"], publish_to="bench"
    )
    resources = list(api.projects.get_project_resources("bench"))
    by_kind = {resource.metadata["kind"]: resource for resource in resources}
    images = ImageDataset(resources=[by_kind["image"]], server_url=folder.as_uri()).prepare()
    volumes = VolumeDataset(resources=[by_kind["volume"]], server_url=folder.as_uri()).prepare()
    path = IMAGES / "xray" / "nih_00000001_000.png"
    facts, png = probe([path]), np.fromfile(path, np.uint8)

    def decode_once() -> None:
        volumes[0]

    def all_slices() -> None:
        for item in volumes.slice("axial"):
            assert item["image"].ndim == 3

    found = race(
        item=lambda: images[0],
        read=lambda: read([path], facts),
        imdecode=lambda: cv2.imdecode(png, cv2.IMREAD_UNCHANGED),
        decode_once=decode_once,
        all_slices=all_slices,
    )
    slices = volumes.slice("axial")
    return {
        "item_overhead": round((found["item"] - found["read"]) / found["imdecode"], 3),
        "item_total": round(found["item"] / found["imdecode"], 3),
        "slices_once": round(found["all_slices"] / found["decode_once"], 3),
        "median_ms": {name: round(value * 1000, 2) for name, value in found.items()},
        "pickle_bytes": {
            "all slices": len(pickle.dumps(slices)),
            "half": len(pickle.dumps(slices.subset(range(0, 32, 2)))),
        },
        "compared_with": "cv2.imdecode of the same PNG; one decoding of the same series",
        "rounds": ROUNDS,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder) / "store"), indent=2))
