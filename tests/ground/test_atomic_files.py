"""Files appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datamint_like._files import build_file, make_dirs, new_file, sha256_of, write_bytes


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


def test_a_digest_is_the_files_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
