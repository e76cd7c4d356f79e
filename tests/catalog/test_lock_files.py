"""Lock files: a snapshot as text, and back, whole or one error."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import tempfile
import tracemalloc
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings

from datamint_like.backends.base import ContentRow
from datamint_like.backends.remote.located import located
from datamint_like.catalog import Snapshot, lock_lines, locked_snapshot, write_snapshot
from datamint_like.exceptions import CacheError, ValidationError
from tests.catalog.made_up import Made, contents, small

STORE, SERVER = "file:///nowhere/store", "https://lab.example"


def snapshot_of(path: Path, made: Made, store_url: str = STORE) -> Snapshot:
    write_snapshot(path, made.content(), store_url)
    return Snapshot(path)


def reopened(folder: Path, lines: Sequence[bytes], store_url: str = STORE) -> Snapshot:
    (folder / "project.lock").write_bytes(b"".join(lines))
    return locked_snapshot(folder / "project.lock", store_url, folder / "cache")


@given(contents())
@settings(deadline=None, max_examples=25)
def test_what_a_lock_file_gives_back_is_the_snapshot_it_was_written_of(made: Made) -> None:
    with tempfile.TemporaryDirectory() as name:
        before = snapshot_of(Path(name) / "one.sqlite", made)
        lines = list(lock_lines(before))
        after = reopened(Path(name), lines)
        assert after.meta == before.meta
        assert list(after.each_row()) == list(before.each_row()) == made.rows
        assert after.column("digest") == before.column("digest")
        assert list(lock_lines(after)) == lines


@given(contents())
@settings(deadline=None, max_examples=12)
def test_equal_states_give_equal_bytes_however_the_store_was_reached(made: Made) -> None:
    stored = [
        ContentRow(
            row.resource, [msgspec.structs.replace(part, linked_path=None) for part in row.parts], row.annotations
        )
        for row in made.rows
    ]
    fetched = [ContentRow(row.resource, located(row.parts, row.resource.id), row.annotations) for row in stored]
    with tempfile.TemporaryDirectory() as name:
        here = snapshot_of(Path(name) / "here.sqlite", replace(made, rows=stored))
        there = snapshot_of(Path(name) / "there.sqlite", replace(made, rows=fetched), SERVER)
        lines = list(lock_lines(here))
        assert lines == list(lock_lines(there))
        assert list(reopened(Path(name), lines, SERVER).each_row()) == fetched


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    """The lock file of a small project, as lines."""
    return list(lock_lines(snapshot_of(tmp_path / "small.sqlite", small())))


def sealed(lines: Sequence[bytes]) -> list[bytes]:
    """These lines with a last one that belongs to them, as a forger would write it."""
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    return [*lines, json.dumps({"sha256": digest}, separators=(",", ":")).encode() + b"\n"]


def test_it_is_text_that_shows_a_change_as_the_lines_that_changed(lines: list[bytes], tmp_path: Path) -> None:
    keys = [next(iter(json.loads(line))) for line in lines]
    assert keys == ["datamint_like_lock", *["resource", "part", "annotation"] * 2, "sha256"]
    first, second = small().rows
    fewer = replace(small(), rows=[first, ContentRow(second.resource, second.parts, [])])
    changed = list(lock_lines(snapshot_of(tmp_path / "fewer.sqlite", fewer)))
    assert [line for line in lines if line not in changed] == [lines[6], lines[7]]


def test_any_byte_that_changes_or_goes_is_one_error_that_names_the_file(lines: list[bytes], tmp_path: Path) -> None:
    whole = b"".join(lines)
    head = len(lines[0])
    damaged = [whole[:cut] for cut in range(0, len(whole), 41)]
    damaged += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 37)]
    damaged += [whole + b"\n", whole.replace(b"\n", b"\r\n"), b"".join(lines[:3] + lines[4:]), whole[head:]]
    for data in damaged:
        with pytest.raises(ValidationError, match=r"project\.lock"):
            reopened(tmp_path, [data])
    assert not list((tmp_path / "cache").rglob("*.sqlite"))


def test_what_was_edited_by_hand_is_told_also_where_the_state_is_in_the_cache(
    lines: list[bytes], tmp_path: Path
) -> None:
    reopened(tmp_path, lines)
    edited = [line.replace(b"nodule", b"module") for line in lines]
    with pytest.raises(ValidationError, match=r"not as it was written.*SHA-256.*datamint-like lock"):
        reopened(tmp_path, edited)


def test_a_newer_version_is_told_before_anything_else(lines: list[bytes], tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"project\.lock has version 2.*reads 1\. Update"):
        reopened(tmp_path, [b'{"datamint_like_lock":2,"of":"another form"}\n', *lines[1:]])


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff\xfe", b"{}\n", b"[1]\n", b"project: chest\n"])
def test_what_is_no_lock_file_is_told_as_such(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"project\.lock is no lock file.*datamint-like lock"):
        reopened(tmp_path, [data])


@pytest.mark.parametrize(
    "forged",
    [
        [b'{"part":{"index":0,"filename":"x","size":1,"sha256":"' + b"0" * 64 + b'"}}\n'],
        [b'{"resource":{"id":"r0"}}\n'],
        [b'{"of a later version":1}\n'],
        [b"not JSON\n"],
    ],
)
def test_lines_that_no_lock_file_has_are_told_also_where_the_seal_is_right(
    lines: list[bytes], forged: list[bytes], tmp_path: Path
) -> None:
    with pytest.raises(ValidationError, match=r"project\.lock is not as it was written"):
        reopened(tmp_path, sealed([lines[0], *forged]))


def test_a_resource_that_is_named_twice_is_told_although_the_seal_is_right(lines: list[bytes], tmp_path: Path) -> None:
    first = next(n for n, line in enumerate(lines) if line.startswith(b'{"resource":'))
    with pytest.raises(ValidationError, match=r"project\.lock is not as it was written \(it names resource .* twice\)"):
        reopened(tmp_path, sealed([*lines[:-1], lines[first]]))


def test_a_name_of_bytes_that_leads_elsewhere_is_refused(lines: list[bytes], tmp_path: Path) -> None:
    digest = b"0" * 64
    escaping = [line.replace(b'"sha256":"' + digest, b'"sha256":"../../etc/passwd') for line in lines[:-1]]
    assert escaping != lines[:-1]
    with pytest.raises(ValidationError, match="not as it was written"):
        reopened(tmp_path, sealed(escaping))


def test_a_lock_file_that_is_gone_or_a_cache_that_cannot_be_written_is_named(
    lines: list[bytes], tmp_path: Path
) -> None:
    with pytest.raises(ValidationError, match=r"gone\.lock cannot be read"):
        locked_snapshot(tmp_path / "gone.lock", STORE, tmp_path / "cache")
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(CacheError, match="DATAMINT_LIKE_CACHE"):
        reopened(tmp_path, lines)


def test_opened_again_it_is_read_through_and_not_copied(
    lines: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = reopened(tmp_path, lines)
    monkeypatch.setattr("datamint_like.catalog.sync.write_snapshot", lambda *_: pytest.fail("it was copied again"))
    assert reopened(tmp_path, lines).path == first.path


def test_processes_that_open_it_at_once_get_the_same(lines: list[bytes], tmp_path: Path) -> None:
    lock = tmp_path / "project.lock"
    lock.write_bytes(b"".join(lines))
    with ProcessPoolExecutor(3, multiprocessing.get_context("fork")) as processes:
        opened = list(processes.map(locked_snapshot, [lock] * 6, [STORE] * 6, [tmp_path / "cache"] * 6))
    assert {each.path for each in opened} == {opened[0].path}
    assert [len(each) for each in opened] == [2] * 6
    assert [path.name for path in opened[0].path.parent.iterdir()] == [opened[0].path.name]


def test_a_copy_that_is_damaged_is_made_again(lines: list[bytes], tmp_path: Path) -> None:
    reopened(tmp_path, lines).path.write_bytes(b"no database")
    assert len(reopened(tmp_path, lines)) == 2


def test_it_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = snapshot_of(tmp_path / "small.sqlite", small())
    with pytest.raises(ValidationError, match=r"nowhere.*cannot be written"):
        snapshot.write_lock(tmp_path / "nowhere" / "project.lock")
    target = tmp_path / "project.lock"
    snapshot.write_lock(target)
    before = target.read_bytes()

    def interrupted(_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("datamint_like.catalog.lock._seal", interrupted)
    with pytest.raises(KeyboardInterrupt):
        snapshot.write_lock(target)
    assert target.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir() if "project" in each.name] == ["project.lock"]


def test_writing_and_opening_hold_a_few_rows_in_memory(tmp_path: Path) -> None:
    snapshot = snapshot_of(tmp_path / "large.sqlite", small(5000))
    lock = tmp_path / "large.lock"
    tracemalloc.start()
    try:
        snapshot.write_lock(lock)
        assert len(locked_snapshot(lock, STORE, tmp_path / "cache")) == 5000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert lock.stat().st_size > 5_000_000
    assert peak < 2_000_000
