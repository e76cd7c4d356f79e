"""One CT series, imported as DICOM and as NIfTI, gives equal tensors and equal affines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from datamint_like.backends import open_backend
from datamint_like.backends.base import NewResource
from datamint_like.dataset import VolumeDataset


def dataset_of(tmp_path: Path, *sources: list[Path]) -> VolumeDataset:
    backend = open_backend((tmp_path / "store").as_uri())
    created = [backend.create_resource(NewResource(paths=tuple(paths), filename=paths[0].name)) for paths in sources]
    return VolumeDataset(resources=created, server_url=backend.url)


def assert_equal(dataset: VolumeDataset) -> None:
    dicom, nifti = dataset[0], dataset[1]
    assert dicom["image"].dtype == nifti["image"].dtype == torch.int16
    assert torch.equal(dicom["image"], nifti["image"])
    np.testing.assert_allclose(dicom["metainfo"]["affine"], nifti["metainfo"]["affine"], atol=1e-3)
    for axis in ("axial", "coronal", "sagittal"):
        slices = dataset.slice(axis)
        half = len(slices) // 2
        assert torch.equal(slices[7]["image"], slices[half + 7]["image"])


def test_the_shipped_series_equals_its_conversion_by_another_library(tmp_path: Path, demo_images: Path) -> None:
    files = sorted((demo_images / "ct_philips").iterdir())
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(demo_images / "ct_philips")))
    converted = tmp_path / "converted.nii.gz"
    sitk.WriteImage(sitk.Cast(reader.Execute(), sitk.sitkInt16), str(converted))
    assert_equal(dataset_of(tmp_path, files, [converted]))


def test_the_shipped_series_equals_the_published_conversion(tmp_path: Path, demo_images: Path, real_data: Path) -> None:
    files = sorted((demo_images / "ct_philips").iterdir())
    assert_equal(dataset_of(tmp_path, files, [real_data / "derived" / "ct_small_axial_labels" / "ct.nii.gz"]))


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_order_of_the_files_does_not_matter(tmp_path: Path, demo_images: Path, shuffled: bool) -> None:
    files = sorted((demo_images / "ct_philips").iterdir())
    assert_equal(dataset_of(tmp_path, files, files[::-1] if shuffled else files[16:] + files[:16]))
