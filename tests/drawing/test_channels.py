"""Which channels of an item are drawn, and when they are colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image

from datamint_like.backends import open_backend
from datamint_like.backends.base import NewResource
from datamint_like.dataset import DatamintBaseDataset, ImageDataset, VideoDataset, VolumeDataset
from datamint_like.drawing.card import card
from datamint_like.drawing.sheet import sheet_of
from tests.dataset.conftest import Shelf

GRAY = np.arange(8 * 9 * 10, dtype=np.uint8).reshape(8, 9, 10)


def drawn(dataset: DatamintBaseDataset, index: int) -> np.ndarray:
    """The pixels of the first picture of an item, without its masks."""
    sheet = sheet_of(dataset, index)
    return sheet.picture(sheet.planes[0])


def of(kind: type[DatamintBaseDataset], path: Path, tmp_path: Path, **options: Any) -> DatamintBaseDataset:
    backend = open_backend((tmp_path / "store").as_uri())
    resource = backend.create_resource(NewResource(paths=(path,), filename=path.name))
    return kind(resources=[resource], server_url=backend.url, **options)


def nifti(values: np.ndarray, folder: Path) -> Path:
    path = folder / "volume.nii"
    nib.save(nib.Nifti1Image(values, np.diag([-1.0, -1, 1, 1])), path)
    return path


def is_gray(pixels: np.ndarray) -> bool:
    return bool((pixels == pixels[..., :1]).all())


@pytest.mark.parametrize("neighbors", [1, 2])
def test_a_slice_with_neighbours_is_drawn_as_the_slice_alone(shelf: Shelf, neighbors: int) -> None:
    volumes = VolumeDataset(resources=[shelf.philips], server_url=shelf.url)
    alone, among = volumes.slice("axial"), volumes.slice("axial", neighbors=neighbors)
    np.testing.assert_array_equal(drawn(among, 10), drawn(alone, 10))
    assert not np.array_equal(drawn(alone, 10), drawn(alone, 10 - neighbors))
    assert "neighbours are not drawn" in sheet_of(among, 10).notes
    among.montage(3)


def test_a_frame_of_colour_with_neighbours_is_drawn_in_its_own_colour(shelf: Shelf) -> None:
    videos = VideoDataset(resources=[shelf.clip], server_url=shelf.url)
    np.testing.assert_array_equal(drawn(videos.frame_by_frame(neighbors=1), 7), drawn(videos.frame_by_frame(), 7))
    assert not is_gray(drawn(videos.frame_by_frame(), 7))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_time_points_are_no_colours_however_many_there_are(tmp_path: Path, dtype: type) -> None:
    for count in (2, 3, 4):
        folder = tmp_path / str(count)
        folder.mkdir()
        values = np.stack([GRAY * (n + 1) for n in range(count)], axis=-1).astype(dtype)
        dataset = of(VolumeDataset, nifti(values, folder), folder)
        sheet = sheet_of(dataset, 0)
        np.testing.assert_array_equal(sheet.image, dataset[0]["image"][:1])
        assert sheet.shade is not None
        assert is_gray(drawn(dataset, 0))
        assert f"channel 0 of 0-{count - 1}" in sheet.notes
        assert "channel 0" in " ".join(sheet_of(dataset.slice("axial", neighbors=1), 3).notes)


def test_slices_of_time_points_with_neighbours_show_the_first_time_point_of_the_slice(tmp_path: Path) -> None:
    values = np.stack([GRAY, GRAY[::-1]], axis=-1).astype(np.int16)
    slices = of(VolumeDataset, nifti(values, tmp_path), tmp_path).slice("axial", neighbors=2)
    np.testing.assert_array_equal(sheet_of(slices, 4).image[0], slices[4]["image"][4])


@pytest.mark.parametrize("samples", ["RGB", "RGBA"])
def test_colour_of_a_nifti_is_colour(tmp_path: Path, samples: str) -> None:
    values = np.zeros(GRAY.shape, [(letter, np.uint8) for letter in samples])
    values["R"], values["G"] = GRAY, 7
    dataset = of(VolumeDataset, nifti(values, tmp_path), tmp_path)
    assert sheet_of(dataset, 0).shade is None
    np.testing.assert_array_equal(sheet_of(dataset, 0).image, dataset[0]["image"][:3])
    assert not is_gray(drawn(dataset, 0))


def test_samples_beside_the_gray_of_a_tiff_are_no_colours_and_its_rgb_is(tmp_path: Path) -> None:
    values = np.stack([GRAY[0], GRAY[1], GRAY[2]], axis=-1)
    for photometric, gray in (("minisblack", True), ("rgb", False)):
        tifffile.imwrite(
            path := tmp_path / f"{photometric}.tif", values, photometric=photometric, planarconfig="contig"
        )
        assert is_gray(drawn(of(ImageDataset, path, tmp_path), 0)) is gray


@pytest.mark.parametrize(("mode", "gray"), [("L", True), ("LA", True), ("RGB", False), ("RGBA", False)])
def test_pictures_are_colour_where_they_have_three_colours(tmp_path: Path, mode: str, gray: bool) -> None:
    path = tmp_path / "one.png"
    Image.fromarray(np.stack([GRAY[0], GRAY[0] // 2, GRAY[0] // 3], axis=-1)).convert(mode).save(path)
    assert is_gray(drawn(of(ImageDataset, path, tmp_path), 0)) is gray


def test_channels_that_a_transform_made_of_gray_are_shown_by_the_first(tmp_path: Path, shelf: Shelf) -> None:
    def three(image: Any, masks: Any) -> dict[str, Any]:
        return {"image": np.concatenate([image, image[..., :1] * 0, image[..., :1] * 0], axis=-1), "masks": masks}

    plain = ImageDataset(resources=[shelf.xray], server_url=shelf.url)
    made = ImageDataset(resources=[shelf.xray], server_url=shelf.url, alb_transform=three)
    np.testing.assert_array_equal(drawn(made, 0), drawn(plain, 0))
    among = VolumeDataset(resources=[shelf.philips], server_url=shelf.url, alb_transform=three).slice(neighbors=1)
    assert is_gray(drawn(among, 4))
    assert "<img" in card(among.prepare())
