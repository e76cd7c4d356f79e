"""A disk of 256 KB that fills, and a folder that cannot be written: work goes on, or one error says what to do."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like.cache import Cache
from tests.cache.lab import SHAPE, Lab, running_lab
from tests.cache.mounts import READ_ONLY, SMALL, run_where
from tests.remote.file_server import KEY, FileServer

BIG, FITS = bytes(range(256)) * 1500, b"abc" * 20_000
FETCHES = f"""
import hashlib, sys
from pathlib import Path
from datamint_like._cache import CacheFolder
from datamint_like.backends.remote.blob_cache import BlobCache
from datamint_like.backends.remote.downloads import Wanted
from datamint_like.backends.remote.transport import Transport
from datamint_like.cache import Cache
from datamint_like.exceptions import CacheError

cache, transport = BlobCache(CacheFolder(Path(sys.argv[1]))), Transport(sys.argv[2], {KEY!r})

def fetched(path, size=None, digest=None):
    stem = digest or "version-" + hashlib.sha256(path.encode()).hexdigest()[:56]
    try:
        return len(cache.fetched(transport, Wanted(path, path, stem, size, digest)).read_bytes())
    except CacheError as error:
        return str(error)
"""


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer(files={"/big": BIG, **{f"/{n}": FITS + bytes([n]) for n in range(9)}}) as running:
        yield running


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


def test_a_file_that_does_not_fit_is_refused_before_its_first_byte(server: FileServer, tmp_path: Path) -> None:
    digest = hashlib.sha256(BIG).hexdigest()
    code = f"{FETCHES}print(fetched('/big', {len(BIG)}, {digest!r}))\nprint(Cache(cache.folder).usage().size)"
    error, left = run_where(SMALL, tmp_path, code, tmp_path, server.url).splitlines()
    assert f"No room for /big: {len(BIG)} bytes" in error
    assert "DATAMINT_LIKE_CACHE" in error
    assert left == "0"
    assert server.seen == []


def test_a_disk_that_fills_while_files_come_leaves_those_that_fit_whole(server: FileServer, tmp_path: Path) -> None:
    code = f"""{FETCHES}
print([fetched(f"/{{n}}") for n in range(9)])
used, found = Cache(cache.folder).usage(), Cache(cache.folder).verify()
print(used.kinds["file"].entries, used.kinds["partial"].entries, used.kinds["file"].size, found.damaged)
Cache(cache.folder).clear()
print(fetched("/8"))
"""
    results, held, again = run_where(SMALL, tmp_path, code, tmp_path, server.url).splitlines()
    found = eval(results)
    whole = [each for each in found if each == len(FITS) + 1]
    assert 2 <= len(whole) <= 4
    assert all("No room for" in each for each in found if each not in whole)
    assert held == f"{len(whole)} 0 {len(whole) * (len(FITS) + 1)} ()"
    assert again == str(len(FITS) + 1)


READS = """
import logging, pickle, sys
from pathlib import Path
import numpy as np
from datamint_like._cache import entries
from datamint_like.backends.remote.keys import given
from datamint_like.cache import Cache
from datamint_like.exceptions import CacheError
logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="log: %(message)s")
lab, dataset = pickle.loads(Path(sys.argv[1]).read_bytes())
given(lab.url, sys.argv[2])
"""


def test_slices_are_right_although_no_pack_fits(lab: Lab, tmp_path: Path) -> None:
    """Files come from a cache elsewhere; the small disk is that of the packs, and nearly full."""
    from datamint_like.slices.packs import Packs

    (tmp_path / "small").mkdir()
    dataset = lab.dataset(tmp_path / "cache").prepare()
    dataset.prefetch()
    object.__setattr__(dataset._reading, "packs", Packs(tmp_path / "small"))
    blobs = tmp_path / "cache" / "blobs"
    (tmp_path / "job").write_bytes(pickle.dumps((lab, dataset)))
    code = f"""{READS}
