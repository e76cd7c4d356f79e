"""Files from a server: resumed, checked, whole or not at all, whatever goes wrong on the way."""

from __future__ import annotations

import hashlib
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from datamint_like._cache import CacheFolder
from datamint_like.backends.remote.blob_cache import BlobCache
from datamint_like.backends.remote.blobs import RemoteBlobs
from datamint_like.backends.remote.downloads import Wanted
from datamint_like.backends.remote.retries import RetryPolicy
from datamint_like.backends.remote.transport import Transport
from datamint_like.entities import Annotation, Part
from datamint_like.exceptions import (
    AuthenticationError,
    CacheError,
    DatamintException,
    ItemNotFoundError,
    NetworkError,
    ServerError,
    StorageError,
)
from datamint_like.testing.fault_server import (
    Answer,
    Cut,
    Drip,
    Fault,
    FaultServer,
    IgnoreRange,
    Reset,
    Retag,
    Status,
    WrongByte,
    WrongLength,
)
from tests.remote.file_server import KEY, FileServer

DATA = np.random.default_rng(0).bytes(300_000)
DIGEST = hashlib.sha256(DATA).hexdigest()
PATH = "/resources/r1/parts/0"
PART = Part(index=0, filename="a.dcm", size=len(DATA), sha256=DIGEST, resource_id="r1")
WANTED = Wanted(PATH, "the file 'a.dcm'", DIGEST, len(DATA), DIGEST)


@pytest.fixture
def cache(tmp_path: Path) -> BlobCache:
    return BlobCache(CacheFolder(tmp_path / "cache"))


@pytest.fixture
def transport(server: FileServer, proxy: FaultServer, policy: RetryPolicy) -> Transport:
    server.files[PATH] = DATA
    return Transport(proxy.url, KEY, policy)


def left(cache: BlobCache) -> list[Path]:
    """What lies under way."""
    return list(cache.incoming.iterdir())


def asked_ranges(proxy: FaultServer) -> list[str | None]:
    return [each.headers.get("range") for each in proxy.seen]


def test_a_file_is_fetched_once_and_is_read_only(transport: Transport, proxy: FaultServer, cache: BlobCache) -> None:
    for _ in range(2):
        path = cache.fetched(transport, WANTED)
        assert path.read_bytes() == DATA
    assert path == cache.folder / "blobs" / DIGEST[:2] / DIGEST
    assert path.stat().st_mode & 0o777 == 0o444
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert len(proxy.seen) == 1
    assert left(cache) == []


FAULTS: dict[str, list[Fault]] = {
    "it breaks off again and again": [
        Cut(100_000),
        Cut(50_000),
        Reset(70_000),
        Cut(1),
        Reset(),
        Cut(2),
        Cut(3),
        Cut(4),
    ],
    "the server is busy": [Status(503), Status(429, {"Retry-After": "0"}), Status(502)],
    "it claims to be longer": [WrongLength(+10)],
    "it claims to be shorter": [WrongLength(-10)],
    "the range is ignored": [Cut(100_000), IgnoreRange()],
    "the range is ignored and it breaks off": [Cut(100_000), Cut(0), IgnoreRange()],
    "one byte is wrong": [WrongByte(7)],
    "one byte of the rest is wrong": [Cut(100_000), WrongByte(7)],
    "it comes in small pieces": [Drip(20_000, 0.001)],
    "the ETag is another": [Retag(), Cut(10), Retag('"other"')],
}


@pytest.mark.parametrize("case", FAULTS)
def test_the_right_bytes_come_whatever_goes_wrong(
    transport: Transport, proxy: FaultServer, cache: BlobCache, case: str
) -> None:
    proxy.plan(PATH, *FAULTS[case])
    assert cache.fetched(transport, WANTED).read_bytes() == DATA
    assert left(cache) == []


def test_what_broke_off_is_gone_on_with_from_where_it_ended(
    transport: Transport, proxy: FaultServer, cache: BlobCache
) -> None:
    proxy.plan(PATH, Cut(100_000), Cut(50_000))
    cache.fetched(transport, WANTED)
    assert asked_ranges(proxy) == [None, "bytes=100000-", "bytes=150000-"]
    assert {each.headers.get("if-range") for each in proxy.seen[1:]} == {f'"{DIGEST}"'}


def test_tries_count_anew_whenever_bytes_came(
    transport: Transport, proxy: FaultServer, cache: BlobCache, policy: RetryPolicy
) -> None:
    proxy.plan(PATH, *[Cut(10_000)] * 20)
    assert cache.fetched(transport, WANTED).read_bytes() == DATA
    assert len(proxy.seen) == 21 > policy.attempts


