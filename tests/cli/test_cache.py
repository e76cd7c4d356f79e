"""`datamint-like cache`: du, verify, gc and clear, for people and for scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cache.conftest import Shelf
from tests.cache.mounts import READ_ONLY, run_where
from tests.cli.conftest import Run

HASH_OF_X = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


@pytest.fixture
def shelf(isolated_home: Path) -> Shelf:
    """The configured cache, with a sound file, an old one and a damaged pack."""
    made = Shelf(isolated_home / "cache")
    made.put(f"blobs/2d/{HASH_OF_X}", 1)
    made.pack(2, 5000, hours=90)
    return made


@pytest.mark.usefixtures("shelf")
def test_du_tells_by_kind_what_there_is(run: Run, isolated_home: Path) -> None:
    done = run("cache", "du")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in done.out.splitlines()] == ["WHAT", "files", "packs", f"{isolated_home}/cache:"]
    assert "5.0 KB, no limit." in done.out
    found = run("cache", "du", "--json").json
    assert found["kinds"]["file"] == {"entries": 1, "size": 1}
    assert (found["size"], found["limit"], found["projects"]) == (5001, None, [])


def test_du_of_a_fresh_machine_is_nothing(run: Run) -> None:
    assert "cache: 0 B, no limit." in run("cache", "du").out


def test_du_tells_by_project_what_there_is(run: Run, demo_images: Path) -> None:
    from datamint_like import Api, VolumeDataset

    with Api() as api:
        api.resources.upload_resources([demo_images / "ct_philips"], publish_to=api.projects.create("head"))
    VolumeDataset(project="head").prepare()
    (listed,) = run("cache", "du", "--json").json["projects"]
    assert (listed["project"], listed["snapshots"]["entries"]) == ("head", 1)
    assert "head" in run("cache", "du").out.split("PROJECT")[1]


def test_verify_tells_what_is_damaged_and_ends_with_1_until_it_is_gone(run: Run, shelf: Shelf) -> None:
    done = run("cache", "verify")
    assert done.code == 1
    assert "axial.npy.gz" in done.out
    assert "2 entries checked, 1 damaged." in done.out
    found = run("cache", "verify", "--remove", "--json")
    assert (found.code, [each["removed"] for each in found.json["damaged"]]) == (1, [True])
    done = run("cache", "verify")
    assert (done.code, done.out) == (0, "1 entry checked, 0 damaged.\n")


def test_gc_goes_down_to_the_limit_and_tells_before_it_does(run: Run, shelf: Shelf) -> None:
    done = run("cache", "gc", "--limit", "1KB", "--dry-run")
    assert (done.code, done.out) == (0, "Would remove 1 entry (5.0 KB); 1 B stay.\n")
    assert len(shelf.names) == 2
    assert run("cache", "gc").out == "Removed 0 entries (0 B); 5.0 KB stay.\n"
    found = run("cache", "gc", "--limit", "1KB", "--json").json
    assert found == {"removed": 1, "freed": 5000, "held": 1, "refused": []}
    assert run("cache", "gc", "--limit", "0", "--grace-hours", "0").out.startswith("Removed 1 entry (1 B)")
    for wrong in (("--limit", "soon"), ("--grace-hours", "-1"), ("--grace-hours", "nan")):
        assert run("cache", "gc", *wrong).code == 1
    shelf.file(1)
    assert "above the limit: the rest was used within" in run("cache", "gc", "--limit", "0").out


def test_gc_takes_the_configured_limit(run: Run, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAMINT_LIKE_CACHE_LIMIT", "1KB")
    assert "limit 1.0 KB" in run("cache", "du").out
    run("cache", "gc")
    assert shelf.names == {f"blobs/2d/{HASH_OF_X}"}


def test_clear_asks_and_takes_yes(run: Run, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    done = run("cache", "clear")
    assert (done.code, "--yes" in done.err) == (1, True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer, left in (("", 2), ("n", 2), ("yes", 0)):
        monkeypatch.setattr("sys.stdin.readline", lambda answer=answer: f"{answer}\n", raising=False)
        assert run("cache", "clear").code == 0
        assert len(shelf.names) == left
    shelf.file(1)
    assert run("cache", "clear", "--yes", "--json").json["removed"] == 1


def test_a_folder_without_a_name_is_refused_in_one_line(run: Run) -> None:
    done = run("cache", "du", "--cache-dir", "")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "The cache folder is a path, or None for the configured one, not ''" in done.err


def test_another_folder_is_refused_in_one_line_and_not_touched(run: Run, tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "only copy").write_text("x")
    for action in ("du", "verify", "gc", "clear"):
        extra = ["--yes"] if action == "clear" else []
        done = run("cache", action, "--cache-dir", tmp_path, *extra)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert "no cache of datamint-like" in done.err
    assert (tmp_path / "blobs" / "only copy").read_text() == "x"


_RUNS = """
import contextlib, io, sys
from datamint_like.cli.main import main

told = io.StringIO()
with contextlib.redirect_stderr(told):
    code = main(["cache", *sys.argv[1:]])
print(code, told.getvalue().count("\\n"), told.getvalue())
"""


def test_what_cannot_be_removed_is_counted_in_one_line(shelf: Shelf) -> None:
    for n in range(3, 9):
        shelf.pack(n, 5000, hours=90)
    for arguments in (("clear", "--yes"), ("gc", "--limit", "0", "--grace-hours", "0")):
        told = run_where(READ_ONLY, shelf.path, _RUNS, *arguments, "--cache-dir", shelf.path)
        assert "1 1 8 entries cannot be removed: " in told
        assert "and 7 more, which --json lists." in told
        assert told.splitlines()[0] == "Removed 0 entries (0 B); 35.0 KB stay."
