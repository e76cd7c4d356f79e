"""Many clients that read and write at once, while the server is killed and comes back; then every write is looked for.

A client repeats what was not answered, under the same `Idempotency-Key`, until it is. So at the end all that any
client asked for was acknowledged, and the store must hold exactly that: nothing less, nothing twice, nothing else.
"""

from __future__ import annotations

import json
import random
import socket
import statistics
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from datamint_like.backends.base import AnnotationQuery, ResourceQuery
from datamint_like.backends.local.backend import LocalBackend
from tests.serving import ADMIN_KEY, served_by_process

_ROUNDS = 3  # the server is killed after each but the last
_SPLITS = ("train", "val", "test")


@dataclass
class Acknowledged:
    """What the server said is stored.

    Attributes:
        files: The bytes of each resource.
        labels: For each label the resource that has it.
        splits: The split of each resource that was put into one.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)


@dataclass
class Tally:
    """What all clients have seen."""

    answered: Counter[str] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)
    repeated: int = 0
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, took_s: float, answer: httpx.Response) -> None:
        """Count an answer."""
        with self.lock:
            self.answered[what] += 1
            self.took_s.append(took_s)
            if answer.status_code >= 400:
                self.wrong.append(f"{what}: {answer.status_code} {answer.text[:200]}")

    def note_silence(self) -> None:
        """Count a request that was not answered."""
        with self.lock:
            self.repeated += 1


class Client(threading.Thread):
    """One connection, which reads, and writes resources of its own, until it is told to stop."""

    def __init__(self, number: int, url: str, project_id: str, tally: Tally) -> None:
        super().__init__(name=f"client {number}", daemon=True)
        self.stop = threading.Event()
        self.acknowledged = Acknowledged()
        self._mine: list[str] = []
        self._random = random.Random(number)
        self._url, self._project, self._tally = url, project_id, tally

    def run(self) -> None:
        kinds = (self._form, self._pieces, self._label, self._split, self._list, self._search, self._download)
        with httpx.Client(base_url=self._url, headers={"apikey": ADMIN_KEY}, timeout=120) as self._http:
            self._form()
            while not self.stop.is_set():
                self._random.choices(kinds, (2, 2, 4, 3, 2, 2, 4))[0]()

    def _ask(self, what: str, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer to a request that may be made twice; it is made again until the server is there to answer."""
        while True:
            started = time.monotonic()
            try:
                answer = self._http.request(method, path, **options)
            except httpx.TransportError:
                self._tally.note_silence()
                time.sleep(0.1)
            else:
                self._tally.note(what, time.monotonic() - started, answer)
                return answer

    def _created(self, what: str, path: str, **options: Any) -> Any:
        return self._ask(what, "POST", path, headers={"Idempotency-Key": str(uuid.uuid4())}, **options).json()

    def _picture(self) -> bytes:
        """A small PNG that no other resource has."""
        noise = np.frombuffer(self._random.randbytes(24 * 32), np.uint8).reshape(24, 32)
        return bytes(cv2.imencode(".png", noise)[1])

    def _form(self) -> None:
        data = self._picture()
        made = self._created("form", "/resources", files=[("resource", ("form.png", data, "image/png"))])
        self._keep(made["id"], data)
        change = {"resource_ids_to_add": [made["id"]]}
        self._ask("add to project", "POST", f"/projects/{self._project}/resources", json=change)

    def _pieces(self) -> None:
        data = self._picture()
        upload = self._ask("begin", "POST", "/uploads", json={"size": len(data), "filename": "pieces.png"}).json()
        offset = 0
        while offset < len(data):
            there = {"Upload-Offset": str(offset)}
            piece = data[offset : offset + 600]
            try:
                answer = self._http.patch(f"/uploads/{upload['id']}", content=piece, headers=there)
            except httpx.TransportError:
                answer = self._ask("offset", "GET", f"/uploads/{upload['id']}")
            offset = answer.json()["offset"]
        body = {"uploads": [upload["id"]], "new": {"filename": "pieces.png", "project_id": self._project}}
        self._keep(self._created("from uploads", "/resources/from-uploads", json=body)["resource"]["id"], data)

    def _keep(self, resource_id: str, data: bytes) -> None:
        self.acknowledged.files[resource_id] = data
        self._mine.append(resource_id)

    def _label(self) -> None:
        resource_id, name = self._random.choice(self._mine), f"{self.name}, {len(self.acknowledged.labels)}"
        body = {"annotations": [{"type": "label", "identifier": name}]}
        self._created("label", f"/resources/{resource_id}/annotations", json=body)
        self.acknowledged.labels[name] = resource_id

    def _split(self) -> None:
        resource_id, split = self._random.choice(self._mine), self._random.choice(_SPLITS)
        body = {"assignments": {resource_id: split}}
        self._ask("split", "POST", f"/projects/{self._project}/splits", json=body)
        self.acknowledged.splits[resource_id] = split

    def _list(self) -> None:
        found = self._ask("list", "GET", "/resources", params={"limit": 50, "offset": self._random.randrange(20)})
        self._need(found.json()["totalCount"] >= len(self._mine), "a listing lacks resources")

    def _search(self) -> None:
        resource_id = self._random.choice(self._mine)
        found = self._ask("search", "POST", "/annotations/search", json={"resource_id": resource_id}).json()
        names = {each["identifier"] for each in found["data"][0]["annotations"]}
        said = {name for name, of in self.acknowledged.labels.items() if of == resource_id}
        self._need(names == said, f"a search finds {names}, not {said}")

    def _download(self) -> None:
        resource_id = self._random.choice(self._mine)
        data = self._ask("download", "GET", f"/resources/{resource_id}/file").content
        self._need(data == self.acknowledged.files[resource_id], "a download has other bytes")

    def _need(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self._tally.wrong.append(f"{self.name}: {otherwise}")


def _own_port() -> int:
    """A port that no outgoing connection takes while the server is away."""
    for port in random.Random().sample(range(20_000, 32_000), 100):
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise AssertionError("no port is free")


def _loaded(folder: Path, connections: int, seconds: float) -> tuple[str, Acknowledged, Tally]:
    """The project, what was acknowledged, and what was seen, of so many clients in so many seconds."""
    port, tally = _own_port(), Tally()
    clients: list[Client] = []
    for round_ in range(_ROUNDS):
        with served_by_process(folder, port=port) as (url, process):
            if not clients:
                made = httpx.post(f"{url}/projects", json={"name": "load"}, headers={"apikey": ADMIN_KEY}, timeout=60)
                clients = [Client(number, url, made.json()["id"], tally) for number in range(connections)]
                for client in clients:
                    client.start()
            _wait(seconds / _ROUNDS, lambda: sum(tally.answered.values()), connections)
            if round_ < _ROUNDS - 1:
                process.kill()
                process.wait(timeout=30)
                continue
            for client in clients:
                client.stop.set()
            for client in clients:
                client.join(timeout=120)
                assert not client.is_alive(), f"{client.name} was not answered; seen so far: {tally.wrong}"
    return made.json()["id"], _together(clients), tally


def _wait(seconds: float, answered: Callable[[], int], at_least: int) -> None:
    """Wait so long, and on a slow machine until the clients have got some answers."""
    first, until = answered(), time.monotonic() + seconds
    limit = until + 60
    while time.monotonic() < until or (answered() - first < at_least and time.monotonic() < limit):
        time.sleep(0.05)


def _together(clients: list[Client]) -> Acknowledged:
    whole = Acknowledged()
    for client in clients:
        whole.files |= client.acknowledged.files
        whole.labels |= client.acknowledged.labels
        whole.splits |= client.acknowledged.splits
    return whole


def _account(folder: Path, project_id: str, acknowledged: Acknowledged) -> None:
    """Assert that the store holds exactly what was acknowledged."""
    store = LocalBackend(folder.as_uri())
    try:
        assert store.verify() == []
        kept = store.list_resources(ResourceQuery())
        assert {each.id for each in kept} == set(acknowledged.files)
        assert {each.id for each in store.list_project_resources(project_id)} == set(acknowledged.files)
        for resource_id, data in acknowledged.files.items():
            with store.open_resource_file(resource_id) as file:
                assert file.read() == data
        labels = store.list_annotations(AnnotationQuery())
        assert Counter((each.identifier, each.resource_id) for each in labels) == Counter(acknowledged.labels.items())
        splits = {each.resource_id: each.split_name for each in store.list_splits(project_id)}
        assert splits == acknowledged.splits
    finally:
        store.close()


@pytest.mark.parametrize(
    ("connections", "seconds"), [(8, 6.0), pytest.param(64, 60.0, marks=pytest.mark.soak)], ids=["short", "long"]
)
def test_under_load_a_server_that_is_killed_twice_loses_nothing_and_doubles_nothing(
    tmp_path: Path, connections: int, seconds: float
) -> None:
    folder = tmp_path / "store"
    project_id, acknowledged, tally = _loaded(folder, connections, seconds)
    assert tally.wrong == []
    _account(folder, project_id, acknowledged)
    kinds = {"resources": acknowledged.files, "labels": acknowledged.labels, "splits": acknowledged.splits}
    times = statistics.quantiles(tally.took_s, n=100)
    summary = {
        "connections": connections,
        "seconds": seconds,
        "kills": _ROUNDS - 1,
        "answered": dict(tally.answered),
        "repeated": tally.repeated,
        "stored": {name: len(some) for name, some in kinds.items()},
        "median_ms": round(times[49] * 1000, 1),
        "p99_ms": round(times[98] * 1000, 1),
    }
    print(json.dumps(summary))
