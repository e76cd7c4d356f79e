"""Damaged files and full disks: a file is left out with a reason, or the disk is named; nothing else is raised."""

from __future__ import annotations

import random
import resource
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from datamint_like.exceptions import StorageError
from datamint_like.imaging.deidentify import DeidentifyOptions, deidentify_files
from tests.imaging.identified_files import write_identified
from tests.imaging.video_files import numbered

OPTIONS = DeidentifyOptions(b"a secret for tests only")
PIXELS = (np.arange(16 * 24 * 3).reshape(16, 24, 3) % 251).astype(np.uint8)
KINDS = ("a.dcm", "a.png", "a.jpg", "a.bmp", "a.webp", "a.tif", "a.nii", "a.nii.gz", "a.mp4", "a.mkv", "a.avi")
ROUNDS = 12


def written(path: Path) -> Path:
    if path.suffix == ".dcm":
        return write_identified(path)
    if ".nii" in path.suffixes:
        nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4)), path)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, PIXELS, description="text", photometric="rgb")
    elif path.suffix == ".avi":
        numbered(path, "mjpeg", 3, pixels="yuvj420p")
    elif path.suffix in (".mp4", ".mkv"):
        numbered(path, "libx264", 3)
    else:
        Image.fromarray(PIXELS).save(path)
    return path


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_taken_or_left_out_with_its_name(name: str, tmp_path: Path) -> None:
    data, chance = written(tmp_path / name).read_bytes(), random.Random(name)
    for number in range(ROUNDS):
        damaged = bytearray(data[: chance.randrange(1, len(data))] if number % 3 == 0 else data)
        for _ in range(4):
            damaged[chance.randrange(min(len(damaged), 600))] = chance.randrange(256)
        path = tmp_path / str(number) / name
        (path.parent / "made").mkdir(parents=True)
        path.write_bytes(damaged)
        done = deidentify_files([path], path.parent / "made", OPTIONS)
        assert [*done.files, *(each.path for each in done.skipped)] == [path]
        assert all(each.reason.startswith(f"{name}: ") for each in done.skipped)


@pytest.mark.parametrize("name", ["a.dcm", "a.png", "a.nii", "a.mp4"])
def test_a_full_disk_is_no_fault_of_the_file(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / name)
    (tmp_path / "made").mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        with pytest.raises(StorageError, match="disk with the temporary folder is full"):
            deidentify_files([path], tmp_path / "made", OPTIONS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
