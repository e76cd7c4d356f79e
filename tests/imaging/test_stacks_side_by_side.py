"""Stacks at the same positions along their normal, but elsewhere in the plane, never become channels of one volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datamint_like.imaging import assemble

from .dicom_files import write_stack
from .test_multiframe_series import write_enhanced

HERE = [(0.0, 0.0, 3.0 * n) for n in range(3)]
ASIDE = [(150.0, 0.0, 3.0 * n) for n in range(3)]
SLANTED = [1, 0, 0, 0, 0.96, 0.28]


def numbered(paths: list[Path]) -> list[list[int]]:
    assembly = assemble(paths)
    assert not assembly.skipped, assembly.skipped
    return [[int(path.stem[1:]) for path in group.paths] for group in assembly.groups]


def origins(paths: list[Path]) -> list[tuple[float, ...]]:
    return [group.facts.affine.origin for group in assemble(paths).groups if group.facts.affine is not None]


@pytest.mark.parametrize("elements", [{}, {"TemporalPositionIdentifier": [1] * 3 + [2] * 3}], ids=["plain", "timed"])
def test_slabs_side_by_side_are_resources_of_their_own(elements: dict[str, Any], tmp_path: Path):
    paths = write_stack(tmp_path, HERE + ASIDE, Modality="MR", **elements)
    assert numbered(paths) == [[0, 1, 2], [3, 4, 5]]
    assert origins(paths) == [(0, 0, 0), (-150, 0, 0)]


def test_time_points_of_slabs_side_by_side_are_channels_of_their_own_slab(tmp_path: Path):
    paths = write_stack(tmp_path, (HERE + ASIDE) * 2, Modality="MR", TemporalPositionIdentifier=[1] * 6 + [2] * 6)
    groups = assemble(paths).groups
    assert [(group.facts.channels, group.facts.shape) for group in groups] == [(2, (3, 4, 5))] * 2
    assert numbered(paths) == [[0, 6, 1, 7, 2, 8], [3, 9, 4, 10, 5, 11]]


def test_slabs_of_a_tilted_gantry_side_by_side_come_apart_and_each_stays_whole(tmp_path: Path):
    paths = write_stack(tmp_path, HERE + ASIDE, ImageOrientationPatient=[SLANTED] * 6)
    assert numbered(paths) == [[0, 1, 2], [3, 4, 5]]


def test_time_points_of_a_tilted_gantry_stay_channels(tmp_path: Path):
    paths = write_stack(
        tmp_path, HERE * 2, ImageOrientationPatient=[SLANTED] * 6, TemporalPositionIdentifier=[1] * 3 + [2] * 3
    )
    (group,) = assemble(paths).groups
    assert (group.facts.channels, group.facts.irregularity) == (2, None)


def test_planes_that_jitter_in_the_plane_stay_channels(tmp_path: Path):
    moved = [(x + 0.03, y - 0.02, z) for x, y, z in HERE]
    paths = write_stack(
        tmp_path, HERE + moved, PixelSpacing=[[0.2, 0.2]] * 6, TemporalPositionIdentifier=[1] * 3 + [2] * 3
    )
    (group,) = assemble(paths).groups
    assert group.facts.channels == 2


def test_one_file_of_two_stacks_side_by_side_is_an_error_that_says_how_far(tmp_path: Path):
    path = write_enhanced(tmp_path / "two.dcm", list(range(6)), HERE + ASIDE, times=[1] * 3 + [2] * 3)
    (skip,) = assemble([path]).skipped
    assert "at one position along the normal lie up to 150.00 mm apart in the plane" in skip.reason


def test_files_for_each_time_point_join_only_where_they_lie_at_one_place(tmp_path: Path):
    for number, places in enumerate([HERE, ASIDE, HERE, ASIDE]):
        write_enhanced(
            tmp_path / f"t{number}.dcm", [1, 2, 3], places, times=[number + 1] * 3, InstanceNumber=number + 1
        )
    assert numbered(sorted(tmp_path.iterdir())) == [[0, 2], [1, 3]]
