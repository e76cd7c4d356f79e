"""Files of several frames that belong together, and those that do not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from datamint_like.exceptions import GeometryError
from datamint_like.imaging import assemble, decode_stored, derive_multiframe, probe

from .conftest import only_group
from .dicom_files import write_slice

ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
AXIAL, CORONAL = [1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1]


def item(**values: Any) -> Dataset:
    result = Dataset()
    for keyword, value in values.items():
        setattr(result, keyword, value)
    return result


def write_enhanced(
    path: Path,
    values: list[int],
    places: list[tuple[float, float, float]],
    *,
    orientations: list[list[int]] | None = None,
    times: list[int] | None = None,
    **elements: Any,
) -> Path:
    """An enhanced MR whose frame n is full of values[n] and lies at places[n]."""
    count = len(values)
    pixels = np.stack([np.full((4, 5), value, np.int16) for value in values])
    write_slice(
        path,
        pixels,
        SOPClassUID=ENHANCED_MR,
        Modality="MR",
        NumberOfFrames=count,
        ImagePositionPatient=None,
        ImageOrientationPatient=None,
        PixelSpacing=None,
        RescaleSlope=None,
        RescaleIntercept=None,
        **elements,
    )
    dataset = pydicom.dcmread(path)
    dataset.SharedFunctionalGroupsSequence = [item(PixelMeasuresSequence=[item(PixelSpacing=[1, 1], SliceThickness=2)])]
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        item(
            PlanePositionSequence=[item(ImagePositionPatient=list(places[n]))],
            PlaneOrientationSequence=[item(ImageOrientationPatient=(orientations or [AXIAL] * count)[n])],
            FrameContentSequence=[item(TemporalPositionIndex=(times or [1] * count)[n])],
        )
        for n in range(count)
    )
    dataset.save_as(path)
    return path


def values_of(paths: tuple[Path, ...]) -> list[list[int]]:
    return decode_stored(paths, probe(paths)).array[..., 0, 0].tolist()


def up(start: int, count: int) -> list[tuple[float, float, float]]:
    return [(0.0, 0.0, 2.0 * n) for n in range(start, start + count)]


def test_one_file_for_each_time_point_gives_one_resource_with_a_channel_for_each(real_data: Path, tmp_path: Path):
    folder = real_data / "mr_enhanced" / "siemens_xa10_fmri"
    group = only_group(folder)
    assert (group.facts.kind, group.facts.channels, group.facts.shape) == ("volume", 4, (6, 64, 64))
    array = decode_stored(group.paths, group.facts).array
    for number, name in enumerate(("6_1.dcm", "6_2.dcm", "6_3.dcm", "6_4.dcm")):
        image = sitk.ReadImage(str(folder / name))
        assert np.array_equal(array[number], sitk.GetArrayFromImage(image))
        assert group.facts.affine is not None
        assert np.allclose(group.facts.affine.origin, np.array(image.GetOrigin()) * [-1, -1, 1], atol=1e-3)
        assert np.allclose(group.facts.affine.spacing, image.GetSpacing()[::-1], atol=1e-3)


def test_channels_follow_time_not_names(tmp_path: Path):
    write_enhanced(tmp_path / "a.dcm", [20, 21, 22], up(0, 3), times=[2] * 3, InstanceNumber=2)
    write_enhanced(tmp_path / "b.dcm", [10, 11, 12], up(0, 3), times=[1] * 3, InstanceNumber=1)
    group = only_group(tmp_path)
    assert values_of(group.paths) == [[10, 11, 12], [20, 21, 22]]


def test_slabs_that_continue_each_other_are_one_volume(tmp_path: Path):
    write_enhanced(tmp_path / "a.dcm", [3, 4], up(3, 2), InstanceNumber=1)
    write_enhanced(tmp_path / "b.dcm", [0, 1, 2], up(0, 3), InstanceNumber=2)
    group = only_group(tmp_path)
    assert values_of(group.paths) == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize(
    "second",
    [
        {"places": up(9, 3)},
        {"places": up(1, 3)},
        {"places": up(0, 3), "ImageType": ["ORIGINAL", "PRIMARY", "P", "NONE"]},
        {"places": up(0, 3), "orientations": [CORONAL] * 3},
    ],
    ids=["a gap between", "overlapping", "phase", "another orientation"],
)
def test_files_that_make_no_grid_together_stay_apart(second: dict[str, Any], tmp_path: Path):
    places = second.pop("places")
    if "orientations" in second:
        places = [(0.0, 2.0 * n, 0.0) for n in range(3)]
    write_enhanced(tmp_path / "a.dcm", [1, 2, 3], up(0, 3), InstanceNumber=1)
    write_enhanced(tmp_path / "b.dcm", [4, 5, 6], places, InstanceNumber=2, **second)
    assembly = assemble(tmp_path.iterdir())
    assert not assembly.skipped
    assert [group.filename for group in assembly.groups] == ["a.dcm", "b.dcm"]


def test_one_file_of_several_orientations_says_how_many_planes_of_each(tmp_path: Path):
    places = [*up(0, 3), (0, 0, 0), (0, 2, 0)]
    path = write_enhanced(
        tmp_path / "scout.dcm", [1] * 5, places, orientations=[AXIAL] * 3 + [CORONAL] * 2, InstanceNumber=1
    )
    (skip,) = assemble([path]).skipped
    assert skip.reason.startswith("scout.dcm: its planes have several orientations (3, 2 planes of each)")


def test_frames_at_one_position_are_a_video(tmp_path: Path):
    path = write_enhanced(tmp_path / "cine.dcm", [5, 6, 7], [(0, 0, 9)] * 3, times=[1, 2, 3])
    facts = probe([path])
    assert (facts.kind, facts.channels, facts.shape) == ("video", 1, (3, 4, 5))
    assert values_of((path,)) == [[5, 6, 7]]


def concatenation(folder: Path, sizes: list[int], *, total: bool = True) -> list[Path]:
    uid, paths, before = generate_uid(), [], 0
    for number, size in enumerate(sizes, 1):
        values = list(range(before, before + size))
        paths.append(
            write_enhanced(
                folder / f"part{len(sizes) - number}.dcm",
                values,
                up(before, size),
                ConcatenationUID=uid,
                InConcatenationNumber=number,
                InConcatenationTotalNumber=len(sizes) if total else None,
                ConcatenationFrameOffsetNumber=before,
                InstanceNumber=1,
            )
        )
        before += size
    return paths


@pytest.mark.parametrize("total", [True, False])
def test_the_files_of_a_concatenation_are_joined_in_frame_order(total: bool, tmp_path: Path):
    paths = concatenation(tmp_path, [3, 1, 2], total=total)
    group = only_group(tmp_path)
    assert group.paths == tuple(paths)
    assert values_of(group.paths) == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize(
    ("left_out", "total", "says"), [(0, True, "number 1 is"), (1, False, "number 2 is"), (2, True, "number 3 is")]
)
def test_a_missing_file_of_a_concatenation_is_named(left_out: int, total: bool, says: str, tmp_path: Path):
    paths = concatenation(tmp_path, [3, 1, 2], total=total)
    paths.pop(left_out)
    assembly = assemble(paths)
    assert not assembly.groups
    assert len(assembly.skipped) == 2
    assert all(f"concatenation of 3 files, of which {says} missing" in skip.reason for skip in assembly.skipped)
    if total:
        with pytest.raises(GeometryError, match=r"^part\d\.dcm: it is part of a concatenation .* are missing"):
            probe(paths[:1])


def test_frames_missing_between_files_of_a_concatenation_are_an_error(tmp_path: Path):
    paths = concatenation(tmp_path, [3, 1, 2])
    dataset = pydicom.dcmread(paths[2])
    dataset.ConcatenationFrameOffsetNumber = 7
    dataset.save_as(paths[2])
    assert all("starts at frame 7, and 4 frames come before it" in skip.reason for skip in assemble(paths).skipped)


def test_several_multiframe_files_come_out_as_one_that_simpleitk_places_alike(real_data: Path, tmp_path: Path):
    write_enhanced(tmp_path / "a.dcm", [0, 1, 2], up(0, 3), InstanceNumber=1)
    write_enhanced(tmp_path / "b.dcm", [3, 4], up(3, 2), InstanceNumber=2)
    group = only_group(tmp_path)
    target = io.BytesIO()
    derive_multiframe(group.paths, group.facts, target)
    one = tmp_path / "one"
    one.write_bytes(target.getvalue())
    image = sitk.ReadImage(str(one))
    assert sitk.GetArrayFromImage(image)[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert np.allclose(image.GetSpacing(), [1, 1, 2])
    assert probe([one]).affine == group.facts.affine
    fmri = only_group(real_data / "mr_enhanced" / "siemens_xa10_fmri")
    target = io.BytesIO()
    derive_multiframe(fmri.paths, fmri.facts, target)
    one.write_bytes(target.getvalue())
    facts = probe([one])
    assert facts.affine == fmri.facts.affine
    assert np.array_equal(decode_stored([one], facts).array, decode_stored(fmri.paths, fmri.facts).array)


def test_one_file_of_several_pixel_spacings_says_which(tmp_path: Path):
    path = write_enhanced(tmp_path / "zoom.dcm", [1] * 4, up(0, 4))
    dataset = pydicom.dcmread(path)
    del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    for n, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        groups.PixelMeasuresSequence = [item(PixelSpacing=[1, 1] if n < 3 else [2.5, 3])]
    dataset.save_as(path)
    (skip,) = assemble([path]).skipped
    assert skip.reason.startswith("zoom.dcm: its planes have several pixel spacings (1 x 1 mm and 2.5 x 3 mm)")


@pytest.mark.parametrize(
    ("sequence", "says"),
    [
        ("PlanePositionSequence", "1 of its 4 planes carry no position or orientation, and the others do"),
        ("PixelMeasuresSequence", "1 of its 4 planes carry no pixel spacing"),
    ],
)
def test_a_frame_without_its_place_or_spacing_is_an_error_that_counts_it(sequence: str, says: str, tmp_path: Path):
    path = write_enhanced(tmp_path / "lost.dcm", [1] * 4, up(0, 4))
    dataset = pydicom.dcmread(path)
    del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    for groups in dataset.PerFrameFunctionalGroupsSequence:
        groups.PixelMeasuresSequence = [item(PixelSpacing=[1, 1])]
    delattr(dataset.PerFrameFunctionalGroupsSequence[2], sequence)
    dataset.save_as(path)
    (skip,) = assemble([path]).skipped
    assert says in skip.reason


def test_one_file_of_time_points_between_each_other_is_an_error(tmp_path: Path):
    places = [*up(0, 3), *((0.0, 0.0, z + 1.0) for *_, z in up(0, 3))]
    path = write_enhanced(tmp_path / "two.dcm", [1] * 6, places, times=[1, 1, 1, 2, 2, 2])
    (skip,) = assemble([path]).skipped
    assert "2 even stacks by time point, and the planes of one lie between those of another" in skip.reason
