"""Processes that fetch or build the same thing at once end with the right bytes, with locks or without any."""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamint_like._cache import CacheFolder
from datamint_like._cache.turns import turn
from datamint_like.backends.remote.blob_cache import BlobCache
from datamint_like.backends.remote.downloads import Wanted
from datamint_like.backends.remote.retries import RetryPolicy
from datamint_like.backends.remote.transport import Transport
from datamint_like.cache import Cache
from datamint_like.exceptions import DatamintException
from datamint_like.slices.packs import Content, PackKey, Packs
from datamint_like.testing.fault_server import Cut, Drip, Fault, FaultServer, Reset, Together, WrongByte
from tests.cache.lab import ended, forked
from tests.remote.file_server import KEY, FileServer

OLD = np.random.default_rng(1).bytes(60_000)
NEW = np.random.default_rng(2).bytes(61_000)
SLICES = np.random.default_rng(3).integers(0, 99, (12, 1, 30, 40)).astype(np.int16)
PACK = PackKey("axial", ("these slices",))


def named(data: bytes) -> Wanted:
    digest = hashlib.sha256(data).hexdigest()
    return Wanted("/file", "the file", digest, len(data), digest)


#: Of a server that names no digests; the version did not change.
UNNAMED = Wanted("/file", "the file", "version-" + "5" * 56)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer(files={"/file": OLD}) as running:
        yield running


def no_locks(*_: Any) -> None:
    """`fcntl.flock` of a file system that says yes to everybody."""


def unsupported(*_: Any) -> None:
    """`fcntl.flock` of a file system without locks."""
    raise OSError(37, "No locks available")


LOCKS: dict[str, Callable[..., Any]] = {"work": fcntl.flock, "always succeed": no_locks, "are not there": unsupported}


def builds(folder: Path, made: int, *, compression: Any = "gzip") -> bool:
    """Build the pack, telling that it was made, and read it back."""

    def make() -> Content:
        os.write(made, b"x")
        time.sleep(random.uniform(0, 0.05))
        return Content(list(SLICES), {"n": 1})

    packs = Packs(folder, compression)
    got = packs.build(PACK, make)
    whole = packs.find(PACK)
    read = (lambda n: got.slices[n]) if isinstance(got, Content) else got.read
    return whole is not None and all(
        np.array_equal(read(n), SLICES[n]) and np.array_equal(whole.read(n), SLICES[n]) for n in range(len(SLICES))
    )


@pytest.mark.parametrize("compression", ["gzip", None])
@pytest.mark.parametrize("locks", LOCKS)
def test_a_pack_that_many_build_at_once_is_right_and_made_once_where_locks_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locks: str, compression: Any
) -> None:
    monkeypatch.setattr(fcntl, "flock", LOCKS[locks])
    made, tell = os.pipe()
    children = [forked(lambda: builds(tmp_path, tell, compression=compression)) for _ in range(4)]
    assert [ended(child) for child in children] == [0] * 4
    os.close(tell)
    times = len(os.read(made, 100))
    os.close(made)
    assert times == 1 if locks == "work" else 1 <= times <= 4
    found = Cache(tmp_path)
    assert found.verify().checked == {"pack": 1}
    assert found.verify().damaged == ()
    kinds = found.usage().kinds
    assert (kinds["partial"].entries, kinds["other"].entries) == (0, 0)


def test_a_pack_is_written_although_the_cache_is_cleared_while_it_is_made(tmp_path: Path) -> None:
    packs = Packs(tmp_path)

    def make() -> Content:
        Cache(tmp_path).clear()
        return Content(list(SLICES), {})

    assert packs.ensure(PACK, make)
    assert not packs.ensure(PACK, make)


def test_nobody_sees_a_pack_whose_builder_dies_while_it_writes_and_the_next_builds_it(tmp_path: Path) -> None:
    told, tell = os.pipe()

    class Endless(list[np.ndarray]):
        """Slices of which the third never comes."""

        def __iter__(self) -> Iterator[np.ndarray]:
            yield from SLICES[:2]
            os.write(tell, b"x")
            time.sleep(100)

    child = forked(lambda: Packs(tmp_path).ensure(PACK, lambda: Content(Endless(SLICES), {})))
    assert os.read(told, 1) == b"x"
    assert Packs(tmp_path).find(PACK) is None
    os.kill(child, 9)
    assert ended(child) == -9
    assert Cache(tmp_path).usage().kinds["partial"].entries == 1
    assert Packs(tmp_path).ensure(PACK, lambda: Content(list(SLICES), {}))
    assert Cache(tmp_path).verify().checked == {"pack": 1}
    for end in (told, tell):
        os.close(end)