def test_starting_over_again_and_again_is_no_progress(
    transport: Transport, proxy: FaultServer, cache: BlobCache, policy: RetryPolicy
) -> None:
    class CutOfTheWhole(Cut, IgnoreRange):
        """A server without ranges that breaks off."""

    proxy.plan(PATH, *[CutOfTheWhole(10_000)] * 50)
    with pytest.raises(NetworkError):
        cache.fetched(transport, WANTED)
    assert len(proxy.seen) == policy.attempts


def test_a_download_that_failed_is_gone_on_with_the_next_time(
    transport: Transport, proxy: FaultServer, cache: BlobCache
) -> None:
    proxy.plan(PATH, Cut(100_000), Reset(), Reset(), Reset(), Reset())
    with pytest.raises(NetworkError, match=r"127\.0\.0\.1"):
        cache.fetched(transport, WANTED)
    assert [path.stat().st_size for path in left(cache)] == [100_000]
    assert cache.fetched(transport, WANTED).read_bytes() == DATA
    assert asked_ranges(proxy)[-1] == "bytes=100000-"


def test_a_partial_file_of_other_bytes_is_thrown_away(
    transport: Transport, proxy: FaultServer, cache: BlobCache
) -> None:
    proxy.plan(PATH, Cut(100_000), *[Reset()] * 4)
    with pytest.raises(NetworkError):
        cache.fetched(transport, WANTED)
    (partial,) = left(cache)
    for content in (b"x" * 100_000, b"y" * (len(DATA) + 5), b"z" * len(DATA)):
        partial.write_bytes(content)
        cache.path(DIGEST).unlink(missing_ok=True)
        assert cache.fetched(transport, WANTED).read_bytes() == DATA
        assert left(cache) == []


def test_wrong_bytes_twice_are_refused_with_both_digests_and_nothing_stays(
    transport: Transport, proxy: FaultServer, cache: BlobCache
) -> None:
    proxy.plan(PATH, WrongByte(0), WrongByte(0))
    wrong = hashlib.sha256(bytes([DATA[0] ^ 0xFF]) + DATA[1:]).hexdigest()
    with pytest.raises(StorageError, match=rf"'a\.dcm'.*{DIGEST}.*{wrong}"):
        cache.fetched(transport, WANTED)
    assert left(cache) == []
    assert not cache.path(DIGEST).exists()
    assert len(proxy.seen) == 2


@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthenticationError), (404, ItemNotFoundError), (410, ServerError)]
)
def test_what_asking_again_does_not_mend_is_asked_once(
    transport: Transport, proxy: FaultServer, cache: BlobCache, status: int, error: type[DatamintException]
) -> None:
    proxy.plan(PATH, *[Status(status, body=b'{"message": "The resource was not found"}')] * 3)
    with pytest.raises(error):
        cache.fetched(transport, WANTED)
    assert len(proxy.seen) == 1


def test_a_file_of_unknown_digest_is_resumed_by_the_servers_etag_and_never_across_downloads(
    transport: Transport, proxy: FaultServer, cache: BlobCache, server: FileServer
) -> None:
    server.files["/resources/r1/file"] = DATA
    unknown = Wanted("/resources/r1/file", "a file", f"version-{'0' * 56}")
    proxy.plan("/file", Cut(1000), Cut(500), *[Reset()] * 4)
    with pytest.raises(NetworkError):
        cache.fetched(transport, unknown)
    assert asked_ranges(proxy)[:3] == [None, "bytes=1000-", "bytes=1500-"]
    server.files["/resources/r1/file"] = DATA[::-1]
    assert cache.fetched(transport, unknown).read_bytes() == DATA[::-1]


def test_a_file_that_changes_meanwhile_never_mixes_with_the_old_one(
    transport: Transport, proxy: FaultServer, cache: BlobCache, server: FileServer
) -> None:
    server.files["/resources/r1/file"] = DATA[::-1]
    unknown = Wanted("/resources/r1/file", "a file", f"version-{'1' * 56}")

    class CutThenChanged(Cut):
        """A file that is replaced after it broke off."""

        def answer(self, answer: Answer) -> Answer:
            server.files["/resources/r1/file"] = DATA
            return answer

    proxy.plan("/file", CutThenChanged(100_000))
    assert cache.fetched(transport, unknown).read_bytes() == DATA
    assert asked_ranges(proxy) == [None, "bytes=100000-"]


