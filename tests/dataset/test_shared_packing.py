"""Who reads a batch of slices packs what nobody else is packing before waiting for anybody."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from datamint_like._cache.turns import turn
from datamint_like.api import Api
from datamint_like.dataset import SlicedVolumeDataset, VolumeDataset, slice_reader
from datamint_like.dataset.collate import Collate
from datamint_like.dataset.item import Item
from datamint_like.exceptions import DecodeError
from datamint_like.slices.packs import PackKey

VOLUMES, DEPTH = 5, 4


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Api:
    """Five small volumes, of which number n holds n at every voxel."""
    folder = tmp_path_factory.mktemp("five")
    (folder / "files").mkdir()
    for n in range(VOLUMES):
        image = nib.Nifti1Image(np.full((6, 5, DEPTH), n, np.int16), np.diag([1.0, 1.0, 2.0, 1.0]))
        nib.save(image, folder / "files" / f"{n}.nii.gz")
    api = Api(server_url=(folder / "store").as_uri())
    api.resources.upload_resources(str(folder / "files"), progress_bar=False)
    return api


def slices_of(store: Api, cache: Path, **options: Any) -> SlicedVolumeDataset:
    resources = sorted(store.resources.get_list(), key=lambda resource: resource.filename)
    whole = VolumeDataset(resources=resources, server_url=store.server_url, cache_dir=cache, **options)
    return whole.slice("axial")


def key_of(slices: SlicedVolumeDataset, volume: int) -> PackKey:
    (row,) = {slices._resource_row(int(slices._rows[n])) for n in range(volume * DEPTH, (volume + 1) * DEPTH)}
    return slices._slices._image_pack(slices._slices.volume(row))[0]


def pack_of(slices: SlicedVolumeDataset, volume: int) -> Path:
    return slices._reading.packs.path(key_of(slices, volume))


def one_of_each(count: int = VOLUMES) -> Sequence[int]:
    return [volume * DEPTH + 1 for volume in range(count)]


@pytest.mark.parametrize("memory_cache", [0, "256MB"])
def test_what_another_process_packs_is_waited_for_last(
    store: Api, tmp_path: Path, memory_cache: Any, decoded: list[str]
) -> None:
    slices = slices_of(store, tmp_path, memory_cache=memory_cache)
    busy, *free = (pack_of(slices, volume) for volume in range(VOLUMES))
    slices._reading.packs.cache.make(busy.parent)
    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.extend(slices.__getitems__(one_of_each())))
    with turn(busy.with_name(f"{busy.name}.lock"), 0.0) as mine:
        assert mine
        reader.start()
        end = time.monotonic() + 15
        while not all(path.exists() for path in free):
            assert time.monotonic() < end, "it waits for the volume that another is packing"
            time.sleep(0.01)
        assert not busy.exists()
        assert not found
    reader.join(30)
    assert [item["image"].unique().tolist() for item in found] == [[n] for n in range(VOLUMES)]
    assert sorted(decoded) == [f"{n}.nii.gz" for n in range(VOLUMES)]


def test_a_batch_of_one_volume_or_of_packed_ones_packs_nothing_ahead(store: Api, tmp_path: Path) -> None:
    slices = slices_of(store, tmp_path, memory_cache=0)
    tried: list[str] = []
    packs = slices._reading.packs
    packs.build_if_free = lambda key, make: bool(tried.append(key.axis))  # type: ignore[method-assign]
    assert [item["image"].unique().item() for item in slices.__getitems__([0, 1, 2, 3])] == [0] * 4
    assert [item["image"].unique().item() for item in slices.__getitems__([4, 1, 5, 3])] == [1, 0, 1, 0]
    assert tried == []
    slices.__getitems__(one_of_each())
    assert len(tried) == VOLUMES - 2
    slices.__getitems__(one_of_each())
    assert len(tried) == VOLUMES - 2


def test_a_cache_that_cannot_be_written_makes_a_batch_decode_no_volume_twice(
    store: Api, tmp_path: Path, decoded: list[str]
) -> None:
    (tmp_path / "packs").write_text("a file where the folder should be")
    slices = slices_of(store, tmp_path, memory_cache=0)
    for _ in range(2):
        found = slices.__getitems__(one_of_each())
        assert [item["image"].unique().item() for item in found] == list(range(VOLUMES))
    assert len(decoded) == 2 * VOLUMES


def test_a_volume_that_cannot_be_read_is_told_of_its_own_item(store: Api, tmp_path: Path) -> None:
    slices = slices_of(store, tmp_path)
    reader = slices._slices.reader
    whole = reader.image

    def broken(record: Any, *options: Any) -> Any:
        if record.resource.filename == "2.nii.gz":
            raise DecodeError("2.nii.gz is cut off.")
        return whole(record, *options)

    reader.image = broken  # type: ignore[method-assign]
    with pytest.raises(DecodeError, match=r"2\.nii\.gz"):
        slices.__getitems__(one_of_each())
    assert [pack_of(slices, volume).exists() for volume in range(VOLUMES)] == [True, True, False, True, True]
    found = slices.__getitems__([0, 5, 13])
    assert [item["image"].unique().item() for item in found] == [0, 1, 3]


def test_items_asked_for_as_a_batch_are_those_asked_for_one_by_one(store: Api, tmp_path: Path) -> None:
    slices = slices_of(store, tmp_path)
    order = [19, 0, -1, 7, 7, 12]
    for one, item in zip(order, slices.__getitems__(order), strict=True):
        assert torch.equal(item["image"], slices[one]["image"])
        assert item["resource"] == slices[one]["resource"]
    with pytest.raises(IndexError, match=r"Item 20 "):
        slices.__getitems__([0, 20])
    part = torch.utils.data.Subset(slices, [9, 3])
    assert [item["image"].unique().item() for item in part.__getitems__([1, 0])] == [0, 2]


def test_a_function_of_whole_volumes_leaves_nothing_to_pack(store: Api, tmp_path: Path) -> None:
    slices = slices_of(store, tmp_path, intensity=np.negative)
    assert [item["image"].unique().item() for item in slices.__getitems__(one_of_each(3))] == [0, -1, -2]
    assert not (tmp_path / "packs").exists()


def test_patches_of_several_volumes_are_packed_alike(store: Api, tmp_path: Path, decoded: list[str]) -> None:
    slices = slices_of(store, tmp_path)
    resources = [slices[n]["resource"] for n in one_of_each()]
    patches = VolumeDataset(resources=resources, server_url=store.server_url, cache_dir=tmp_path / "p").patches(
        (2, 3, 3), n=2, seed=1
    )
    decoded.clear()
    found = patches.__getitems__([0, 3, 5, 6, 9])
    assert [item["image"].unique().item() for item in found] == [0, 1, 2, 3, 4]
    assert len(decoded) == VOLUMES


def test_a_batch_of_many_volumes_opens_each_pack_once(
    store: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slice_reader, "_OPEN", 2)
    slices = slices_of(store, tmp_path, memory_cache=0)
    opened: list[str] = []
    find = slices._reading.packs.find
    slices._reading.packs.find = lambda key: opened.append(key.axis) or find(key)  # type: ignore[func-returns-value, method-assign]
    slices.__getitems__(one_of_each())
    opened.clear()
    found = slices.__getitems__(one_of_each())
    assert [item["image"].unique().item() for item in found] == list(range(VOLUMES))
    assert len(opened) <= VOLUMES


class Repeated(SlicedVolumeDataset):
    """A class of a user's that has each item ten times, and takes names for some."""

    def __len__(self) -> int:
        return 10 * super().__len__()

    def __getitem__(self, index: Any) -> Item:
        index = {"first": 0, "last": -1}.get(index, index)
        return super().__getitem__(index % super().__len__())


