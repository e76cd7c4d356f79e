"""Slices are packed on disk when a volume is first read: decoded once, by whoever asks first, and never wrong."""

from __future__ import annotations

import logging
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch

from datamint_like.api import Api
from datamint_like.backends.base import AnnotationQuery
from datamint_like.dataset import VolumeDataset
from tests.dataset.conftest import ANA, BEN, Shelf, slices_of


def _packs(cache: Path) -> list[Path]:
    return sorted(path for path in (cache / "packs").rglob("axial*") if path.suffix != ".lock")


@pytest.mark.parametrize("options", [{}, {"memory_cache": 0}, {"compression": None, "memory_cache": 0}], ids=str)
def test_a_volume_is_decoded_once_however_its_slices_are_read(
    options: dict[str, Any], shelf: Shelf, tmp_path: Path, decoded: list[str]
):
    first = slices_of(shelf, tmp_path, **options)
    whole = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)[0]
    decoded.clear()
    for index in (31, 0, 7, 8, 7, 30):
        item = first[index]
        assert torch.equal(item["image"], whole["image"][:, index])
        assert torch.equal(item["segmentations"][BEN], whole["segmentations"][BEN][:, index])
    for dataset in (slices_of(shelf, tmp_path, **options), first.subset([4, 5])):
        assert torch.equal(dataset[-1]["image"], whole["image"][:, {32: 31, 2: 5}[len(dataset)]])
    assert len(decoded) == 1
    assert len(_packs(tmp_path)) == 2  # the image, and the masks


@pytest.mark.parametrize(
    "options",
    [
        {"intensity": ("window", 40, 400)},
        {"intensity": ("clip", -100, 100), "dtype": "int32"},
        {"intensity": "dicom-window", "dtype": "float64"},
        {"dtype": "float32"},
        {"intensity": abs},
        {"orientation": "native"},
    ],
    ids=str,
)
@pytest.mark.parametrize("memory_cache", [0, "256MB"])
def test_packed_slices_equal_the_cut_of_the_volume_for_every_option(
    options: dict[str, Any], memory_cache: int | str, shelf: Shelf, tmp_path: Path
):
    whole = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, **options)
    for _ in range(2):  # cold, then warm
        slices = VolumeDataset(
            resources=[shelf.philips], server_url=shelf.url, cache_dir=tmp_path, memory_cache=memory_cache, **options
        ).slice("coronal")
        for index in (0, 64, 127):
            assert torch.equal(slices[index]["image"], whole[0]["image"].select(2, index))
            assert slices[index]["image"].dtype == whole[0]["image"].dtype


def test_a_damaged_pack_is_made_again_and_told_in_the_log(
    shelf: Shelf, tmp_path: Path, decoded: list[str], caplog: pytest.LogCaptureFixture
):
    expected = slices_of(shelf, tmp_path)[9]["image"]
    for damage in ("cut", "bits"):
        for path in _packs(tmp_path):
            data = bytearray(path.read_bytes())
            if damage == "bits":
                data[40 : len(data) // 2] = bytes(len(data) // 2 - 40)
            path.write_bytes(data[: -10 if damage == "cut" else None])
        with caplog.at_level(logging.WARNING):
            assert torch.equal(slices_of(shelf, tmp_path, memory_cache=0)[9]["image"], expected)
        assert "is damaged" in caplog.text
        assert torch.equal(slices_of(shelf, tmp_path, memory_cache=0)[9]["image"], expected)
    assert len(decoded) == 3


def test_a_cache_that_cannot_be_written_costs_speed_only(
    shelf: Shelf, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    cache = tmp_path / "cache"
    dataset = slices_of(shelf, cache).prepare()
    (cache / "packs").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        items = [dataset[n]["image"] for n in (0, 1)]
    assert "cannot be written" in caplog.text
    whole = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)[0]["image"]
    assert all(torch.equal(item, whole[:, n]) for n, item in enumerate(items))


def test_a_new_mask_is_seen_and_the_image_is_not_decoded_again(
    shelf: Shelf, tmp_path: Path, demo_images: Path, decoded: list[str]
):
    api = Api(server_url=(tmp_path / "store").as_uri())
    api.resources.upload_resources([demo_images / "ct_philips"])
    (resource,) = api.resources.get_list()
    mask = torch.zeros((32, 128, 128), dtype=torch.uint8)
    mask[3, 5:9, 5:9] = 1

    def read() -> dict[str, Any]:
        return VolumeDataset(resources=[resource], server_url=api.server_url, cache_dir=tmp_path).slice()[3]

    assert read()["segmentations"] == {}
    for author, shift in ((ANA, 0), (BEN, 1)):
        api.annotations.upload_volume_segmentation(
            resource, mask.roll(shift, 1).numpy(), name={1: "x"}, axes="dhw", author_email=author
        )
        found = read()["segmentations"]
        assert torch.equal(found[author][0], mask.roll(shift, 1)[3])
    (first,) = (a for a in api.backend.list_annotations(AnnotationQuery()) if a.created_by == ANA)
    api.annotations.delete(first.id)
    assert list(read()["segmentations"]) == [BEN]
    assert len(decoded) == 1


def _sum_of_slices(arguments: tuple[str, str, str]) -> list[float]:
    url, resource, cache = arguments
    slices = VolumeDataset(resources=[resource], server_url=url, cache_dir=cache, memory_cache=0).slice("axial")
    return [float(item["image"].double().sum()) for item in slices]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_that_ask_at_once_all_get_the_right_slices(method: str, shelf: Shelf, tmp_path: Path):
    with multiprocessing.get_context(method).Pool(3) as pool:
        found = pool.map(_sum_of_slices, [(shelf.url, shelf.philips.id, str(tmp_path))] * 3)
    whole = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)[0]["image"].double()
    assert found == [[float(whole[:, n].sum()) for n in range(32)]] * 3
    assert len(_packs(tmp_path)) == 2
