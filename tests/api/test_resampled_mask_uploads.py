"""`resample_masks=True` of the uploads: a NIfTI mask of another grid is stored on the grid of its resource."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from datamint_like import Api, VolumeDataset
from datamint_like.exceptions import DecodeError, GeometryError, ValidationError
from datamint_like.imaging import HeaderFacts, decode_mask, facts_of


@pytest.fixture
def volume(api: Api, demo_images: Path) -> str:
    """An even series without tilt, which SimpleITK places, too."""
    return api.resources.upload_resource(demo_images / "ct_philips")


@pytest.fixture
def facts(api: Api, volume: str) -> HeaderFacts:
    found = facts_of(api.resources.get_by_id(volume))
    assert found is not None
    return found


@pytest.fixture
def coarse(facts: HeaderFacts, tmp_path: Path) -> Path:
    """Two labels on a grid of twice the spacing."""
    assert facts.affine is not None
    labels = np.zeros((64, 64, 16), np.uint8)
    labels[5:20, 10:30, 2:9] = 1
    labels[40:60, 3:7, 10:13] = 2
    step = np.array([[2, 0, 0, 0.5], [0, 2, 0, 0.5], [0, 0, 2, 0.5], [0, 0, 0, 1]])
    path = tmp_path / "coarse.nii.gz"
    nibabel.save(nibabel.Nifti1Image(labels, facts.affine.matrix[:, [2, 1, 0, 3]] @ step), path)
    return path


UPLOADS: dict[str, Any] = {
    "upload_volume_segmentation": lambda api, *given, **more: api.annotations.upload_volume_segmentation(
        *given, **more
    ),
    "upload_segmentations": lambda api, *given, **more: api.annotations.upload_segmentations(*given, **more),
}


@pytest.mark.parametrize("way", UPLOADS)
def test_a_mask_of_half_the_resolution_is_stored_on_the_grid_of_its_volume(
    api: Api, volume: str, facts: HeaderFacts, coarse: Path, demo_images: Path, way: str
) -> None:
    with pytest.raises(GeometryError, match=r"coarse\.nii\.gz.*another grid.*resample_masks=True"):
        UPLOADS[way](api, volume, coarse)
    UPLOADS[way](api, volume, coarse, {1: "liver", 2: "spleen"}, resample_masks=True)
    series = sitk.ImageSeriesReader()
    series.SetFileNames(series.GetGDCMSeriesFileNames(str(demo_images / "ct_philips")))
    image = series.Execute()
    expected = sitk.GetArrayFromImage(
        sitk.Resample(sitk.ReadImage(str(coarse)), image, sitk.Transform(), sitk.sitkNearestNeighbor)
    )
    for each in api.annotations.get_list(volume):
        payload = api.annotations.download_file(each)
        stored = nibabel.Nifti1Image.from_bytes(gzip.decompress(payload))
        assert stored.shape == facts.shape[::-1]
        place = sitk.ReadImage(str(_written(coarse.parent, payload)))
        assert np.allclose(place.GetOrigin(), image.GetOrigin(), atol=1e-3)
        label = {"liver": 1, "spleen": 2}[each.identifier]
        assert np.array_equal(sitk.GetArrayFromImage(place) != 0, expected == label)
        assert np.array_equal(decode_mask(payload, facts, name="m") != 0, expected == label)
    item = VolumeDataset(resources=[api.resources.get_by_id(volume)], server_url=api.server_url)[0]
    assert item["seg_labels"].popitem()[1].tolist() == [1, 2]


def _written(folder: Path, payload: bytes) -> Path:
    path = folder / "stored.nii.gz"
    path.write_bytes(payload)
    return path


def test_a_mask_of_the_same_grid_is_not_changed_by_it(api: Api, volume: str, facts: HeaderFacts) -> None:
    assert facts.affine is not None
    labels = np.zeros((128, 128, 32), np.uint8)
    labels[3:9, 50:90, 4:6] = 1
    image = nibabel.Nifti1Image(labels, facts.affine.matrix[:, [2, 1, 0, 3]])
    (made,) = api.annotations.upload_volume_segmentation(volume, image, "fat", resample_masks=True)
    stored = decode_mask(api.annotations.download_file(made), facts, name="m")
    assert np.array_equal(stored, labels.transpose(2, 1, 0))


def test_a_mask_of_elsewhere_leaves_nothing_and_says_so(api: Api, volume: str, coarse: Path) -> None:
    image = nibabel.load(coarse)
    affine = image.affine.copy()
    affine[0, 3] += 9e4
    far = nibabel.Nifti1Image(np.asarray(image.dataobj), affine)
    with pytest.raises(ValidationError, match="lies outside the volume"):
        api.annotations.upload_volume_segmentation(volume, far, resample_masks=True)


@pytest.mark.parametrize("way", UPLOADS)
@pytest.mark.parametrize(
    ("mask", "why"),
    [(np.ones((64, 64, 16), np.uint8), "voxel by voxel|pixel by pixel"), ("picture", "pixel by pixel|NIfTI")],
)
def test_masks_without_a_grid_of_their_own_are_not_resampled_and_never_told_to_be(
    api: Api, volume: str, demo_images: Path, way: str, mask: Any, why: str
) -> None:
    mask = demo_images / "xray" / "nih_00000001_000_mask.png" if isinstance(mask, str) else mask
    with pytest.raises((ValidationError, DecodeError), match=why):
        UPLOADS[way](api, volume, mask, resample_masks=True)
    with pytest.raises((ValidationError, GeometryError, DecodeError)) as plain:
        UPLOADS[way](api, volume, mask)
    assert "resample_masks" not in str(plain.value)


def test_a_flag_that_is_none_is_refused(api: Api, volume: str, coarse: Path) -> None:
    with pytest.raises(ValidationError, match="resample_masks is True or False, not 'no'"):
        api.annotations.upload_volume_segmentation(volume, coarse, resample_masks="no")  # type: ignore[arg-type]
