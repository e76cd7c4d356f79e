"""Stored files that nothing names: what a killed upload leaves is found, and removed without harm to others."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from datamint_like.backends.base import NewResource, ResourceQuery
from datamint_like.backends.local import projects, verify
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.files import Intake
from datamint_like.exceptions import StorageError
from datamint_like.testing.samples import OTHER_XRAY, XRAY, project_of, upload, xray_mask

# Uploads a picture and dies when its file is in place and its row is not.
CHILD = """
import os, sys
from datamint_like.backends import open_backend
from datamint_like.backends.local.files import Intake
from datamint_like.testing.samples import OTHER_XRAY, upload
publish = Intake.publish
Intake.publish = lambda intake: (publish(intake), os._exit(9))
upload(open_backend(sys.argv[1]), OTHER_XRAY)
"""


def blobs(store: LocalBackend) -> list[Path]:
    return sorted(path for path in (store.blobs().folder / "blobs").rglob("*") if path.is_file())


def age(path: Path) -> None:
    """Make a file two days old."""
    then = time.time() - 2 * 24 * 3600
    os.utime(path, (then, then))


def leave_a_file(store: LocalBackend) -> Path:
    """The file that an upload left when it was killed."""
    before = set(blobs(store))
    assert subprocess.run([sys.executable, "-c", CHILD, store.url], check=False).returncode == 9
    (left,) = set(blobs(store)) - before
    return left


def test_what_a_killed_upload_left_is_reported_and_swept_after_a_day(store: LocalBackend) -> None:
    resource = upload(store)
    store.create_annotations(resource.id, [xray_mask()])
    kept = blobs(store)
    left = leave_a_file(store)
    assert (store.verify(), store.sweep()) == ([], 0), "it may be an upload that is under way"
    for path in blobs(store):
        age(path)
    (sentence,) = store.verify()
    assert f"1 stored file(s) of {OTHER_XRAY.stat().st_size} bytes" in sentence
    assert "sweep()" in sentence
    assert left.exists()
    assert store.sweep() == 1
    assert blobs(store) == kept
    assert store.verify() == []
    assert store.sweep() == 0


def test_a_file_that_is_only_linked_does_not_keep_a_copy_that_nothing_names(store: LocalBackend) -> None:
    left = leave_a_file(store)
    age(left)
    linked = store.create_resource(NewResource((OTHER_XRAY,), OTHER_XRAY.name, link=True))
    assert store.sweep() == 1
    with store.open_resource_file(linked.id) as file:
        assert file.read() == OTHER_XRAY.read_bytes()
    assert store.verify() == []


def test_sweeping_spares_the_file_of_an_upload_that_has_not_ended(
    store: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one that took so long that its file is old when it is put in place."""
    publish, in_place = Intake.publish, threading.Event()

    def publish_slowly(intake: Intake) -> None:
        publish(intake)
        for digest in intake.published:
            age(store.blobs().blob_path(digest))
        in_place.set()
        time.sleep(0.3)

    monkeypatch.setattr(Intake, "publish", publish_slowly)
    uploading = threading.Thread(target=upload, args=(store,))
    uploading.start()
    assert in_place.wait(20)
    store.sweep()
    uploading.join()
    (resource,) = store.list_resources(ResourceQuery())
    with store.open_resource_file(resource.id) as file:
        assert file.read() == XRAY.read_bytes()
    assert store.verify() == []


@pytest.mark.parametrize("second", [OSError(5, "Input/output error"), StorageError("the store is gone")])
def test_an_upload_fails_with_its_own_error_when_cleaning_up_fails_too(
    store: LocalBackend, monkeypatch: pytest.MonkeyPatch, second: OSError
) -> None:
    def refuse(*_: object) -> None:
        raise StorageError("the commit failed")

    def fail(*_: object) -> None:
        raise second

    monkeypatch.setattr(Intake, "publish", refuse)
    monkeypatch.setattr(verify, "drop_unnamed", fail)
    with pytest.raises(StorageError, match="the commit failed"):
        upload(store)


def test_a_resource_that_fails_to_join_its_project_is_not_there_at_all(
    store: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_of(store)

    def fail(*_: object) -> None:
        raise StorageError("refused at the last moment")

    monkeypatch.setattr(projects, "add_resources", fail)
    with pytest.raises(StorageError, match="last moment"):
        store.create_resource(NewResource((XRAY,), XRAY.name, project_id=project.id, publish=True))
    assert store.list_resources(ResourceQuery(deleted="include")) == []
    assert blobs(store) == []
