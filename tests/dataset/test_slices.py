"""A slice is exactly the cut of its volume: pixels, masks, labels and place in space."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from datamint_like.dataset import ImageDataset, SlicedVolumeDataset, VolumeDataset
from datamint_like.exceptions import DatamintDatasetException, GeometryError
from tests.dataset.conftest import ANA, BEN, Shelf

AXES = {"axial": 0, "coronal": 1, "sagittal": 2}


@pytest.fixture
def volumes(shelf: Shelf) -> VolumeDataset:
    return VolumeDataset(resources=[shelf.philips], server_url=shelf.url)


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_tensors_of_a_slice_equal_the_cut_of_its_volume(volumes: VolumeDataset, axis: str) -> None:
    volume, slices, n = volumes[0], volumes.slice(axis), AXES[axis]
    assert len(slices) == volume["image"].shape[1 + n]
    for k in (0, 11, len(slices) - 1):
        item = slices[k]
        assert torch.equal(item["image"], volume["image"].select(1 + n, k))
        assert item["image"].dtype == volume["image"].dtype
        for author in (ANA, BEN):
            assert torch.equal(item["segmentations"][author], volume["segmentations"][author].select(1 + n, k))
            assert torch.equal(item["seg_labels"][author], volume["seg_labels"][author])
        assert {a: v.tolist() for a, v in item["image_labels"].items()} == {
            a: v.tolist() for a, v in volume["image_labels"].items()
        }


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("strategy", ["union", "intersection", "mode"])
def test_merged_targets_of_a_slice_equal_the_cut_of_the_volumes(shelf: Shelf, axis: str, strategy: Any) -> None:
    volumes = VolumeDataset(
        resources=[shelf.philips],
        server_url=shelf.url,
        return_as_semantic_segmentation=True,
        semantic_seg_merge_strategy=strategy,
    )
    whole, n = volumes[0]["segmentations"], AXES[axis]
    for k in (0, 11):
        assert torch.equal(volumes.slice(axis)[k]["segmentations"], whole.select(1 + n, k))


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_the_affine_of_a_slice_places_its_pixels_where_the_volume_does(volumes: VolumeDataset, axis: str) -> None:
    whole = volumes[0]["metainfo"]["affine"]
    n = AXES[axis]
    sliced = volumes.slice(axis)[9]["metainfo"]["affine"]
    for h, w in ((0, 0), (5, 17)):
        index = np.insert(np.array([h, w], float), n, 9)
        np.testing.assert_allclose(sliced @ [0, h, w, 1], whole @ [*index, 1], atol=1e-9)


def test_an_uneven_series_slices_along_its_acquisition_with_exact_positions(shelf: Shelf, demo_images: Any) -> None:
    import pydicom

    slices = VolumeDataset(resources=[shelf.ge], server_url=shelf.url).slice("axial")
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in (demo_images / "ct_ge").iterdir()]
    corners = sorted((np.array(h.ImagePositionPatient, float) * (-1, -1, 1) for h in headers), key=lambda p: p[2])
    assert len(slices) == 28
    for k in (0, 13, 14, 27):
        np.testing.assert_allclose(slices[k]["metainfo"]["affine"][:3, 3], corners[k], atol=1e-4)


@pytest.mark.parametrize("axis", ["coronal", 2])
def test_an_uneven_series_is_not_cut_elsewhere(shelf: Shelf, axis: str | int) -> None:
    volumes = VolumeDataset(resources=[shelf.ge], server_url=shelf.url)
    with pytest.raises(GeometryError, match=r"ge\.dcm"):
        volumes.slice(axis)
    kept = VolumeDataset(resources=[shelf.ge], server_url=shelf.url, irregular_spacing="keep")
    assert len(kept.slice(axis)) == 128


def test_frame_labels_are_on_their_own_plane_only(volumes: VolumeDataset) -> None:
    whole = volumes[0]
    axis, flipped = whole["metainfo"]["frame_axis"], whole["metainfo"]["frame_flipped"]
    assert axis == 0
    plane = 31 - 3 if flipped else 3
    axial = volumes.slice("axial")
    assert [k for k in range(32) if axial[k]["frame_labels"][ANA].any()] == [plane]
    assert axial[plane]["resource"].frame_index == 3
    assert axial[plane]["frame_labels"][ANA].dtype == torch.int32
    assert not volumes.slice("coronal")[3]["frame_labels"][ANA].any()


def test_annotations_of_a_slice_are_those_that_apply_to_it(volumes: VolumeDataset) -> None:
    axial = volumes.slice("axial")
    assert [a.frame_index for a in axial[3]["annotations"] if a.is_frame_scoped()] == [3]
    assert [a for a in axial[5]["annotations"] if a.is_frame_scoped()] == []
    assert len([a for a in axial[5]["annotations"] if a.is_segmentation()]) == 3


def test_a_slice_knows_its_resource_and_place(volumes: VolumeDataset, shelf: Shelf) -> None:
    slices = volumes.slice("coronal")
    resource = slices[100]["resource"]
    assert (resource.id, resource.slice_axis, resource.slice_index) == (shelf.philips.id, "coronal", 100)
    assert slices.resources[100] == resource
    axial = volumes.slice("axial")
    assert [axial.resources[k].frame_index for k in range(32)] == [axial[k]["resource"].frame_index for k in range(32)]
    assert slices.get_resource(-1).slice_index == 127


def test_names_and_numbers_of_an_axis_mean_the_same(volumes: VolumeDataset) -> None:
    for name, number in AXES.items():
        assert torch.equal(volumes.slice(name)[1]["image"], volumes.slice(number)[1]["image"])


@pytest.mark.parametrize("axis", ["oblique", 3, -1, 1.5, True, None])
def test_an_axis_that_is_none_is_refused(volumes: VolumeDataset, axis: Any) -> None:
    with pytest.raises(DatamintDatasetException, match="axial"):
        volumes.slice(axis)


def test_a_sliced_dataset_is_made_directly_or_from_another(shelf: Shelf, volumes: VolumeDataset) -> None:
    direct = SlicedVolumeDataset(resources=[shelf.philips], server_url=shelf.url, slice_axis="sagittal")
    adopted = SlicedVolumeDataset(parent_dataset=volumes, slice_axis="sagittal")
    assert len(direct) == len(adopted) == 128
    assert torch.equal(direct[40]["image"], adopted[40]["image"])
    assert direct.slice_axis == "sagittal"


def test_images_and_slices_cannot_be_sliced(shelf: Shelf, volumes: VolumeDataset) -> None:
    with pytest.raises(DatamintDatasetException, match="single images"):
        ImageDataset(resources=[shelf.xray], server_url=shelf.url).slice()
    with pytest.raises(DatamintDatasetException, match="Only a dataset of volumes"):
        SlicedVolumeDataset.from_dataset(volumes.slice())


def test_slices_follow_the_order_of_the_volumes_they_come_from(shelf: Shelf) -> None:
    volumes = VolumeDataset(resources=[shelf.philips, shelf.ge], server_url=shelf.url)
    turned = volumes.subset([1, 0]).slice("axial")
    assert [r.id for r in turned.resources] == [shelf.ge.id] * 28 + [shelf.philips.id] * 32
    assert [r.slice_index for r in turned.resources[26:30]] == [26, 27, 0, 1]


def test_a_volume_is_decoded_once_while_its_slices_are_read(
    volumes: VolumeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datamint_like.dataset import reader

    calls = []
    real = reader.read
    monkeypatch.setattr(reader, "read", lambda *args, **named: calls.append(1) or real(*args, **named))
    slices = volumes.slice("axial")
    for item in slices:
        assert item["image"].shape == (1, 128, 128)
    assert len(calls) == 1


def test_what_is_done_to_one_item_changes_no_other(volumes: VolumeDataset) -> None:
    slices = volumes.slice("axial")
    first, untouched = slices[4], slices[4]
    first["image"].zero_()
    first["metainfo"]["affine"][:] = 0
    first["metainfo"]["header"]["PixelSpacing"][0] = -1
    first["segmentations"][ANA].fill_(1)
    first["seg_labels"][ANA].zero_()
    again = slices[4]
    assert torch.equal(again["image"], untouched["image"])
    assert torch.equal(again["segmentations"][ANA], untouched["segmentations"][ANA])
    assert torch.equal(again["seg_labels"][ANA], untouched["seg_labels"][ANA])
    np.testing.assert_array_equal(again["metainfo"].pop("affine"), untouched["metainfo"].pop("affine"))
    assert again["metainfo"] == untouched["metainfo"]
