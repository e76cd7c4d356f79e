"""`orientation="native"` keeps the file's own axes; names still cut the anatomical plane, numbers the array's."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from datamint_like.backends import open_backend
from datamint_like.backends.base import Backend, NewAnnotation, NewResource
from datamint_like.dataset import SlicedVolumeDataset, VolumeDataset
from datamint_like.entities import Resource
from datamint_like.exceptions import GeometryError, ValidationError
from tests.dataset.conftest import ANA, Shelf

EXTENTS = {"R": 7, "A": 8, "S": 9}
NAMES = ("axial", "coronal", "sagittal")


@dataclass(frozen=True)
class Turned:
    """A volume stored in some axis order, and what nibabel says of it."""

    url: str
    backend: Backend
    resource: Resource
    image: nib.Nifti1Image


def _stored(codes: str, folder: Path) -> nib.Nifti1Image:
    """One and the same picture, oblique, stored with its axes in another order."""
    shape = tuple(EXTENTS.values())
    angle = np.deg2rad(9.0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([1.0, 1.5, 2.5])
    affine[:3, 3] = (-11.0, 7.0, 30.0)
    ras = nib.Nifti1Image(np.arange(np.prod(shape), dtype=np.int16).reshape(shape), affine)
    target = nib.orientations.axcodes2ornt(codes)
    image = ras.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(affine), target))
    nib.save(image, folder / "turned.nii")
    return nib.load(folder / "turned.nii")


@pytest.fixture(params=["RAS", "LPS", "ASR", "SPL", "IRP", "PIL"])
def turned(request: pytest.FixtureRequest, tmp_path: Path) -> Turned:
    image = _stored(request.param, tmp_path)
    backend = open_backend((tmp_path / "store").as_uri())
    resource = backend.create_resource(NewResource(paths=(tmp_path / "turned.nii",), filename="turned.nii"))
    mask = nib.Nifti1Image((np.asarray(image.dataobj) % 5 == 0).astype(np.uint8), image.affine)
    backend.upload_volume_mask(
        resource.id, mask.to_bytes(), {1: "soft"}, NewAnnotation(type="segmentation", identifier="", author=ANA)
    )
    return Turned(backend.url, backend, resource, image)


def _dataset(turned: Turned, orientation: str) -> VolumeDataset:
    return VolumeDataset(resources=[turned.resource], server_url=turned.url, orientation=orientation)


def test_a_native_volume_is_the_stored_array_with_the_files_own_affine(turned: Turned):
    item = _dataset(turned, "native")[0]
    stored = np.asarray(turned.image.dataobj)
    np.testing.assert_array_equal(item["image"][0].numpy(), stored.T)
    np.testing.assert_array_equal(item["segmentations"][ANA][0].numpy(), (stored % 5 == 0).T)
    np.testing.assert_allclose(item["metainfo"]["affine"][:, [2, 1, 0, 3]], turned.image.affine, atol=1e-6)
    assert (item["metainfo"]["frame_axis"], item["metainfo"]["frame_flipped"]) == (0, False)


@pytest.mark.parametrize("axis", NAMES)
def test_a_name_cuts_the_same_anatomical_planes_as_in_canonical_orientation(turned: Turned, axis: str):
    native = _dataset(turned, "native").slice(axis)
    canonical = _dataset(turned, "canonical").slice(axis)
    assert len(native) == len(canonical)
    assert {_points(item) for item in native} == {_points(item) for item in canonical}
    assert native.slice_axis == native.resources[0].slice_axis == axis


def _points(item: dict[str, object]) -> frozenset[tuple[float, ...]]:
    """The value, mask and patient position of every pixel of a slice."""
    image, affine = item["image"], item["metainfo"]["affine"]  # type: ignore[index]
    mask = item["segmentations"][ANA][0]  # type: ignore[index]
    h, w = np.meshgrid(*(np.arange(n) for n in image.shape[1:]), indexing="ij")
    places = np.stack([np.zeros_like(h), h, w, np.ones_like(h)], axis=-1) @ affine.T
    rows = zip(image[0].reshape(-1).tolist(), mask.reshape(-1).tolist(), places.reshape(-1, 4)[:, :3], strict=True)
    return frozenset((value, label, *np.round(place, 3)) for value, label, place in rows)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_number_cuts_the_arrays_own_axis(turned: Turned, axis: int):
    volumes = _dataset(turned, "native")
    whole, slices = volumes[0], volumes.slice(axis)
    assert len(slices) == whole["image"].shape[1 + axis]
    assert slices.slice_axis == axis
    for index in (0, 3, len(slices) - 1):
        item = slices[index]
        assert torch.equal(item["image"], whole["image"].select(1 + axis, index))
        assert torch.equal(item["segmentations"][ANA], whole["segmentations"][ANA].select(1 + axis, index))
        place = np.insert(np.array([2.0, 4.0]), axis, index)
        np.testing.assert_allclose(
            item["metainfo"]["affine"] @ [0, 2, 4, 1], whole["metainfo"]["affine"] @ [*place, 1], atol=1e-9
        )
        assert item["resource"].slice_index == index
        assert item["resource"].frame_index == (index if axis == 0 else None)
        assert len({item["resource"].slice_axis, *NAMES}) == 3


def test_volumes_of_all_48_orders_are_native_as_stored_and_canonical_alike(tmp_path: Path):
    backend = open_backend((tmp_path / "store").as_uri())
    codes = ["".join(c) for p in permutations(("RL", "AP", "SI")) for c in product(*p)]
    ids, stored = [], []
    for n, code in enumerate(codes):
        folder = tmp_path / code
        folder.mkdir()
        stored.append(np.asarray(_stored(code, folder).dataobj))
        ids.append(backend.create_resource(NewResource((folder / "turned.nii",), f"{n}.nii")).id)
    native = VolumeDataset(resources=ids, server_url=backend.url, orientation="native")
    canonical = VolumeDataset(resources=ids, server_url=backend.url)
    assert len(codes) == len(native) == 48
    first = canonical[0]
    for n in range(48):
        np.testing.assert_array_equal(native[n]["image"][0].numpy(), stored[n].T)
        assert torch.equal(canonical[n]["image"], first["image"])
        np.testing.assert_allclose(canonical[n]["metainfo"]["affine"], first["metainfo"]["affine"], atol=1e-4)
    for axis, extent in zip(NAMES, (9, 8, 7), strict=True):
        assert len(native.slice(axis)) == len(canonical.slice(axis)) == 48 * extent
    assert len(native.slice(0)) == sum(array.shape[2] for array in stored)


@pytest.mark.parametrize("axis", [1, 2, "coronal"])
def test_an_uneven_series_is_cut_natively_along_its_stored_planes_only(shelf: Shelf, axis: int | str):
    volumes = VolumeDataset(resources=[shelf.ge], server_url=shelf.url, orientation="native")
    assert len(volumes.slice(0)) == len(volumes.slice("axial")) == 28
    with pytest.raises(GeometryError, match=f"cannot be cut {axis}"):
        volumes.slice(axis)


def test_the_orientation_is_part_of_the_fingerprint_and_survives_a_split(shelf: Shelf):
    canonical = SlicedVolumeDataset(resources=[shelf.philips], server_url=shelf.url)
    native = SlicedVolumeDataset(resources=[shelf.philips], server_url=shelf.url, orientation="native", slice_axis=0)
    assert canonical.fingerprint != native.fingerprint
    part = native.subset([3])
    assert torch.equal(part[0]["image"], native[3]["image"])


def test_another_orientation_is_refused_with_the_two_there_are(shelf: Shelf):
    with pytest.raises(ValidationError, match="orientation is 'canonical' or 'native', not 'RAS'"):
        VolumeDataset(resources=[shelf.philips], server_url=shelf.url, orientation="RAS")  # type: ignore[arg-type]
