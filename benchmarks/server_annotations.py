"""How long a server takes to store and to find 1,000 annotations, printed as JSON (seconds, medians).

One store on this machine, one server process on loopback, one client with one connection.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from datamint_like.backends.local.backend import LocalBackend
from datamint_like.testing.samples import XRAY_MASK, upload
from tests.serving import ADMIN_KEY, served_by_process

PACKED = {"Content-Type": "application/msgpack"}


def seconds(work: Callable[[], httpx.Response]) -> float:
    start = time.perf_counter()
    answer = work()
    answer.raise_for_status()
    return time.perf_counter() - start


def labels(count: int) -> list[dict[str, Any]]:
    return [{"type": "label", "identifier": f"finding {number % 7}"} for number in range(count)]


def measured(client: httpx.Client, ids: list[str], annotations: int, runs: int) -> dict[str, float]:
    each = annotations // len(ids)
    mask = {"type": "segmentation", "identifier": "lung", "scope": "frame", "frame_index": 0}
    mask["payload"] = XRAY_MASK.read_bytes()
    batch = msgspec.msgpack.encode({"annotations": {key: labels(each) for key in ids}})
    masks = msgspec.msgpack.encode({"annotations": {ids[0]: [mask] * 20}})
    calls: dict[str, Callable[[], httpx.Response]] = {
        f"batch of {annotations} labels of {len(ids)} resources": lambda: client.post(
            "/annotations/batch", content=batch, headers=PACKED
        ),
        f"{annotations} labels of one resource": lambda: client.post(
            f"/annotations/{ids[0]}/annotations", json=[{**label, "scope": "image"} for label in labels(annotations)]
        ),
        "batch of 20 masks of 512 x 512": lambda: client.post("/annotations/batch", content=masks, headers=PACKED),
        f"search for {annotations}": lambda: client.post(
            "/annotations/search", json={"resource_ids": ids, "offset": "0", "limit": str(annotations)}
        ),
    }
    for call in calls.values():
        seconds(call)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(runs):
        for name, call in calls.items():
            times[name].append(seconds(call))
    return {name: round(statistics.median(some), 3) for name, some in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--annotations", type=int, default=1000)
    parser.add_argument("--resources", type=int, default=100)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = LocalBackend(Path(folder).as_uri())
        ids = [upload(store).id for _ in range(asked.resources)]
        store.close()
        with (
            served_by_process(Path(folder)) as (url, _),
            httpx.Client(base_url=url, headers={"apikey": ADMIN_KEY}, timeout=120) as client,
        ):
            print(json.dumps(measured(client, ids, asked.annotations, asked.runs), indent=2))


if __name__ == "__main__":
    main()
