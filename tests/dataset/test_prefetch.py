"""A prefetch is complete, or raises after everything else is done; a second one finds everything there."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamint_like.api import Api
from datamint_like.dataset import ImageDataset, VideoDataset, VolumeDataset
from datamint_like.exceptions import DatamintDatasetException, GeometryError, PrefetchError
from datamint_like.imaging import reading
from tests.dataset.conftest import ANA, Shelf


@pytest.fixture
def volumes(shelf: Shelf, tmp_path: Path) -> VolumeDataset:
    options: dict[str, Any] = {"irregular_spacing": "keep", "cache_dir": tmp_path}
    return VolumeDataset(resources=[shelf.philips, shelf.ge], server_url=shelf.url, **options)


@pytest.fixture
def own(tmp_path: Path, demo_images: Path) -> Api:
    """A store of one's own, with two volumes of which one has a mask."""
    api = Api(server_url=(tmp_path / "store").as_uri())
    for name in ("ct_philips", "ct_ge"):
        api.resources.upload_resources([demo_images / name])
    mask = np.zeros((32, 128, 128), np.uint8)
    mask[3, 5:9, 5:9] = 1
    (philips,) = (each for each in api.resources.get_list() if each.metadata["shape"][0] == 32)
    api.annotations.upload_volume_segmentation(philips, mask, name={1: "x"}, axes="dhw", author_email=ANA)
    return api


def of(api: Api, cache: Path, **options: Any) -> VolumeDataset:
    options = {"irregular_spacing": "keep", "cache_dir": cache} | options
    resources = sorted(api.resources.get_list(), key=lambda each: each.metadata["shape"][0], reverse=True)
    return VolumeDataset(resources=resources, server_url=api.server_url, **options)


def blob(api: Api, digest: str) -> Path:
    (path,) = (Path(api.server_url.removeprefix("file://")) / "blobs").rglob(digest)
    return path


def test_files_and_masks_are_counted_and_nothing_is_decoded(
    volumes: VolumeDataset, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(reading, "_decoded", lambda *_, **__: pytest.fail("pixels were read"))
    report = volumes.prefetch()
    assert (report.resources, report.files, report.masks, report.cut) == (2, 60, None, None)
    assert report.size == sum(p.size for row in (0, 1) for p in volumes._prepared.snapshot.parts(row))
    assert str(report) == f"2 resources: 60 files ({report.size / 1e6:.1f} MB) in place."
    assert "prefetch: 100%" in capsys.readouterr().err
    assert volumes.prefetch(include_annotations=True).masks == 3
    assert not (tmp_path / "packs").exists()
    assert pickle.loads(pickle.dumps(report)) == report
    with pytest.raises(AttributeError):
        report.files = 1  # type: ignore[misc]


@pytest.mark.parametrize("axis", ["axial", "coronal", 2])
def test_slices_are_packed_once_and_then_read_without_decoding(
    volumes: VolumeDataset, axis: Any, monkeypatch: pytest.MonkeyPatch
):
    expected = volumes.slice(axis)[40]["image"]
    report = volumes.prefetch(slices=axis, include_annotations=True)
    assert report.packs_made + report.packs_there == 3
    assert report.cut == (axis if isinstance(axis, str) else "sagittal")
    again = volumes.prefetch(slices=axis, include_annotations=True)
    assert (again.packs_made, again.packs_there) == (0, 3)
    assert "0 packs of slices" in str(again)
    monkeypatch.setattr(reading, "_decoded", lambda *_, **__: pytest.fail("pixels were read"))
    fresh = pickle.loads(pickle.dumps(volumes)).slice(axis)
    assert torch.equal(fresh[40]["image"], expected)
    assert list(fresh[0]["segmentations"]) == [ANA, "ben@lab.example"]


def test_a_sliced_dataset_prefetches_its_own_slices(volumes: VolumeDataset, shelf: Shelf, tmp_path: Path):
    sliced = volumes.slice("coronal").filter(tags=["even"])
    report = sliced.prefetch()
    assert (report.resources, report.cut, report.packs_made) == (1, "coronal", 1)
    assert sliced.prefetch(slices="coronal").packs_there == 1
    with pytest.raises(DatamintDatasetException, match="reads slices 'coronal', not 'axial'"):
        sliced.prefetch(slices="axial")
    patches = volumes.patches(8, 2).prefetch(include_annotations=True)
    assert (patches.cut, patches.packs_made) == ("axial", 3)
    videos = VideoDataset(resources=[shelf.clip], server_url=shelf.url, cache_dir=tmp_path)
    assert videos.prefetch().cut is None
    assert (videos.prefetch(slices="frames").packs_made, videos.frame_by_frame().prefetch().packs_there) == (1, 1)
    with pytest.raises(DatamintDatasetException, match="no slices 'axial'"):
        videos.prefetch(slices="axial")


def test_what_has_no_such_slices_is_refused(shelf: Shelf, volumes: VolumeDataset):
    with pytest.raises(DatamintDatasetException, match="single images"):
        ImageDataset(resources=[shelf.xray], server_url=shelf.url).prefetch(slices="axial")
    with pytest.raises(DatamintDatasetException, match="axial"):
        volumes.prefetch(slices="frames")
    with pytest.raises(GeometryError, match=r"ge\.dcm"):
        VolumeDataset(resources=[shelf.ge], server_url=shelf.url).prefetch(slices="coronal")
    whole = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, intensity=abs)
    assert whole.slice("axial").prefetch().cut is None
    with pytest.raises(DatamintDatasetException, match="intensity="):
        whole.prefetch(slices="axial")


