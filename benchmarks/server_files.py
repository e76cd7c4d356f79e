"""What a download costs through our server, against a bare Starlette FileResponse; and memory of streams. Prints JSON.

Each server runs in a process of its own; one client (http.client, one connection) fetches from both. `ratio_200k`
and `ratio_50m`: our bytes a second by those of FileResponse, the median of interleaved rounds (targets 0.7 and 0.9).
`cpu_200k` and `cpu_50m`: CPU time of FileResponse's server by that of ours, which a busy machine blurs less.
`nginx_*`: the same against nginx, where it is installed. `streams_mb`: how much the memory of our server grew (peak
resident set, MB) while 20 clients each downloaded and uploaded a file of 200 MB (target: below 50).
"""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil  # of mlflow-skinny

from datamint_like.backends.base import NewResource
from datamint_like.backends.local.backend import LocalBackend

KEY = "a-key-of-the-benchmark"
SIZES = {"200k": (200_000, 200), "50m": (50_000_000, 4)}  # bytes, and how many files a round
ROUNDS = 9
CLIENTS = 20
STREAMED = int(os.environ.get("STREAMED_MB", "200")) * 1_000_000

_BARE = """
import socket, sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import FileResponse, Response
from starlette.routing import Route

async def file(request):
    return FileResponse("/" + request.path_params["path"])

async def health(request):
    return Response()

app = Starlette(routes=[Route("/health", health), Route("/{path:path}", file)])
config = uvicorn.Config(app, log_level="warning", access_log=False)
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""


def nifti(path: Path, size: int) -> Path:
    """A NIfTI of about this many bytes, which do not compress."""
    import nibabel as nib

    side = -(-size // (256 * 256))
    values = np.random.default_rng(random.randrange(2**32)).integers(0, 255, (side, 256, 256), dtype=np.uint8)
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    return path


@contextmanager
def server(*command: str) -> Iterator[tuple[int, psutil.Process]]:
    """Port and process of a server that gets its listening socket as its last argument."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    env = {**os.environ, "DATAMINT_LIKE_ADMIN_KEY": KEY}
    arguments = [sys.executable, *command]
    arguments[-1] = arguments[-1].replace("{fd}", str(listener.fileno()))
    with subprocess.Popen(arguments, pass_fds=[listener.fileno()], env=env) as process:
        try:
            yield listener.getsockname()[1], psutil.Process(process.pid)
        finally:
            process.terminate()


_OURS = """
import socket, sys
import uvicorn
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.server.app import create_app
from datamint_like.backends.local.options import StoreOptions
from datamint_like.server.options import ServerOptions
from datamint_like.server.serving import config, first_key

store = LocalBackend(sys.argv[1])
first_key(store, sys.argv[2])
app = create_app(store, ServerOptions(store=StoreOptions(sys.argv[1])))
uvicorn.Server(config(app)).run(sockets=[socket.socket(fileno=int(sys.argv[3]))])
"""


def connected(port: int) -> http.client.HTTPConnection:
    """A connection to a server that is starting."""
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
            connection.request("GET", "/health")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return connection
    raise RuntimeError("the server did not start")


def fetched(connection: http.client.HTTPConnection, paths: list[str], size: int) -> float:
    """Seconds for these files, of at least so many bytes each."""
    buffer = bytearray(1 << 20)
    start = time.perf_counter()
    for path in paths:
        connection.request("GET", path, headers={"apikey": KEY})
        answer = connection.getresponse()
        assert answer.status == 200, (path, answer.status)
        total = 0
        while count := answer.readinto(buffer):
            total += count
        assert total >= size
    return time.perf_counter() - start


def cpu(process: psutil.Process) -> float:
    """Seconds of CPU that a process has used."""
    return sum(process.cpu_times()[:2])


