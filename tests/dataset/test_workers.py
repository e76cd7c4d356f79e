"""Datasets travel to workers as kilobytes, and workers return what the main process returns."""

from __future__ import annotations

import multiprocessing
import pickle
import warnings
from typing import Any

import pytest
import torch

from datamint_like.dataset import ImageDataset, VolumeDataset
from datamint_like.dataset.collate import Collate
from datamint_like.exceptions import DatamintDatasetException, GeometryError, SkippedResourcesWarning
from tests.dataset.conftest import ANA, Shelf


@pytest.fixture
def slices(shelf: Shelf) -> Any:
    volumes = VolumeDataset(resources=[shelf.philips, shelf.ge], server_url=shelf.url)
    return volumes.slice("axial").subset(range(20, 36))


def same(one: Any, two: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(same(a, b) for a, b in zip(one, two, strict=True))
    if hasattr(one, "tolist"):
        return bool((one == two).all())
    return bool(one == two)


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_workers_return_what_the_main_process_returns(slices: Any, start: str) -> None:
    expected = list(slices.get_dataloader(batch_size=4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork of a process with threads
        loader = slices.get_dataloader(batch_size=4, num_workers=2, multiprocessing_context=start)
        found = list(loader)
    assert len(found) == 4
    assert same(found, expected)


def test_a_pickled_dataset_is_kilobytes_and_holds_no_key(shelf: Shelf) -> None:
    volumes = VolumeDataset(resources=[shelf.philips, shelf.ge], server_url=shelf.url, api_key="sesame-open")
    slices = volumes.slice("axial")
    list(slices)
    for dataset in (volumes, slices, slices.subset([1, 5, 9])):
        data = pickle.dumps(dataset)
        assert len(data) < 8000
        assert b"sesame" not in data
        twin = pickle.loads(data)
        assert torch.equal(twin[0]["image"], dataset[0]["image"])
        assert list(pickle.loads(pickle.dumps(dataset.resources))) == list(twin.resources)
    assert "sesame" not in repr(volumes)


def test_pickling_prepares_first_and_stays_pinned(shelf: Shelf) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkippedResourcesWarning)
        dataset = ImageDataset(project="mixed", server_url=shelf.url)
        twin = pickle.loads(pickle.dumps(dataset))
    assert twin.fingerprint == dataset.fingerprint
    assert same(twin[0]["image"], dataset[0]["image"])


def test_a_batch_keeps_every_key_and_what_is_ragged_as_lists(slices: Any) -> None:
    items = [slices[0], slices[-1]]
    batch = slices.get_collate_fn()(items)
    assert set(batch) == set(items[0])
    assert batch["image"].shape == (2, 1, 128, 128)
    assert [sorted(authors) for authors in batch["segmentations"]] == [sorted(i["segmentations"]) for i in items]
    assert ANA in batch["segmentations"][0]
    assert batch["segmentations"][1] == {}


def test_images_that_do_not_stack_are_named_with_their_shapes(shelf: Shelf) -> None:
    dataset = ImageDataset(resources=[shelf.xray], server_url=shelf.url)
    volume = VolumeDataset(resources=[shelf.philips], server_url=shelf.url).slice()
    with pytest.raises(DatamintDatasetException, match=r"one\.png.*\(1, 512, 512\).*philips\.dcm.*\(1, 128, 128\)"):
        dataset.get_collate_fn()([dataset[0], volume[0]])


def test_images_of_different_types_are_named_with_their_types_and_the_way_out(shelf: Shelf) -> None:
    plain, scaled = (
        ImageDataset(resources=[shelf.xray], server_url=shelf.url, dtype=dtype)[0] for dtype in (None, "float32")
    )
    with pytest.raises(DatamintDatasetException) as caught:
        ImageDataset(resources=[shelf.xray], server_url=shelf.url).get_collate_fn()([plain, scaled])
    message = str(caught.value)
    assert "their types differ: one.png" in message
    assert "torch.uint8" in message
    assert "torch.float32" in message
    assert 'dtype="float32"' in message
    assert "shape" not in message


def test_images_of_different_shapes_and_types_are_told_of_both() -> None:
    items = [{"image": torch.zeros(1, 4, 4)}, {"image": torch.zeros(1, 4, 5, dtype=torch.uint8)}]
    with pytest.raises(DatamintDatasetException, match=r"shapes and types differ.*dtype=\"float32\".*one shape"):
        Collate()(items)
    with pytest.raises(DatamintDatasetException, match=r"their shapes differ.*item 1 no image\. Bring them"):
        Collate()([items[0], {}])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_without_batches_gives_the_items_as_they_are(shelf: Shelf, workers: int) -> None:
    dataset = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)
    for loader in (
        dataset.get_dataloader(batch_size=None, num_workers=workers),
        dataset.get_dataloader(None, num_workers=workers),
    ):
        (item,) = loader
        assert list(item) == list(dataset[0])
        assert same(item["image"], dataset[0]["image"])
        assert type(item["metainfo"]["affine"]) is type(dataset[0]["metainfo"]["affine"])
        assert item["metainfo"]["stored_shape"] == dataset[0]["metainfo"]["stored_shape"]
        assert item["resource"] == dataset[0]["resource"]


def test_a_collation_of_the_users_own_is_used(shelf: Shelf) -> None:
    dataset = ImageDataset(resources=[shelf.xray], server_url=shelf.url)
    assert list(dataset.get_dataloader(batch_size=None, collate_fn=len)) == [len(dataset[0])]
    assert list(dataset.get_dataloader(1, False, None, None, 0, len)) == [1]


def test_an_error_in_a_worker_arrives_as_itself(shelf: Shelf) -> None:
    volumes = VolumeDataset(resources=[shelf.ge], server_url=shelf.url)
    loader = volumes.get_dataloader(num_workers=1, multiprocessing_context="spawn")
    with pytest.raises(GeometryError, match=r"ge\.dcm"):
        list(loader)


def test_workers_go_at_once_when_one_of_them_fails(shelf: Shelf) -> None:
    volumes = VolumeDataset(resources=[shelf.philips, shelf.ge], server_url=shelf.url)
    before = {child.pid for child in multiprocessing.active_children()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork of a process with threads
        with pytest.raises(GeometryError) as caught:
            list(volumes.get_dataloader(num_workers=2, multiprocessing_context="fork"))
    assert caught.value.__traceback__ is not None  # which holds the loop, and with it the workers
    assert {child.pid for child in multiprocessing.active_children()} <= before


def test_datasets_concatenate_and_iterate(shelf: Shelf) -> None:
    one = ImageDataset(resources=[shelf.xray], server_url=shelf.url)
    two = ImageDataset(resources=[shelf.plain_xray], server_url=shelf.url)
    assert len(one + two) == 2
    assert [item["resource"].filename for item in (one + two)] == ["one.png", "two.png"]
    assert [item["resource"].filename for item in one] == ["one.png"]