def test_what_is_missing_or_damaged_is_named_after_everything_else_is_done(own: Api, tmp_path: Path):
    dataset = of(own, tmp_path / "cache").prepare()
    snapshot = dataset._prepared.snapshot
    missing, damaged = snapshot.parts(0)[4], snapshot.parts(0)[9]
    blob(own, missing.sha256).unlink()
    path = blob(own, damaged.sha256)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    (mask,) = dataset.resource_annotations[0]
    assert mask.sha256
    blob(own, mask.sha256).unlink()
    with pytest.raises(PrefetchError, match="2 resources is incomplete: 3 failures") as caught:
        dataset.prefetch(include_annotations=True, slices="axial")
    failures = caught.value.failures
    assert [missing.filename in failures[0], damaged.filename in failures[1], mask.id in failures[2]] == [True] * 3
    name = dataset.resources[0].filename
    assert all(name in failure for failure in failures)
    assert str(tmp_path) not in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).failures == failures
    packs = list((tmp_path / "cache" / "packs").rglob("axial.npy.gz"))
    assert len(packs) == 1  # the other volume's


def test_a_mask_that_does_not_fit_and_a_file_that_cannot_be_decoded_are_failures(
    own: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from datamint_like.dataset import reader
    from datamint_like.exceptions import DecodeError

    def broken(*_: Any, **named: Any) -> Any:
        raise DecodeError(f"{named['name']}: it is damaged")

    monkeypatch.setattr(reader, "decode_mask", broken)
    dataset = of(own, tmp_path / "cache")
    with pytest.raises(PrefetchError, match="1 failure") as caught:
        dataset.prefetch(include_annotations=True, slices="axial")
    assert "it is damaged" in caught.value.failures[0]
    assert dataset.prefetch(slices="axial").packs_there == 2


def test_a_cache_that_cannot_be_written_is_a_failure_not_a_slow_success(own: Api, tmp_path: Path):
    dataset = of(own, tmp_path / "cache").prepare()
    (tmp_path / "cache" / "packs").write_text("a file where the folder should be")
    with pytest.raises(PrefetchError, match="2 failures") as caught:
        dataset.prefetch(slices="axial")
    assert (
        "cannot be written to the cache folder: Not a directory. Name another cache folder" in caught.value.failures[0]
    )
    assert str(tmp_path) not in str(caught.value)


def test_a_damaged_pack_is_made_again(volumes: VolumeDataset, tmp_path: Path):
    volumes.prefetch(slices="axial")
    (first, _) = sorted((tmp_path / "packs").rglob("axial.npy.gz"))
    first.write_bytes(first.read_bytes()[:-30])
    report = volumes.prefetch(slices="axial")
    assert (report.packs_made, report.packs_there) == (1, 1)


def _prefetched(arguments: tuple[str, list[str], str]) -> tuple[int, int]:
    url, resources, cache = arguments
    options: dict[str, Any] = {"irregular_spacing": "keep", "cache_dir": cache, "server_url": url}
    report = VolumeDataset(resources=resources, **options).prefetch(slices="axial", include_annotations=True)
    return report.packs_made, report.packs_there


def test_processes_that_prefetch_at_once_share_the_work(shelf: Shelf, tmp_path: Path):
    arguments = (shelf.url, [shelf.philips.id, shelf.ge.id], str(tmp_path))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(_prefetched, [arguments] * 2, chunksize=1)
    assert sum(made for made, _ in found) == 3
    assert all(made + there == 3 for made, there in found)
