"""Planes at one position become channels: each holds one echo, b-value, phase or time point at every position."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest

from datamint_like.imaging import assemble, decode_stored
from datamint_like.imaging.dicom.traits import moment_of

from .dicom_files import write_stack
from .test_multiframe_series import item, up, values_of, write_enhanced

UP = [(0.0, 0.0, 3.0 * n) for n in range(4)]
APART = [[0, 1, 2, 3], [4, 5, 6, 7]]


def channels(paths: list[Path]) -> list[list[int]]:
    """The value of each plane, that is the number of its file, by channel and position."""
    (group,) = assemble(paths).groups
    return decode_stored(group.paths, group.facts).array[..., 0, 0].tolist()


def reason(paths: list[Path]) -> str:
    assembly = assemble(paths)
    assert not assembly.groups
    return assembly.skipped[0].reason


def two_stacks(folder: Path, **elements: Any) -> list[Path]:
    """Two MR planes at each of 4 positions, the first of every position in files 0 to 3."""
    return write_stack(folder, UP * 2, **{"Modality": "MR", **elements})


def swapped_at_plane_2(first: str, second: str) -> list[str]:
    return [first, first, second, first, second, second, first, second]


def test_echoes_keep_to_their_channel_where_one_plane_was_stamped_the_other_way(tmp_path: Path):
    paths = two_stacks(
        tmp_path, EchoTime=["10"] * 4 + ["90"] * 4, AcquisitionTime=swapped_at_plane_2("100000", "100001")
    )
    assert channels(paths) == APART


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("DiffusionBValue", (0.0, 1000.0)),
        ("TriggerTime", ("50", "350")),
        ("InversionTime", ("100", "2500")),
        ("FlipAngle", ("5", "20")),
        ("DiffusionGradientOrientation", ([0.0, 0.0, 1.0], [1.0, 0.0, 0.0])),
        ("TemporalPositionIdentifier", (1, 2)),
    ],
)
def test_a_trait_with_the_same_values_at_every_position_makes_the_channels(
    keyword: str, values: tuple[Any, Any], tmp_path: Path
):
    first, second = values
    times = swapped_at_plane_2("100000", "100001")
    paths = two_stacks(tmp_path, AcquisitionTime=times, **{keyword: [first] * 4 + [second] * 4})
    assert sorted(channels(paths)) == APART


def test_time_written_with_and_without_a_fraction_is_one_time(tmp_path: Path):
    times = swapped_at_plane_2("100000", "100000.00")
    assert channels(two_stacks(tmp_path, AcquisitionTime=times)) == APART
    assert channels(two_stacks(tmp_path, AcquisitionTime=times, EchoTime=["10"] * 4 + ["90"] * 4)) == APART


def test_a_dynamic_across_midnight_is_in_order(tmp_path: Path):
    times = ["235957", "235958", "235959", "000000", "000001", "000002", "000003", "000004"]
    paths = two_stacks(
        tmp_path,
        AcquisitionTime=times,
        AcquisitionDate=["20200131"] * 3 + ["20200201"] * 5,
        InstanceNumber=list(range(8, 0, -1)),
    )
    assert channels(paths) == APART


def test_slices_of_a_cine_are_in_order_of_their_trigger_time(tmp_path: Path):
    phases = [str(50 * n) for n in range(4)] * 3
    numbers = [1, 2, 3, 4, 8, 7, 6, 5, 9, 10, 11, 12]
    places = [(0.0, 0.0, 8.0 * n) for n in range(3) for _ in range(4)]
    times = [f"10000{n}" for n in range(3) for _ in range(4)]
    paths = write_stack(
        tmp_path, places, Modality="MR", TriggerTime=phases, InstanceNumber=numbers, AcquisitionTime=times
    )
    assert channels(paths) == [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]


def test_channels_are_in_order_of_acquisition_where_that_mixes_nothing(tmp_path: Path):
    paths = write_stack(
        tmp_path,
        [place for place in UP for _ in range(3)],
        Modality="MR",
        DiffusionBValue=[1000.0, 0.0, 1000.0] * 4,
        DiffusionGradientOrientation=[[1.0, 0.0, 0.0], None, [0.0, 1.0, 0.0]] * 4,
        AcquisitionTime=[f"1000{n + 3 * plane:02}" for plane in (0, 2, 1, 3) for n in range(3)],
    )
    assert channels(paths) == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]


def test_two_echoes_at_two_time_points_are_four_channels(tmp_path: Path):
    paths = write_stack(
        tmp_path,
        UP * 4,
        Modality="MR",
        EchoTime=["10"] * 4 + ["90"] * 4 + ["10"] * 4 + ["90"] * 4,
        TemporalPositionIdentifier=[1] * 8 + [2] * 8,
        AcquisitionTime=[f"1000{(n * 7) % 16:02}" for n in range(16)],
    )
    assert channels(paths) == [list(range(n, n + 4)) for n in (0, 4, 8, 12)]


def test_echoes_of_one_enhanced_file_keep_to_their_channel_whatever_the_stamps(tmp_path: Path):
    path = write_enhanced(tmp_path / "echoes.dcm", [0, 10, 1, 11, 2, 12], [up(n, 1)[0] for n in (0, 0, 1, 1, 2, 2)])
    dataset = pydicom.dcmread(path)
    for n, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        groups.MREchoSequence = [item(EffectiveEchoTime=(5.0, 50.0)[n % 2])]
        content = groups.FrameContentSequence[0]
        content.DimensionIndexValues = [n % 2 + 1, n // 2 + 1]
        content.FrameAcquisitionDateTime = f"2020010110000{1 - n % 2 if n // 2 == 1 else n % 2}.5"
    dataset.save_as(path)
    assert values_of((path,)) == [[0, 1, 2], [10, 11, 12]]


@pytest.mark.parametrize(
    ("elements", "says"),
    [
        ({"EchoTime": ["10"] * 4 + ["90", "90", "80", "90"]}, "differ by echo time, but position 3 along the normal"),
        (
            {"TemporalPositionIdentifier": [1, 1, 2, 1, 2, 2, 3, 2]},
            "differ by time point, but position 3 along the normal",
        ),
        (
            {"TemporalPositionIdentifier": [1] * 4 + [2] * 4, "EchoTime": swapped_at_plane_2("10", "90")},
            "differ by time point and echo time, but position 3 along the normal",
        ),
    ],
    ids=["another echo", "another time point", "echo against time point"],
)
def test_traits_that_would_mix_in_a_channel_are_an_error_that_names_them(
    elements: dict[str, Any], says: str, tmp_path: Path
):
    assert says in reason(two_stacks(tmp_path, **elements))


def test_numbers_that_only_count_the_planes_mix_nothing(tmp_path: Path):
    paths = two_stacks(tmp_path, TemporalPositionIdentifier=list(range(1, 9)), InstanceNumber=list(range(8, 0, -1)))
    assert channels(paths) == APART


@pytest.mark.parametrize(
    ("day", "time", "seconds"),
    [
        ("", "10", 36000),
        ("", "1000", 36000),
        ("", "10:00:00", 36000),
        ("", "100000.000001", 36000.000001),
        ("", "100000.5 ", 36000.5),
        ("00010102", "000001", 2 * 86400 + 1),
        ("0001.01.02", "000001", 2 * 86400 + 1),
        ("nonsense", "000001", 1),
        ("", "100000+0130", 36000 - 5400),
        ("", "100000.25-0100", 36000.25 + 3600),
    ],
)
def test_times_are_numbers_however_they_are_written(day: str, time: str, seconds: float):
    assert moment_of(day, time) == round(seconds * 1_000_000)


@pytest.mark.parametrize("time", ["", "x", "1", "noon", "10.x", "-", "+0100", "10--01"])
def test_what_is_no_time_is_none(time: str):
    assert moment_of("20200101", time) is None


def test_malformed_traits_leave_a_volume_readable(tmp_path: Path):
    paths = write_stack(tmp_path, UP, Modality="MR")
    for path in paths:
        data = pydicom.dcmread(path)
        data.FlipAngle, data.InversionTime, data.TriggerTime = "90", "100", "20"
        data.AcquisitionTime, data.AcquisitionDate = "121212", "20200101"
        data.save_as(path)
        raw = path.read_bytes()
        for good, bad in ((b"121212", b"noon!!"), (b"20200101", b"20209999"), (b"DS\x02\x0090", b"DS\x02\x00x!")):
            raw = raw.replace(good, bad)
        path.write_bytes(raw)
    assert channels(paths) == [[0, 1, 2, 3]]


def test_planes_without_any_time_or_number_but_their_flip_angle_are_channels(tmp_path: Path):
    assert channels(two_stacks(tmp_path, InstanceNumber=None, FlipAngle=["30"] * 4 + ["5"] * 4)) == APART[::-1]


def test_a_dimension_that_only_counts_in_time_does_not_overrule_the_echo(tmp_path: Path):
    path = write_enhanced(tmp_path / "echoes.dcm", [0, 10, 1, 11, 2, 12], [up(n, 1)[0] for n in (0, 0, 1, 1, 2, 2)])
    dataset = pydicom.dcmread(path)
    for n, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        groups.MREchoSequence = [item(EffectiveEchoTime=(5.0, 50.0)[n % 2])]
        groups.FrameContentSequence[0].DimensionIndexValues = [n // 2 + 1, 2 - n % 2 if n // 2 == 1 else n % 2 + 1]
    dataset.save_as(path)
    assert values_of((path,)) == [[0, 1, 2], [10, 11, 12]]


def test_a_heart_that_beats_as_it_likes_does_not_overrule_the_time_points(tmp_path: Path):
    paths = two_stacks(
        tmp_path, TemporalPositionIdentifier=[1] * 4 + [2] * 4, TriggerTime=swapped_at_plane_2("600", "620")
    )
    assert channels(paths) == APART
