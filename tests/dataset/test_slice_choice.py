"""Which slices are kept and what is shown around them: by number, by annotation, with neighbours."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datamint_like.api import Api
from datamint_like.dataset import SlicedVideoDataset, SlicedVolumeDataset, VideoDataset, VolumeDataset
from datamint_like.exceptions import DatamintDatasetException, DatamintWarning
from datamint_like.imaging import reading
from tests.dataset.conftest import ANA, BEN, Shelf


@pytest.fixture
def volumes(shelf: Shelf, tmp_path: Path) -> VolumeDataset:
    return VolumeDataset(resources=[shelf.philips, shelf.ge], server_url=shelf.url, cache_dir=tmp_path)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, demo_images: Path) -> Api:
    """A CT volume and an ultrasound clip that nobody has annotated yet."""
    api = Api(server_url=(tmp_path_factory.mktemp("choice") / "store").as_uri())
    api.resources.upload_resources([demo_images / "ct_philips"])
    api.resources.upload_resource(demo_images / "ultrasound" / "examples_ybr_color.dcm")
    return api


@pytest.fixture
def mask_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the volume masks that are decoded in this process."""
    from datamint_like.dataset import reader

    names: list[str] = []
    plain = reader.decode_mask
    monkeypatch.setattr(
        reader, "decode_mask", lambda *args, **named: names.append(named["name"]) or plain(*args, **named)
    )
    return names


def indices(dataset: Any) -> list[int]:
    return [resource.slice_index for resource in dataset.resources]


def annotated(whole: torch.Tensor, axis: int) -> list[int]:
    """The indices along an axis of (n, D, H, W) where any mask has a voxel."""
    across = [n for n in range(4) if n != axis + 1]
    return torch.nonzero(whole.amax(across)).flatten().tolist()


def test_every_third_slice_is_counted_from_the_start_of_each_volume(volumes: VolumeDataset):
    kept = volumes.slice("axial", every=3)
    assert indices(kept) == [*range(0, 32, 3), *range(0, 28, 3)]
    assert torch.equal(kept[4]["image"], volumes.slice("axial")[12]["image"])
    assert indices(volumes.slice("axial", every=1000)) == [0, 0]
    assert indices(SlicedVolumeDataset.from_dataset(volumes, every=16)) == [0, 16, 0, 16]


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("orientation", ["canonical", "native"])
def test_annotated_slices_are_those_with_a_voxel_or_a_frame_label(
    shelf: Shelf, axis: str, orientation: Any, tmp_path: Path
):
    volumes = VolumeDataset(
        resources=[shelf.philips, shelf.ge],
        server_url=shelf.url,
        cache_dir=tmp_path,
        orientation=orientation,
        irregular_spacing="keep",
    )
    every = volumes.slice(axis)
    expected = [
        n
        for n in range(len(every))
        for item in [every[n]]
        if any(m.any() for m in item["segmentations"].values()) or any(v.any() for v in item["frame_labels"].values())
    ]
    kept = volumes.slice(axis, only_annotated=True)
    assert isinstance(kept._rows, (range, np.ndarray))
    assert [r.slice_index for r in kept.resources] == [every.resources[n].slice_index for n in expected]
    assert {r.id for r in kept.resources} == {shelf.philips.id}
    thinned = volumes.slice(axis, only_annotated=True, every=2)
    assert indices(thinned) == [n for n in indices(kept) if n % 2 == 0]


def test_the_selection_decides_which_slices_are_annotated(shelf: Shelf, tmp_path: Path):
    def kept(**options: Any) -> list[int]:
        volumes = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, cache_dir=tmp_path, **options)
        return indices(volumes.slice("axial", only_annotated=True))

    masks = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)[0]["segmentations"]
    assert kept(include_annotators=[BEN]) == annotated(masks[BEN], 0)
    bones = kept(include_segmentation_names=["bone"], include_frame_label_names=[])
    assert bones == annotated(masks[ANA][1:2], 0)
    assert kept(include_segmentation_names=[], include_frame_label_names=[]) == []


def test_masks_are_read_once_also_by_a_second_construction(shelf: Shelf, tmp_path: Path, mask_reads: list[str]):
    def made() -> SlicedVolumeDataset:
        volumes = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, cache_dir=tmp_path)
        return volumes.slice("axial", only_annotated=True)

    first = indices(made())
    assert len(mask_reads) == 3
    again = made()
    assert indices(again) == first
    assert again[-1]["segmentations"][ANA].any()
    assert len(mask_reads) == 3