def test_a_weak_etag_resumes_nothing(
    transport: Transport, proxy: FaultServer, cache: BlobCache, server: FileServer
) -> None:
    server.files["/resources/r1/file"] = DATA

    class WeakCut(Cut):
        """A break of a file whose ETag names no bytes."""

        def answer(self, answer: Answer) -> Answer:
            return Retag('W/"x"').answer(answer)

    proxy.plan("/file", WeakCut(1000))
    cache.fetched(transport, Wanted("/resources/r1/file", "a file", f"version-{'2' * 56}"))
    assert asked_ranges(proxy) == [None, None]


def test_an_empty_file_is_a_file(transport: Transport, cache: BlobCache, server: FileServer) -> None:
    server.files[PATH] = b""
    digest = hashlib.sha256(b"").hexdigest()
    assert cache.fetched(transport, Wanted(PATH, "a file", digest, 0, digest)).read_bytes() == b""


def test_a_name_that_leaves_the_cache_is_refused(cache: BlobCache) -> None:
    for name in ("../../etc/passwd", "ab/../cd", DIGEST.upper(), f"version-{DIGEST}", ""):
        with pytest.raises(ServerError, match="SHA-256"):
            cache.path(name)


def test_no_room_is_told_before_the_first_byte(transport: Transport, proxy: FaultServer, cache: BlobCache) -> None:
    huge = Wanted(PATH, "the file 'a.dcm'", DIGEST, 1 << 60, DIGEST)
    with pytest.raises(CacheError, match=rf"'a\.dcm': {1 << 60} bytes.*DATAMINT_LIKE_CACHE"):
        cache.fetched(transport, huge)
    assert proxy.seen == []
    assert left(cache) == [] or all(path.stat().st_size == 0 for path in left(cache))


def test_a_disk_that_fills_up_is_told_and_nothing_of_the_file_stays(server: FileServer, cache: BlobCache) -> None:
    server.files[PATH] = DATA
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from tests.remote.test_downloads import WANTED, BlobCache, CacheFolder, Transport, KEY\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from datamint_like.exceptions import CacheError\n"
        "try:\n"
        f"    BlobCache(CacheFolder(Path({str(cache.folder)!r}))).fetched(Transport({server.url!r}, KEY), WANTED)\n"
        "except CacheError as error:\n"
        "    sys.exit(0 if 'No room' in str(error) else str(error))\n"
        "sys.exit('no error')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert left(cache) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100_000


def test_a_cache_that_cannot_be_written_is_told(transport: Transport, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CacheError, match=r"cannot be written: .*\. Name another cache folder in DATAMINT_LIKE_CACHE"):
        BlobCache(CacheFolder(tmp_path / "file")).fetched(transport, WANTED)


