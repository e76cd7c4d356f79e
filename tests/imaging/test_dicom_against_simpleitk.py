"""Every real DICOM resource that both can read: values, spacing, place, direction and order are SimpleITK's.

What differs by rule stands in the tables, with the reason.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from datamint_like.imaging import Group, assemble, decode_stored, probe, read
from datamint_like.imaging.dicom.header import read_header
from datamint_like.imaging.dicom.plan import plan_of
from datamint_like.imaging.sniff import is_dicom, read_head
from datamint_like.imaging.types import SourceFile

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
#: Files that SimpleITK cannot open.
NOT_READ = {
    "opt_volume_16bit.dcm": "gdcm finds no orientation",
    "opt_volume_8bit.dcm": "gdcm finds no orientation",
    "parametric_map_float.dcm": "it has no reader for Float Pixel Data",
}
#: Files whose values SimpleITK leaves as they are stored.
STORED_VALUES = {
    "rtdose.dcm": "it does not apply Dose Grid Scaling",
    "philips_fieldmap_2echo.dcm": "it rescales all frames as the first one",
    "mlut_18.dcm": "it does not apply a modality LUT",
}
#: Differences allowed where float32 and float64 rescale.
ROUNDING = 2e-4


def resources(real_data: Path) -> list[Group]:
    """Each folder assembled as an import would; twins that share a UID, each on its own."""
    groups: list[Group] = []
    for folder in sorted({path.parent for path in real_data.rglob("*") if path.is_file()}):
        files = [path for path in folder.iterdir() if path.is_file() and is_dicom(read_head(path))]
        together = assemble(files)
        groups.extend(together.groups)
        for skip in together.skipped:
            if "same image" in skip.reason:
                groups.extend(assemble([skip.path]).groups)
    return groups


def by_simpleitk(group: Group) -> sitk.Image:
    if len(group.paths) == 1:
        return sitk.ReadImage(str(group.paths[0]))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in group.paths])
    return reader.Execute()


def frames_of(image: sitk.Image) -> np.ndarray:
    """Frames in file order (N, J, I), colour (N, J, I, 3)."""
    array = sitk.GetArrayFromImage(image)
    size = (image.GetHeight(), image.GetWidth())
    return array.reshape(-1, *size, *([3] if image.GetNumberOfComponentsPerPixel() == 3 else []))


def in_our_order(group: Group, frames: np.ndarray) -> np.ndarray:
    """Frames in file order as channels and planes (C, K, J, I)."""
    planned = plan_of([read_header(SourceFile(path, path.name)) for path in group.paths])
    ordered = frames[np.array(planned.stack.grid)]
    return np.moveaxis(ordered[0], -1, 0) if frames.ndim == 4 else ordered


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


def check_place(group: Group, image: sitk.Image) -> bool:
    """Whether both place the resource; where they do, they agree."""
    name, affine = group.filename, group.facts.affine
    if affine is None or image.GetDimension() != 3:
        return False
    assert np.allclose(affine.origin, np.array(image.GetOrigin()) * LPS_TO_RAS, atol=1e-3), name
    assert np.allclose(affine.spacing[1:], image.GetSpacing()[1::-1], atol=1e-3), name
    direction = np.array(image.GetDirection()).reshape(3, 3)[:, ::-1] * LPS_TO_RAS[:, None]
    assert np.allclose(affine.direction[:, 1:], direction[:, 1:], atol=1e-3), name
    if group.facts.shape[0] > 1:  # one plane has no step: its thickness is what we say and SimpleITK need not
        assert np.allclose(affine.spacing[0], image.GetSpacing()[2], atol=1e-3), name
        step = affine.direction[:, 0]
        sheared = abs(float(step @ direction[:, 0])) < 0.9999
        assert sheared == ("ge_tilt" in str(group.paths[0])), name  # SimpleITK has no shear: it takes the normal
        assert sheared or np.allclose(step, direction[:, 0], atol=1e-3), name
    return True


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
