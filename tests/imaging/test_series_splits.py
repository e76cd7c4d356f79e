"""Which files of one series are one resource: only positions that repeat split it, and what is uneven is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamint_like.imaging import assemble, decode_stored

from .dicom_files import write_slice, write_stack

UP = [(0.0, 0.0, 2.5 * n) for n in range(5)]


def numbers(paths: list[Path] | tuple[Path, ...]) -> list[int]:
    return [int(path.stem[1:]) for path in paths]


def grouped(paths: list[Path]) -> list[list[int]]:
    assembly = assemble(paths)
    assert not assembly.skipped, assembly.skipped
    return [numbers(group.paths) for group in assembly.groups]


def repeated(*values: object) -> list[object]:
    """Each value for all planes of the stack, one after another."""
    return [value for value in values for _ in UP]


def test_two_echoes_with_magnitude_and_phase_are_two_resources_of_two_channels(tmp_path: Path):
    magnitude, phase = ["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]
    paths = write_stack(
        tmp_path,
        UP * 4,
        Modality="MR",
        ImageType=repeated(magnitude, phase, magnitude, phase),
        EchoTime=repeated(4.9, 4.9, 7.3, 7.3),
        EchoNumbers=repeated(1, 1, 2, 2),
    )
    groups = assemble(paths).groups
    assert [(group.facts.channels, group.facts.shape) for group in groups] == [(2, (5, 4, 5))] * 2
    first = decode_stored(groups[0].paths, groups[0].facts).array[..., 0, 0]
    assert first.tolist() == [[0, 1, 2, 3, 4], [10, 11, 12, 13, 14]]


def test_image_types_along_one_stack_stay_together(tmp_path: Path):
    types = [["ORIGINAL", "PRIMARY", "AXIAL"]] * 3 + [["ORIGINAL", "PRIMARY", "AXIAL", "HELIX"]] * 2
    assert grouped(write_stack(tmp_path, UP, ImageType=types)) == [[0, 1, 2, 3, 4]]


def test_a_missing_plane_of_one_time_point_is_an_error_that_says_where(tmp_path: Path):
    paths = write_stack(tmp_path, UP * 3, Modality="MR", TemporalPositionIdentifier=repeated(1, 2, 3))
    paths.pop(5 + 3)
    assembly = assemble(paths)
    assert not assembly.groups
    assert len(assembly.skipped) == 14
    assert all(
        "position 4 (7.50 mm from the first) holds 2, and the others of its 5 positions along the normal hold 3"
        in skip.reason
        for skip in assembly.skipped
    )


@pytest.mark.parametrize("jitter", [0.001, 0.01])
def test_positions_that_jitter_by_hundredths_of_a_millimetre_repeat(jitter: float, tmp_path: Path):
    chance = np.random.default_rng(5)
    places = [(0.0, 0.0, z + float(chance.uniform(-jitter, jitter) / 2)) for _ in range(3) for *_, z in UP]
    paths = write_stack(tmp_path, places, Modality="MR", TemporalPositionIdentifier=repeated(1, 2, 3))
    (group,) = assemble(paths).groups
    assert (group.facts.channels, group.facts.shape, group.facts.irregularity) == (3, (5, 4, 5), None)


def test_planes_of_microscopic_distance_are_planes(tmp_path: Path):
    paths = write_stack(tmp_path, [(0, 0, 0.004 * n) for n in range(6)], PixelSpacing=[[0.005, 0.005]] * 6)
    (group,) = assemble(paths).groups
    assert group.facts.shape == (6, 4, 5)
    assert group.facts.affine is not None
    assert group.facts.affine.spacing == pytest.approx((0.004, 0.005, 0.005))


def test_orientations_that_jitter_stay_one_volume(tmp_path: Path):
    turned = [[1, 0.0003 * n, 0, -0.0003 * n, 1, 0] for n in (0, 1, -1, 2, -2)]
    assert grouped(write_stack(tmp_path, UP, ImageOrientationPatient=turned)) == [[0, 1, 2, 3, 4]]


def test_spacings_that_differ_by_rounding_stay_one_volume(tmp_path: Path):
    spacings = [[0.4985, 0.4985], [0.49849, 0.49851]] * 2 + [[0.4985, 0.4985]]
    assert grouped(write_stack(tmp_path, UP, PixelSpacing=spacings)) == [[0, 1, 2, 3, 4]]


def test_a_localizer_of_three_orientations_is_three_volumes(tmp_path: Path):
    axial, coronal, sagittal = [1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1]
    places = [(0, 0, 0), (0, 0, 9), (0, 0, 18), (0, 0, 0), (0, 9, 0), (0, 18, 0), (0, 0, 0), (9, 0, 0), (18, 0, 0)]
    paths = write_stack(
        tmp_path, places, Modality="MR", ImageOrientationPatient=[axial] * 3 + [coronal] * 3 + [sagittal] * 3
    )
    assert [sorted(each) for each in grouped(paths)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_a_scout_in_a_ct_series_is_a_picture_of_its_own(tmp_path: Path):
    paths = write_stack(tmp_path, UP)
    scout = write_slice(
        tmp_path / "s900.dcm",
        np.zeros((4, 5), np.int16),
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
        ImagePositionPatient=[0, -200, 50],
    )
    assert grouped([*paths, scout]) == [[0, 1, 2, 3, 4], [900]]


@pytest.mark.parametrize("elements", [{"PixelSpacing": [2, 2]}, {"rows": 9}])
def test_a_slice_of_another_size_or_spacing_is_a_picture_of_its_own(elements: dict, tmp_path: Path):
    rows = elements.pop("rows", 4)
    paths = write_stack(tmp_path, UP)
    other = write_slice(
        tmp_path / "s900.dcm", np.zeros((rows, 5), np.int16), ImagePositionPatient=[0, 0, 30], **elements
    )
    assert grouped([*paths, other]) == [[0, 1, 2, 3, 4], [900]]


def test_a_slice_that_lost_its_position_is_a_picture_and_the_gap_is_named(tmp_path: Path):
    paths = write_stack(tmp_path, UP, ImagePositionPatient=[[*UP[n]] if n != 2 else None for n in range(5)])
    groups = assemble(paths).groups
    assert [numbers(group.paths) for group in groups] == [[0, 1, 3, 4], [2]]
    assert groups[0].facts.irregularity == (
        "Planes are missing: 2.50 mm is usual, but planes 1 to 2: 5.00 mm (4 planes)."
    )
    assert groups[1].facts.affine is None


def test_acquisitions_that_overlap_come_apart(tmp_path: Path):
    places = UP + [(0.0, 0.0, 10.0 + 2.5 * n) for n in range(5)]
    paths = write_stack(tmp_path, places, AcquisitionNumber=[1] * 5 + [2] * 5)
    assert grouped(paths) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_equal_planes_under_other_uids_are_named_and_nothing_is_guessed(tmp_path: Path):
    paths = write_stack(tmp_path, UP * 2, InstanceNumber=[1, 2, 3, 4, 5] * 2)
    assembly = assemble(paths)
    assert not assembly.groups
    assert all("neither time, echo nor instance number tells them apart" in skip.reason for skip in assembly.skipped)


def test_slopes_of_each_slice_are_its_own(tmp_path: Path):
    paths = write_stack(
        tmp_path, UP, Modality="PT", RescaleSlope=["1.5", "2.5", "0.5", "4", "1"], RescaleIntercept=[0, 1, 0, 0, -3]
    )
    (group,) = assemble(paths).groups
    assert group.facts.dtype == "float32"
    assert decode_stored(group.paths, group.facts).array[0, :, 0, 0].tolist() == [0, 3.5, 1, 12, 1]


def test_descending_and_shuffled_numbers_change_nothing(tmp_path: Path):
    paths = write_stack(tmp_path, UP, InstanceNumber=[3, 1, 5, 2, 4])
    assert grouped(paths[::-1]) == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize(("small", "large"), [(0.0005, 0.001), (0.5, 0.502), (1.0, 1.1)])
def test_pixel_spacings_are_compared_by_their_ratio(small: float, large: float, tmp_path: Path):
    places = [(0.0, 0.0, 4 * small * n) for n in range(6)]
    spacings = [[small, small]] * 3 + [[large, large]] * 3
    assert sorted(grouped(write_stack(tmp_path, places, PixelSpacing=spacings))) == [[0, 1, 2], [3, 4, 5]]


def test_large_pixels_that_differ_by_rounding_stay_one_volume(tmp_path: Path):
    spacings = [[4.07283, 4.07283], [4.071, 4.074]] * 2 + [[4.07, 4.07]]
    assert grouped(write_stack(tmp_path, UP, PixelSpacing=spacings)) == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("shift", [0.015, 0.03, 0.08])
@pytest.mark.parametrize("trait", ["TemporalPositionIdentifier", "EchoTime"])
def test_a_time_point_shifted_by_hundredths_of_a_millimetre_is_a_channel(trait: str, shift: float, tmp_path: Path):
    places = UP + [(0.0, 0.0, z + shift) for *_, z in UP]
    paths = write_stack(tmp_path, places, Modality="MR", PixelSpacing=[[0.5, 0.5]] * 10, **{trait: repeated(1, 2)})
    (group,) = assemble(paths).groups
    assert (group.facts.channels, group.facts.shape, group.facts.irregularity) == (2, (5, 4, 5), None)
    assert decode_stored(group.paths, group.facts).array[..., 0, 0].tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


@pytest.mark.parametrize(("step", "pixel"), [(0.012, 0.5), (0.01, 0.05), (0.01, 0.004), (0.05, 1.0)])
def test_thin_planes_are_never_taken_for_jitter(step: float, pixel: float, tmp_path: Path):
    places = [(0.0, 0.0, step * n) for n in range(8)]
    paths = write_stack(tmp_path, places, PixelSpacing=[[pixel, pixel]] * 8)
    (group,) = assemble(paths).groups
    assert (group.facts.channels, group.facts.shape, group.facts.irregularity) == (1, (8, 4, 5), None)


@pytest.mark.parametrize("offset", [1.25, 0.8])
def test_two_echoes_between_each_other_are_two_resources(offset: float, tmp_path: Path):
    places = UP + [(0.0, 0.0, z + offset) for *_, z in UP]
    paths = write_stack(tmp_path, places, Modality="MR", EchoTime=repeated("10", "90"))
    groups = assemble(paths).groups
    assert [numbers(group.paths) for group in groups] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert all(group.facts.affine is not None and group.facts.affine.spacing[0] == 2.5 for group in groups)


def test_time_points_of_echoes_between_each_other_are_channels_of_their_echo(tmp_path: Path):
    between = [(0.0, 0.0, z + 1.25) for *_, z in UP]
    paths = write_stack(
        tmp_path,
        (UP + between) * 2,
        Modality="MR",
        EchoTime=repeated("10", "90", "10", "90"),
        TemporalPositionIdentifier=repeated(1, 1, 2, 2),
    )
    groups = assemble(paths).groups
    assert [(group.facts.channels, group.facts.shape) for group in groups] == [(2, (5, 4, 5))] * 2


def test_stacks_of_two_echoes_one_after_another_stay_one_volume(tmp_path: Path):
    places = UP + [(0.0, 0.0, 12.5 + z) for *_, z in UP]
    paths = write_stack(tmp_path, places, Modality="MR", EchoTime=repeated("10", "11"))
    assert grouped(paths) == [list(range(10))]


def test_orientations_that_join_by_one_file_make_one_volume_whichever_plane_is_first(tmp_path: Path):
    turned = [[1, share, 0, -share, 1, 0] for share in (0.0, 0.0009, -0.0009, 0.0009, -0.0009)]
    places = [UP[n] for n in (2, 0, 1, 3, 4)]
    assert grouped(write_stack(tmp_path, places, ImageOrientationPatient=turned)) == [[1, 2, 0, 3, 4]]
