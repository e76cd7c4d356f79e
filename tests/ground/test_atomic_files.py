"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from datamint_like import _files
from datamint_like._files import (
    build_file,
    make_dirs,
    new_file,
    partial_file,
    private_folder,
    publish,
    sha256_of,
    stage,
    sweep_partial,
    write_bytes,
)

TWO_DAYS_S = 2 * 24 * 3600


def test_a_written_file_holds_the_bytes_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"one")
    write_bytes(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    def interrupted() -> None:
        with new_file(tmp_path / "a") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    write_bytes(tmp_path / "a", b"old")
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (tmp_path / "a").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def build(path: Path) -> None:
        path.write_bytes(b"half")
        path.with_name(path.name + "-journal").write_bytes(b"x")
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        build_file(tmp_path / "a", build)
    assert list(tmp_path.iterdir()) == []


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (steps.append("fsync"), fsync(handle))[1])
    monkeypatch.setattr(Path, "replace", lambda self, to: (steps.append("rename"), replace(self, to))[1])
    write_bytes(tmp_path / "a", b"x")
    assert steps == ["fsync", "rename", "fsync"]


def test_made_folders_are_private(tmp_path: Path) -> None:
    make_dirs(tmp_path / "b" / "c")
    assert (tmp_path / "b" / "c").stat().st_mode & 0o777 == 0o700


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were made durable, in order."""
    folders: list[Path] = []
    fsync_dir = _files.fsync_dir
    monkeypatch.setattr(_files, "fsync_dir", lambda folder: (folders.append(folder), fsync_dir(folder))[1])
    return folders


def test_a_folder_that_another_process_just_made_is_durable_before_what_lies_in_it(
    tmp_path: Path, synced: list[Path]
) -> None:
    (tmp_path / "blobs" / "ab").mkdir(parents=True)  # and the maker has come no further
    for name in ("one", "two"):
        publish([(stage([b"x"], tmp_path).path, tmp_path / "blobs" / "ab" / name)])
    assert synced == [tmp_path / "blobs", tmp_path / "blobs" / "ab", tmp_path / "blobs" / "ab"]


def test_a_folder_in_one_that_cannot_be_made_durable_still_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(_files, "fsync_dir", refuse)
    (tmp_path / "given").mkdir()
    make_dirs(tmp_path / "given")


def killed_while_writing(folder: Path) -> None:
    """Another process begins a file in each of the ways there are, and is killed."""
    code = (
        "import os, sys; from pathlib import Path; from datamint_like import _files\n"
        "folder = Path(sys.argv[1])\n"
        "_files.stage([b'x'], folder)\n"
        "writing = _files.new_file(folder / 'a file'); writing.__enter__()\n"
        "def build(path):\n"
        "    path.write_bytes(b'half'); path.with_name(path.name + '-journal').write_bytes(b'x'); os._exit(9)\n"
        "_files.build_file(folder / 'a [database]', build)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(folder)], check=False).returncode == 9


def test_what_killed_writers_leave_is_swept_after_a_day_however_they_wrote(tmp_path: Path) -> None:
    killed_while_writing(tmp_path)
    left = sorted(tmp_path.iterdir())
    assert len(left) == 4
    sweep_partial(tmp_path)
    assert sorted(tmp_path.iterdir()) == left
    for path in left:
        age(path)
    sweep_partial(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_files_of_living_writers_and_of_other_machines_and_whole_files_are_not_swept(tmp_path: Path) -> None:
    staged = stage([b"x"], tmp_path).path
    write_bytes(tmp_path / "whole", b"x")
    (tmp_path / "00000000.1.ab.x.partial").write_bytes(b"x")
    (tmp_path / f"{staged.name.split('.')[0]}.notes.txt").write_bytes(b"x")
    for path in tmp_path.iterdir():
        age(path)
    before = sorted(tmp_path.iterdir())
    sweep_partial(tmp_path)
    sweep_partial(tmp_path / "no such folder")
    assert sorted(tmp_path.iterdir()) == before


def test_what_a_process_left_whose_number_another_has_now_is_gone_on_with_and_swept(tmp_path: Path) -> None:
    mine = partial_file(tmp_path, "stem")
    host, owner, *rest = mine.name.split(".")
    theirs = tmp_path / ".".join((host, f"{owner.partition('-')[0]}-1", *rest))
    theirs.write_bytes(b"half")
    taken = partial_file(tmp_path, "stem")
    assert taken.read_bytes() == b"half"
    age(taken)
    sweep_partial(tmp_path)
    assert taken.exists()
    taken.rename(theirs)
    sweep_partial(tmp_path)
    assert list(tmp_path.iterdir()) == []


def age(path: Path) -> None:
    """Make a file two days old."""
    then = time.time() - TWO_DAYS_S
    os.utime(path, (then, then))


def test_a_name_as_long_as_names_may_be_can_be_written(tmp_path: Path) -> None:
    write_bytes(tmp_path / ("ü" * 125), b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["ü" * 125]


def test_an_error_is_not_hidden_by_a_second_one_of_cleaning_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def interrupted(*_: object) -> Iterator[bytes]:
        yield b"half"
        raise ValueError("the real error")

    def build(_: Path) -> None:
        raise ValueError("the real error")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ValueError, match="the real error"):
        stage(interrupted(), tmp_path)
    with pytest.raises(ValueError, match="the real error"):
        build_file(tmp_path / "a", build)
    with pytest.raises(ValueError, match="the real error"), new_file(tmp_path / "a"):
        build(tmp_path)


def test_a_digest_is_the_files_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_private_folder_goes_with_all_that_is_in_it_whatever_happens(tmp_path: Path) -> None:
    with suppress(RuntimeError), private_folder(tmp_path) as folder:
        (folder / "0").mkdir()
        (folder / "0" / "x").write_bytes(b"x")
        raise RuntimeError("no more")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_killed_writer_is_swept_when_it_is_old(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib, datamint_like._files as f\nwith f.private_folder(pathlib.Path(sys.argv[1])) as x:\n"
    )
    code += " (x / 'a').write_bytes(b'x'); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    sweep_partial(tmp_path)
    assert (left / "a").exists()
    age(left)
    sweep_partial(tmp_path)
    assert list(tmp_path.iterdir()) == []
