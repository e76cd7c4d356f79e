"""Videos come upright: every turn and mirror that a container can name."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from datamint_like.imaging import decode_stored, probe
from tests.imaging.video_files import painted, write_kind

FIXED = {0: "00000000", 1: "00010000", -1: "ffff0000"}
#: (a, b, c, d) of the matrix -> what a player shows of a frame (H, W, 3).
MATRICES = {
    (1, 0, 0, 1): lambda frame: frame,
    (0, 1, -1, 0): lambda frame: np.rot90(frame, -1),
    (-1, 0, 0, -1): lambda frame: np.rot90(frame, 2),
    (0, -1, 1, 0): lambda frame: np.rot90(frame, 1),
    (-1, 0, 0, 1): np.fliplr,
    (1, 0, 0, -1): np.flipud,
    (0, 1, 1, 0): lambda frame: frame.transpose(1, 0, 2),
    (0, -1, -1, 0): lambda frame: np.rot90(frame.transpose(1, 0, 2), 2),
}
ROTATIONS = {(1, 0, 0, 1): 0, (0, 1, -1, 0): 90, (-1, 0, 0, -1): 180, (0, -1, 1, 0): 270}


def with_matrix(path: Path, box: bytes, matrix: tuple[int, int, int, int]) -> Path:
    """The file with the matrix of its movie header (mvhd) or its track header (tkhd) replaced."""
    data = bytearray(path.read_bytes())
    a, b, c, d = matrix
    at = data.index(box) + 4 + (36 if box == b"mvhd" else 40)
    data[at : at + 36] = bytes.fromhex("".join((FIXED[a], FIXED[b], FIXED[0], FIXED[c], FIXED[d], *[FIXED[0]] * 3))) + (
        b"\x40\0\0\0"
    )
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("box", [b"tkhd", b"mvhd"])
@pytest.mark.parametrize("matrix", MATRICES)
def test_frames_are_turned_as_the_matrix_says(matrix: tuple[int, int, int, int], box: bytes, tmp_path: Path):
    path = with_matrix(write_kind(tmp_path, "png.mov"), box, matrix)
    facts = probe([path])
    array = decode_stored([path], facts).array
    for index in (0, 7, 29):
        assert np.array_equal(np.moveaxis(array[:, index], 0, -1), MATRICES[matrix](painted(index)))
    assert facts.shape == array.shape[1:]
    if matrix in ROTATIONS:
        with av.open(str(path)) as source:
            assert -next(source.decode(video=0)).rotation % 360 == ROTATIONS[matrix]
    assert (facts.details["rotation"], facts.details["mirrored"]) == (ROTATIONS.get(matrix), matrix not in ROTATIONS)


def test_the_turns_of_movie_and_track_add_up(tmp_path: Path):
    path = with_matrix(write_kind(tmp_path, "png.mov"), b"tkhd", (0, 1, -1, 0))
    facts = probe([with_matrix(path, b"mvhd", (0, 1, -1, 0))])
    assert (facts.shape, facts.details["rotation"]) == ((30, 48, 64), 180)


def test_an_unusual_angle_leaves_the_frames_as_stored(tmp_path: Path):
    path = with_matrix(write_kind(tmp_path, "png.mov"), b"tkhd", (1, 1, -1, 1))
    facts = probe([path])
    assert facts.shape == (30, 48, 64)
    assert np.array_equal(np.moveaxis(decode_stored([path], facts).array[:, 3], 0, -1), painted(3))
