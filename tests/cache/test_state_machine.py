"""A cache against a dictionary: files are put, fetched, packed, evicted, damaged, processes killed, in any order."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from datamint_like._cache import CacheFolder, Lease
from datamint_like._cache.collecting import collect
from datamint_like._cache.entries import entries
from datamint_like.backends.remote.blobs import RemoteBlobs
from datamint_like.backends.remote.retries import RetryPolicy
from datamint_like.backends.remote.transport import Transport
from datamint_like.cache import Cache
from datamint_like.entities import Part
from datamint_like.exceptions import CacheError, NetworkError
from datamint_like.slices.packs import Content, PackKey, Packs
from datamint_like.testing.fault_server import Cut, Drip, FaultServer, Reset
from tests.cache.conftest import Shelf
from tests.cache.lab import ended, forked
from tests.remote.file_server import KEY, FileServer

KEYS = st.integers(0, 4)
SIZES = st.sampled_from([1, 5000, 20_000])
IMPATIENT = RetryPolicy(attempts=2, sleep=lambda _: None)


class CacheMachine(RuleBasedStateMachine):
    """The model: which bytes the server has under each number, and which slices each number packs to."""

    damaged = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="cache-machine-"))
        self.server = FileServer().__enter__()
        self.proxy = FaultServer(self.server.url).__enter__()
        self.files: dict[int, bytes] = {}
        self.held: dict[int, Lease] = {}
        self.reopen()

    def teardown(self) -> None:
        for lease in self.held.values():
            lease.end()
        self.proxy.__exit__(None, None, None)
        self.server.__exit__()
        shutil.rmtree(self.folder)

    @initialize(size=SIZES)
    def first(self, size: int) -> None:
        self.put(0, size)

    @rule()
    def reopen(self) -> None:
        """As a new process would."""
        self.cache = CacheFolder(self.folder / "cache")
        self.blobs = RemoteBlobs(self.proxy.url, self.cache, Transport(self.proxy.url, KEY, IMPATIENT))
        self.packs = Packs(self.cache)

    @rule(key=KEYS, size=SIZES)
    def put(self, key: int, size: int) -> None:
        """A new version on the server."""
        self.files[key] = random.Random(f"{key} {size}").randbytes(size)
        self.server.files[f"/resources/r/parts/{key}"] = self.files[key]

    def part(self, key: int) -> Part:
        data = self.files[key]
        digest = hashlib.sha256(data).hexdigest()
        return Part(index=key, filename=f"{key}.dcm", size=len(data), sha256=digest, resource_id="r")

    def fetched(self, key: int) -> bool:
        return self.blobs.part_path(self.part(key), "r").read_bytes() == self.files[key]

    def slices(self, key: int) -> tuple[PackKey, list[np.ndarray]]:
        data = self.files[key]
        array = np.frombuffer(data, np.uint8)[: len(data) // 4 * 4 or 1]
        return PackKey("axial", (self.part(key).sha256,)), list(array.reshape(min(len(array), 4), 1, 1, -1))

    def packed(self, key: int, slow_s: float = 0.0) -> bool:
        pack_key, expected = self.slices(key)

        def make() -> Content:
            time.sleep(slow_s)
            return Content(expected, {"key": key})

        found = self.packs.find(pack_key)
        if found is not None:
            try:
                return all(np.array_equal(found.read(n), each) for n, each in enumerate(expected))
            except CacheError as error:
                self.packs.discard(pack_key, error)
        made = self.packs.build(pack_key, make)
        read = (lambda n: made.slices[n]) if isinstance(made, Content) else made.read
        return all(np.array_equal(read(n), each) for n, each in enumerate(expected))

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def fetch(self, data: st.DataObject) -> None:
        assert self.fetched(data.draw(st.sampled_from(sorted(self.files))))

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def pack(self, data: st.DataObject) -> None:
        assert self.packed(data.draw(st.sampled_from(sorted(self.files))))

    @precondition(lambda self: self.files)
    @rule(data=st.data(), after=st.integers(0, 20_000))
    def fetch_that_breaks_off(self, data: st.DataObject, after: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.files)))
        self.proxy.plan("/parts/", Cut(after), Reset(), Reset())
        with suppress(NetworkError):
            assert self.fetched(key)
        self.proxy.forget()

    @precondition(lambda self: self.files)
    @rule(data=st.data(), after_ms=st.integers(0, 60))
    def killed_process(self, data: st.DataObject, after_ms: int) -> None:
        """A second process fetches and packs, slowly, and is killed."""
        key = data.draw(st.sampled_from(sorted(self.files)))
        self.proxy.plan("/parts/", Drip(2000, 0.005))

        def works() -> bool:
            return self.fetched(key) and self.packed(key, 0.02)

        child = forked(works)
        time.sleep(after_ms / 1000)
        os.kill(child, signal.SIGKILL)
        assert ended(child) in (0, -signal.SIGKILL)
        self.proxy.forget()

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def second_process(self, data: st.DataObject) -> None:
        keys = [data.draw(st.sampled_from(sorted(self.files))) for _ in range(2)]
        child = forked(lambda: self.fetched(keys[0]) and self.packed(keys[0]))
        assert self.fetched(keys[1])
        assert self.packed(keys[1])
        assert ended(child) == 0

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.files)))
        path = self.blobs.kept_path(self.part(key))
        self.held[key] = Lease(self.cache, [path], renewed=False)
        assert self.fetched(key)

    @rule(key=KEYS)
    def let_go(self, key: int) -> None:
        if key in self.held:
            self.held.pop(key).end()

    @rule(limit=st.sampled_from([None, 0, 10_000, 40_000]), grace_s=st.sampled_from([0, 3600]))
    def evict(self, limit: int | None, grace_s: float) -> None:
        before = {entry.name: entry for entry in entries(self.cache.path)}
        done = collect(self.cache.path, limit=limit, grace_s=grace_s)
        left = {entry.name for entry in entries(self.cache.path)}
        gone = [entry for name, entry in before.items() if name not in left]
        assert (done.removed, done.freed) == (len(gone), sum(entry.size for entry in gone))
        young = [entry for entry in gone if entry.used > time.time() - grace_s]
        assert [entry for entry in (gone if limit is None else young) if entry.kind in ("file", "pack")] == []
        leased = {name for path in (self.cache.path / "leases").glob("*") for name in path.read_text().split("\n")}
        assert leased.isdisjoint(entry.name for entry in gone)

    @rule(kind=st.sampled_from(["file", "pack"]), seed=st.integers(0, 99))
    def damage(self, kind: str, seed: int) -> None:
        """A bit flips on the disk; times are as before."""
        rng = random.Random(seed)
        found = sorted(entry.name for entry in entries(self.cache.path) if entry.kind == kind and entry.size)
        if found:
            path = self.cache.path / rng.choice(found)
            data = bytearray(path.read_bytes())
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            path.chmod(0o644)
            path.write_bytes(data)
            self.damaged = True

    @rule()
    def a_day_passes(self) -> None:
        for entry in list(entries(self.cache.path)):
            Shelf.age(self.cache.path / entry.name, 25)
        collect(self.cache.path)
        assert [entry for entry in entries(self.cache.path) if entry.kind == "partial"] == []

    @invariant()
    def what_is_there_is_right_unless_it_was_damaged(self) -> None:
        if self.cache.path.exists():
            found = Cache(self.cache.path).verify(remove=self.damaged)
            assert self.damaged or found.damaged == ()
            self.damaged = False


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        CacheMachine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )


def test_a_cache_behaves_as_a_dictionary_that_forgets() -> None:
    run(8, 20)


@pytest.mark.soak
def test_a_cache_behaves_as_a_dictionary_that_forgets_for_long() -> None:
    run(300, 40)
