"""Masks of volumes: laid on the volume by their affine, or as `axes` says, one annotation a label."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pytest

from datamint_like import Api
from datamint_like.exceptions import DecodeError, GeometryError, ValidationError
from datamint_like.imaging import decode_mask, facts_from_metadata
from datamint_like.imaging.types import HeaderFacts


@pytest.fixture
def facts(api: Api, volume: str) -> HeaderFacts:
    found = facts_from_metadata(api.resources.get_by_id(volume).metadata)
    assert found is not None
    return found


@pytest.fixture
def labels() -> npt.NDArray[np.uint8]:
    """A label map (x, y, z) without any symmetry."""
    mask = np.zeros((128, 128, 28), np.uint8)
    mask[10:20, 30:60, 3:9] = 1
    mask[90:120, 5:9, 20:27] = 2
    return mask


def stored(api: Api, volume: str, facts: HeaderFacts) -> dict[str, Any]:
    """The masks as the resource's own grid (k, j, i) has them."""
    return {
        each.identifier: decode_mask(api.annotations.download_file(each), facts, name="mask")
        for each in api.annotations.get_list(volume)
    }


def expect(found: dict[str, Any], labels: Any, names: dict[int, str]) -> None:
    assert set(found) == set(names.values())
    for label, name in names.items():
        assert np.array_equal(found[name], (labels == label).transpose(2, 1, 0))


def test_an_array_lies_as_nibabel_shows_the_volume(api: Api, volume: str, facts: HeaderFacts, labels: Any) -> None:
    names = {1: "liver", 2: "spleen"}
    ids = api.annotations.upload_volume_segmentation(volume, labels, names, author_email="a@lab.example")
    assert [api.annotations.get_by_id(each).scope for each in ids] == ["image", "image"]
    assert {api.annotations.get_by_id(each).author for each in ids} == {"a@lab.example"}
    expect(stored(api, volume, facts), labels, names)
    affine = nibabel.Nifti1Image.from_bytes(gzip.decompress(api.annotations.download_file(ids[0]))).affine
    assert np.allclose(np.linalg.norm(affine[:3, :3], axis=0), facts.affine.spacing[::-1])  # type: ignore[union-attr]


def test_an_array_may_lie_as_an_item_has_it(api: Api, volume: str, facts: HeaderFacts, labels: Any) -> None:
    from datamint_like.imaging import turn_of

    item = turn_of(facts).array(labels.transpose(2, 1, 0))
    api.annotations.upload_volume_segmentation(volume, item, {1: "liver", 2: "spleen"}, axes="dhw")
    expect(stored(api, volume, facts), labels, {1: "liver", 2: "spleen"})


@pytest.mark.parametrize("form", ["path", "text", "bytes", "uncompressed"])
def test_a_nifti_without_geometry_takes_that_of_the_volume(
    api: Api, volume: str, facts: HeaderFacts, labels: Any, tmp_path: Path, form: str
) -> None:
    path = tmp_path / ("mask.nii" if form == "uncompressed" else "mask.nii.gz")
    nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), path)
    source = {"text": str(path), "bytes": path.read_bytes()}.get(form, path)
    api.annotations.upload_volume_segmentation(volume, source, {1: "liver", 2: "spleen"})  # type: ignore[arg-type]
    expect(stored(api, volume, facts), labels, {1: "liver", 2: "spleen"})


def test_a_nifti_in_another_orientation_is_turned_to_the_volume(
    api: Api, volume: str, facts: HeaderFacts, labels: Any, tmp_path: Path
) -> None:
    assert facts.affine is not None
    affine = facts.affine.matrix @ np.eye(4)[[2, 1, 0, 3]]
    image = nibabel.Nifti1Image(labels, affine)
    nibabel.save(nibabel.as_closest_canonical(image), tmp_path / "mask.nii.gz")
    api.annotations.upload_volume_segmentation(volume, tmp_path / "mask.nii.gz", {1: "liver", 2: "spleen"})
    expect(stored(api, volume, facts), labels, {1: "liver", 2: "spleen"})


def test_a_nifti_given_as_frames_is_a_volume_mask(
    api: Api, volume: str, facts: HeaderFacts, labels: Any, tmp_path: Path
) -> None:
    nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), tmp_path / "mask.nii.gz")
    api.annotations.upload_segmentations(volume, tmp_path / "mask.nii.gz", {1: "liver", 2: "spleen"})
    expect(stored(api, volume, facts), labels, {1: "liver", 2: "spleen"})


def test_one_name_joins_all_labels_and_no_name_names_by_label(
    api: Api, volume: str, facts: HeaderFacts, labels: Any
) -> None:
    api.annotations.upload_volume_segmentation(volume, labels, "tissue")
    assert np.array_equal(stored(api, volume, facts)["tissue"], (labels != 0).transpose(2, 1, 0))
    api.annotations.upload_volume_segmentation(volume, labels)
    assert set(stored(api, volume, facts)) == {"tissue", "seg_1", "seg_2"}


def test_a_mask_of_another_grid_names_both(api: Api, volume: str, tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.ones((128, 128, 28), np.uint8), np.diag([9, 9, 9, 1])), tmp_path / "far.nii.gz")
    with pytest.raises(GeometryError, match=r"far\.nii\.gz.*another grid.*28, 128, 128"):
        api.annotations.upload_volume_segmentation(volume, tmp_path / "far.nii.gz", "a")
    with pytest.raises(GeometryError, match=r"\(12, 12, 3\).*\(128, 128, 28\)"):
        api.annotations.upload_volume_segmentation(volume, np.ones((12, 12, 3), np.uint8), "a")
    assert api.annotations.get_list(volume) == []


def test_labels_need_names_and_a_map_needs_labels(api: Api, volume: str, labels: Any, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"values without a name: 2. Named are {1: 'liver'}"):
        api.annotations.upload_volume_segmentation(volume, labels, {1: "liver"})
    with pytest.raises(ValidationError, match="background only"):
        api.annotations.upload_volume_segmentation(volume, labels * 0, {1: "liver"})
    (tmp_path / "x.nii.gz").write_bytes(b"no image")
    with pytest.raises(DecodeError, match=r"x\.nii\.gz"):
        api.annotations.upload_volume_segmentation(volume, tmp_path / "x.nii.gz", {1: "liver"})
    with pytest.raises(ValidationError, match='"xyz" or "dhw"'):
        api.annotations.upload_volume_segmentation(volume, labels, axes="zyx")  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError, match="axes"):
        api.annotations.upload_volume_segmentation(volume, labels, transpose_segmentation=True)
    assert api.annotations.get_list(volume) == []
