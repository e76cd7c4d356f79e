"""Masks of frames: every form they come in gives the same stored pixels under the right names and frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from datamint_like import Api
from datamint_like.entities import Annotation
from datamint_like.exceptions import DatamintWarning


def stored(api: Api, annotation: Annotation) -> npt.NDArray[np.uint8]:
    """The mask's PNG, read by another library."""
    image = cv2.imdecode(np.frombuffer(api.annotations.download_file(annotation), np.uint8), cv2.IMREAD_UNCHANGED)
    assert set(np.unique(image)) <= {0, 255}
    return (image != 0).astype(np.uint8)


def by_name(api: Api, resource: str) -> dict[tuple[str, int | None], npt.NDArray[np.uint8]]:
    return {(each.identifier, each.frame_index): stored(api, each) for each in api.annotations.get_list(resource)}


@pytest.fixture
def two_classes() -> npt.NDArray[np.uint8]:
    mask = np.zeros((512, 512), np.uint8)
    mask[10:20, 30:60] = 1
    mask[100:300, 5:9] = 2
    return mask


def test_a_mask_file_under_one_name(api: Api, xray: str, demo_images: Path) -> None:
    path = demo_images / "xray" / "nih_00000001_000_mask.png"
    ids = api.annotations.upload_segmentations(xray, path, "lung", author_email="b@lab.example", imported_from="nih")
    annotation = api.annotations.get_by_id(ids[0])
    assert (annotation.scope, annotation.frame_index, annotation.author) == ("frame", 0, "b@lab.example")
    assert (annotation.source, annotation.imported_from) == ("imported", "nih")
    assert np.array_equal(stored(api, annotation), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) != 0)


@pytest.mark.parametrize("keys", [(1, 2), (np.int64(1), np.uint8(2)), ("1", "2"), ((1, 1, 1), (2, 2, 2)), ((1,), (2,))])
def test_grey_values_are_named_by_number(api: Api, xray: str, two_classes: Any, keys: Any) -> None:
    api.annotations.upload_segmentations(xray, two_classes, {keys[0]: "lesion", keys[1]: "organ"})
    found = by_name(api, xray)
    assert list(found) == [("lesion", 0), ("organ", 0)]
    assert np.array_equal(found["lesion", 0], two_classes == 1)
    assert np.array_equal(found["organ", 0], two_classes == 2)


def test_every_form_of_one_mask_stores_the_same(api: Api, xray: str, two_classes: Any, tmp_path: Path) -> None:
    grey = tmp_path / "grey.png"
    cv2.imwrite(str(grey), two_classes)
    colour = np.repeat(two_classes[..., None], 3, axis=-1)
    forms = [two_classes, grey, str(grey), grey.read_bytes(), two_classes[..., None], colour, two_classes.astype(float)]
    for form in forms:
        ids = api.annotations.upload_segmentations(xray, form, {1: "lesion", 2: "organ"})
        assert np.array_equal(stored(api, api.annotations.get_by_id(ids[1])), two_classes == 2)


def test_colours_are_named_by_tuple(api: Api, xray: str, two_classes: Any, tmp_path: Path) -> None:
    rgb = np.zeros((512, 512, 3), np.uint8)
    rgb[two_classes == 1] = (255, 0, 0)
    rgb[two_classes == 2] = (0, 128, 7)
    path = tmp_path / "colour.png"
    cv2.imwrite(str(path), rgb[..., ::-1])
    names = {(255, 0, 0): "lesion", (0, 128, 7): "organ"}
    for form in (rgb, path, np.moveaxis(rgb, -1, 0)[..., None]):
        ids = api.annotations.upload_segmentations(xray, form, names)
        kept = {each.identifier: stored(api, each) for each in map(api.annotations.get_by_id, ids)}
        assert np.array_equal(kept["lesion"], two_classes == 1)
        assert np.array_equal(kept["organ"], two_classes == 2)


def test_a_transparent_pixel_is_background(api: Api, xray: str, two_classes: Any) -> None:
    rgba = np.full((512, 512, 4), 255, np.uint8)
    rgba[..., 3] = np.where(two_classes == 1, 255, 0)
    ids = api.annotations.upload_segmentations(xray, rgba, "a")
    assert np.array_equal(stored(api, api.annotations.get_by_id(ids[0])), two_classes == 1)


def test_the_key_default_names_the_rest_and_no_name_names_by_value(api: Api, xray: str, two_classes: Any) -> None:
    api.annotations.upload_segmentations(xray, two_classes, {1: "lesion", "default": "other"})
    api.annotations.upload_segmentations(xray, two_classes)
    assert {name for name, _ in by_name(api, xray)} == {"lesion", "other", "seg_1", "seg_2"}


def test_two_values_under_one_name_are_one_mask(api: Api, xray: str, two_classes: Any) -> None:
    api.annotations.upload_segmentations(xray, two_classes, {1: "a", 2: "a"})
    assert np.array_equal(by_name(api, xray)["a", 0], two_classes != 0)


def test_frames_come_last_in_an_array(api: Api, clip: str) -> None:
    mask = np.zeros((240, 320, 30), bool)
    mask[5:9, 7:20, 3] = True
    mask[50:90, 7:20, 29] = True
    api.annotations.upload_segmentations(clip, mask, "valve")
    found = by_name(api, clip)
    assert list(found) == [("valve", 3), ("valve", 29)]
    for (_, frame), image in found.items():
        assert frame is not None
        assert np.array_equal(image, mask[..., frame])


def test_frames_go_where_frame_index_says(api: Api, volume: str) -> None:
    mask = np.ones((128, 128, 2), np.uint8)
    api.annotations.upload_segmentations(volume, mask, "a", frame_index=[27, 0])
    api.annotations.upload_segmentations(volume, mask[..., 0], "b", frame_index=4)
    assert set(by_name(api, volume)) == {("a", 27), ("a", 0), ("b", 4)}


def test_axes_are_exchanged_when_asked(api: Api, clip: str) -> None:
    mask = np.zeros((240, 320), np.uint8)
    mask[5:9, 7:20] = 1
    api.annotations.upload_segmentations(clip, mask.T, "a", frame_index=0, transpose_segmentation=True)
    assert np.array_equal(by_name(api, clip)["a", 0], mask)


def test_background_alone_stores_nothing_and_says_so(api: Api, xray: str) -> None:
    empty = np.zeros((512, 512), np.uint8)
    with pytest.warns(DatamintWarning, match="background only"):
        assert api.annotations.upload_segmentations(xray, empty, "a") == []
    ids = api.annotations.upload_segmentations(xray, empty, {1: "a", 2: "b"}, discard_empty_segmentations=False)
    assert [api.annotations.get_by_id(each).identifier for each in ids] == ["a", "b"]


def test_a_model_is_the_author_under_both_published_names(api: Api, xray: str, two_classes: Any) -> None:
    for keyword in ("ai_model_name", "model_name"):
        ids = api.annotations.upload_segmentations(xray, two_classes, "a", **{keyword: "unet"})
        assert api.annotations.get_by_id(ids[0]).author == "unet"
