"""Masks of another grid, as a server that does not hold them against their image may give: refused, or resampled."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch

from datamint_like.backends.local.files import FileStore
from datamint_like.dataset import VolumeDataset
from datamint_like.entities import Annotation
from datamint_like.exceptions import GeometryError
from datamint_like.imaging import required_facts
from datamint_like.imaging.nifti import SWAP_XYZ
from tests.dataset.conftest import ANA, BEN, Shelf


@pytest.fixture
def coarse_mask(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mask of the CT is one box, drawn at half the resolution."""
    affine = required_facts(shelf.philips).affine
    assert affine is not None
    labels = np.zeros((16, 64, 64), np.uint8)
    labels[4:8, 10:20, 30:50] = 1
    half = affine @ np.array([[2, 0, 0, 0.5], [0, 2, 0, 0.5], [0, 0, 2, 0.5], [0, 0, 0, 1]])
    payload = nib.Nifti1Image(labels.transpose(2, 1, 0), half.matrix @ SWAP_XYZ).to_bytes()

    def coarse(self: FileStore, annotation: Annotation) -> bytes:
        return payload

    monkeypatch.setattr(FileStore, "annotation_bytes", coarse)


@pytest.mark.usefixtures("coarse_mask")
def test_without_resampling_it_is_an_error_that_names_both_grids(shelf: Shelf) -> None:
    volumes = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)
    with pytest.raises(GeometryError, match=r"soft.*\(16, 64, 64\).*\(32, 128, 128\).*resample_masks=True"):
        volumes[0]


@pytest.mark.usefixtures("coarse_mask")
def test_resampling_brings_it_to_the_volume_and_its_slices(shelf: Shelf) -> None:
    plain = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)
    volumes = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, resample_masks=True)
    item, slices = volumes[0], volumes.slice("axial")
    expected = torch.zeros((32, 128, 128), dtype=torch.uint8)
    expected[8:16, 20:40, 60:100] = 1
    assert torch.equal(item["segmentations"][BEN][0], expected)
    assert all(torch.equal(slices[k]["segmentations"][ANA][0], expected[k]) for k in (7, 8, 15, 16))
    assert volumes.fingerprint != plain.fingerprint
