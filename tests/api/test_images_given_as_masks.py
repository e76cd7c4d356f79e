"""An image given as a mask by mistake is refused before anything is stored; values with names are never too many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import nibabel
import numpy as np
import pytest

from datamint_like import Api
from datamint_like.api._masks import Grid, MaskOptions, plan_volume_mask
from datamint_like.backends.base import NewVolumeMask
from datamint_like.exceptions import ValidationError
from datamint_like.imaging import decode_stored, facts_of


def atlas(count: int) -> Any:
    """A label map (x, y, z) with this many labels besides background."""
    mask = np.zeros((128, 128, 28), np.int16)
    mask.reshape(-1)[: count * 3] = np.repeat(np.arange(1, count + 1), 3)
    return mask


def test_a_ct_given_as_its_own_mask_is_refused_with_its_values(
    api: Api, volume: str, demo_images: Path, tmp_path: Path
) -> None:
    facts = facts_of(api.resources.get_by_id(volume))
    assert facts is not None
    assert facts.affine is not None
    parts = api.backend.list_parts([volume])[volume]
    paths = [api.backend.blobs().part_path(part, "ct") for part in parts]
    array = decode_stored(paths, facts).array[0].transpose(2, 1, 0)
    nibabel.save(nibabel.Nifti1Image(array, facts.affine.matrix[:, [2, 1, 0, 3]]), tmp_path / "ct.nii.gz")
    held = np.unique(array[array != 0])
    told = rf"ct\.nii\.gz .* looks like an image.*{len(held):,} different values from {held.min():,} to {held.max():,}"
    with pytest.raises(ValidationError, match=told):
        api.annotations.upload_volume_segmentation(volume, tmp_path / "ct.nii.gz")
    with pytest.raises(ValidationError, match=told):
        api.resources.upload_resource(demo_images / "ct_ge", segmentation_files=[tmp_path / "ct.nii.gz"])
    assert api.annotations.get_list() == []
    assert len(api.resources.get_list()) == 1
    one = api.annotations.upload_volume_segmentation(volume, tmp_path / "ct.nii.gz", "body")
    assert len(one) == 1


@pytest.mark.parametrize("name", ["nih_00000001_000.png", "nih_00000001_000.jpg"])
def test_a_photograph_given_as_its_own_mask_is_refused(api: Api, xray: str, demo_images: Path, name: str) -> None:
    path = demo_images / "xray" / name
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    count = len(np.unique(gray[gray != 0]))
    assert count > 64
    with pytest.raises(ValidationError, match=rf"{name} .* looks like an image, .* holds {count} different values"):
        api.annotations.upload_segmentations(xray, path)
    assert api.annotations.get_list(xray) == []


def test_a_colour_photograph_is_refused_by_its_colours(api: Api, xray: str) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (512, 512, 3)).astype(np.uint8)
    with pytest.raises(ValidationError, match=r"holds [\d,]+ different colours, and a mask without names holds at"):
        api.annotations.upload_segmentations(xray, colours)


def test_the_values_of_all_frames_count_together(api: Api, clip: str) -> None:
    frames = np.zeros((240, 320, 30), np.uint8)
    frames[:3, 0, :] = np.arange(1, 91).reshape(3, 30)
    with pytest.raises(ValidationError, match="holds 90 different values from 1 to 90"):
        api.annotations.upload_segmentations(clip, frames)


def test_an_atlas_needs_no_names_up_to_the_limit_and_with_names_there_is_none(api: Api, volume: str) -> None:
    grid, options = Grid.of_resource(api.resources.get_by_id(volume)), MaskOptions()

    def held(count: int, names: dict[int, str] | None = None) -> int:
        planned = plan_volume_mask(atlas(count), names, grid, options)
        assert isinstance(planned, NewVolumeMask)
        return len(planned.names)

    assert held(255) == 255
    with pytest.raises(ValidationError, match="256 different values from 1 to 256"):
        held(256)
    assert held(1000, {value: f"region {value}" for value in range(1, 1001)}) == 1000


def test_cells_need_no_names_up_to_the_limit_and_with_names_there_is_none(api: Api, xray: str) -> None:
    cells = np.zeros((512, 512), np.uint16)
    cells[0, :200] = np.arange(1, 201)
    assert len(api.annotations.upload_segmentations(xray, np.minimum(cells, 64))) == 64
    with pytest.raises(ValidationError, match="looks like an image"):
        api.annotations.upload_segmentations(xray, cells)
    assert len(api.annotations.upload_segmentations(xray, cells, {"default": "cell"})) == 1
    assert len(api.annotations.upload_segmentations(xray, cells, {n: f"cell {n}" for n in range(1, 201)})) == 200
