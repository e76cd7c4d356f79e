"""Patches are exact crops of their volumes, drawn from seed, epoch and item, and read only the slices they cross."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import default_collate

from datamint_like.dataset import ImageDataset, PatchDataset, VolumeDataset
from datamint_like.dataset.locations import centred, on_grid, uniform
from datamint_like.dataset.seeds import EpochIndex
from datamint_like.exceptions import DatamintDatasetException, GeometryError
from datamint_like.imaging import reading
from datamint_like.slices.pack import Pack
from tests.dataset.conftest import ANA, BEN, Shelf


@pytest.fixture
def volumes(shelf: Shelf, tmp_path: Path) -> VolumeDataset:
    return opened(shelf, tmp_path)


def opened(shelf: Shelf, cache: Path, **options: Any) -> VolumeDataset:
    options = {"resources": [shelf.philips, shelf.ge], "irregular_spacing": "keep"} | options
    return VolumeDataset(server_url=shelf.url, cache_dir=cache, **options)


def spans(item: dict[str, Any]) -> tuple[slice, slice, slice]:
    d, h, w = (slice(*span) for span in item["location"].tolist())
    return d, h, w


@pytest.mark.parametrize("orientation", ["canonical", "native"])
@pytest.mark.parametrize(
    "options",
    [{}, {"intensity": ("window", 40, 400)}, {"dtype": "float32", "memory_cache": 0}, {"compression": None}],
    ids=str,
)
def test_a_patch_is_the_crop_of_its_volume_at_its_location(
    shelf: Shelf, tmp_path: Path, orientation: Any, options: dict[str, Any]
):
    volumes = opened(shelf, tmp_path, orientation=orientation, **options)
    patches = volumes.patches((9, 40, 30), 4, seed=1)
    assert len(patches) == 8
    for n, item in enumerate(patches):
        whole, place = volumes[n // 4], spans(item)
        assert item["image"].shape == (1, 9, 40, 30)
        assert torch.equal(item["image"], whole["image"][(slice(None), *place)])
        assert item["image"].dtype == whole["image"].dtype
        assert set(item) == {*whole, "location"}
        assert item["resource"] == whole["resource"]
        for author, masks in whole["segmentations"].items():
            assert torch.equal(item["segmentations"][author], masks[(slice(None), *place)])
            assert torch.equal(item["seg_labels"][author], whole["seg_labels"][author])


def test_the_affine_of_a_patch_places_its_voxels_where_the_volume_does(volumes: VolumeDataset):
    for item in volumes.patches((40, 16, 24), 3, seed=2):
        whole = volumes[0] if item["resource"].filename == "philips.dcm" else volumes[1]
        start = item["location"][:, 0].numpy()
        for index in ((0, 0, 0), (3, 5, 7)):
            there = np.asarray(whole["metainfo"]["affine"]) @ [*(start + index), 1]
            np.testing.assert_allclose(np.asarray(item["metainfo"]["affine"]) @ [*index, 1], there, atol=1e-9)
        assert item["metainfo"]["spacing"] == whole["metainfo"]["spacing"]


def test_planes_of_an_uneven_series_keep_their_places(shelf: Shelf, tmp_path: Path):
    volumes = opened(shelf, tmp_path, resources=[shelf.ge])
    whole = volumes[0]["metainfo"]
    item = volumes.patches((6, 20, 20), 1, seed=4)[0]
    (d0, d1), (h0, _), (w0, _) = item["location"].tolist()
    step = whole["affine"][:3, 1:3] @ [h0, w0]
    np.testing.assert_allclose(item["metainfo"]["plane_origins"], whole["plane_origins"][d0:d1] + step, atol=1e-9)
    padded = volumes.patches((40, 20, 20), 1, seed=4)[0]["metainfo"]["plane_origins"]
    assert np.isnan(padded[:6]).all()
    assert np.isfinite(padded[6:34]).all()
    assert np.isnan(padded[34:]).all()
    with pytest.raises(GeometryError, match=r"into patches.*ge\.dcm"):
        VolumeDataset(resources=[shelf.ge], server_url=shelf.url).patches(8, 1)


def test_places_follow_from_seed_epoch_and_item(volumes: VolumeDataset):
    def places(dataset: Any, epoch: int = 0) -> list[Any]:
        return [dataset[EpochIndex(n, epoch)]["location"].tolist() for n in range(len(dataset))]

    patches = volumes.patches(16, 3, seed=7)
    first = places(patches)
    assert places(volumes.patches(16, 3, seed=7)) == first
    assert places(pickle.loads(pickle.dumps(patches))) == first
    assert places(patches, epoch=1) != first
    assert places(volumes.patches(16, 3, seed=8)) != first
    assert places(patches.subset([4, 1])) == [first[4], first[1]]
    assert len({str(place) for place in first}) == 6
    loader = patches.get_dataloader(batch_size=2, num_workers=2)
    assert [place.tolist() for batch in loader for place in batch["location"]] == first
    assert [place.tolist() for batch in loader for place in batch["location"]] == places(patches, epoch=1)


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_workers_started_anew_draw_the_same_patches(volumes: VolumeDataset, start: str):
    patches = volumes.patches((8, 24, 24), 3, seed=2, balance={"bone": 0.5})
    expected = [item["image"] for item in patches]
    loader = patches.get_dataloader(batch_size=2, num_workers=2, multiprocessing_context=start)
    assert torch.equal(torch.cat([batch["image"] for batch in loader]), torch.stack(expected))


def test_without_a_seed_places_follow_torchs_random_numbers(volumes: VolumeDataset):
    patches = volumes.patches(16, 1)
    found = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        found.append(patches[0]["location"].tolist())
    assert found[0] == found[1] != found[2]
    seeded = VolumeDataset(resources=patches.resources[:1], server_url=volumes._source.store_url, seed=5)
    assert seeded.patches(16, 1)[0]["location"].tolist() == seeded.patches(16, 1, seed=5)[0]["location"].tolist()


@pytest.mark.parametrize("balance", ["bone", {"bone": 0.5, "soft": 0.25}, {"bone": 1.0}], ids=str)
def test_a_share_of_the_patches_is_centred_on_a_voxel_of_the_class(shelf: Shelf, tmp_path: Path, balance: Any):
    volumes = opened(shelf, tmp_path, resources=[shelf.philips])
    masks = volumes[0]["segmentations"]
    classes = {"bone": masks[ANA][1], "soft": torch.maximum(masks[ANA][0], masks[BEN][0])}
    patches = volumes.patches((3, 11, 11), 8, balance=balance, seed=0)
    shares = {"bone": 0.5} if balance == "bone" else balance
    counts = dict.fromkeys(shares, 0)
    for epoch in range(3):
        for n in range(8):
            (d, _), (h, _), (w, _) = patches[EpochIndex(n, epoch)]["location"].tolist()
            for name in shares:
                counts[name] += int(classes[name][d + 1, h + 5, w + 5])
    for name, share in shares.items():
        assert counts[name] >= round(24 * share), counts
    if sum(shares.values()) < 1:
        assert sum(counts.values()) < 24


def test_every_voxel_of_a_class_can_be_the_centre(shelf: Shelf, tmp_path: Path, demo_images: Path):
    from datamint_like.api import Api

    api = Api(server_url=(tmp_path / "store").as_uri())
    api.resources.upload_resources([demo_images / "ct_philips"])
    (resource,) = api.resources.get_list()
    mask = np.zeros((32, 128, 128), np.uint8)
    mask[0, 0, 0] = mask[31, 127, 127] = mask[5, 60, 61] = mask[5, 60, 70] = 1
    api.annotations.upload_volume_segmentation(resource, mask, name={1: "dot"}, axes="dhw", author_email=ANA)
    volumes = VolumeDataset(resources=[resource], server_url=api.server_url, cache_dir=tmp_path)
    patches = volumes.patches((5, 9, 9), 6, balance={"dot": 1}, seed=3)
    found = [patches[EpochIndex(n, e)] for e in range(6) for n in range(6)]
    assert all(item["segmentations"][ANA].any() for item in found)
    starts = {tuple(item["location"][:, 0].tolist()) for item in found}
    assert starts == {(0, 0, 0), (27, 119, 119), (3, 56, 57), (3, 56, 66)}


def test_a_volume_without_the_class_gives_patches_of_any_place(shelf: Shelf, tmp_path: Path):
    patches = opened(shelf, tmp_path, resources=[shelf.ge], worklists=None).patches
    with pytest.raises(DatamintDatasetException, match="the dataset has none"):
        patches(8, 1, balance="bone")
    both = opened(shelf, tmp_path).patches(8, 4, balance={"bone": 1.0}, seed=1)
    assert len({str(both[n]["location"].tolist()) for n in range(4, 8)}) > 1


def test_a_volume_smaller_than_the_patch_lies_in_the_middle_of_padding(volumes: VolumeDataset):
    whole = volumes[0]
    item = volumes.patches((41, 130, 20), 1, seed=0, pad_value=-1000)[0]
    assert item["location"][:2].tolist() == [[-4, 37], [-1, 129]]
    assert item["image"].shape == (1, 41, 130, 20)
    w0, w1 = item["location"][2].tolist()
    inside = (slice(None), slice(4, 36), slice(1, 129))
    assert torch.equal(item["image"][inside], whole["image"][..., w0:w1])
    assert torch.equal(item["segmentations"][ANA][inside], whole["segmentations"][ANA][..., w0:w1])
    outside = torch.ones(41, 130, 20, dtype=torch.bool)
    outside[4:36, 1:129] = False
    assert (item["image"][0][outside] == -1000).all()
    assert not item["segmentations"][ANA][:, outside].any()
    start = item["metainfo"]["affine"] @ [4, 1, 0, 1]
    np.testing.assert_allclose(start, whole["metainfo"]["affine"] @ [0, 0, w0, 1], atol=1e-9)


def test_padding_is_background_of_semantic_masks(shelf: Shelf, tmp_path: Path):
    options = {"return_as_semantic_segmentation": True, "semantic_seg_merge_strategy": "union"}
    item = opened(shelf, tmp_path, resources=[shelf.philips], **options).patches((36, 128, 128), 1)[0]
    assert item["segmentations"].shape == (3, 36, 128, 128)
    assert item["segmentations"][0, :2].all()
    assert item["segmentations"][0, -2:].all()
    assert torch.equal(item["segmentations"].amax(0), torch.ones(36, 128, 128))


def test_frame_labels_and_annotations_are_those_of_the_planes_that_the_patch_crosses(shelf: Shelf, tmp_path: Path):
    volumes = opened(shelf, tmp_path, resources=[shelf.philips])
    whole = volumes[0]
    flipped = whole["metainfo"]["frame_flipped"]
    for item in (*volumes.patches((4, 8, 8), 12, seed=1), *volumes.patches((36, 8, 8), 2, seed=1)):
        d0, d1 = item["location"][0].tolist()
        frames = [31 - n if flipped else n for n in range(d0, d1)]
        labels = item["frame_labels"][ANA]
        assert labels.shape == (d1 - d0, 1)
        stored = sorted(frames)
        assert [n for n, flag in zip(stored, labels[:, 0].tolist(), strict=True) if flag] == (
            [3] if 3 in frames else []
        )
        assert [a.frame_index for a in item["annotations"] if a.is_frame_scoped()] == ([3] if 3 in frames else [])


def test_only_the_slices_that_a_patch_crosses_are_read(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    opened(shelf, tmp_path, resources=[shelf.philips]).slice("axial")[0]  # packs the volume, as a slice does
    read: list[int] = []
    plain = Pack.read
    monkeypatch.setattr(Pack, "read", lambda self, index: read.append(index) or plain(self, index))
    monkeypatch.setattr(reading, "_decoded", lambda *_, **__: pytest.fail("the volume was decoded again"))
    volumes = opened(shelf, tmp_path, resources=[shelf.philips], return_segmentations=False, memory_cache=0)
    patches = volumes.patches((5, 16, 16), 2, seed=3)
    for n in range(2):
        read.clear()
        item = patches[n]
        assert read == list(range(*item["location"][0].tolist()))


def test_patches_split_filter_and_fingerprint_by_volume(volumes: VolumeDataset, shelf: Shelf):
    patches = volumes.patches(16, 5, seed=0)
    parts = patches.split(train=0.5, val=0.5, seed=1)
    assert sorted(len(part) for part in parts.values()) == [5, 5]
    assert all(len({item["resource"].id for item in part}) == 1 for part in parts.values())
    assert {r.id for r in patches.filter(tags=["even"]).resources} == {shelf.philips.id}
    assert len(volumes.split(train=0.5, val=0.5, seed=1)["train"].patches(8, 3)) == 3
    same = volumes.patches(16, 5, seed=0)
    assert patches.fingerprint == same.fingerprint == pickle.loads(pickle.dumps(patches)).fingerprint
    other = [
        volumes.patches(16, 5, seed=1),
        volumes.patches(15, 5, seed=0),
        volumes.patches(16, 4, seed=0),
        volumes.patches(16, 5, seed=0, pad_value=1),
        volumes.patches(16, 5, seed=0, balance="bone"),
        volumes.patch_grid(16),
        volumes.patch_grid(16, 1),
    ]
    assert len({patches.fingerprint, *(each.fingerprint for each in other)}) == 8
    assert len(pickle.dumps(patches)) < 8000
    assert "PatchDataset" in repr(patches)


def test_items_without_objects_stack_by_torchs_own_collation(shelf: Shelf, tmp_path: Path):
    merged = {
        "return_as_semantic_segmentation": True,
        "semantic_seg_merge_strategy": "union",
        "image_labels_merge_strategy": "union",
        "image_categories_merge_strategy": "union",
        "return_objects": False,
    }
    patches = opened(shelf, tmp_path, **merged).patches((4, 8, 8), 2, seed=1)
    batch = default_collate([patches[0], patches[3]])
    assert batch["location"].shape == (2, 3, 2)
    assert batch["segmentations"].shape == (2, 3, 4, 8, 8)


def test_transforms_turn_image_and_masks_of_a_patch_alike(shelf: Shelf, tmp_path: Path):
    def flip(*, image: np.ndarray, masks: np.ndarray) -> dict[str, Any]:
        return {"image": image[:, ::-1], "masks": masks[:, :, ::-1]}

    plain = opened(shelf, tmp_path).patches((6, 30, 20), 2, seed=1)
    turned = opened(shelf, tmp_path, alb_transform=flip).patches((6, 30, 20), 2, seed=1)
    assert torch.equal(turned[0]["image"], plain[0]["image"].flip(2).float())
    assert torch.equal(turned[0]["segmentations"][ANA], plain[0]["segmentations"][ANA].flip(2))


def test_patches_and_grids_of_real_volumes_agree_with_nibabel(real_data: Path, tmp_path: Path):
    import nibabel as nib

    from datamint_like.api import Api

    api = Api(server_url=(tmp_path / "store").as_uri())
    api.resources.upload_resources(str(real_data / "ct" / "philips_axial_phantom"), progress_bar=False)
    nifti = sorted(p for p in real_data.rglob("*.nii*") if len(nib.load(p).shape) == 3 and min(nib.load(p).shape) > 1)
    api.resources.upload_resources([*nifti[:6]], on_error="skip", progress_bar=False)
    files = {path.name: path for path in nifti}
    volumes = VolumeDataset(resources=api.resources.get_list(), server_url=api.server_url, cache_dir=tmp_path)
    assert len(volumes) >= 3
    assert len({resource.filename for resource in volumes.resources} & set(files)) >= 2
    patches, grid = volumes.patches((20, 33, 47), 2, seed=5, pad_value=0), volumes.patch_grid((24, 100, 90), 7)
    for n in range(len(volumes)):
        whole = volumes[n]["image"]
        aggregator = grid.aggregator(n)
        for item in grid.of_volume(n):
            aggregator.add(item["image"][None], item["location"][None])
        assert torch.equal(aggregator.result(), whole)
        for item in (patches[2 * n], patches[2 * n + 1]):
            source = files.get(item["resource"].filename)
            if source is None:
                continue
            image = nib.load(source)
            back = np.linalg.inv(image.affine) @ np.asarray(item["metainfo"]["affine"])
            values = np.asarray(image.dataobj)
            rng = np.random.default_rng(n)
            for index in rng.integers(0, (20, 33, 47), (40, 3)):
                i, j, k = np.rint(back @ [*index, 1])[:3].astype(int)
                inside = all(0 <= a < b for a, b in zip((i, j, k), values.shape, strict=True))
                expected = values[i, j, k] if inside else 0
                assert float(item["image"][(0, *index)]) == pytest.approx(float(expected), rel=1e-6)


extents = st.tuples(*[st.integers(1, 20)] * 3)


@settings(max_examples=150, deadline=None)
@given(shape=extents, size=extents, data=st.data())
def test_every_place_lies_in_the_volume_or_encloses_it(shape: Any, size: Any, data: Any):
    voxel = [data.draw(st.integers(0, extent - 1)) for extent in shape]
    drawn = uniform(np.random.default_rng(data.draw(st.integers(0, 99))), size, shape)
    around = centred(voxel, size, shape)
    for location in (drawn, around, on_grid(0, size, (1, 1, 1), shape)):
        for (start, stop), extent, whole in zip(location, size, shape, strict=True):
            assert stop - start == extent
            if extent <= whole:
                assert 0 <= start < stop <= whole
            else:
                assert -start == (extent - whole) // 2
    assert all(start <= centre < stop for (start, stop), centre in zip(around, voxel, strict=True))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0, 1), {}, "size is a whole number from 1"),
        (((1, 2), 1), {}, "three"),
        (("abc", 1), {}, "size is a whole number"),
        ((8, 0), {}, "n is a whole number from 1"),
        ((8, 10**30), {}, "n is a whole number from 1"),
        ((8, 2**30), {}, "too many"),
        ((30_000, 1), {}, "voxels that are allowed"),
        ((8, 1), {"balance": "liver"}, r"'liver'; the dataset has \['soft', 'bone'\]"),
        ((8, 1), {"balance": {"bone": 2}}, "from 0 to 1"),
        ((8, 1), {"balance": {"bone": 0.6, "soft": 0.6}}, "1.2"),
        ((8, 1), {"balance": ["bone"]}, "balance is a class"),
        ((8, 1), {"seed": "one"}, "seed"),
        ((8, 1), {"pad_value": float("nan")}, "pad_value"),
    ],
)
def test_what_cannot_be_cut_is_refused_at_construction(
    shelf: Shelf, arguments: Any, options: dict[str, Any], message: str
):
    import warnings

    from datamint_like.exceptions import SkippedResourcesWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkippedResourcesWarning)
        volumes = VolumeDataset(project="mixed", server_url=shelf.url, irregular_spacing="keep").prepare()
    with pytest.raises(DatamintDatasetException, match=message):
        volumes.patches(*arguments, **options)


def test_only_volumes_have_patches_and_padding_must_fit_their_type(volumes: VolumeDataset, shelf: Shelf):
    with pytest.raises(DatamintDatasetException, match="Only a dataset of volumes can be cut into a PatchDataset"):
        ImageDataset(resources=[shelf.xray], server_url=shelf.url).patches(8, 1)
    with pytest.raises(DatamintDatasetException, match="not a PatchDataset"):
        PatchDataset(volumes.patches(8, 1), 8, 1)
    with pytest.raises(DatamintDatasetException, match=r"pad_value=0\.5 does not fit the image's type, int16"):
        volumes.patches((40, 8, 8), 1, pad_value=0.5)


def test_the_metainfo_of_a_patch_can_be_had_without_reading_it_and_is_that_of_its_item(shelf: Shelf) -> None:
    patches = VolumeDataset(resources=[shelf.philips], server_url=shelf.url).patches((8, 16, 16), 3, seed=2)
    for index in range(3):
        item, alone = patches[index]["metainfo"], patches.get_metainfo(index)
        np.testing.assert_array_equal(item.pop("affine"), alone.pop("affine"))
        assert item == alone
