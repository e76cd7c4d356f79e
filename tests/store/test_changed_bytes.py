"""Bytes that changed under a store are never served as the old, however well the change hides."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datamint_like.backends import open_blobs
from datamint_like.backends.base import NewResource
from datamint_like.backends.local import unchanged
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.entities import Part
from datamint_like.exceptions import StorageError
from datamint_like.testing.samples import CT_FILES, XRAY, upload


@pytest.fixture(params=["stored", "linked"])
def part_and_file(request: pytest.FixtureRequest, store: LocalBackend, tmp_path: Path) -> tuple[Part, Path]:
    """A part of a picture, and the file with its bytes."""
    original = Path(shutil.copy(XRAY, tmp_path / XRAY.name))
    linked = request.param == "linked"
    resource = store.create_resource(NewResource((original,), original.name, link=linked))
    (part,) = store.list_parts([resource.id])[resource.id]
    return part, original if linked else store.blobs().blob_path(part.sha256)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that this process hashes from now on."""
    seen: list[Path] = []

    def noted(path: Path, hash_file: Callable[[Path], str] = unchanged.sha256_of) -> str:
        seen.append(path)
        return hash_file(path)

    unchanged._remembered.cache_clear()
    monkeypatch.setattr(unchanged, "sha256_of", noted)
    return seen


def settle() -> None:
    """Wait until what was written before is no longer 'just now'."""
    time.sleep(2 * unchanged._TICK_NS / 1e9)


def flip_a_bit(file: Path) -> None:
    """Change one byte, keeping size and mtime."""
    before = file.stat()
    file.chmod(0o600)
    with open(file, "r+b") as opened:
        opened.seek(before.st_size // 2)
        byte = opened.read(1)[0]
        opened.seek(before.st_size // 2)
        opened.write(bytes([byte ^ 1]))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("read_before", [True, False])
def test_a_changed_byte_is_noticed_though_size_and_time_are_as_before(
    store: LocalBackend, part_and_file: tuple[Part, Path], read_before: bool
) -> None:
    part, file = part_and_file
    if read_before:
        settle()
        assert store.blobs().part_path(part, "chest") == file
    flip_a_bit(file)
    with pytest.raises(StorageError, match=rf"'{XRAY.name}' of resource 'chest'.*changed.*import the file again"):
        store.blobs().part_path(part, "chest")


def test_a_change_right_after_reading_is_noticed(store: LocalBackend, part_and_file: tuple[Part, Path]) -> None:
    part, file = part_and_file
    for _ in range(3):
        assert store.blobs().part_path(part, "chest") == file
        flip_a_bit(file)
        with pytest.raises(StorageError, match="changed"):
            store.blobs().part_path(part, "chest")
        flip_a_bit(file)


def test_a_file_put_back_in_its_place_is_served_again(store: LocalBackend, part_and_file: tuple[Part, Path]) -> None:
    part, file = part_and_file
    flip_a_bit(file)
    with pytest.raises(StorageError):
        store.blobs().part_path(part, "chest")
    shutil.copy(XRAY, file)
    assert store.blobs().part_path(part, "chest") == file


def test_a_process_hashes_each_part_once(store: LocalBackend, hashed: list[Path]) -> None:
    resource = upload(store, *CT_FILES)
    parts = store.list_parts([resource.id])[resource.id]
    settle()
    for _ in range(3):
        for part in parts:
            open_blobs(store.url).part_path(part, "ct")
    assert sorted(path.name for path in hashed) == sorted(part.sha256 for part in parts)


def test_threads_may_ask_at_once(store: LocalBackend, hashed: list[Path]) -> None:
    resource = upload(store, *CT_FILES)
    parts = store.list_parts([resource.id])[resource.id] * 8
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda part: store.blobs().part_path(part, "ct").name, parts))
    assert found == [part.sha256 for part in parts]


def test_a_forked_process_notices_what_changed_after_the_fork(
    store: LocalBackend, part_and_file: tuple[Part, Path]
) -> None:
    part, file = part_and_file
    settle()
    store.blobs().part_path(part, "chest")
    flip_a_bit(file)
    with multiprocessing.get_context("fork").Pool(1) as pool, pytest.raises(StorageError, match="changed"):
        pool.apply(store.blobs().part_path, (part, "chest"))
