"""What a download costs through our server, against a bare Starlette FileResponse; and memory of streams. Prints JSON.

Each server runs in a process of its own; one client (http.client, one connection) fetches from all of them, in turn.
`ratio_200k` and `ratio_50m`: our bytes a second by those of FileResponse, the median of interleaved rounds (targets 0.7
and 0.9). `cpu_200k` and `cpu_50m`: CPU time of FileResponse's server by that of ours, which a busy machine blurs less.
Where nginx is installed (apt-get install nginx-light), beside it: `accel_*`, nginx in front of ours, which checks the
key and leaves the file to nginx (X-Accel-Redirect), and `nginx_*`, nginx alone, which checks nothing; both by
FileResponse. `mb_s_*`: megabytes a second of each. `streams_mb`: how much the memory of our server grew (peak resident
set, MB) while 20 clients each downloaded and uploaded a file of 200 MB (target: below 50).
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
from typing import NamedTuple

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
app = create_app(store, ServerOptions(store=StoreOptions(sys.argv[1]), accel_prefix=sys.argv[3] or None))
uvicorn.Server(config(app)).run(sockets=[socket.socket(fileno=int(sys.argv[4]))])
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


class Side(NamedTuple):
    """A server, and where it has the files."""

    server: tuple[int, psutil.Process]
    paths: list[str]


def compared(sides: dict[str, Side], size: int) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Of each side the megabytes a second, and by those of `bare` throughput and CPU time of the server."""
    connections = {name: connected(side.server[0]) for name, side in sides.items()}
    taken: dict[str, list[float]] = {name: [] for name in sides}
    used = dict.fromkeys(sides, 0.0)
    for n in range(ROUNDS + 1):
        for name, side in sides.items():
            before = cpu(side.server[1])
            seconds = fetched(connections[name], side.paths, size)
            if n:  # the first round warms up
                taken[name].append(seconds)
                used[name] += cpu(side.server[1]) - before
    for connection in connections.values():
        connection.close()
    speeds, clock = {}, {}
    for name, side in sides.items():
        speeds[name] = round(size * len(side.paths) / statistics.median(taken[name]) / 1e6)
        rounds = zip(taken["bare"], taken[name], strict=True)
        clock[name] = round(statistics.median(theirs / ours for theirs, ours in rounds), 2)
    return speeds, clock, {name: round(used["bare"] / max(used[name], 0.01), 2) for name in sides}


def downloads(folder: Path) -> dict[str, float]:
    """Throughput of ours, of nginx over ours and of nginx alone, by that of FileResponse."""
    url = (folder / "store").as_uri()
    store = LocalBackend(url)
    found: dict[str, float] = {}
    with (
        server("-c", _OURS, url, KEY, "", "{fd}") as ours,
        server("-c", _OURS, url, KEY, "/stored", "{fd}") as behind,
        server("-c", _BARE, "{fd}") as bare,
        nginx(folder, behind[0]) as front,
    ):
        for name, (size, count) in SIZES.items():
            made = store.create_resource(NewResource((nifti(folder / "x.nii", size),), "x.nii"))
            place = store.blobs().blob_path(made.sha256 or "")
            resource, blob = f"/resources/{made.id}/file", f"/blobs/{place.parent.name}/{place.name}"
            sides = {"ours": Side(ours, [resource] * count), "bare": Side(bare, [place.as_posix()] * count)}
            if front is not None:
                sides |= {"accel": Side(front, [resource] * count), "nginx": Side(front, [blob] * count)}
            speeds, clock, used = compared(sides, size)
            found[f"ratio_{name}"], found[f"cpu_{name}"] = clock["ours"], used["ours"]
            found |= {f"{side}_{name}": clock[side] for side in ("accel", "nginx") if side in sides}
            found |= {f"mb_s_{side}_{name}": speed for side, speed in speeds.items()}
    store.close()
    return found


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[tuple[int, psutil.Process] | None]:
    """An nginx in front of a server of ours, which also serves the blobs of the store by itself; None without nginx."""
    binary = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    temporary = "".join(
        f"{each}_temp_path {folder}/nginx_{each}; " for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; {'user root;' if os.geteuid() == 0 else ''}\n"
        f"events {{}} http {{ access_log off; sendfile on; keepalive_requests 1000000; {temporary}\n"
        f"upstream ours {{ server 127.0.0.1:{upstream}; keepalive 4; }}\n"
        f"server {{ listen 127.0.0.1:{port};\n"
        'location / { proxy_pass http://ours; proxy_http_version 1.1; proxy_set_header Connection ""; }\n'
        f"location /stored/ {{ internal; alias {folder}/store/; }}\n"
        f"location /blobs/ {{ alias {folder}/store/blobs/; }} }} }}\n"
    )
    command = [binary, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")]
    with subprocess.Popen(command) as process:
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
    with server("-c", _OURS, url, KEY, "", "{fd}") as (port, process):
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
