"""A cache with a limit lets go of what was used longest ago, and of nothing that is in use."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from datamint_like._cache import CacheFolder, Lease
from datamint_like._cache.collecting import GRACE_S, clear, collect, wrote
from datamint_like._cache.folder import is_own
from datamint_like._cache.use import EVERY_S, InUse, note_use
from tests.cache.conftest import HOUR_S, Shelf


def test_without_a_limit_only_what_is_left_over_goes(shelf: Shelf) -> None:
    kept = {shelf.cache.name(path) for path in (shelf.file(1, hours=900), shelf.pack(2, hours=900))}
    project = "catalog/0123456789abcdef/p1"
    kept.add(shelf.cache.name(shelf.put(f"{project}/new.4.sqlite", hours=900)))
    kept.add(shelf.cache.name(shelf.put(f"{project}/young.4.sqlite", hours=23)))
    shelf.put(f"{project}/old.4.sqlite", hours=25)
    kept.add(shelf.cache.name(shelf.put(f"{project}/current", hours=900)))
    (shelf.path / project / "current").write_text("new.4.sqlite")
    shelf.put("catalog/0123456789abcdef/resources/list.4.sqlite", hours=25)
    shelf.put("blobs/incoming/00000000.left.0123.abc.partial", hours=25)
    shelf.put("packs/00/0a/00000000.7-1.0123.axial.npy.gz.partial", hours=25)
    kept.add(shelf.cache.name(shelf.put("blobs/incoming/00000000.7-1.0123.abc.partial", hours=23)))
    shelf.put("packs/00/0a/axial.npy.gz.lock", hours=25)
    before = shelf.names
    would = collect(shelf.path, really=False)
    assert shelf.names == before
    done = collect(shelf.path)
    assert shelf.names == kept
    assert would == done
    assert (done.removed, done.refused) == (5, ())
    assert done.held == sum((shelf.path / name).stat().st_size for name in kept)


def test_what_was_used_longest_ago_goes_first_and_no_more_than_needed(shelf: Shelf) -> None:
    paths = [shelf.file(1, hours=50), shelf.pack(2, hours=70), shelf.file(3, hours=60), shelf.pack(4, hours=30)]
    done = collect(shelf.path, limit=2000)
    assert [path.exists() for path in paths] == [True, False, False, True]
    assert (done.removed, done.freed, done.held) == (2, 2000, 2000)


def test_what_was_used_within_a_day_stays_whatever_the_limit(shelf: Shelf) -> None:
    young, old = shelf.file(1, hours=23.9), shelf.file(2, hours=24.1)
    assert collect(shelf.path, limit=0).held == 1000
    assert (young.exists(), old.exists()) == (True, False)
    assert collect(shelf.path, limit=0, grace_s=0).held == 0


def test_folders_that_became_empty_go_and_the_caches_own_stay(shelf: Shelf) -> None:
    pack = shelf.pack(1, hours=90)
    collect(shelf.path, limit=0, grace_s=0)
    assert not pack.parent.exists()
    assert not pack.parent.parent.exists()
    assert is_own(shelf.path / "packs")


def test_one_writer_keeps_a_cache_within_its_limit(tmp_path: Path) -> None:
    shelf, held = Shelf(tmp_path / "cache", limit=64_000), []
    for n in range(400):
        wrote(shelf.cache, shelf.file(n, 700, hours=1000 - n))
        held.append(sum((shelf.path / name).stat().st_size for name in shelf.names))
    assert max(held) <= 64_000
    assert held[-1] > 48_000
    assert [n for n in range(400) if (shelf.path / "blobs/00" / f"{n:064x}").exists()] == list(
        range(400 - held[-1] // 700, 400)
    )


def test_a_limit_gives_way_to_what_is_in_use_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf(tmp_path / "cache", limit=3200)
    with caplog.at_level(logging.WARNING):
        for n in range(10):
            wrote(shelf.cache, shelf.file(n))
    assert len(shelf.names) == 10
    (message,) = (record.getMessage() for record in caplog.records)
    assert "more than its limit of 3.2 KB" in message


def test_a_cache_without_limit_is_never_looked_through(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datamint_like._cache.collecting.entries", lambda _: pytest.fail("it was"))
    wrote(shelf.cache, shelf.file(1, hours=90))


def test_a_use_is_noted_every_few_hours_and_not_by_reading(shelf: Shelf) -> None:
    path = shelf.file(1, hours=90)
    path.read_bytes()
    assert path.stat().st_mtime < time.time() - 89 * HOUR_S
    note_use(path)
    assert path.stat().st_mtime > time.time() - 60
    shelf.age(path, hours=EVERY_S / HOUR_S - 0.1)
    before = path.stat().st_mtime_ns
    note_use(path)
    assert path.stat().st_mtime_ns == before
    note_use(shelf.path / "not there")
    assert EVERY_S < GRACE_S / 2


def test_what_is_held_open_is_noted_while_it_is_read(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shelf.pack(1, hours=90)
    clock = [1000.0]
    monkeypatch.setattr("datamint_like._cache.use.time.monotonic", lambda: clock[0])
    reading = InUse(path)
    reading.note()
    assert path.stat().st_mtime > time.time() - 60
    shelf.age(path, hours=90)
    reading.note()
    assert path.stat().st_mtime < time.time() - 60
    clock[0] += 3600
    reading.note()
    assert path.stat().st_mtime > time.time() - 60


def test_what_begins_to_be_used_while_a_collection_runs_stays(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    used, leased, old = shelf.file(1, hours=90), shelf.file(2, hours=90), shelf.file(3, hours=90)
    holding = []
    from datamint_like._cache import collecting

    def listed(cache: Path) -> object:
        yield from list(entries(cache))
        note_use(used)
        holding.append(Lease(shelf.cache, [leased]))

    entries = collecting.entries
    monkeypatch.setattr(collecting, "entries", listed)
    collect(shelf.path, limit=0)
    assert (used.exists(), leased.exists(), old.exists()) == (True, True, False)


def test_a_folder_without_our_tag_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "blobs" / "ab" / ("a" * 64)
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"the only copy")
    os.utime(theirs, (0, 0))
    cache = CacheFolder(tmp_path)
    with pytest.raises(OSError, match="lies what is not this cache's"):
        cache.make(tmp_path / "blobs" / "cd")  # a cache in a folder that holds a store
    cache.make(tmp_path / "packs" / "cd")
    assert not is_own(tmp_path / "blobs")
    collect(tmp_path, limit=0, grace_s=0)
    assert theirs.read_bytes() == b"the only copy"
    assert (tmp_path / "packs").exists()


def test_a_folder_of_a_cache_is_tagged_when_it_appears_and_an_empty_one_is_taken(tmp_path: Path) -> None:
    (tmp_path / "cache" / "blobs").mkdir(parents=True)
    cache = CacheFolder(tmp_path / "cache")
    cache.make(cache.path / "blobs" / "incoming")
    assert is_own(cache.path / "blobs")
    assert (
        (cache.path / "blobs" / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    )
    assert [path.name for path in cache.path.iterdir()] == ["blobs"]


def test_the_tag_of_another_program_or_layout_is_not_ours(tmp_path: Path) -> None:
    for name, text in (
        ("packs", "Signature: 8a477f597d28d172789f06886806bc55\n# another cache\n"),
        ("blobs", TAG_OF_2),
    ):
        theirs = tmp_path / name / "ab" / "theirs"
        theirs.parent.mkdir(parents=True)
        theirs.write_bytes(b"x")
        os.utime(theirs, (0, 0))
        (tmp_path / name / "CACHEDIR.TAG").write_text(text)
    collect(tmp_path, limit=0, grace_s=0)
    clear(tmp_path)
    assert len(list(tmp_path.rglob("theirs"))) == 2


TAG_OF_2 = "Signature: 8a477f597d28d172789f06886806bc55\n# datamint-like cache, layout 2\n"
