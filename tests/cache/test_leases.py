"""What is leased stays, while its process lives or renews it, and no longer."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datamint_like import _files
from datamint_like._cache import CacheFolder, Lease, lease, leases
from datamint_like._cache.collecting import collect
from datamint_like._cache.leases import Leased, pinned
from datamint_like.exceptions import CacheError
from tests.cache.conftest import Shelf


def held(shelf: Shelf) -> list[Path]:
    """The files of leases that there are."""
    return [path for path in (shelf.path / "leases").iterdir() if path.suffix == ".lease"]


def gone_after_collecting(shelf: Shelf) -> set[str]:
    before = shelf.names
    collect(shelf.path, limit=0)
    return before - shelf.names


def test_what_is_leased_stays_however_old_it_is(shelf: Shelf) -> None:
    mine, other = shelf.file(1, hours=90), shelf.pack(2, hours=90)
    with lease(shelf.cache, [mine], size=1000, what="This test"):
        assert gone_after_collecting(shelf) == {shelf.cache.name(other)}
    assert gone_after_collecting(shelf) == {shelf.cache.name(mine)}


def test_entries_may_be_leased_before_they_are_there_and_more_of_them_later(shelf: Shelf) -> None:
    first, second = shelf.path / "blobs/00" / f"{1:064x}", shelf.path / "blobs/00" / f"{2:064x}"
    with lease(shelf.cache, [first], size=0, what="This test") as holding:
        holding.add([second])
        shelf.file(1, hours=90)
        shelf.file(2, hours=90)
        assert gone_after_collecting(shelf) == set()


def test_a_lease_made_while_others_look_counts_at_once(shelf: Shelf) -> None:
    mine = shelf.file(1, hours=90)
    seen = Leased(shelf.path)
    for _ in range(3):
        assert shelf.cache.name(mine) not in seen
        with Lease(shelf.cache, [mine]):
            assert shelf.cache.name(mine) in seen


def test_a_set_larger_than_the_limit_is_refused_with_both_sizes_and_leaves_nothing(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path / "cache", limit=2 * 10**9)
    with pytest.raises(CacheError, match=r"prefetch of 3 resources takes 2\.5 GB \(2500000000 bytes\).*2\.0 GB"):
        lease(cache, [], size=2_500_000_000, what="The prefetch of 3 resources")
    assert not cache.path.exists()
    lease(cache, [], size=2_000_000_000, what="The prefetch of 3 resources").end()


def test_a_lease_that_is_let_go_ends(shelf: Shelf) -> None:
    holding = lease(shelf.cache, [], size=0, what="This test")
    assert len(held(shelf)) == 1
    del holding
    gc.collect()
    assert held(shelf) == []


def test_a_forked_child_that_ends_does_not_end_its_parents_lease(shelf: Shelf) -> None:
    with lease(shelf.cache, [], size=0, what="This test") as holding:
        child = os.fork()
        if child == 0:
            holding.end()
            os._exit(0)
        os.waitpid(child, 0)
        assert len(held(shelf)) == 1


LEASES_AND_WAITS = (
    "import sys, time; from pathlib import Path; from datamint_like._cache import CacheFolder, lease\n"
    "cache = CacheFolder(Path(sys.argv[1]))\n"
    "held = lease(cache, [Path(sys.argv[2])], size=0, what='A child'); print('held', flush=True); time.sleep(60)\n"
)


@pytest.fixture
def killed(shelf: Shelf) -> tuple[Path, Path]:
    """An old file that a process leased which was killed, and that lease."""
    mine = shelf.file(1, hours=90)
    command = [sys.executable, "-c", LEASES_AND_WAITS, str(shelf.path), str(mine)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        (file,) = held(shelf)
        shelf.age(file, hours=50)  # a laptop that slept: not renewed, but alive
        assert gone_after_collecting(shelf) == set()
        child.send_signal(signal.SIGKILL)
    shelf.age(file, hours=0)
    return mine, file


def test_the_lease_of_a_living_process_counts_and_that_of_a_killed_one_ends_with_it(
    shelf: Shelf, killed: tuple[Path, Path]
) -> None:
    assert gone_after_collecting(shelf) == {shelf.cache.name(each) for each in killed}


@pytest.mark.parametrize("seen_in", ["another container, or before the machine was started", "nothing said"])
def test_that_of_a_process_which_cannot_be_seen_from_here_counts_for_an_hour(
    shelf: Shelf, killed: tuple[Path, Path], seen_in: str
) -> None:
    mine, file = killed
    first, line, names = file.read_text().split("\n", 2)
    assert line.startswith("# seen in ")
    file.write_text(f"{first}\n{names}" if seen_in == "nothing said" else f"{first}\n# seen in {0:016x}\n{names}")
    shelf.age(file, hours=0.9)
    assert gone_after_collecting(shelf) == set()
    shelf.age(file, hours=1.1)
    assert gone_after_collecting(shelf) == {shelf.cache.name(mine)}
    shelf.age(file, hours=50)
    assert gone_after_collecting(shelf) == {shelf.cache.name(file)}


def test_that_of_a_living_process_of_which_nothing_is_told_counts(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = shelf.file(1, hours=90)
    with lease(shelf.cache, [mine], size=0, what="This test"):
        monkeypatch.setattr(_files, "_started", lambda _: "")  # as `hidepid` has it, of processes of others
        assert gone_after_collecting(shelf) == set()


def test_a_new_lease_sweeps_those_that_have_ended(shelf: Shelf, killed: tuple[Path, Path]) -> None:
    leases._swept.clear()
    with Lease(shelf.cache, [], renewed=False):
        assert not killed[1].exists()


def test_the_lease_of_another_machine_counts_while_it_is_renewed(shelf: Shelf) -> None:
    mine = shelf.file(1, hours=90)
    with lease(shelf.cache, [mine], size=0, what="This test"):
        (file,) = held(shelf)
        other = file.rename(file.with_name("00000000." + file.name.partition(".")[2]))
        assert gone_after_collecting(shelf) == set()
        shelf.age(other, hours=1.1)
        assert gone_after_collecting(shelf) == {shelf.cache.name(mine)}


def test_a_number_that_another_process_has_now_does_not_keep_a_lease(shelf: Shelf) -> None:
    mine = shelf.file(1, hours=90)
    with lease(shelf.cache, [mine], size=0, what="This test"):
        (file,) = held(shelf)
        host, owner, *rest = file.name.split(".")
        other = file.rename(file.with_name(".".join((host, f"{owner.partition('-')[0]}-1", *rest))))
        assert gone_after_collecting(shelf) == {shelf.cache.name(mine), shelf.cache.name(other)}


def test_a_lease_is_renewed_while_it_is_held(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_RENEWED_S", 0.01)
    with lease(shelf.cache, [], size=0, what="This test"):
        (file,) = held(shelf)
        shelf.age(file, hours=2)
        end = time.monotonic() + 20
        while file.stat().st_mtime < time.time() - 60:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_a_file_of_a_cache_is_pinned_and_one_elsewhere_is_not(shelf: Shelf, tmp_path: Path) -> None:
    snapshot = shelf.put("catalog/0123456789abcdef/p1/old.4.sqlite", hours=90)
    pin = pinned(snapshot, "catalog")
    assert pin is not None
    assert gone_after_collecting(shelf) == set()
    pin.end()
    assert gone_after_collecting(shelf) == {shelf.cache.name(snapshot)}
    assert pinned(tmp_path / "catalog" / "a.sqlite", "catalog") is None


def test_what_is_no_lease_is_not_taken_for_one(shelf: Shelf) -> None:
    mine = shelf.file(1, hours=90)
    shelf.put("leases/00000000.1-1.ab.lease").write_text(f"something else\n{shelf.cache.name(mine)}\n")
    assert gone_after_collecting(shelf) == {shelf.cache.name(mine)}


def test_leases_of_killed_processes_are_swept_by_the_next_that_leases(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Lease(shelf.cache) as holding:
        (mine,) = held(shelf)
        host, owner, *rest = mine.name.split(".")
        gone = shelf.put(f"leases/{host}.{owner.partition('-')[0]}-1.{'.'.join(rest)}", hours=1.1)
        young = shelf.put(f"leases/{host}.{owner.partition('-')[0]}-2.{'.'.join(rest)}", hours=0.9)
        other = shelf.put(f"leases/00000000.1-1.{'.'.join(rest)}", hours=1.1)
        monkeypatch.setattr(leases, "_swept", set())
        with Lease(shelf.cache):
            assert not gone.exists()
            assert (mine.exists(), young.exists(), other.exists()) == (True, True, True)
        assert holding
