"""Masks as other libraries hold them: tensors, nibabel images, pictures with a palette."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

from datamint_like import Api
from datamint_like.exceptions import DecodeError, GeometryError, ValidationError
from datamint_like.imaging import decode_frame_mask, required_facts

VOC = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]


def png(rows: np.ndarray, bits: int, palette: list[tuple[int, int, int]], *more: tuple[bytes, bytes]) -> bytes:
    """A palette PNG by its specification, written by hand."""
    height, width = rows.shape
    padded = np.pad(rows, ((0, 0), (0, -width % (8 // bits)))).reshape(height, -1, 8 // bits)
    packed = sum(padded[..., n].astype(np.uint16) << (8 - bits * (n + 1)) for n in range(8 // bits))
    lines = b"".join(b"\0" + bytes(np.asarray(line, np.uint8)) for line in np.asarray(packed))
    header = struct.pack(">IIBBBBB", width, height, bits, 3, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"PLTE", bytes(np.array(palette, np.uint8).ravel())), *more]
    chunks += [(b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    whole = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(whole)


@pytest.fixture
def indices(api: Api, xray: str) -> np.ndarray:
    shape = required_facts(api.resources.get_by_id(xray)).shape[1:]
    found = np.zeros(shape, np.uint8)
    found[:5], found[7:10, 3:9] = 1, 2
    return found


def stored(api: Api, xray: str) -> dict[str, np.ndarray]:
    resource = api.resources.get_by_id(xray)
    found = api.annotations.get_list(xray)
    return {
        each.identifier: decode_frame_mask(
            api.annotations.download_file(each), required_facts(resource), name=each.identifier
        )
        for each in found
    }


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_numbers_name_the_indices_of_a_palette_png(
    api: Api, xray: str, indices: np.ndarray, tmp_path: Path, bits: int
) -> None:
    (tmp_path / "voc.png").write_bytes(png(indices, bits, VOC))
    api.annotations.upload_segmentations(xray, tmp_path / "voc.png", {1: "a", "2": "b"})
    found = stored(api, xray)
    assert sorted(found) == ["a", "b"]
    np.testing.assert_array_equal(found["a"], indices == 1)
    np.testing.assert_array_equal(found["b"], indices == 2)


def test_colours_name_the_colours_of_a_palette_png(api: Api, xray: str, indices: np.ndarray) -> None:
    api.annotations.upload_segmentations(xray, png(indices, 8, VOC), {(128, 0, 0): "a", (0, 128, 0): "b"})
    found = stored(api, xray)
    np.testing.assert_array_equal(found["a"], indices == 1)
    np.testing.assert_array_equal(found["b"], indices == 2)


def test_two_indices_of_one_colour_stay_two_classes_and_transparency_plays_no_role(
    api: Api, xray: str, indices: np.ndarray
) -> None:
    data = png(indices, 2, [(0, 0, 0)] * 3, (b"tRNS", b"\0\0\0"))
    api.annotations.upload_segmentations(xray, data, {1: "a", 2: "b"})
    np.testing.assert_array_equal(stored(api, xray)["b"], indices == 2)


def test_an_index_without_a_name_is_told_with_mask_and_resource(
    api: Api, xray: str, indices: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "voc.png").write_bytes(png(indices, 8, VOC))
    with pytest.raises(ValidationError, match=rf"voc\.png \(for nih_.*{xray}.*values without a name: 2\."):
        api.annotations.upload_segmentations(xray, tmp_path / "voc.png", {1: "a"})
    assert api.annotations.get_all() == []


def test_one_bit_is_enough_for_a_palette(api: Api, xray: str, indices: np.ndarray) -> None:
    api.annotations.upload_segmentations(xray, png(indices % 2, 1, [(255, 255, 255), (0, 0, 0)]), {1: "a"})
    np.testing.assert_array_equal(stored(api, xray)["a"], indices == 1)


def test_a_damaged_palette_png_is_a_decode_error(api: Api, xray: str, indices: np.ndarray) -> None:
    with pytest.raises(DecodeError):
        api.annotations.upload_segmentations(xray, png(indices, 8, VOC)[:-20], {1: "a", 2: "b"})


TENSORS: dict[str, Any] = {
    "whole numbers": lambda: torch.ones(128, 128, dtype=torch.uint8),
    "booleans": lambda: torch.ones(128, 128, dtype=torch.bool),
    "with a gradient": lambda: torch.ones(128, 128, requires_grad=True),
}


@pytest.mark.parametrize("case", TENSORS)
def test_a_tensor_is_a_mask(api: Api, volume: str, case: str) -> None:
    ids = api.annotations.upload_segmentations(volume, TENSORS[case](), "lung", frame_index=3)
    assert [api.annotations.get_by_id(each).frame_index for each in ids] == [3]


def test_a_tensor_of_a_type_that_numpy_lacks_is_refused(api: Api, volume: str) -> None:
    with pytest.raises(ValidationError, match="The mask, a Tensor, cannot be read"):
        api.annotations.upload_segmentations(volume, torch.ones(128, 128, dtype=torch.bfloat16), "a", frame_index=3)


def test_a_nibabel_image_is_the_mask_that_its_file_is(api: Api, volume: str, tmp_path: Path) -> None:
    facts = required_facts(api.resources.get_by_id(volume))
    assert facts.affine is not None
    labels = np.zeros(facts.shape[::-1], np.uint8)
    labels[3:9, 4:8, 2:5] = 1
    swap = np.eye(4)[[2, 1, 0, 3]]
    image = nibabel.Nifti1Image(labels, facts.affine.matrix @ swap)
    nibabel.save(image, tmp_path / "mask.nii")
    given = [image, nibabel.load(tmp_path / "mask.nii"), tmp_path / "mask.nii"]
    ids = [api.annotations.upload_volume_segmentation(volume, each, {1: "a"})[0] for each in given]
    assert len({api.annotations.get_by_id(each).sha256 for each in ids}) == 1
    assert api.annotations.upload_segmentations(volume, image, {1: "a"})


def test_a_nibabel_image_whose_file_is_gone_is_refused(api: Api, volume: str, tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4)), tmp_path / "mask.nii")
    image = nibabel.load(tmp_path / "mask.nii")
    (tmp_path / "mask.nii").unlink()
    with pytest.raises(ValidationError, match="The mask, a Nifti1Image, cannot be read"):
        api.annotations.upload_volume_segmentation(volume, image, {1: "a"})


def test_an_array_that_would_fit_the_other_way_says_how(api: Api, volume: str) -> None:
    with pytest.raises(GeometryError, match=r'series_2.*If it lies as items are, \(D, H, W\), pass axes="dhw"\.'):
        api.annotations.upload_volume_segmentation(volume, np.ones((28, 128, 128), int), {1: "a"})
    with pytest.raises(GeometryError, match=r'If it lies as nibabel shows it, \(x, y, z\), pass axes="xyz"\.'):
        api.annotations.upload_volume_segmentation(volume, np.ones((128, 128, 28), int), {1: "a"}, axes="dhw")
    with pytest.raises(GeometryError) as caught:
        api.annotations.upload_volume_segmentation(volume, np.ones((3, 4, 5), int), {1: "a"})
    assert "If it lies" not in str(caught.value)


@pytest.mark.parametrize("mask", [np.full((128, 128, 28), 0.5), np.full((128, 128, 28), "a"), np.ones((3, 4, 5))])
def test_an_array_that_is_no_label_map_is_told_with_its_resource(api: Api, volume: str, mask: np.ndarray) -> None:
    with pytest.raises((DecodeError, GeometryError), match=rf"The mask array \(.*It is for series_2.*{volume}"):
        api.annotations.upload_volume_segmentation(volume, mask, {1: "a"})