def test_a_killed_download_is_gone_on_with_by_another_process(
    transport: Transport, proxy: FaultServer, cache: BlobCache
) -> None:
    proxy.plan(PATH, Drip(10_000, 0.1))
    code = (
        "from pathlib import Path\n"
        "from tests.remote.test_downloads import WANTED, BlobCache, CacheFolder, Transport, KEY\n"
        f"BlobCache(CacheFolder(Path({str(cache.folder)!r}))).fetched(Transport({proxy.url!r}, KEY), WANTED)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code])
    while not cache.incoming.is_dir() or not any(path.stat().st_size > 20_000 for path in left(cache)):
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert cache.fetched(transport, WANTED).read_bytes() == DATA
    (asked,) = asked_ranges(proxy)[1:]
    assert asked is not None
    assert int(asked.removeprefix("bytes=").removesuffix("-")) > 0
    assert left(cache) == []


def test_processes_that_want_the_same_file_at_once_end_with_it(
    transport: Transport, proxy: FaultServer, cache: BlobCache
) -> None:
    proxy.plan(PATH, *[Drip(30_000, 0.02)] * 8)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if cache.fetched(transport, WANTED).read_bytes() == DATA else 2
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    assert left(cache) == []


@pytest.fixture
def blobs(transport: Transport, tmp_path: Path) -> RemoteBlobs:
    return RemoteBlobs(transport.url, tmp_path / "cache", transport)


def test_a_damaged_file_of_the_cache_is_fetched_again(blobs: RemoteBlobs, proxy: FaultServer) -> None:
    path = blobs.part_path(PART, "a.dcm")
    for damage in (b"", DATA[:-1] + b"x", DATA[:10]):
        path.chmod(0o644)
        path.write_bytes(damage)
        assert blobs.part_path(PART, "a.dcm").read_bytes() == DATA
    assert len(proxy.seen) == 4


def test_the_beginning_of_a_file_that_a_power_cut_emptied_comes_from_the_server(
    blobs: RemoteBlobs, proxy: FaultServer
) -> None:
    path = blobs.part_path(PART, "a.dcm")
    assert blobs.head(PART, 4) == DATA[:4]
    assert len(proxy.seen) == 1
    path.chmod(0o644)
    path.write_bytes(b"")
    assert blobs.head(PART, 4) == DATA[:4]
    assert len(proxy.seen) == 2


def test_a_damaged_file_stays_and_is_told_where_it_may_not_be_fetched_again(
    blobs: RemoteBlobs, proxy: FaultServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mask = Annotation(
        id="m1", identifier="x", scope="image", annotation_type="segmentation", resource_id="r1", sha256=DIGEST
    )
    path = blobs.part_path(PART, "a.dcm")
    path.chmod(0o644)
    path.write_bytes(b"other")
    asked = len(proxy.seen)
    for by in ("auto_update=False", "DATAMINT_LIKE_OFFLINE"):
        made = RemoteBlobs(blobs.url, blobs.cache.folder, may_ask=by != "auto_update=False")
        reader = pickle.loads(pickle.dumps(made))  # as a spawned worker gets it
        monkeypatch.setenv("DATAMINT_LIKE_OFFLINE", str(int(reader._may_ask)))
        for read in (lambda: reader.part_path(PART, "a.dcm"), lambda: reader.annotation_bytes(mask)):  # noqa: B023
            with pytest.raises(CacheError, match=rf"the cache holds other bytes for it\); {by} forbids"):
                read()
    assert path.read_bytes() == b"other"
    assert (caplog.messages, len(proxy.seen)) == ([], asked)
    assert blobs.part_path(PART, "a.dcm").read_bytes() == DATA


def test_the_files_of_a_series_come_at_once_in_their_order(blobs: RemoteBlobs, server: FileServer) -> None:
    series = [DATA[n * 1000 :][:1000] for n in range(40)]
    parts = []
    for n, data in enumerate(series):
        server.files[f"/resources/s/parts/{n}"] = data
        digest = hashlib.sha256(data).hexdigest()
        parts.append(Part(index=n, filename=f"{n}.dcm", size=1000, sha256=digest, resource_id="s"))
    assert [path.read_bytes() for path in blobs.part_paths(parts, "series")] == series


def test_masks_come_from_the_cache_first_and_damaged_ones_again(blobs: RemoteBlobs, server: FileServer) -> None:
    mask = Annotation(
        id="m1", identifier="x", scope="image", annotation_type="segmentation", resource_id="r1", sha256=DIGEST
    )
    server.files["/annotations/r1/annotations/m1/file"] = DATA
    assert blobs.annotation_bytes(mask) == DATA
    path = blobs.cache.path(DIGEST)
    path.chmod(0o644)
    path.write_bytes(b"other")
    assert blobs.annotation_bytes(mask) == DATA
    server.files.clear()
    assert blobs.annotation_bytes(mask) == DATA


def test_what_is_here_is_read_offline_and_without_a_key_and_the_rest_is_one_error(
    blobs: RemoteBlobs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, proxy: FaultServer
) -> None:
    blobs.part_path(PART, "a.dcm")
    other = Part(index=1, filename="b.dcm", size=3, sha256="0" * 64, resource_id="r1")
    third = Part(index=2, filename="c.dcm", size=3, sha256="1" * 64, resource_id="r1")
    monkeypatch.setattr("datamint_like.backends.remote.keys._GIVEN", {})
    alone = RemoteBlobs(blobs.url, tmp_path / "cache")
    assert alone.part_path(PART, "a.dcm").read_bytes() == DATA
    with pytest.raises(AuthenticationError, match="DATAMINT_LIKE_API_KEY"):
        alone.part_path(other, "b")
    asked = len(proxy.seen)
    monkeypatch.setenv("DATAMINT_LIKE_OFFLINE", "1")
    offline = RemoteBlobs(blobs.url, tmp_path / "cache")
    assert offline.part_path(PART, "a.dcm").read_bytes() == DATA
    with pytest.raises(CacheError, match=r"2 of 3 files of resource 'series'.*DATAMINT_LIKE_OFFLINE"):
        offline.part_paths([PART, other, third], "series")
    assert len(proxy.seen) == asked
