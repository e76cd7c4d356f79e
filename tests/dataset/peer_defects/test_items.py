"""What the published client gets wrong in items of documented use, one test a row of the list that was kept of it."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import albumentations
import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from PIL import Image
from pydicom.data import get_testdata_file

from datamint_like import Api
from datamint_like.backends.base import ContentRow, ProjectContent
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.dataset import ImageDataset, SlicedVideoDataset, SlicedVolumeDataset, VideoDataset, VolumeDataset
from datamint_like.entities import Annotation, AnnotationWorklist
from datamint_like.exceptions import (
    DatamintWarning,
    GeometryError,
    SkippedResourcesWarning,
)
from tests.dataset.conftest import ANA, BEN, Shelf
from tests.dataset.peer_defects.conftest import RNG, of, upload_nifti

pytestmark = pytest.mark.filterwarnings(f"ignore::{SkippedResourcesWarning.__module__}.SkippedResourcesWarning")


def same_in_shape(dataset: Any, key: str) -> set[tuple[type, Any]]:
    return {(type(item[key]), getattr(item[key], "dtype", None)) for item in dataset}


def test_a01_a_batch_may_mix_items_with_and_without_masks(shelf: Shelf) -> None:
    for order in ([shelf.xray, shelf.plain_xray], [shelf.plain_xray, shelf.xray]):
        dataset = ImageDataset(resources=order, server_url=shelf.url)
        (batch,) = dataset.get_dataloader(batch_size=2)
        assert set(batch) == set(dataset[0])
        assert sorted(len(masks) for masks in batch["segmentations"]) == [0, 1]
        assert sorted(len(codes) for codes in batch["seg_labels"]) == [0, 1]


def test_a02_frames_of_a_video_are_a_dataset_like_any_other(api: Api, clip: str) -> None:
    frames = of(api, VideoDataset, clip).frame_by_frame()
    assert frames[0]["image"].shape == (3, 240, 320)
    assert next(iter(frames.get_dataloader(batch_size=4)))["image"].shape == (4, 3, 240, 320)
    with pytest.warns(DatamintWarning, match="1 resource by train=0.5, val=0.5 give train 0, val 1"):  # never cut
        assert len(frames.split(train=0.5, val=0.5, seed=1)) == 2
    assert len(frames.filter(filename_pattern="*.dcm")) == len(frames)
    assert "SlicedVideoDataset" in repr(frames)


def test_a03_frame_masks_of_one_class_are_one_instance_over_the_frames(api: Api, clip: str) -> None:
    mask = np.zeros((240, 320), np.uint8)
    mask[10:20, 30:50] = 1
    for frame in (2, 5):
        api.annotations.upload_segmentations(clip, mask, "wall", frame_index=frame, author_email=ANA)
    videos = of(api, VideoDataset, clip)
    found = videos[0]["segmentations"][ANA]
    assert found.shape == (1, *videos[0]["image"].shape[1:])
    assert found[0].flatten(1).any(1).nonzero().flatten().tolist() == [2, 5]
    assert torch.equal(videos.frame_by_frame()[5]["segmentations"][ANA], found[:, 5])


@pytest.mark.parametrize("orientation", ["canonical", "native"])
def test_a03_frame_masks_of_a_volume_are_one_instance_over_its_planes(
    api: Api, demo_images: Path, orientation: str
) -> None:
    resource = api.resources.upload_resource(demo_images / "ct_philips")
    mask = np.zeros((128, 128), np.uint8)
    mask[10:20, 30:50] = 1
    for frame in (2, 5):
        api.annotations.upload_segmentations(resource, mask, "wall", frame_index=frame, author_email=ANA)
    volumes = of(api, VolumeDataset, resource, orientation=orientation)
    item = volumes[0]
    found = item["segmentations"][ANA]
    assert found.shape == (1, 32, 128, 128)
    planes = [31 - n if item["metainfo"]["frame_flipped"] else n for n in (2, 5)]
    assert found[0].flatten(1).any(1).nonzero().flatten().tolist() == sorted(planes)
    assert torch.equal(found[0, planes[0]], torch.from_numpy(mask))
    assert torch.equal(volumes.slice("axial")[planes[0]]["segmentations"][ANA], found[:, planes[0]])


def test_a04_categories_work_with_a_worklist_schema(shelf: Shelf) -> None:
    dataset = ImageDataset(project="mixed", server_url=shelf.url)
    assert dataset.image_categories_set == [("view", "pa"), ("view", "lateral")]
    assert {author: code.item() for author, code in dataset[0]["image_categories"].items()} == {ANA: 0, BEN: 1}


def test_a05_a_subset_of_a_dataset_that_was_not_loaded_stays_a_subset(shelf: Shelf) -> None:
    part = ImageDataset(project="mixed", server_url=shelf.url).subset([1])
    assert part[0]["resource"].id == shelf.plain_xray.id
    assert len(part) == len(list(part)) == len(pickle.loads(pickle.dumps(part))) == 1


@pytest.mark.parametrize("axes", ["ASR", "RAS", "LPI", "IRP", "PIL", "SLA"])
def test_a06_slices_cut_the_anatomical_plane_in_any_axis_order(api: Api, tmp_path: Path, axes: str) -> None:
    ras = nib.Nifti1Image(RNG.integers(0, 999, (4, 5, 6)).astype(np.int16), np.diag([1.0, 2.0, 3.0, 1.0]))
    turn = nib.orientations.ornt_transform(nib.io_orientation(ras.affine), nib.orientations.axcodes2ornt(axes))
    stored = ras.as_reoriented(turn)
    volume = of(api, VolumeDataset, upload_nifti(api, tmp_path, np.asarray(stored.dataobj), stored.affine))
    patient = np.asarray(ras.dataobj)[::-1, ::-1].T  # to the left, to the back, upwards; last axis first
    for axis, name in enumerate(("axial", "coronal", "sagittal")):
        slices = volume.slice(name)
        assert len(slices) == patient.shape[axis]
        for n, item in enumerate(slices):
            np.testing.assert_array_equal(item["image"][0], patient.take(n, axis))


def test_a07_a_mask_lies_on_its_image_or_is_refused(api: Api, tmp_path: Path) -> None:
    array = np.zeros((4, 5, 6), np.int16)
    array[:, :, 0] = 500  # the highest slice: z points down
    resource = upload_nifti(api, tmp_path, array, np.diag([1.0, 1.0, -2.0, 1.0]))
    api.annotations.upload_volume_segmentation(resource, (array > 0).astype(np.uint8), "bright", author_email=ANA)
    item = of(api, VolumeDataset, resource)[0]
    assert torch.equal(item["segmentations"][ANA][0] != 0, item["image"][0] == 500)
    assert item["image"][0, 5].eq(500).all()
    elsewhere = nib.Nifti1Image((array > 0).astype(np.uint8), np.diag([1.0, 1.0, -2.5, 1.0]))
    nib.save(elsewhere, tmp_path / "mask.nii.gz")
    with pytest.raises(GeometryError, match="another grid"):
        api.annotations.upload_segmentations(resource, tmp_path / "mask.nii.gz", "bright")


def test_a08_intensities_of_16_bits_stay_what_they_are(api: Api, tmp_path: Path) -> None:
    values = np.array([[0, 100], [1000, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    Image.fromarray(np.full((2, 2), 700, np.uint16)).save(tmp_path / "even.png")
    ids = [api.resources.upload_resource(tmp_path / name) for name in ("deep.png", "even.png")]
    for transform in (None, albumentations.NoOp()):
        deep, even = of(api, ImageDataset, *ids, alb_transform=transform)
        assert deep["image"].tolist() == [values.tolist()]
        assert even["image"].unique().tolist() == [700]
        assert deep["image"].dtype == even["image"].dtype == (torch.int32 if transform is None else torch.float32)


@pytest.mark.parametrize("options", [{}, {"alb_transform": albumentations.NoOp()}, {"intensity": ("clip", 10, 900)}])
def test_a09_a_volume_and_its_slices_give_equal_values(api: Api, tmp_path: Path, options: dict[str, Any]) -> None:
    resource = upload_nifti(api, tmp_path, RNG.integers(0, 2**16, (4, 5, 6)).astype(np.uint16))
    volume = of(api, VolumeDataset, resource, **options)
    stacked = torch.stack([item["image"] for item in volume.slice("axial")], 1)
    assert stacked.dtype == volume[0]["image"].dtype
    assert torch.equal(stacked, volume[0]["image"])


def test_a10_transforms_run_without_segmentations_too(shelf: Shelf) -> None:
    options = {"server_url": shelf.url, "return_segmentations": False, "alb_transform": albumentations.Resize(16, 24)}
    volumes = VolumeDataset(resources=[shelf.philips], **options)
    videos = VideoDataset(resources=[shelf.clip], **options)
    images = ImageDataset(resources=[shelf.xray], **options)
    for dataset in (volumes, volumes.slice(), videos, videos.frame_by_frame(), images):
        assert dataset[0]["image"].shape[-2:] == (16, 24)
        assert "segmentations" not in dataset[0]


def test_a11_transforms_may_change_the_size_of_volumes_with_masks(shelf: Shelf) -> None:
    resize = albumentations.Resize(16, 24)
    item = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, alb_transform=resize)[0]
    assert item["image"].shape == (1, 32, 16, 24)
    assert item["segmentations"][ANA].shape == (2, 32, 16, 24)
    crop = albumentations.CenterCrop3D(size=(8, 64, 64))
    item = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, alb_transform=crop)[0]
    assert item["image"].shape == (1, 8, 64, 64)
    assert item["segmentations"][ANA].shape == (2, 8, 64, 64)


def test_a11_transforms_may_change_the_size_of_videos_with_masks(api: Api, clip: str) -> None:
    mask = np.zeros((240, 320), np.uint8)
    mask[:120] = 1
    api.annotations.upload_segmentations(clip, mask, "upper half", frame_index=2, author_email=ANA)
    videos = of(api, VideoDataset, clip, alb_transform=albumentations.Resize(16, 24))
    assert videos[0]["image"].shape == (3, 30, 16, 24)
    (found,) = videos[0]["segmentations"][ANA]
    assert torch.equal(found.flatten(1).any(1).nonzero().flatten(), torch.tensor([2]))
    assert torch.equal(found[2], (torch.arange(16) < 8).to(torch.uint8)[:, None].expand(16, 24))
    assert torch.equal(videos.frame_by_frame()[2]["segmentations"][ANA][0], found[2])


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_a12_a_dicom_file_with_a_tiff_preamble_is_dicom(api: Api, tmp_path: Path, name: str) -> None:
    original = get_testdata_file(name, download=False)
    assert isinstance(original, str)
    dataset = pydicom.dcmread(original)
    dataset.preamble = b"II*\0" + bytes(124)
    dataset.save_as(tmp_path / name)
    expected = dataset.pixel_array * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0))
    for path in (Path(original), tmp_path / name):
        item = of(api, ImageDataset, api.resources.upload_resource(path))[0]
        np.testing.assert_array_equal(item["image"][0], expected)


@pytest.mark.parametrize("strategy", ["union", "intersection", "mode"])
def test_a13_merged_masks_have_background_exactly_where_no_class_is(shelf: Shelf, strategy: str) -> None:
    options = {"resources": [shelf.philips], "server_url": shelf.url, "return_as_semantic_segmentation": True}
    merged = VolumeDataset(**options, semantic_seg_merge_strategy=strategy)[0]["segmentations"]
    assert torch.equal(merged[0] == 0, merged[1:].any(0))
    by_author = torch.stack(list(VolumeDataset(**options)[0]["segmentations"].values()))[:, 1:]
    expected = by_author.amin(0) if strategy == "intersection" else by_author.amax(0)  # two voters: a tie counts
    assert torch.equal(merged[1:], expected)


def test_a13_who_drew_no_mask_does_not_vote(api: Api, two_xrays: list[str]) -> None:
    square = np.zeros((512, 512), np.uint8)
    square[:100, :100] = 1
    api.annotations.upload_segmentations(two_xrays[0], square, "lung", author_email=ANA)
    api.annotations.add_label_annotation(two_xrays[0], "normal", author_email=BEN)
    options = {"return_as_semantic_segmentation": True, "semantic_seg_merge_strategy": "intersection"}
    merged = of(api, ImageDataset, *two_xrays, **options)[0]["segmentations"]
    assert torch.equal(merged[1], torch.from_numpy(square).float())


def test_a14_frame_labels_are_returned(api: Api, clip: str) -> None:
    api.annotations.add_label_annotation(clip, "blurred", frame_range=(1, 3), author_email=ANA)
    videos = of(api, VideoDataset, clip)
    frames = videos[0]["image"].shape[1]
    assert videos[0]["frame_labels"][ANA].flatten().tolist() == [0, 1, 1] + [0] * (frames - 3)
    assert [videos.frame_by_frame()[n]["frame_labels"][ANA].tolist() for n in range(4)] == [[0], [1], [1], [0]]


def test_a14_frame_labels_of_volumes_and_slices_are_returned_and_filtered(shelf: Shelf) -> None:
    volumes = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)
    whole, slices = volumes[0], volumes.slice("axial")
    assert volumes.frame_labels_set == ["motion"]
    assert whole["frame_labels"][ANA].flatten().nonzero().flatten().tolist() == [3]
    plane = 28 if whole["metainfo"]["frame_flipped"] else 3
    assert [n for n, item in enumerate(slices) if item["frame_labels"][ANA].any()] == [plane]
    without = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, exclude_frame_label_names=["motion"])
    assert not any(labels.any() for labels in without[0]["frame_labels"].values())


def test_a15_gray_values_are_named_by_number(api: Api, two_xrays: list[str]) -> None:
    gray = np.zeros((512, 512), np.uint8)
    gray[5:9, 5:9] = 1
    api.annotations.upload_segmentations(two_xrays[0], gray, {1: "lesion"}, author_email=ANA)
    dataset = of(api, ImageDataset, *two_xrays)
    assert dataset.segmentation_labels_set == ["lesion"]
    assert dataset[0]["segmentations"][ANA].sum() == 16


def test_a16_an_annotation_of_an_unknown_type_is_kept_and_told(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    read = LocalBackend.read_project

    odd = Annotation.from_dict({"id": "1", "type": "hologram", "name": "x", "resource_id": shelf.xray.id})

    def with_odd(row: ContentRow) -> ContentRow:
        return ContentRow(
            row.resource, row.parts, [*row.annotations, odd] if row.resource == shelf.xray else row.annotations
        )

    @contextmanager
    def newer(self: LocalBackend, project_id: str) -> Iterator[ProjectContent]:
        with read(self, project_id) as content:
            yield dataclasses.replace(content, rows=map(with_odd, content.rows))

    monkeypatch.setattr(LocalBackend, "read_project", newer)
    with pytest.warns(DatamintWarning, match=r"'hologram' \(1\)"):
        dataset = ImageDataset(project="mixed", server_url=shelf.url, cache_dir=tmp_path).prepare()
    assert [each.type for each in dataset[0]["annotations"]].count("hologram") == 1


def test_a16_numbers_and_annotators_without_an_expertise_do_no_harm(api: Api, two_xrays: list[str]) -> None:
    api.annotations.create_numeric_annotation(two_xrays[0], "dose", 0.25, "mGy")
    (number,) = of(api, ImageDataset, *two_xrays)[0]["annotations"]
    assert (number.type, number.numeric_value) == ("float", 0.25)
    annotator = {"email": ANA, "status": "active", "expertise_level": None}
    assert AnnotationWorklist.from_dict({"id": "1", "name": "w", "annotators": [annotator]}).annotators[0].email == ANA


def test_a17_loaders_work_where_workers_are_spawned(shelf: Shelf) -> None:
    dataset = ImageDataset(project="mixed", server_url=shelf.url)
    found = list(dataset.get_dataloader(num_workers=2, multiprocessing_context="spawn"))
    assert [torch.equal(b["image"][0], item["image"]) for b, item in zip(found, dataset, strict=True)] == [True, True]
    assert pickle.loads(pickle.dumps(dataset.get_collate_fn())) is not None


def test_a18_a_pickled_dataset_finds_the_cache_that_is_warm(shelf: Shelf, tmp_path: Path) -> None:
    slices = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, cache_dir=tmp_path).slice("axial")
    expected = [item["image"] for item in slices]
    warm = {path: path.stat().st_mtime_ns for path in (tmp_path / "packs").rglob("*")}
    assert {path.name for path in warm if path.suffix == ".gz"} == {"axial.npy.gz"}
    for _ in range(3):
        slices = pickle.loads(pickle.dumps(slices))
        assert all(torch.equal(item["image"], own) for item, own in zip(slices, expected, strict=True))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "packs").rglob("*")} == warm


def test_a19_a_worker_reads_slices_that_are_in_no_cache(shelf: Shelf, tmp_path: Path) -> None:
    slices = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, cache_dir=tmp_path).slice("axial")
    loader = slices.subset([0, 9]).get_dataloader(num_workers=1, multiprocessing_context="spawn")
    assert not list(tmp_path.rglob("*.npy.gz"))
    found = [batch["image"][0] for batch in loader]
    volume = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)[0]["image"]
    assert [torch.equal(image, volume[:, n]) for image, n in zip(found, (0, 9), strict=True)] == [True, True]


@pytest.mark.parametrize("prepared", [False, True])
def test_a28_every_dataset_pickles_and_gives_the_same_items(shelf: Shelf, prepared: bool) -> None:
    volumes = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, seed=1)
    videos = VideoDataset(resources=[shelf.clip], server_url=shelf.url)
    images = ImageDataset(resources=[shelf.xray], server_url=shelf.url)
    cut = (volumes.slice(), volumes.patches(8, 2), volumes.patch_grid(64), videos.frame_by_frame()) if prepared else ()
    for dataset in (images, volumes, videos, *cut):
        again = pickle.loads(pickle.dumps(dataset))
        assert (len(again), again.fingerprint) == (len(dataset), dataset.fingerprint)
        assert torch.equal(again[0]["image"], dataset[0]["image"])


def test_a30_items_of_a_dataset_have_one_form(shelf: Shelf) -> None:
    slices: Any = SlicedVolumeDataset(resources=[shelf.philips, shelf.ge], server_url=shelf.url)
    frames: Any = SlicedVideoDataset(resources=[shelf.clip], server_url=shelf.url)
    assert {"metainfo", "image_categories", "segmentations", "seg_labels"} <= set(slices[0]) == set(frames[0])
    assert {m.dtype for item in slices for m in item["segmentations"].values()} == {torch.uint8}
    bare = ImageDataset(resources=[shelf.xray], server_url=shelf.url, return_metainfo=False)
    assert "metainfo" not in bare[0]
    merged = SlicedVolumeDataset(
        resources=[shelf.philips, shelf.ge],
        server_url=shelf.url,
        return_as_semantic_segmentation=True,
        semantic_seg_merge_strategy="mode",
    )
    assert same_in_shape(merged, "segmentations") == {(torch.Tensor, torch.float32)}