def test_frames_are_found_without_reading_masks_where_the_frame_says(
    store: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from datamint_like.dataset import reader

    volume, clip = sorted(store.resources.get_list(), key=lambda r: r.filename, reverse=True)
    if volume.metadata["kind"] != "volume":
        volume, clip = clip, volume
    left = np.zeros((240, 320), np.uint8)
    left[50:90, 20:70] = 1
    for frame in (3, 9):
        store.annotations.upload_segmentations(clip, left, "wall", frame_index=frame, author_email=ANA)
    store.annotations.add_label_annotation(clip, "blurred", frame_index=20, author_email=ANA)
    store.annotations.add_label_annotation(clip, "of the whole clip", author_email=ANA)
    store.annotations.add_box_annotation((10, 10), (30, 40), clip, "valve", frame_index=28, author_email=BEN)
    store.annotations.add_line_annotation((10, 10), (30, 40), clip, "axis", frame_index=29, author_email=BEN)
    for name in ("decode_mask", "decode_frame_mask"):
        monkeypatch.setattr(reader, name, lambda *_, **__: pytest.fail("a mask was read"))
    monkeypatch.setattr(reading, "_decoded", lambda *_, **__: pytest.fail("pixels were read"))
    videos = VideoDataset(resources=[clip], server_url=store.server_url, cache_dir=tmp_path)
    for frames in (
        videos.frame_by_frame(only_annotated=True),
        SlicedVideoDataset(resources=[clip], server_url=store.server_url, cache_dir=tmp_path, only_annotated=True),
    ):
        assert [r.frame_index for r in frames.resources] == [3, 9, 20, 28]
    assert [r.frame_index for r in videos.frame_by_frame(every=3, only_annotated=True).resources] == [3, 9]


@pytest.mark.parametrize("orientation", ["canonical", "native"])
def test_boxes_mark_the_slices_whose_items_hold_them_and_no_others(orientation: Any, tmp_path: Path, demo_images: Path):
    api = Api(server_url=(tmp_path / "store").as_uri())
    api.resources.upload_resources([demo_images / "ct_philips"])
    (resource,) = api.resources.get_list()
    volumes = VolumeDataset(resources=[resource], server_url=api.server_url, orientation=orientation)
    affine = np.asarray(volumes[0]["metainfo"]["affine"])

    def patient(*index: float) -> list[float]:
        return ((affine @ [*index, 1])[:3] * (-1, -1, 1)).tolist()

    flipped = volumes[0]["metainfo"]["frame_flipped"]
    first, second = patient(7, 20, 30), patient(7, 60, 50)
    second[2] = first[2]  # exactly one axial plane
    api.annotations.add_box_annotation(first, second, resource, "lesion", coords_system="patient", author_email=ANA)
    api.annotations.add_box_annotation((100, 5), (110, 9), resource, "lesion", frame_index=25, author_email=ANA)
    volumes = VolumeDataset(resources=[resource], server_url=api.server_url, orientation=orientation)
    axial = indices(volumes.slice("axial", only_annotated=True))
    assert axial == sorted([7, 31 - 25 if flipped else 25])
    boxed = VolumeDataset(resources=[resource], server_url=api.server_url, orientation=orientation, return_boxes=True)
    for axis in ("axial", "coronal", "sagittal"):
        every = boxed.slice(axis)
        assert indices(boxed.slice(axis, only_annotated=True)) == [
            n for n, item in enumerate(every) if any(len(own) for own in item["boxes"].values())
        ]
    assert (
        len(volumes.slice("coronal", only_annotated=True)) == len(volumes.slice("sagittal", only_annotated=True)) == 0
    )


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_a_box_without_a_frame_marks_every_slice_whose_item_holds_it(axis: str, tmp_path: Path, demo_images: Path):
    api = Api(server_url=(tmp_path / "store").as_uri())
    api.resources.upload_resources([demo_images / "ct_philips"])
    (resource,) = api.resources.get_list()
    api.annotations.add_box_annotation((5, 6), (7, 9), resource, "b", author_email=ANA)
    volumes = VolumeDataset(resources=[resource], server_url=api.server_url, cache_dir=tmp_path, return_boxes=True)
    kept = indices(volumes.slice(axis, only_annotated=True))
    holding = [n for n, item in enumerate(volumes.slice(axis)) if any(len(own) for own in item["boxes"].values())]
    assert holding == (list(range(32)) if axis == "axial" else [])
    assert kept == holding


@pytest.mark.filterwarnings("ignore:neighbors=40 reaches beyond both ends")
@pytest.mark.parametrize("neighbors", [1, 2, 40])
def test_neighbours_are_channels_in_order_with_the_ends_repeated(volumes: VolumeDataset, neighbors: int):
    plain, shown = volumes.slice("axial"), volumes.slice("axial", neighbors=neighbors)
    for row, index, first, last in ((0, 0, 0, 31), (17, 17, 0, 31), (31, 31, 0, 31), (32, 0, 32, 59)):
        item = shown[row]
        around = [min(max(first + index + d, first), last) for d in range(-neighbors, neighbors + 1)]
        assert torch.equal(item["image"], torch.cat([plain[n]["image"] for n in around]))
        middle = plain[row]
        assert set(item) == set(middle)
        for author, mask in middle["segmentations"].items():
            assert torch.equal(item["segmentations"][author], mask)
        assert item["resource"] == middle["resource"]
        np.testing.assert_array_equal(item["metainfo"]["affine"], middle["metainfo"]["affine"])


def test_neighbours_of_colour_frames_keep_their_channels_together(shelf: Shelf):
    videos = VideoDataset(resources=[shelf.clip], server_url=shelf.url)
    frames = videos.frame_by_frame(neighbors=1, every=10)
    assert len(frames) == 3
    assert frames[1]["image"].shape == (9, 240, 320)
    assert torch.equal(frames[1]["image"], torch.cat([videos[0]["image"][:, n] for n in (9, 10, 11)]))


def test_boxes_of_any_geometry_mark_their_frame_and_more_neighbours_than_fit_are_refused(
    tmp_path: Path, demo_images: Path
):
    from datamint_like.backends.base import NewAnnotation

    api = Api(server_url=(tmp_path / "store").as_uri())
    api.resources.upload_resources([demo_images / "ct_philips"])
    (resource,) = api.resources.get_list()
    odd: list[Any] = [{"points": "none"}, {"points": [[1, 2], [3]]}, {"corners": [1]}, {"points": [[1e300, 0, 1e300]]}]
    api.backend.create_annotations(
        resource.id,
        [
            *(NewAnnotation("square", "b", scope="frame", frame_index=n, geometry=g) for n, g in enumerate(odd)),
            *(NewAnnotation("square", "b", geometry=g) for g in odd),
        ],
    )
    volumes = VolumeDataset(resources=[resource], server_url=api.server_url, cache_dir=tmp_path)
    flipped = volumes[0]["metainfo"]["frame_flipped"]
    axial = [31 - n if flipped else n for n in range(4)]
    assert indices(volumes.slice("axial", only_annotated=True)) == sorted(axial)
    assert len(volumes.slice("coronal", only_annotated=True)) == 0
    with pytest.warns(DatamintWarning, match="neighbors=2000000 reaches beyond both ends"):
        thick = volumes.slice("axial", neighbors=2_000_000)
    with pytest.raises(DatamintDatasetException, match=r"series.*neighbors=2000000 a slice has .* fewer neigh"):
        thick[0]


def test_a_choice_of_slices_splits_filters_pickles_and_has_a_fingerprint_of_its_own(volumes: VolumeDataset):
    chosen = volumes.slice("axial", every=5, neighbors=1)
    parts = chosen.split(train=0.5, val=0.5, seed=3)
    assert sorted(len(part) for part in parts.values()) == [6, 7]
    assert all(len({r.id for r in part.resources}) == 1 for part in parts.values())
    assert indices(chosen.filter(tags=["even"])) == [0, 5, 10, 15, 20, 25, 30]
    assert indices(chosen.subset([-1, 2])) == [25, 10]
    twin = pickle.loads(pickle.dumps(chosen))
    assert torch.equal(twin[3]["image"], chosen[3]["image"])
    same = volumes.slice("axial", every=5, neighbors=1)
    assert chosen.fingerprint == same.fingerprint == twin.fingerprint
    others = [volumes.slice("axial", **o) for o in ({"every": 5}, {"every": 4, "neighbors": 1}, {"neighbors": 1}, {})]
    assert len({chosen.fingerprint, *(each.fingerprint for each in others)}) == 5
    batch = next(iter(chosen.get_dataloader(batch_size=4, num_workers=2)))
    assert batch["image"].shape == (4, 3, 128, 128)


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(0, 12), min_size=1, max_size=6), every=st.integers(1, 14), data=st.data())
def test_kept_numbers_are_those_of_a_plain_loop(counts: list[int], every: int, data: Any):
    from datamint_like.dataset.slice_choice import SliceChoice

    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    rows = np.array(data.draw(st.lists(st.integers(0, len(counts) - 1), unique=True)), dtype=np.int64)
    plain = [int(starts[row]) + k for row in rows for k in range(counts[row]) if k % every == 0]
    assert SliceChoice(every=every).kept(None, rows, starts).tolist() == plain  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 10**30}, "every is a whole number from 1"),
        ({"every": 0}, "every is a whole number from 1, not 0"),
        ({"every": 1.5}, "every is a whole number"),
        ({"every": True}, "every is a whole number"),
        ({"neighbors": -1}, "neighbors is a whole number from 0"),
        ({"only_annotated": "yes"}, "only_annotated is True or False"),
    ],
)
def test_options_out_of_range_are_refused_at_construction(
    volumes: VolumeDataset, shelf: Shelf, options: dict[str, Any], message: str
):
    with pytest.raises(DatamintDatasetException, match=message):
        volumes.slice("axial", **options)
    with pytest.raises(DatamintDatasetException, match=message):
        SlicedVideoDataset(resources=[shelf.clip], server_url=shelf.url, **options)
