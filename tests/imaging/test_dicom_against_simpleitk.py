"""Every real DICOM resource that both can read: values, spacing, place, direction and order are SimpleITK's.

What differs by rule stands in the tables, with the reason.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from datamint_like.imaging import assemble, decode_stored, probe, read
from datamint_like.imaging.dicom.header import read_header
from datamint_like.imaging.dicom.plan import plan_of
from datamint_like.imaging.types import SourceFile
from tests.comparisons.simpleitk_reader import (
    LPS_TO_RAS,
    NOT_READ,
    ROUNDING,
    STORED_VALUES,
    by_simpleitk,
    check_place,
    frames_of,
    in_our_order,
    resources,
)


def test_every_resource_has_the_values_and_the_place_that_simpleitk_gives(real_data: Path):
    compared = placed = 0
    for group in resources(real_data):
        name = group.paths[0].name
        if name in NOT_READ:
            with pytest.raises(RuntimeError):
                by_simpleitk(group)
            continue
        if len(group.paths) > 1 and group.facts.channels not in (1, 3):
            continue  # several planes at one place: compared file by file below
        image = by_simpleitk(group)
        if name not in STORED_VALUES:
            ours = decode_stored(group.paths, group.facts).array
            theirs = in_our_order(group, frames_of(image)) if len(group.paths) == 1 else frames_of(image)
            if len(group.paths) > 1:
                theirs = np.moveaxis(theirs, -1, 0) if theirs.ndim == 4 else theirs[None]
            assert ours.shape == theirs.shape, name
            assert np.abs(ours.astype(np.float64) - theirs).max() <= (ROUNDING if ours.dtype.kind == "f" else 0), name
            compared += 1
        placed += check_place(group, image)
    assert compared >= 50
    assert placed >= 30


def test_frames_with_a_rescale_of_their_own_are_what_pydicom_and_arithmetic_give(real_data: Path):
    path = real_data / "mr_enhanced" / "philips_fieldmap_2echo.dcm"
    facts = probe([path])
    dataset = pydicom.dcmread(path)
    rescales = [group.PixelValueTransformationSequence[0] for group in dataset.PerFrameFunctionalGroupsSequence]
    assert len({float(rescale.RescaleSlope) for rescale in rescales}) > 1
    frames = np.stack(
        [
            stored * float(rescale.RescaleSlope) + float(rescale.RescaleIntercept)
            for stored, rescale in zip(dataset.pixel_array, rescales, strict=True)
        ]
    )
    planned = plan_of([read_header(SourceFile(path, path.name))])
    expected = frames[np.array(planned.stack.grid)].astype(np.float32)
    assert np.array_equal(decode_stored([path], facts).array, expected)


@pytest.mark.parametrize("folder", ["mr/ge_fmri_4d", "mr_enhanced/siemens_xa10_fmri"])
def test_every_file_of_a_series_of_time_points_is_at_its_place_in_it(folder: str, real_data: Path):
    (group,) = assemble((real_data / folder).iterdir()).groups
    array = decode_stored(group.paths, group.facts).array
    planned = plan_of([read_header(SourceFile(path, path.name)) for path in group.paths])
    assert group.facts.affine is not None
    for channel, planes in enumerate(planned.stack.grid):
        for plane, index in enumerate(planes):
            frame = planned.frames[index]
            image = sitk.ReadImage(str(group.paths[frame.part]))
            assert np.array_equal(array[channel, plane], frames_of(image)[frame.number])
            place = image.TransformIndexToPhysicalPoint((0, 0, frame.number))
            ours = (group.facts.affine.matrix @ [plane, 0, 0, 1])[:3]
            assert np.allclose(ours, np.array(place) * LPS_TO_RAS, atol=2e-3)


@pytest.mark.parametrize(
    ("folder", "truth"),
    [
        ("compressed/mr_uncompressed", "compressed/mr_uncompressed_truth.nii.gz"),
        ("geometry_edge/two_slices", "geometry_edge/two_slices_truth.nii.gz"),
        ("mr/hitachi_oblique", "mr/hitachi_oblique_truth.nii.gz"),
        ("mr/ge_fmri_4d", "mr/ge_fmri_4d_truth.nii.gz"),
        ("mr_enhanced/philips_anat", "mr_enhanced/philips_anat_truth.nii.gz"),
        ("mr_enhanced/philips_fmri_4d", "mr_enhanced/philips_fmri_4d_truth.nii.gz"),
    ],
)
def test_a_series_and_its_conversion_to_nifti_are_one_volume(folder: str, truth: str, real_data: Path):
    (group,) = assemble((real_data / folder).iterdir()).groups
    ours, theirs = read(group.paths, group.facts), read([real_data / truth], probe([real_data / truth]))
    assert ours.array.shape == theirs.array.shape
    assert np.allclose(ours.array, theirs.array, rtol=1e-5, atol=1e-3)
    assert ours.affine is not None
    assert theirs.affine is not None
    assert np.allclose(ours.affine.matrix, theirs.affine.matrix, atol=2e-3)
