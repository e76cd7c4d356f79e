"""Without `auto_update`, and with the network off, no connection is opened; what is missing is one error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from datamint_like import ImageDataset
from datamint_like.backends import open_backend
from datamint_like.backends.base import NewProject
from datamint_like.catalog import sync_project
from datamint_like.testing.samples import OTHER_XRAY, XRAY, label, upload
from tests import serving

# Opens datasets in a process where no socket is made, looked up or connected without being noted and refused.
CHILD = """
import json, os, sys
from pathlib import Path
from datamint_like import ImageDataset
from datamint_like.exceptions import DatamintException

tried = []

def guard(event, arguments):
    on_this_machine = event == "socket.gethostname" or (event == "socket.__new__" and arguments[1] == 1)  # AF_UNIX
    if event.startswith("socket.") and not on_this_machine:
        tried.append(event)
        raise OSError(f"{event} is not allowed")

sys.addaudithook(guard)
url, cache, scenes = sys.argv[1:]
told = {}
for name, (project, auto_update, offline) in json.loads(scenes).items():
    os.environ["DATAMINT_LIKE_OFFLINE"] = str(int(offline))
    tried.clear()
    seen = told[name] = {}
    try:
        dataset = ImageDataset(project, server_url=url, cache_dir=Path(cache), auto_update=auto_update)
        seen["fingerprint"] = dataset.fingerprint
        seen["shapes"] = [list(item["image"].shape) for item in dataset]
    except DatamintException as error:
        seen["error"] = [type(error).__name__, str(error)]
    seen["tried"] = list(tried)
print(json.dumps(told))
"""
SCENES = {
    "here, no update": ("here", False, False),
    "here, the network off": ("here", True, True),
    "never synced, no update": ("never synced", False, False),
    "never synced, the network off": ("never synced", True, True),
    "never fetched, no update": ("never fetched", False, False),
    "never fetched, the network off": ("never fetched", True, True),
    "here, with the network": ("here", True, False),
}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a guarded process sees of projects of a server, and what was seen before."""
    folder = tmp_path_factory.mktemp("here")
    with pytest.MonkeyPatch.context() as patch, serving.served(folder / "store") as server:
        patch.setenv("DATAMINT_LIKE_API_KEY", serving.ADMIN_KEY)
        first, second = (upload(server.store, each).id for each in (XRAY, OTHER_XRAY))
        for name, one in (("here", first), ("never synced", first), ("never fetched", second)):
            server.store.create_project(NewProject(name, resource_ids=(one,)))
        dataset = ImageDataset("here", server_url=server.url, cache_dir=folder / "cache")
        dataset.prefetch()
        sync_project(open_backend(server.url), "never fetched", folder / "cache")
        server.store.create_annotations(first, [label("later")])
        before = {"fingerprint": dataset.fingerprint, "shapes": [list(dataset[0]["image"].shape)], "tried": []}
        command = [sys.executable, "-c", CHILD, server.url, str(folder / "cache"), json.dumps(SCENES)]
        done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    return {"before": before, **json.loads(done.stdout)}


@pytest.mark.parametrize("how", ["no update", "the network off"])
def test_what_was_synced_and_fetched_opens_no_connection(there: dict[str, Any], how: str) -> None:
    assert there[f"here, {how}"] == there["before"]


def test_whoever_may_ask_does(there: dict[str, Any]) -> None:
    assert there["here, with the network"]["tried"]


@pytest.mark.parametrize("how", ["no update", "the network off"])
def test_a_project_that_was_never_synced_is_one_error_that_names_it(there: dict[str, Any], how: str) -> None:
    seen = there[f"never synced, {how}"]
    kind, message = seen["error"]
    assert kind == "CacheError"
    assert "No snapshot of project 'never synced' of http://127.0.0.1" in message
    assert seen["tried"] == []


@pytest.mark.parametrize(("how", "by"), [("no update", "auto_update"), ("the network off", "DATAMINT_LIKE_OFFLINE")])
def test_a_file_that_was_never_fetched_is_one_error_that_names_it(there: dict[str, Any], how: str, by: str) -> None:
    seen = there[f"never fetched, {how}"]
    kind, message = seen["error"]
    assert kind == "NotHereError"
    assert "lacks 1 of 1 file" in message
    assert OTHER_XRAY.name in message
    assert by in message
    assert seen["tried"] == []
