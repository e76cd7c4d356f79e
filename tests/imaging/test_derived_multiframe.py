from __future__ import annotations

import io
import warnings
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import MRImageStorage

from datamint_like.imaging import Group, decode_stored, derive_multiframe, derive_single_file, probe

from .conftest import only_group
from .dicom_files import write_slice, write_stack


def derived(group: Group, path: Path) -> Path:
    with open(path, "wb") as file:
        derive_multiframe(group.paths, group.facts, file)
    return path


def check_our_own_reading(group: Group, path: Path) -> None:
    facts = probe([path])
    for field in (
        "kind",
        "channels",
        "shape",
        "dtype",
        "affine",
        "plane_origins",
        "irregularity",
        "units",
        "patient_id",
    ):
        assert getattr(facts, field) == getattr(group.facts, field), field
    parts, one = decode_stored(group.paths, group.facts).array, decode_stored([path], facts).array
    assert np.array_equal(parts, one)


def check_simpleitk(group: Group, path: Path) -> None:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(part) for part in group.paths])
    series, one = reader.Execute(), sitk.ReadImage(str(path))
    assert np.array_equal(sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(series))
    assert np.allclose(one.GetOrigin(), series.GetOrigin(), atol=1e-3)
    assert np.allclose(one.GetSpacing(), series.GetSpacing(), atol=1e-3)
    assert np.allclose(one.GetDirection(), series.GetDirection(), atol=1e-4)


