"""A process killed at any instant loses no acknowledged upload and leaves nothing half-done in sight."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import pytest

from datamint_like.backends.base import AnnotationQuery, ResourceQuery
from datamint_like.backends.local.backend import LocalBackend

# Uploads pictures, masks and a short series, alone and into a project with their masks, over and over; says what
# was acknowledged.
CHILD = """
import itertools, sys
import numpy as np
from datamint_like import Api, imaging
from datamint_like.backends import open_backend
from datamint_like.backends.base import AnnotationQuery
from datamint_like.backends.base import NewResource
from datamint_like.testing.samples import CT_FILES, OTHER_XRAY, XRAY, XRAY_MASK, xray_mask
api = Api(server_url=sys.argv[1])
store = api.backend
api.projects.create("k", exists_ok=True)
(group,) = imaging.assemble(CT_FILES[:4]).groups
labels = np.zeros(group.facts.shape, np.uint8)
labels[0, :40, :40], labels[2, 50:, 60:] = 1, 2
volume = {"files": [imaging.encode_volume_mask(labels, group.facts)], "names": {1: "fat", 2: "bone"}}
frame = {"files": [XRAY_MASK], "names": "lung"}
print("ready", flush=True)
for n in itertools.count():
    for paths in ((XRAY,), (OTHER_XRAY,), CT_FILES[:4]):
        resource = store.create_resource(NewResource(paths, paths[0].name, tags=("a", "b")))
        print("resource", resource.id, resource.sha256, flush=True)
        if paths == (XRAY,):
            (mask,) = store.create_annotations(resource.id, [xray_mask()])
            print("mask", mask.id, mask.sha256, flush=True)
    for paths, masks in (([XRAY], frame), (list(CT_FILES[:4]), volume)):
        each = [masks] + [None] * (len(paths) - 1)
        made = api.resources.upload_resources(paths, publish_to="k", segmentation_files=each, tags=["a", "b", "k"])
        (ident,) = made.resource_ids
        print("resource", ident, store.get_resource(ident).sha256, flush=True)
        for mask in store.list_annotations(AnnotationQuery(resource_ids=(ident,))):
            print("mask", mask.id, mask.sha256, flush=True)
"""

ROUNDS_A_STORE = 10


@dataclass
class Counts:
    """What the rounds so far saw."""

    kills: int = 0
    acknowledged: int = 0
    unacknowledged_but_whole: int = 0
    lost: int = 0
    half_done: int = 0


def killed_after(seconds: float, url: str) -> list[list[str]]:
    """The acknowledgements that a child gave before it was killed, `seconds` after it was ready."""
    with subprocess.Popen([sys.executable, "-c", CHILD, url], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        timer = threading.Timer(seconds, lambda: os.kill(child.pid, signal.SIGKILL))
        timer.start()
        try:
            lines = child.stdout.read().splitlines(keepends=True)
        finally:
            timer.join()
        assert child.wait() == -signal.SIGKILL
    return [line.split() for line in lines if line.endswith("\n")]


def check(store: LocalBackend, acknowledged: list[list[str]], counts: Counts) -> None:
    """Count what is lost and what is half there."""
    listed = {each.id: each for each in store.list_resources(ResourceQuery(deleted="include"))}
    masks = {each.id: each for each in store.list_annotations(AnnotationQuery())}
    for kind, ident, sha256 in acknowledged:
        found = listed.get(ident) if kind == "resource" else masks.get(ident)
        counts.lost += found is None or found.sha256 != sha256
    project = store.find_project("k")
    members = {each.id for each in store.list_project_resources(project.id)} if project else set()
    parts = store.list_parts(list(listed))
    for ident, resource in listed.items():
        files = [store.blobs().part_path(part, resource.filename) for part in parts[ident]]
        digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
        whole = digests == [part.sha256 for part in parts[ident]] and len(digests) in (1, 4)
        has = sorted(mask.identifier for mask in masks.values() if mask.resource_id == ident)
        counts.half_done += not (whole and resource.tags[:2] == ("a", "b") and not resource.deleted)
        if resource.tags[2:]:  # published into the project, with masks
            expected = ["lung"] if len(digests) == 1 else ["bone", "fat"]
            counts.half_done += not (has == expected and ident in members and resource.published)
    for mask in masks.values():
        store.blobs().annotation_bytes(mask)
    counts.acknowledged = len(acknowledged)
    counts.unacknowledged_but_whole = len(listed) + len(masks) - len(acknowledged)


def run(rounds: int, folder: Path) -> Counts:
    """Kill a child `rounds` times, on a fresh store now and then, checking the whole store after each."""
    draw, total = random.Random(time.time_ns()), Counts()
    for start in range(0, rounds, ROUNDS_A_STORE):
        counts, everything = Counts(), []
        url = (folder / f"store{start}").as_uri()
        for _ in range(min(ROUNDS_A_STORE, rounds - start)):
            everything += killed_after(draw.uniform(0.0, 0.6), url)
            counts.kills += 1
            store = LocalBackend(url)
            check(store, everything, counts)
            assert store.verify() == []
            store.close()
        total = Counts(*(a + b for a, b in zip(astuple(total), astuple(counts), strict=True)))
        shutil.rmtree(folder / f"store{start}")
    return total


def test_a_killed_upload_loses_nothing_acknowledged(tmp_path: Path) -> None:
    counts = run(5, tmp_path)
    assert counts.acknowledged > 0
    assert (counts.lost, counts.half_done) == (0, 0), counts


@pytest.mark.soak
def test_hundreds_of_kills_lose_nothing_acknowledged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rounds = int(os.environ.get("DATAMINT_SOAK_KILLS", "250"))
    counts = run(rounds, tmp_path)
    report = json.dumps({"killed_uploads": asdict(counts)})
    with capsys.disabled():
        print(report)
    with contextlib.suppress(KeyError):
        (Path(os.environ["DATAMINT_SOAK_REPORTS"]) / "killed_uploads.json").write_text(report)
    assert (counts.lost, counts.half_done) == (0, 0), counts


def test_a_store_killed_while_it_is_made_opens_again(tmp_path: Path) -> None:
    code = (
        "import sys; from datamint_like.backends import open_backend; print('x', flush=True); open_backend(sys.argv[1])"
    )
    draw = random.Random(time.time_ns())
    for n in range(5):
        url = (tmp_path / f"store{n}").as_uri()
        with subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(draw.uniform(0.25, 0.45))
            child.kill()
        store = LocalBackend(url)
        assert store.current_user().roles
        store.close()
