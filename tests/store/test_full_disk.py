"""A full disk during an upload is an error that says how much room was needed, and costs nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Fills a store and checks what the failed upload left; run where files cannot grow beyond a limit.
CHECK = """
import os, sys
from pathlib import Path
from datamint_like.backends import open_backend
from datamint_like.backends.base import NewResource, ResourceQuery
from datamint_like.exceptions import StorageError
from datamint_like.imaging.types import HeaderFacts
from datamint_like.testing.samples import XRAY, upload

store, sources, limit = open_backend(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
kept = upload(store)
if limit == "file size":
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
facts = HeaderFacts("raster", "image", "image/png", 1, (1, 4, 4), "uint8")
files = tuple(sorted(sources.iterdir()))
blobs = lambda: sorted(path.name for path in (Path(sys.argv[1]) / "blobs").rglob("*") if path.is_file())
before = blobs()
for _ in range(3):
    try:
        store.create_resource(NewResource(files, "large.png", facts=facts))
    except StorageError as error:
        message = str(error)
        assert "3000000 bytes" in message and sys.argv[1] in message and "Free some space" in message, message
    else:
        raise AssertionError("it fitted")
assert blobs() == before
assert list((Path(sys.argv[1]) / "incoming").iterdir()) == []
assert [each.id for each in store.list_resources(ResourceQuery(deleted="include"))] == [kept.id]
again = upload(store)
with store.open_resource_file(again.id) as file:
    assert file.read() == XRAY.read_bytes()
assert store.verify() == []
print("checked")
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Three files of a size that do not fit: the first alone would."""
    folder = tmp_path / "sources"
    folder.mkdir()
    for n, size in enumerate((500_000, 1_500_000, 1_000_000)):
        (folder / f"{n}.bin").write_bytes(bytes([n]) * size)
    return folder


def test_a_file_that_may_not_grow_further_is_a_storage_error(tmp_path: Path, sources: Path) -> None:
    store = str(tmp_path / "store")
    done = subprocess.run(
        [sys.executable, "-c", CHECK, store, str(sources), "file size"], capture_output=True, text=True, check=False
    )
    assert done.stdout == "checked\n", done.stderr


def test_a_disk_without_room_is_a_storage_error(tmp_path: Path, sources: Path) -> None:
    disk, unshare = tmp_path / "disk", shutil.which("unshare")
    disk.mkdir()
    private = [unshare or "unshare", "--mount", "--map-root-user", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=1500k small '{disk}'"
    if unshare is None or subprocess.run([*private, mount], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    done = subprocess.run(
        [
            *private,
            f'{mount} && exec "$0" "$@"',
            sys.executable,
            "-c",
            CHECK,
            str(disk / "store"),
            str(sources),
            "disk",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "checked\n", done.stderr


# Fills the disk to the last byte, so that not even the database can grow.
BRIM = """
import os, sys
from pathlib import Path
from datamint_like.backends import open_backend
from datamint_like.backends.base import NewProject
from datamint_like.exceptions import StorageError
from datamint_like.testing.samples import upload
store, filler = open_backend(sys.argv[1]), Path(sys.argv[2]) / "filler"
kept = upload(store)
with open(filler, "wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
made = 0
try:
    for made in range(10_000):
        store.create_project(NewProject(f"p{made}", description="x" * 5000))
except StorageError as error:
    assert "Free some space" in str(error) or "disk I/O" in str(error), error
else:
    raise AssertionError("it fitted")
assert len(store.list_projects()) == made, (len(store.list_projects()), made)
filler.unlink()
store.create_project(NewProject("after"))
assert len(store.list_projects()) == made + 1
assert store.verify() == []
print("checked")
"""


def test_a_database_that_cannot_grow_is_a_storage_error_and_stays_whole(tmp_path: Path) -> None:
    disk, unshare = tmp_path / "disk", shutil.which("unshare")
    disk.mkdir()
    private = [unshare or "unshare", "--mount", "--map-root-user", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=2500k small '{disk}'"
    if unshare is None or subprocess.run([*private, mount], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    done = subprocess.run(
        [*private, f'{mount} && exec "$0" "$@"', sys.executable, "-c", BRIM, str(disk / "store"), str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "checked\n", done.stderr