@pytest.mark.parametrize("locks", LOCKS)
def test_a_file_that_many_fetch_at_once_is_right(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locks: str
) -> None:
    monkeypatch.setattr(fcntl, "flock", LOCKS[locks])
    with FaultServer(server.url, Drip(8000, 0.01)) as proxy:

        def fetches() -> bool:
            cache = BlobCache(CacheFolder(tmp_path))
            return cache.fetched(Transport(proxy.url, KEY), named(OLD)).read_bytes() == OLD

        children = [forked(fetches) for _ in range(4)]
        assert [ended(child) for child in children] == [0] * 4
    assert Cache(tmp_path).usage().kinds["partial"].entries == 0
    assert Cache(tmp_path).verify().damaged == ()


def test_a_turn_is_waited_for_only_as_long_as_patience_lasts_and_ends_with_its_process(tmp_path: Path) -> None:
    lock, told, tell = tmp_path / "lock", *os.pipe()

    def holds() -> bool:
        with turn(lock, None) as mine:
            os.write(tell, b"x")
            time.sleep(100)
        return mine

    child = forked(holds)
    assert os.read(told, 1) == b"x"
    with turn(lock, 0.05) as mine:
        assert not mine
    os.kill(child, 9)
    assert ended(child) == -9
    with turn(lock, None) as mine:
        assert mine
    assert not lock.exists()
    for end in (told, tell):
        os.close(end)


def replaced_while_fetched(tmp_path: Path, server: FileServer, rounds: int) -> None:
    """Two processes fetch while the server's file goes back and forth: by digest, and by a version that stays."""
    faults: list[Fault] = [Cut(20_000), Reset(5000), Drip(9000, 0.002), Cut(0), WrongByte(3), Fault()]
    patient = RetryPolicy(attempts=6, sleep=lambda _: None)
    for number in range(rounds):
        rng, folder = random.Random(number), tmp_path / str(number)
        with FaultServer(server.url) as proxy:

            class Swaps(Fault):
                """An answer before which, or after which, the file is replaced."""

                def request(self, headers: dict[str, str]) -> dict[str, str]:
                    server.files["/file"] = rng.choice((OLD, NEW))  # noqa: B023 -- it lives as long as its round
                    return headers

            chosen = [f for f in faults if not isinstance(f, WrongByte)] if number % 3 == 2 else faults
            proxy.plan("/file", *[Together((Swaps(), rng.choice(chosen))) for _ in range(8)])
            wanted = [(OLD, named(OLD)), (NEW, named(NEW)), (None, UNNAMED)]
            pair = [wanted[number % 3], wanted[rng.randrange(2) if number % 3 < 2 else 2]]

            def fetches(data: bytes | None, file: Wanted, url: str = proxy.url, folder: Path = folder) -> bool:
                cache = BlobCache(CacheFolder(folder))
                try:
                    got = cache.fetched(Transport(url, KEY, patient), file).read_bytes()
                except DatamintException:
                    return True
                return got == data if data is not None else got in (OLD, NEW)

            children = [forked(lambda each=each: fetches(*each)) for each in pair]  # type: ignore[misc]
            assert [ended(child) for child in children] == [0, 0]
        if any(folder.iterdir() if folder.exists() else ()):
            assert Cache(folder).verify().damaged == ()
        server.files["/file"] = OLD
        assert BlobCache(CacheFolder(folder)).fetched(Transport(server.url, KEY), named(OLD)).read_bytes() == OLD


def test_two_versions_of_one_file_never_mix(server: FileServer, tmp_path: Path) -> None:
    replaced_while_fetched(tmp_path, server, 12)


@pytest.mark.soak
def test_two_versions_of_one_file_never_mix_however_often(server: FileServer, tmp_path: Path) -> None:
    replaced_while_fetched(tmp_path, server, 600)