def compared(
    ours: tuple[int, psutil.Process], theirs: tuple[int, psutil.Process], paths: list[list[str]], size: int
) -> tuple[float, float]:
    """Medians of their seconds by ours, on the clock and of the servers' CPUs."""
    sides = [(connected(port), process, each) for (port, process), each in zip((ours, theirs), paths, strict=True)]
    clock, used = [], [0.0, 0.0]
    for n in range(ROUNDS + 1):
        taken = []
        for side, (connection, process, each) in enumerate(sides):
            before = cpu(process)
            taken.append(fetched(connection, each, size))
            used[side] += (cpu(process) - before) if n else 0.0
        if n:
            clock.append(taken[1] / taken[0])
    for connection, _, _ in sides:
        connection.close()
    return round(statistics.median(clock), 2), round(used[1] / used[0], 2)


def downloads(folder: Path) -> dict[str, float]:
    """Our throughput by that of FileResponse (and of nginx)."""
    url = (folder / "store").as_uri()
    store = LocalBackend(url)
    found: dict[str, float] = {}
    with server("-c", _OURS, url, KEY, "{fd}") as ours, server("-c", _BARE, "{fd}") as bare:
        for name, (size, count) in SIZES.items():
            made = store.create_resource(NewResource((nifti(folder / "x.nii", size),), "x.nii"))
            place = store.blobs().blob_path(made.sha256 or "")
            paths = [[f"/resources/{made.id}/file"] * count, [place.as_posix()] * count]
            found[f"ratio_{name}"], found[f"cpu_{name}"] = compared(ours, bare, paths, size)
            if shutil.which("nginx"):
                with nginx(folder) as served:
                    paths[1] = [f"/blobs/{place.parent.name}/{place.name}"] * count
                    found[f"nginx_{name}"], _ = compared(ours, served, paths, size)
    store.close()
    return found


@contextmanager
def nginx(folder: Path) -> Iterator[tuple[int, psutil.Process]]:
    """A server of nginx over the store's folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log stderr; user root; events {{}}\n"
        f"http {{ access_log off; sendfile on; server {{ listen 127.0.0.1:{port}; root {folder}/store;\n"
        "location = /health { return 200; } } }\n"
    )
    with subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]) as process:
        try:
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()


def streams(folder: Path) -> float:
    """How many MB the server grew while many clients downloaded and uploaded at once."""
    url = (folder / "streams").as_uri()
    store = LocalBackend(url)
    path = nifti(folder / "large.nii", STREAMED)
    made = store.create_resource(NewResource((path,), "large.nii"))
    with server("-c", _OURS, url, KEY, "{fd}") as (port, process):
        warm = connected(port)
        fetched(warm, [f"/resources/{made.id}/file"], STREAMED // 2)
        sent(port, path)
        before = process.memory_info().rss
        peak = before
        threads = [
            *(
                threading.Thread(target=fetched, args=(connected(port), [f"/resources/{made.id}/file"], 1))
                for _ in range(CLIENTS)
            ),
            *(threading.Thread(target=sent, args=(port, path)) for _ in range(CLIENTS)),
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            peak = max(peak, process.memory_info().rss)
            time.sleep(0.02)
    store.close()
    return round((peak - before) / 1e6, 1)


def sent(port: int, path: Path) -> None:
    """Upload a file in pieces of 8 MiB, then drop it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    size = path.stat().st_size
    headers = {"apikey": KEY, "Content-Type": "application/json"}
    connection.request("POST", "/uploads", json.dumps({"size": size, "filename": "x.nii"}), headers)
    upload_id = json.load(connection.getresponse())["id"]
    with open(path, "rb") as file:
        at = 0
        while piece := file.read(8 << 20):
            connection.request("PATCH", f"/uploads/{upload_id}", piece, {"apikey": KEY, "Upload-Offset": str(at)})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()
            at += len(piece)
    connection.request("DELETE", f"/uploads/{upload_id}", headers={"apikey": KEY})
    connection.getresponse().read()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = downloads(Path(folder))
        found["streams_mb"] = streams(Path(folder))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
