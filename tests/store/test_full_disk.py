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
facts = HeaderFacts("dicom", "volume", "application/dicom", 1, (3, 4, 4), "uint8")
files = tuple(sorted(sources.iterdir()))
blobs = lambda: sorted(path.name for path in (Path(sys.argv[1]) / "blobs").rglob("*") if path.is_file())
before = blobs()
for _ in range(3):
    try:
        store.create_resource(NewResource(files, "large", facts=facts))
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


def run_on_small_disk(disk: Path, size: str, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python code, run where `disk` is a disk of this size that only it sees."""
    disk.mkdir()
    unshare = shutil.which("unshare")
    private = [unshare or "unshare", "--mount", "--map-root-user", "sh", "-c"]
    mount = f"mount -t tmpfs -o size={size} small '{disk}'"
    if unshare is None or subprocess.run([*private, mount], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    command = [*private, f'{mount} && exec "$0" "$@"', sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_disk_without_room_is_a_storage_error(tmp_path: Path, sources: Path) -> None:
    disk = tmp_path / "disk"
    done = run_on_small_disk(disk, "1500k", CHECK, str(disk / "store"), str(sources), "disk")
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
    disk = tmp_path / "disk"
    done = run_on_small_disk(disk, "2500k", BRIM, str(disk / "store"), str(disk))
    assert done.stdout == "checked\n", done.stderr


# Reads a store, lists it in the shell and takes items of a dataset where no byte can be written any more.
READ = """
import os, sys
from pathlib import Path
from datamint_like import ImageDataset
from datamint_like.backends import open_backend
from datamint_like.backends.base import NewProject
from datamint_like.cli.main import main
from datamint_like.exceptions import StorageError
from datamint_like.testing.samples import label, project_of, upload
home, limit, cache = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
store = open_backend(home.as_uri())
resource = upload(store)
project = project_of(store, resource, name="p")
store.create_annotations(resource.id, [label()])
store.assign_split(project.id, [resource.id], "train")
ImageDataset(project="p", server_url=home.as_uri(), cache_dir=cache).prepare()
store.close()
if limit == "file size":
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
else:
    with open(home.parent / "filler", "wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    assert os.statvfs(home).f_bavail == 0
store = open_backend(home.as_uri())
assert [each.name for each in store.list_projects()] == ["p"]
try:
    store.create_project(NewProject("other"))
except StorageError as error:
    assert "full" in str(error), error
else:
    raise AssertionError("it fitted")
if limit == "disk":  # a limit of the file size holds for standard output as well
    assert main(["ls", "p", "--home", str(home)]) == 0
dataset = ImageDataset(project="p", server_url=home.as_uri(), cache_dir=cache)
assert dataset[0]["image"].shape == (1, 512, 512)
parts = dataset.split(use_project_splits=True)
assert len(parts["train"]) == 1
if limit == "disk":
    (home.parent / "filler").unlink()
    store.create_project(NewProject("after"))
    assert [each.name for each in store.list_projects()] == ["p", "after"]
sys.stderr.write("checked")
"""


def test_a_store_on_a_full_disk_can_be_listed_and_trained_from(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    done = run_on_small_disk(disk, "1500k", READ, str(disk / "store"), "disk", str(tmp_path / "cache"))
    assert done.stderr == "checked", done.stderr
    assert "nih_00000001_000.png" in done.stdout


def test_a_store_whose_files_may_not_grow_can_be_read(tmp_path: Path) -> None:
    arguments = [str(tmp_path / "store"), "file size", str(tmp_path / "cache")]
    done = subprocess.run([sys.executable, "-c", READ, *arguments], stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == "checked", done.stderr
