"""World positions of real oblique, tilted and anisotropic volumes, by MONAI, TorchIO and SimpleITK alike."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch

from datamint_like import Api, VolumeDataset

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torchio
    from monai.transforms import Orientation, Spacing

pytestmark = pytest.mark.filterwarnings("ignore")
FOLDERS = ("mr/hitachi_oblique", "mr/t1_7t_studyforrest", "ct/philips_axial_phantom")


@pytest.fixture(params=FOLDERS)
def folder(request: pytest.FixtureRequest, real_data: Path) -> Path:
    """A series as a scanner wrote it."""
    return real_data / str(request.param)


def dataset_of(folder: Path, orientation: str) -> VolumeDataset:
    api = Api()
    (resource,) = api.resources.upload_resources(str(folder), publish=True, progress_bar=False).resource_ids
    return VolumeDataset(resources=[resource], orientation=orientation)  # type: ignore[arg-type]


def by_simpleitk(folder: Path) -> SimpleITK.Image:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


@pytest.mark.parametrize("orientation", ["canonical", "native"])
def test_values_and_places_are_those_that_simpleitk_reads(folder: Path, orientation: str) -> None:
    dataset = dataset_of(folder, orientation)
    image = by_simpleitk(folder)
    theirs, subject = dataset.to_monai()[0]["image"], dataset.to_torchio()[0]["image"]
    assert torch.equal(theirs.as_tensor(), subject.data)
    np.testing.assert_allclose(np.asarray(theirs.affine), subject.affine, atol=1e-9)
    draw = np.random.default_rng(1)
    for _ in range(20):
        index = [int(draw.integers(0, size)) for size in theirs.shape[1:]]
        ras = (np.asarray(theirs.affine) @ [*index, 1])[:3]
        at = image.TransformPhysicalPointToContinuousIndex((ras * (-1, -1, 1)).tolist())
        np.testing.assert_allclose(at, np.rint(at), atol=0.02)
        assert float(theirs[(0, *index)]) == pytest.approx(image.GetPixel([round(part) for part in at]))


def test_both_libraries_turn_it_to_the_same_axes(folder: Path) -> None:
    dataset = dataset_of(folder, "canonical")
    turned = Orientation("RAS")(dataset.to_monai()[0]["image"])
    canonical = torchio.ToCanonical()(dataset.to_torchio()[0]["image"])
    assert torch.equal(turned.as_tensor().to(canonical.data.dtype), canonical.data)
    np.testing.assert_allclose(np.asarray(turned.affine), canonical.affine, atol=1e-6)


def test_a_resampled_voxel_has_the_value_at_its_place(folder: Path) -> None:
    made = dataset_of(folder, "canonical").to_monai()[0]["image"]
    finer = Spacing(tuple(float(step) * 0.8 for step in made.pixdim), mode="bilinear")(made)
    image = SimpleITK.Cast(by_simpleitk(folder), SimpleITK.sitkFloat32)
    size = finer.shape[1:]
    draw = np.random.default_rng(2)
    for _ in range(20):
        index = [int(draw.integers(1, max(2, extent - 2))) for extent in size]
        lps = (np.asarray(finer.affine) @ [*index, 1])[:3] * (-1, -1, 1)
        at = image.TransformPhysicalPointToContinuousIndex(lps.tolist())
        if all(0 <= part <= extent - 1 for part, extent in zip(at, image.GetSize(), strict=True)):
            expected = image.EvaluateAtPhysicalPoint(lps.tolist(), SimpleITK.sitkLinear)
            assert float(finer[(0, *index)]) == pytest.approx(expected, abs=max(2.0, abs(expected) * 0.02))