def check_highdicom(group: Group, path: Path) -> None:
    """highdicom orders planes by its own rule (which may be ours reversed): every plane is where we say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        volume = hd.imread(str(path)).get_volume()
    ours, theirs = group.facts.affine, np.diag([-1.0, -1, 1, 1]) @ volume.affine
    array = decode_stored(group.paths, group.facts).array[0]
    assert ours is not None
    last = len(array) - 1
    flipped = not np.allclose(ours.origin, theirs[:3, 3], atol=1e-2)
    for k in (0, last // 2, last):
        their = last - k if flipped else k
        assert np.allclose(ours.matrix @ [k, 3, 5, 1], theirs @ [their, 3, 5, 1], atol=1e-2)
        assert np.array_equal(array[k], volume.array[their])


def test_the_shipped_series_as_one_file_lies_where_its_parts_lie(regular_ct: Group, tmp_path: Path):
    path = derived(regular_ct, tmp_path / "one.dcm")
    check_our_own_reading(regular_ct, path)
    check_simpleitk(regular_ct, path)


@pytest.mark.parametrize(
    "folder", ["mr/t1_7t_studyforrest", "mr/hitachi_oblique", "mr/rgb_colour_map", "compressed/mr_jpegls"]
)
def test_any_series_as_one_file_lies_where_its_parts_lie(folder: str, real_data: Path, tmp_path: Path):
    group = only_group(real_data / folder)
    path = derived(group, tmp_path / "one.dcm")
    check_our_own_reading(group, path)
    check_simpleitk(group, path)


@pytest.mark.parametrize("folder", ["mr/t1_7t_studyforrest", "mr/hitachi_oblique", "ct/philips_axial_phantom"])
def test_highdicom_reads_the_one_file_as_the_volume_that_we_read(folder: str, real_data: Path, tmp_path: Path):
    group = only_group(real_data / folder)
    check_highdicom(group, derived(group, tmp_path / "one.dcm"))


def test_highdicom_reads_the_shipped_series_as_one_file(regular_ct: Group, tmp_path: Path):
    check_highdicom(regular_ct, derived(regular_ct, tmp_path / "one.dcm"))


def test_every_plane_of_a_tilted_uneven_series_is_where_its_part_lay(irregular_ct: Group, tmp_path: Path):
    """SimpleITK and highdicom have no shear: positions are compared plane by plane, by pydicom."""
    dataset = pydicom.dcmread(derived(irregular_ct, tmp_path / "ct.dcm"))
    frames = dataset.PerFrameFunctionalGroupsSequence
    for path, group, pixels in zip(irregular_ct.paths, frames, dataset.pixel_array, strict=True):
        part = pydicom.dcmread(path)
        assert list(group.PlanePositionSequence[0].ImagePositionPatient) == list(part.ImagePositionPatient)
        assert np.array_equal(pixels, part.pixel_array)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    assert list(shared.PlaneOrientationSequence[0].ImageOrientationPatient) == list(part.ImageOrientationPatient)


def test_simpleitk_sees_values_origin_and_step_of_a_tilted_series_in_the_one_file(tmp_path: Path):
    """It has no shear: of a multi-frame file it takes the step along the normal."""
    write_stack(tmp_path / "ct", [(0, 0.9 * n, 2.5 * n) for n in range(6)])
    group = only_group(tmp_path / "ct")
    image = sitk.ReadImage(str(derived(group, tmp_path / "one.dcm")))
    assert np.array_equal(sitk.GetArrayFromImage(image), decode_stored(group.paths, group.facts).array[0])
    assert np.allclose(image.GetOrigin(), [0, 0, 0])
    assert np.allclose(image.GetSpacing(), [1, 1, 2.5])
    check_our_own_reading(group, tmp_path / "one.dcm")


@pytest.mark.parametrize(("bits", "stored"), [(16, 32), (12, 13)])
def test_signed_and_unsigned_parts_in_one_file_are_read_right_by_others(bits: int, stored: int, tmp_path: Path):
    chance = np.random.default_rng(bits)
    planes = []
    for n in range(4):
        low, high = (-(1 << bits - 1), 1 << bits - 1) if n % 2 else (0, 1 << bits)
        planes.append(chance.integers(low, high, (4, 5)))
        planes[n].ravel()[:2] = low, high - 1
        pixels = planes[n].astype(np.int16 if n % 2 else np.uint16)
        (tmp_path / "mr").mkdir(exist_ok=True)
        write_slice(
            tmp_path / "mr" / f"{n}.dcm",
            pixels,
            Modality="MR",
            BitsStored=bits,
            InstanceNumber=n + 1,
            SOPClassUID=MRImageStorage,
            ImagePositionPatient=[0, 0, 2 * n],
            RescaleSlope=None,
            RescaleIntercept=None,
        )
    group = only_group(tmp_path / "mr")
    path = derived(group, tmp_path / "one.dcm")
    check_our_own_reading(group, path)
    dataset = pydicom.dcmread(path)
    assert (dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation) == (stored, stored - 1, 1)
    assert np.array_equal(dataset.pixel_array, planes)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), planes)


def test_time_points_follow_each_other_in_the_one_file(real_data: Path, tmp_path: Path):
    group = only_group(real_data / "mr" / "ge_fmri_4d")
    image = sitk.GetArrayFromImage(sitk.ReadImage(str(derived(group, tmp_path / "mr.dcm"))))
    assert np.array_equal(image, decode_stored(group.paths, group.facts).array.reshape(image.shape))


def test_making_the_one_file_leaves_the_parts_as_they_are(regular_ct: Group, tmp_path: Path):
    before = [path.read_bytes() for path in regular_ct.paths]
    derived(regular_ct, tmp_path / "one.dcm")
    assert [path.read_bytes() for path in regular_ct.paths] == before


#: Attributes of type 1 (there, with a value) of PS3.3 A.70 that the parts of any CT give.
REQUIRED = (
    "ImageType",
    "ContentDate",
    "ContentTime",
    "NumberOfFrames",
    "InstanceNumber",
    "PixelPresentation",
    "VolumetricProperties",
    "VolumeBasedCalculationTechnique",
    "LossyImageCompression",
    "PresentationLUTShape",
    "FrameOfReferenceUID",
    "DimensionOrganizationSequence",
    "DimensionIndexSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "ReferencedSeriesSequence",
)
SHARED = (
    "PixelMeasuresSequence",
    "PlaneOrientationSequence",
    "PixelValueTransformationSequence",
    "CTImageFrameTypeSequence",
    "UnassignedSharedConvertedAttributesSequence",
)
OF_EACH_FRAME = (
    "FrameContentSequence",
    "PlanePositionSequence",
    "ConversionSourceAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
)


def test_what_the_standard_requires_of_a_converted_ct_is_there(regular_ct: Group, tmp_path: Path):
    dataset = pydicom.dcmread(derived(regular_ct, tmp_path / "one.dcm"))
    assert [keyword for keyword in REQUIRED if not dataset.get(keyword)] == []
    assert len(dataset.ImageType) == 4
    (shared,) = dataset.SharedFunctionalGroupsSequence
    assert [keyword for keyword in SHARED if not shared.get(keyword)] == []
    for group in dataset.PerFrameFunctionalGroupsSequence:
        assert [keyword for keyword in OF_EACH_FRAME if not group.get(keyword)] == []
    referenced = dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert [item.ReferencedSOPInstanceUID for item in referenced] == [
        pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in regular_ct.paths
    ]


def test_tilt_uneven_spacing_and_time_points_survive(irregular_ct: Group, real_data: Path, tmp_path: Path):
    check_our_own_reading(irregular_ct, derived(irregular_ct, tmp_path / "ct.dcm"))
    group = only_group(real_data / "mr" / "ge_fmri_4d")
    check_our_own_reading(group, derived(group, tmp_path / "mr.dcm"))


def test_slices_with_slopes_of_their_own_keep_them(tmp_path: Path):
    places = [(0, 0, float(n)) for n in range(4)]
    slopes = ["0.5", "1.5", "2.5", "3.5"]
    write_stack(tmp_path / "pet", places, RescaleSlope=slopes, Modality="PT", SOPClassUID="1.2.840.10008.5.1.4.1.1.128")
    group = only_group(tmp_path / "pet")
    assert decode_stored(group.paths, group.facts).array[0, :, 0, 0].tolist() == [0, 1.5, 5, 10.5]
    check_our_own_reading(group, derived(group, tmp_path / "one.dcm"))


def test_the_same_parts_give_the_same_bytes(regular_ct: Group):
    copies = []
    for _ in range(2):
        target = io.BytesIO()
        derive_multiframe(regular_ct.paths, regular_ct.facts, target)
        copies.append(target.getvalue())
    assert copies[0] == copies[1]


def test_the_file_is_a_legacy_converted_ct_with_uids_of_its_own(regular_ct: Group, tmp_path: Path):
    dataset = pydicom.dcmread(derived(regular_ct, tmp_path / "one.dcm"))
    first = pydicom.dcmread(regular_ct.paths[0])
    assert dataset.SOPClassUID.name == "Legacy Converted Enhanced CT Image Storage"
    assert dataset.NumberOfFrames == 32
    assert dataset.StudyInstanceUID == first.StudyInstanceUID
    assert dataset.SOPInstanceUID not in (first.SOPInstanceUID, first.SeriesInstanceUID)
    assert dataset.PatientID == first.PatientID
    sources = [g.ConversionSourceAttributesSequence[0] for g in dataset.PerFrameFunctionalGroupsSequence]
    assert sources[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert np.array_equal(dataset.pixel_array[0], first.pixel_array)


def test_a_single_part_is_copied_as_it_is(demo_images: Path):
    path = demo_images / "ultrasound" / "examples_ybr_color.dcm"
    target = io.BytesIO()
    derive_single_file([path], probe([path]), target)
    assert target.getvalue() == path.read_bytes()
