from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np

from datamint_like.backends.base import AnnotationQuery, NewResource, ResourceQuery
from datamint_like.backends.local.backend import LocalBackend
from tests.serving import ADMIN_KEY, killed_before_its_answer, served_by_process

_HEADERS = {"apikey": ADMIN_KEY}


def _kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)


def _picture(n: int) -> bytes:
    """Different pictures of one size."""
    return bytes(cv2.imencode(".png", np.full((40, 50), n % 256, np.uint8))[1])


def _uploader(url: str, acknowledged: list[tuple[str, bytes]], start: int) -> None:
    """Upload until the server is gone."""
    with httpx.Client(base_url=url, headers=_HEADERS, timeout=30) as client:
        for n in range(start, start + 10_000):
            data = _picture(n) + n.to_bytes(4, "big")
            try:
                answer = client.post("/resources", files=[("resource", (f"{n}.png", data, "image/png"))])
            except httpx.TransportError:
                return
            if answer.status_code == 201:
                acknowledged.append((answer.json()["id"], data))


def test_what_a_killed_server_acknowledged_is_there_and_nothing_is_half_stored(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    acknowledged: list[tuple[str, bytes]] = []
    for round_ in range(3):
        with served_by_process(folder) as (url, process):
            before = len(acknowledged)
            threads = [
                threading.Thread(target=_uploader, args=(url, acknowledged, (3 * round_ + n) * 10_000))
                for n in range(3)
            ]
            for thread in threads:
                thread.start()
            for _ in range(300):
                if len(acknowledged) >= before + 4 + round_:
                    break
                time.sleep(0.05)
            _kill(process)
            for thread in threads:
                thread.join()
    assert len(acknowledged) >= 12
    store = LocalBackend(folder.as_uri())
    try:
        assert store.verify() == []
        for resource_id, data in acknowledged:
            with store.open_resource_file(resource_id) as file:
                assert file.read() == data
        kept = store.list_resources(ResourceQuery())
        assert len(acknowledged) <= len(kept) <= len(acknowledged) + 9
    finally:
        store.close()


def test_an_upload_in_pieces_goes_on_at_the_server_that_comes_after(tmp_path: Path) -> None:
    folder, data = tmp_path / "store", _picture(7) + os.urandom(2_000_000)
    about = {"size": len(data), "filename": "x.png", "sha256": hashlib.sha256(data).hexdigest()}
    with served_by_process(folder) as (url, process):
        upload_id = httpx.post(f"{url}/uploads", json=about, headers=_HEADERS).json()["id"]
        piece = {**_HEADERS, "Upload-Offset": "0"}
        sent = httpx.patch(f"{url}/uploads/{upload_id}", content=data[:1_000_000], headers=piece).json()["offset"]
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:  # killed in the middle of the next piece
            head = f"PATCH /uploads/{upload_id} HTTP/1.1\r\nHost: x\r\napikey: {ADMIN_KEY}\r\n"
            head += f"Upload-Offset: {sent}\r\nContent-Length: 1000000\r\n\r\n"
            connection.sendall(head.encode() + data[sent : sent + 500_000])
            _kill(process)
    with served_by_process(folder) as (url, _), httpx.Client(base_url=url, headers=_HEADERS, timeout=30) as client:
        offset = client.get(f"/uploads/{upload_id}").json()["offset"]
        assert sent <= offset <= sent + 500_000
        rest = client.patch(f"/uploads/{upload_id}", content=data[offset:], headers={"Upload-Offset": str(offset)})
        assert rest.json()["offset"] == len(data)
        body: dict[str, Any] = {"uploads": [upload_id], "new": {"filename": "x.png"}}
        made = client.post("/resources/from-uploads", json=body).json()["resource"]
        assert made["sha256"] == about["sha256"]


def test_a_server_killed_between_commit_and_answer_gives_that_answer_when_asked_again(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    form = [("resource", ("x.png", _picture(1), "image/png"))]
    key = {**_HEADERS, "Idempotency-Key": "first"}
    with killed_before_its_answer(folder) as url:
        httpx.post(f"{url}/resources", files=form, headers=key, timeout=60)
    with served_by_process(folder) as (url, _), httpx.Client(base_url=url, headers=_HEADERS, timeout=30) as client:
        (kept,) = client.get("/resources").json()["data"][0]["resources"]
        again = client.post("/resources", files=form, headers=key)
        assert (again.status_code, again.json()) == (201, {"id": kept["id"]})
        assert client.get("/resources").json()["totalCount"] == 1


def test_annotations_that_a_killed_server_did_not_answer_are_made_once(tmp_path: Path) -> None:
    folder, path = tmp_path / "store", tmp_path / "x.png"
    path.write_bytes(_picture(1))
    store = LocalBackend(folder.as_uri())
    place = f"/resources/{store.create_resource(NewResource((path,), 'x.png')).id}/annotations"
    body = {"annotations": [{"type": "label", "identifier": "benign"}]}
    key = {**_HEADERS, "Idempotency-Key": "first"}
    with killed_before_its_answer(folder) as url:
        httpx.post(f"{url}{place}", json=body, headers=key, timeout=60)
    (kept,) = store.list_annotations(AnnotationQuery())
    with served_by_process(folder) as (url, _):
        again = httpx.post(f"{url}{place}", json=body, headers=key, timeout=30)
    assert (again.status_code, [each["id"] for each in again.json()]) == (201, [kept.id])
    assert store.list_annotations(AnnotationQuery()) == [kept]
    store.close()


def test_the_processes_of_a_killed_server_end_with_it(tmp_path: Path) -> None:
    with served_by_process(tmp_path / "store", "--workers", "2") as (url, process):
        port = int(url.rpartition(":")[2])
        process.kill()
        process.wait()
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
            except ConnectionRefusedError:
                return
            time.sleep(0.1)
    raise AssertionError("somebody still listens 30 s after the server was killed")