def test_a_class_of_ones_own_decides_what_it_reads_for_an_index(store: Api, tmp_path: Path) -> None:
    whole = slices_of(store, tmp_path)
    resources = [whole[n]["resource"] for n in one_of_each()]
    slices = Repeated(resources=resources, server_url=store.server_url, cache_dir=tmp_path)
    own = torch.utils.data.DataLoader(slices, 5, sampler=[0, 25, "last", 199, "first"], collate_fn=Collate())
    (batch,) = own
    assert [image.unique().item() for image in batch["image"]] == [0, 1, 4, 4, 0]


def test_facts_that_cannot_be_read_are_told_of_their_own_item(store: Api, tmp_path: Path) -> None:
    class Patient(SlicedVolumeDataset):
        def _get_raw_item(self, index: int) -> Any:
            try:
                return super()._get_raw_item(index)
            except DecodeError:
                return super()._get_raw_item(0)

    resources = sorted(store.resources.get_list(), key=lambda resource: resource.filename)
    slices = Patient(resources=resources, server_url=store.server_url, cache_dir=tmp_path)
    volume = slices._slices.volume

    def broken(row: int) -> Any:
        if row == slices._resource_row(int(slices._rows[8])):
            raise DecodeError("2.nii.gz has no facts.")
        return volume(row)

    slices._slices.volume = broken  # type: ignore[method-assign]
    assert [item["image"].unique().item() for item in slices.__getitems__(one_of_each())] == [0, 1, 0, 3, 4]
