"""What `prefetch` costs over a network with latency, against httpx alone. Prints JSON.

2,000 PNG files of about 200 KB lie behind a real server (two processes on loopback) that answers each request 20 ms
late. The same number of threads fetches in both, interleaved within one run:

`ours`: `ImageDataset.prefetch` into an empty cache: each file hashed on the way, published by a rename.
`bare`: a thread pool of one `httpx.Client` that streams each file into a file; no hash, no fsync, no retries.
`sequential`: the same client with one thread, over the first files alone; its seconds are scaled to all.

`ratio_to_bare` is ours by bare (target: at most 1.3), `speed_up` sequential by ours (target: at least 10), both
medians of the rounds. `cpu_ratio` is that of the CPU time of this process; that of the server is not in it. `again_s`
is a second prefetch that finds all in place, in the same process, `checked_s` in a new one, which hashes each file.
Both targets want an idle machine (`load_before` tells).
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np

from datamint_like.api import Api
from datamint_like.dataset import ImageDataset

KEY = "a-key-of-the-benchmark"
FILES = int(os.environ.get("PREFETCH_FILES", "2000"))
SEQUENTIAL = FILES // 5
SERVERS = 2  # one process is the limit of both sides
WORKERS = 16
ROUNDS = 5
LATENCY_S = 0.02
_MEMORY = FILES * 400_000

_SERVER = """
import asyncio, socket, sys
import uvicorn
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.options import StoreOptions
from datamint_like.server.app import create_app
from datamint_like.server.options import ServerOptions
from datamint_like.server.serving import config, first_key

store = LocalBackend(sys.argv[1])
first_key(store, sys.argv[2])
app = create_app(store, ServerOptions(store=StoreOptions(sys.argv[1])))

async def late(scope, receive, send):
    if scope["type"] == "http":
        await asyncio.sleep(float(sys.argv[3]))
    await app(scope, receive, send)

uvicorn.Server(config(late)).run(sockets=[socket.socket(fileno=int(sys.argv[4]))])
"""

_CHECK = """
import sys, time
from datamint_like.dataset import ImageDataset
dataset = ImageDataset("files", server_url=sys.argv[1], cache_dir=sys.argv[2], auto_update=False).prepare()
start = time.perf_counter()
assert dataset.prefetch(progress=False).files == int(sys.argv[3])
print(time.perf_counter() - start)
"""


def make_store(folder: Path) -> str:
    """The URL of a store whose project `files` holds that many pictures of noise."""
    generator = np.random.default_rng(0)
    pictures = folder / "pictures"
    pictures.mkdir()
    for n in range(FILES):
        picture = generator.integers(0, 256, (447, 447), dtype=np.uint8)
        cv2.imwrite(str(pictures / f"{n:05}.png"), picture, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    api = Api(server_url=(folder / "store").as_uri())
    api.projects.create("files")
    api.resources.upload_resources([pictures], publish_to="files", progress_bar=False)
    return api.server_url


@contextmanager
def served(url: str) -> Iterator[str]:
    """The address of a late server over a store."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    command = [sys.executable, "-c", _SERVER, url, KEY, str(LATENCY_S), str(listener.fileno())]
    processes = [subprocess.Popen(command, pass_fds=[listener.fileno()]) for _ in range(SERVERS)]
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        httpx.get(f"{address}/health", timeout=60)
        time.sleep(3)  # until the other listens, too
        yield address
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def stream_all(address: str, paths: list[str], folder: Path, threads: int) -> None:
    """The bare work: each path of the server becomes a file."""
    folder.mkdir()
    with httpx.Client(base_url=address, headers={"apikey": KEY, "Accept-Encoding": "identity"}) as client:

        def fetch(numbered: tuple[int, str]) -> None:
            number, path = numbered
            with client.stream("GET", path) as answer, open(folder / str(number), "wb") as file:
                assert answer.status_code == 200
                for piece in answer.iter_raw():
                    file.write(piece)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fetch, enumerate(paths)))
    shutil.rmtree(folder)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and of this process's CPUs, from a state that is the same for all.

    The disk is done with what was before, and memory for the files is at hand: a virtual machine gives free memory
    back to its host, so that a file costs two or three times as much CPU when its pages were not used just before.
    """
    os.sync()
    b"\1" * _MEMORY
    start, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - used


def measure(folder: Path) -> dict[str, Any]:
    load = round(os.getloadavg()[0], 1)
    url = make_store(folder)
    with served(url) as address:
        options: dict[str, Any] = {"server_url": address, "api_key": KEY}
        known = ImageDataset("files", cache_dir=folder / "known", **options).prepare()
        paths = [f"/resources/{each.id}/parts/0" for each in known.resources]
        size = sum(each.size or 0 for each in known.resources)
        ours, bare, sequential = [], [], []
        for n in range(ROUNDS):
            dataset = ImageDataset("files", cache_dir=folder / f"cache{n}", **options).prepare()
            ours.append(timed(lambda dataset=dataset: dataset.prefetch(workers=WORKERS, progress=False)))  # type: ignore[misc]
            bare.append(timed(lambda: stream_all(address, paths, folder / "bare", WORKERS)))
            few = timed(lambda: stream_all(address, paths[:SEQUENTIAL], folder / "bare", 1))
            sequential.append(few[0] * FILES / SEQUENTIAL)
            if n < ROUNDS - 1:
                shutil.rmtree(folder / f"cache{n}")
        again = timed(lambda: dataset.prefetch(progress=False))[0]
        command = [sys.executable, "-c", _CHECK, address, str(folder / f"cache{ROUNDS - 1}"), str(FILES)]
        checked = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {
        "files": FILES,
        "megabytes": round(size / 1e6, 1),
        "workers": WORKERS,
        "servers": SERVERS,
        "latency_ms": LATENCY_S * 1e3,
        "cpus": os.cpu_count(),
        "load_before": load,
        "ratio_to_bare": round(statistics.median(a / b for (a, _), (b, _) in zip(ours, bare, strict=True)), 2),
        "cpu_ratio": round(statistics.median(a / b for (_, a), (_, b) in zip(ours, bare, strict=True)), 2),
        "speed_up": round(statistics.median(s / a for s, (a, _) in zip(sequential, ours, strict=True)), 1),
        "ours_s": [[round(each, 2) for each in pair] for pair in ours],
        "bare_s": [[round(each, 2) for each in pair] for pair in bare],
        "sequential_s": [round(each, 1) for each in sequential],
        "again_s": round(again, 3),
        "checked_s": round(checked, 2),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measure(Path(scratch)), indent=2))
