"""Real files with flipped and cut bytes: errors of our tree that name the file, or an image; bounded time."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from datamint_like.exceptions import DecodeError, GeometryError
from datamint_like.imaging import ReadOptions, assemble, read
from datamint_like.imaging.sniff import is_dicom, read_head

MAX_VOXELS = 3_000_000
#: Seconds that no mutated file may take; most take milliseconds.
LONGEST_S = 20.0


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The file cut, with bytes flipped in its header or anywhere, or with a piece lost or repeated."""
    changed = bytearray(data)
    kind = chance.randrange(5)
    if kind == 0:
        return data[: chance.randrange(len(data))]
    if kind == 1:
        at, length = chance.randrange(len(data)), chance.randrange(1, 64)
        return data[:at] + data[at + length :]
    if kind == 2:
        at, length = chance.randrange(len(data)), chance.randrange(1, 64)
        return data[: at + length] + data[at:]
    end = len(data) if kind == 3 else min(len(data), 3000)
    for _ in range(chance.randint(1, 12)):
        changed[chance.randrange(min(128, end - 1), end)] = chance.randrange(256)
    return bytes(changed)


def check(path: Path) -> None:
    start = time.perf_counter()
    assembly = assemble([path])
    for skip in assembly.skipped:
        assert skip.reason.startswith(f"{path.name}: "), skip.reason
        assert str(path.parent) not in skip.reason
    for group in assembly.groups:
        for intensity in ("native", "dicom-window"):
            try:
                read(group.paths, group.facts, ReadOptions(max_voxels=MAX_VOXELS, intensity=intensity))
            except (DecodeError, GeometryError) as error:
                assert str(error).startswith(path.name), str(error)  # noqa: PT017 -- some mutations still decode
                assert str(path.parent) not in str(error)  # noqa: PT017
    assert time.perf_counter() - start < LONGEST_S


def run(sources: list[Path], seeds: range, folder: Path) -> None:
    path = folder / "mutated.dcm"
    for seed in seeds:
        chance = random.Random(seed)
        path.write_bytes(mutated(chance.choice(sources).read_bytes(), chance))
        check(path)


def small_files(folder: Path) -> list[Path]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size < 400_000)
    return [path for path in files if is_dicom(read_head(path))]


@pytest.mark.parametrize("block", range(4))
def test_mutated_shipped_files_give_an_image_or_an_error_that_names_them(block: int, demo_images: Path, tmp_path: Path):
    run(small_files(demo_images), range(block * 40, block * 40 + 40), tmp_path)


@pytest.mark.parametrize("block", range(8))
def test_mutated_real_files_give_an_image_or_an_error_that_names_them(block: int, real_data: Path, tmp_path: Path):
    run(small_files(real_data), range(block * 40, block * 40 + 40), tmp_path)


@pytest.mark.soak
def test_many_mutated_real_files_give_an_image_or_an_error_that_names_them(real_data: Path, tmp_path: Path):
    run(small_files(real_data), range(1000, 6000), tmp_path)