from datamint_like.backends.remote.blobs import RemoteBlobs
Path({str(tmp_path / "small" / "ballast")!r}).write_bytes(bytes(180_000))
axial = dataset.slice("axial")
axial._read.blobs = RemoteBlobs(lab.url, Path({str(blobs.parent)!r}))
print(all(lab.is_right(n, axial[n]["image"]) for n in range(len(axial))))
used = Cache({str(tmp_path / "small")!r}).usage()
print(used.kinds["partial"].entries, used.kinds["pack"].entries, Cache({str(tmp_path / "small")!r}).verify().damaged)
"""
    out = run_where(SMALL, tmp_path / "small", code, tmp_path / "job", KEY).splitlines()
    said = [line for line in out if line.startswith("log: ")]
    assert len(said) == 1
    assert "cannot be written ([Errno 28]" in said[0]
    right, held = (line for line in out if not line.startswith("log: "))
    assert right == "True"
    assert held.startswith("0 ")
    assert held.endswith(" ()")
    assert 1 <= int(held.split()[1]) < len(lab.volumes)


@pytest.mark.parametrize("compression", ["gzip", pytest.param(None, marks=pytest.mark.soak)])
def test_a_read_only_cache_gives_what_is_there_and_decodes_the_rest(
    lab: Lab, tmp_path: Path, compression: str | None
) -> None:
    cache = tmp_path / "cache"
    dataset = lab.dataset(cache, compression=compression).prepare()
    dataset.subset([0, 1]).prefetch(slices="axial")
    dataset.subset([2]).prefetch()
    (tmp_path / "job").write_bytes(pickle.dumps((lab, dataset)))
    before = sorted((str(path), path.stat().st_mtime_ns) for path in cache.rglob("*"))
    code = f"""{READS}
import datamint_like.dataset.reader as reading
axial, decoded, read = dataset.slice("axial"), [], reading.read
reading.read = lambda *given, **named: decoded.append(1) or read(*given, **named)
planes = {SHAPE[2]}
print(all(lab.is_right(n, axial[n]["image"]) for n in range(2 * planes)), len(decoded))
print(all(lab.is_right(n, axial[n]["image"]) for n in range(2 * planes, 3 * planes)), len(decoded) > 0)
try:
    print(axial[3 * planes])
except CacheError as error:
    print(error)
held = Cache({str(cache)!r})
print(held.verify().damaged, held.usage().kinds["file"].entries, held.gc(limit=0, grace_hours=0).removed)
"""
    out = run_where(READ_ONLY, cache, code, tmp_path / "job", KEY).splitlines()
    warned = [line for line in out if line.startswith("log: ")]
    first, second, third, fourth = (line for line in out if not line.startswith("log: "))
    assert (first, second) == ("True 0", "True True")
    assert f"The cache folder {cache} cannot be written: Read-only file system" in third
    assert fourth == "() 3 0"
    assert len(warned) == 1
    assert sorted((str(path), path.stat().st_mtime_ns) for path in cache.rglob("*")) == before


def test_a_read_only_cache_trains_with_the_network_off(lab: Lab, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    dataset = lab.dataset(cache).prepare()
    dataset.prefetch(slices="axial")
    del dataset
    (tmp_path / "job").write_bytes(pickle.dumps((lab, None)))
    code = f"""{READS}
dataset = lab.dataset(Path({str(cache)!r}))
loader = dataset.slice("axial").get_dataloader(batch_size=4, num_workers=2)
print(sum(len(batch["image"]) for batch in loader))
"""
    environment = dict(os.environ)
    os.environ["DATAMINT_LIKE_OFFLINE"] = "1"
    try:
        out = run_where(READ_ONLY, cache, code, tmp_path / "job", KEY)
    finally:
        os.environ.clear()
        os.environ.update(environment)
    assert out == f"{len(lab.volumes) * SHAPE[2]}\n"
    assert Cache(cache).verify().damaged == ()


def test_what_to_do_fits_the_cause_wherever_it_is_told(lab: Lab, tmp_path: Path) -> None:
    """Of packs that a prefetch cannot write: a disk without room is told to be freed, one that is read-only is not."""
    dataset = lab.dataset(tmp_path / "cache").prepare()
    dataset.prefetch(progress=False)
    (tmp_path / "job").write_bytes(pickle.dumps((lab, dataset)))
    code = f"""{READS}
report = dataset.prefetch(slices="axial", on_error="report", progress=False)
print(report.failures[0])
"""
    out = run_where(READ_ONLY, tmp_path / "cache", code, tmp_path / "job", KEY)
    assert "cannot be written to the cache folder: Read-only file system. Name another cache folder in" in out
    assert "Free space" not in out
