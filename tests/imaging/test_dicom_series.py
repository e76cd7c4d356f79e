from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from datamint_like.exceptions import GeometryError
from datamint_like.imaging import Group, ReadOptions, assemble, decode_stored, frame_axis_of, probe, read

from .conftest import only_group
from .dicom_files import write_stack

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
UP = [(0.0, 0.0, 2.5 * n) for n in range(6)]


def by_simpleitk(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


@pytest.mark.parametrize("folder", ["mr/t1_7t_studyforrest", "mr/hitachi_oblique", "ct/philips_axial_phantom"])
def test_values_order_and_place_are_those_of_simpleitk(folder: str, real_data: Path):
    group = only_group(real_data / folder)
    check_against_simpleitk(group, by_simpleitk(real_data / folder))


def test_the_shipped_series_is_where_simpleitk_sees_it(regular_ct: Group, demo_images: Path):
    check_against_simpleitk(regular_ct, by_simpleitk(demo_images / "ct_philips"))


def check_against_simpleitk(group: Group, truth: sitk.Image) -> None:
    array = decode_stored(group.paths, group.facts).array
    assert np.array_equal(array[0], sitk.GetArrayFromImage(truth))
    affine = group.facts.affine
    assert affine is not None
    assert np.allclose(affine.spacing, truth.GetSpacing()[::-1], atol=1e-3)
    assert np.allclose(affine.origin, np.array(truth.GetOrigin()) * LPS_TO_RAS, atol=1e-3)
    direction = np.array(truth.GetDirection()).reshape(3, 3)[:, ::-1]
    assert np.allclose(affine.direction, direction * LPS_TO_RAS[:, None], atol=1e-3)


def test_a_series_and_its_nifti_give_equal_canonical_tensors_and_affines(regular_ct: Group, real_data: Path):
    nifti = real_data / "derived/ct_small_axial_labels/ct.nii.gz"
    ours, theirs = read(regular_ct.paths, regular_ct.facts), read([nifti], probe([nifti]))
    assert ours.array.dtype == theirs.array.dtype == np.int16
    assert np.array_equal(ours.array, theirs.array)
    assert ours.affine is not None
    assert theirs.affine is not None
    assert np.allclose(ours.affine.matrix, theirs.affine.matrix, atol=1e-3)
    assert ours.affine.orientation == theirs.affine.orientation == "SPL"


@pytest.mark.parametrize("name", ["hitachi_oblique", "ge_fmri_4d"])
def test_a_series_equals_its_conversion(name: str, real_data: Path):
    group = only_group(real_data / "mr" / name)
    truth = real_data / "mr" / f"{name}_truth.nii.gz"
    ours, theirs = read(group.paths, group.facts), read([truth], probe([truth]))
    assert np.array_equal(ours.array, theirs.array)
    assert ours.affine is not None
    assert theirs.affine is not None
    assert np.allclose(ours.affine.matrix, theirs.affine.matrix, atol=2e-3)


@pytest.mark.parametrize("name", ["philips_anat", "philips_fmri_4d"])
def test_an_enhanced_multiframe_equals_its_conversion(name: str, real_data: Path):
    group = only_group(real_data / "mr_enhanced" / name)
    truth = real_data / "mr_enhanced" / f"{name}_truth.nii.gz"
    ours, theirs = read(group.paths, group.facts), read([truth], probe([truth]))
    assert np.allclose(ours.array, theirs.array, rtol=1e-5, atol=1e-3)
    assert ours.affine is not None
    assert theirs.affine is not None
    assert np.allclose(ours.affine.matrix, theirs.affine.matrix, atol=1e-3)


def test_files_in_any_order_make_the_same_series(regular_ct: Group):
    paths = list(regular_ct.paths)
    random.Random(3).shuffle(paths)
    (group,) = assemble(paths).groups
    assert group == regular_ct


def test_slices_ascend_along_the_normal_whatever_their_numbers(tmp_path: Path):
    paths = write_stack(tmp_path, UP[::-1])
    (group,) = assemble(paths).groups
    assert group.paths == tuple(reversed(paths))
    assert decode_stored(group.paths, group.facts).array[0, :, 0, 0].tolist() == [5, 4, 3, 2, 1, 0]
    assert frame_axis_of(group.facts) == (0, False)


def test_a_sagittal_series_lies_along_w_and_flips_with_its_normal(tmp_path: Path):
    orientation = [0, 1, 0, 0, 0, -1]  # the normal points to the patient's right: W runs to the left
    paths = write_stack(tmp_path, [(3.0 * n, 0, 0) for n in range(5)], ImageOrientationPatient=repeated(orientation, 5))
    (group,) = assemble(paths).groups
    item = read(group.paths, group.facts)
    assert frame_axis_of(group.facts) == (2, True)
    assert (item.frame_axis, item.frame_flipped) == (2, True)
    assert item.array.shape == (1, 4, 5, 5)
    assert item.array[0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert item.affine is not None
    assert item.affine.orientation == "SPL"


def repeated(value: object, count: int) -> list[object]:
    return [value] * count


def test_gantry_tilt_stays_in_the_affine_as_shear(tmp_path: Path):
    paths = write_stack(tmp_path, [(0, 0.9 * n, 2.5 * n) for n in range(6)])
    (group,) = assemble(paths).groups
    assert group.facts.irregularity is None
    assert group.facts.affine is not None
    assert np.allclose(group.facts.affine.matrix[:3, 0], [0, -0.9, 2.5])


def test_a_missing_slice_is_found_with_its_place_and_size(tmp_path: Path):
    paths = write_stack(tmp_path, [p for n, p in enumerate(UP) if n != 3])
    (group,) = assemble(paths).groups
    assert group.facts.irregularity == "Planes are missing: 2.50 mm is usual, but planes 2 to 3: 5.00 mm (5 planes)."
    assert group.facts.plane_origins is not None
    assert [z for *_, z in group.facts.plane_origins] == [0, 2.5, 5, 10, 12.5]
    with pytest.raises(GeometryError, match=r"s000\.dcm .*planes 2 to 3: 5\.00 mm.*irregular_spacing"):
        read(group.paths, group.facts)
    kept = read(group.paths, group.facts, ReadOptions(irregular_spacing="keep"))
    assert kept.plane_origins is not None
    assert np.allclose(kept.plane_origins[:, 2], [0, 2.5, 5, 10, 12.5])


def test_the_irregular_tilted_series_has_every_plane_where_its_header_says(irregular_ct: Group):
    facts = irregular_ct.facts
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in irregular_ct.paths]
    origins = np.array([h.ImagePositionPatient for h in headers], float) * LPS_TO_RAS
    assert facts.irregularity is not None
    assert "not evenly spaced" in facts.irregularity
    assert np.allclose(facts.plane_origins, origins)
    assert np.all(np.diff(origins[:, 2]) > 0)
    assert facts.affine is not None
    assert np.allclose(facts.affine.matrix[:3, 0], (origins[-1] - origins[0]) / (len(origins) - 1))
    kept = read(irregular_ct.paths, facts, ReadOptions(irregular_spacing="keep"))
    assert np.allclose(kept.plane_origins, origins)
    expected = [np.frombuffer(pydicom.dcmread(p).PixelData, "<i2") for p in irregular_ct.paths]
    scaled = np.stack(expected) * float(headers[0].RescaleSlope) + float(headers[0].RescaleIntercept)
    assert np.array_equal(kept.array[0].reshape(len(expected), -1), scaled)


def test_small_rounding_of_positions_is_no_irregularity(tmp_path: Path):
    paths = write_stack(tmp_path, [(0, 0, round(1.0 / 3 * n, 2)) for n in range(9)])
    assert assemble(paths).groups[0].facts.irregularity is None


def test_time_points_become_channels(tmp_path: Path):
    paths = write_stack(tmp_path, UP + UP, TemporalPositionIdentifier=[2] * 6 + [1] * 6, Modality="MR")
    (group,) = assemble(paths).groups
    array = decode_stored(group.paths, group.facts).array
    assert array[:, :, 0, 0].tolist() == [[6, 7, 8, 9, 10, 11], [0, 1, 2, 3, 4, 5]]


def test_acquisitions_at_one_place_are_resources_of_their_own(tmp_path: Path):
    paths = write_stack(tmp_path, UP + UP, AcquisitionNumber=[1] * 6 + [2] * 6)
    groups = assemble(paths).groups
    assert [group.facts.shape for group in groups] == [(6, 4, 5)] * 2
    assert [group.paths for group in groups] == [tuple(paths[:6]), tuple(paths[6:])]


def test_several_acquisitions_along_one_stack_stay_together(tmp_path: Path):
    (group,) = assemble(write_stack(tmp_path, UP, AcquisitionNumber=[1, 1, 1, 2, 2, 2])).groups
    assert group.facts.shape == (6, 4, 5)


def test_planes_of_different_frames_of_reference_come_apart(tmp_path: Path):
    places = [(0.0, 0.0, float(z)) for z in range(6)]
    paths = write_stack(tmp_path, places, FrameOfReferenceUID=["1.2.3", "1.2.4"] * 3)
    groups = assemble(paths).groups
    assert [group.paths for group in groups] == [tuple(paths[0::2]), tuple(paths[1::2])]
    assert {group.facts.shape for group in groups} == {(3, 4, 5)}


def test_planes_of_one_frame_of_reference_that_some_do_not_name_stay_together(tmp_path: Path):
    places = [(0.0, 0.0, float(z)) for z in range(4)]
    paths = write_stack(tmp_path, places, FrameOfReferenceUID=["1.2.3", None, "1.2.3", None])
    (group,) = assemble(paths).groups
    assert group.paths == tuple(paths)


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize(("axis", "value"), [(0, 1e30), (2, -1e30), (1, 1e300), (0, 2e6)])
def test_a_plane_far_beyond_the_others_is_named_with_its_element(
    axis: int, value: float, oblique: bool, tmp_path: Path
):
    places = [list(place) for place in UP]
    places[4][axis] = value
    turned = {"ImageOrientationPatient": repeated([1, 0, 0, 0, 0.8, 0.6], len(places))} if oblique else {}
    assembly = assemble(write_stack(tmp_path, [(x, y, z) for x, y, z in places], **turned))
    assert not assembly.groups
    for skipped in assembly.skipped:
        assert "Instance Number 5, frame 1) has the Image Position (Patient)" in skipped.reason
        assert f"{value:g}" in skipped.reason
    assert {skipped.path.name for skipped in assembly.skipped} == {f"s{n:03}.dcm" for n in range(6)}


def test_a_single_plane_may_lie_anywhere(tmp_path: Path):
    (group,) = assemble(write_stack(tmp_path, [(1e30, 0.0, 0.0)])).groups
    assert decode_stored(group.paths, group.facts).array.shape == (1, 1, 4, 5)
