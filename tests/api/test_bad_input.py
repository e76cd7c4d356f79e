"""Bad files and bad arguments: each is a named error that says which file and what to do, and stores nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamint_like import Api
from datamint_like.exceptions import DatamintException, DecodeError, GeometryError, ItemNotFoundError, ValidationError


def truncated(folder: Path, images: Path) -> Path:
    path = folder / "short.dcm"
    path.write_bytes((images / "ct_ge" / "IM0000.dcm").read_bytes()[:300])
    return path


def cut_png(folder: Path, images: Path) -> Path:
    path = folder / "short.png"
    path.write_bytes((images / "xray" / "cr_16bit.png").read_bytes()[:20])
    return path


def text(folder: Path, images: Path) -> Path:
    path = folder / "notes.txt"
    path.write_text("no image")
    return path


def nothing(folder: Path, images: Path) -> Path:
    path = folder / "zero.dcm"
    path.write_bytes(b"")
    return path


def empty_folder(folder: Path, images: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def folder_of_texts(folder: Path, images: Path) -> Path:
    (folder / "texts").mkdir()
    for n in range(7):
        (folder / "texts" / f"{n}.txt").write_text("no image")
    return folder / "texts"


def pipe(folder: Path, images: Path) -> Path:
    os.mkfifo(folder / "pipe.dcm")
    return folder / "pipe.dcm"


def one_bad_among_good(folder: Path, images: Path) -> list[Path]:
    return [images / "xray" / "cr_16bit.png", text(folder, images)]


Make = Callable[[Path, Path], Any]
FILES: dict[str, tuple[Make, type[DatamintException], str]] = {
    "a truncated DICOM": (truncated, DecodeError, r"short\.dcm"),
    "a truncated PNG": (cut_png, DecodeError, r"short\.png"),
    "a text file": (text, DecodeError, r"notes\.txt: .*DICOM, NIfTI, PNG and JPEG can be read"),
    "an empty file": (nothing, DecodeError, r"zero\.dcm: .*empty"),
    "an empty folder": (empty_folder, ValidationError, r"folder .*empty holds no file. Give the folder that"),
    "a folder without an image": (folder_of_texts, DecodeError, r"None of the 7 files .*0\.txt.*and 2 more"),
    "one bad file among good ones": (one_bad_among_good, DecodeError, r"1 of 2 files.*notes\.txt.*on_error=\"skip\""),
    "a path that is not there": (lambda f, i: f / "lost.dcm", ValidationError, r"lost\.dcm. Check the path"),
    "a pipe, which would never end": (pipe, ValidationError, r"pipe\.dcm is neither a file nor a folder"),
    "a pattern without a match": (lambda f, i: f / "*.dcm", ValidationError, r"Nothing matches the pattern .*\*\.dcm"),
    "a number": (lambda f, i: 7, ValidationError, "not as a int"),
    "a list of numbers": (lambda f, i: [7], ValidationError, "not a int"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_is_named_and_nothing_is_stored(api: Api, tmp_path: Path, demo_images: Path, case: str) -> None:
    make, error, message = FILES[case]
    (tmp_path / "given").mkdir()
    given = make(tmp_path / "given", demo_images)
    with pytest.raises(error, match=message):
        api.resources.upload_resources(given)
    assert api.resources.get_list(deleted="include") == []


def test_skipping_still_raises_when_no_file_at_all_is_an_image(api: Api, tmp_path: Path, demo_images: Path) -> None:
    with pytest.raises(DecodeError, match=r"None of the 7 files can be imported"):
        api.resources.upload_resources(folder_of_texts(tmp_path, demo_images), on_error="skip")


ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "tags as one text": ({"tags": "ct"}, r'Tags are a list of texts, such as \["ct", "train"\]'),
    "an unknown on_error": ({"on_error": "ignore"}, '"raise" or "skip"'),
    "too little metadata": ({"metadata": [{}, {}]}, "2 entries for 1 files_path"),
    "metadata that is no JSON": ({"metadata": "{broken"}, "metadata cannot be read as a JSON object"),
    "metadata that is a JSON list": ({"metadata": ["lost.json"]}, r"lost\.json cannot be read"),
    "too few masks": ({"segmentation_files": []}, "one entry for each of the 1 files_path"),
    "masks without files": ({"segmentation_files": [{"names": ["a"]}]}, '"files"'),
    "more masks than names": (
        {"segmentation_files": [{"files": ["a.png"], "names": ["a", "b"]}]},
        "1 files and 2 names",
    ),
    "a mask that is not there": ({"segmentation_files": [["lost.png"]]}, r"lost\.png cannot be read"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_a_bad_argument_is_named_and_nothing_is_stored(api: Api, demo_images: Path, case: str) -> None:
    arguments, message = ARGUMENTS[case]
    with pytest.raises(ValidationError, match=message):
        api.resources.upload_resources([demo_images / "xray" / "cr_16bit.png"], **arguments)
    assert api.resources.get_list(deleted="include") == []


MASKS: dict[str, tuple[Any, dict[str, Any], type[DatamintException], str]] = {
    "another size": (np.ones((10, 12)), {"name": "a"}, GeometryError, r"10 rows x 12 columns.*128 x 128"),
    "planes first": (np.ones((28, 128, 128)), {"name": "a"}, GeometryError, "moveaxis"),
    "no frame said": (np.ones((128, 128)), {"name": "a"}, ValidationError, "1 frame.* has 28. Say with frame_index="),
    "a frame beyond the last": (
        np.ones((128, 128)),
        {"name": "a", "frame_index": 28},
        ValidationError,
        "frames 0 to 27; there is no frame 28",
    ),
    "fewer indices than frames": (
        np.ones((128, 128, 3)),
        {"name": "a", "frame_index": [1, 2]},
        ValidationError,
        "3 frame.*names 2",
    ),
    "a value without a name": (
        np.full((128, 128), 3),
        {"name": {1: "a"}, "frame_index": 0},
        ValidationError,
        r"values without a name: 3. Named are {1: 'a'}",
    ),
    "fractions": (np.full((128, 128), 0.5), {"name": "a", "frame_index": 0}, ValidationError, "whole numbers"),
    "five axes": (np.ones((1, 1, 1, 1, 1)), {"name": "a"}, ValidationError, "(H, W, frames)"),
    "an empty name": (np.ones((128, 128)), {"name": " ", "frame_index": 0}, ValidationError, "not empty"),
    "a name that is a number": (
        np.ones((128, 128)),
        {"name": 1, "frame_index": 0},
        ValidationError,
        "one text, or a dict",
    ),
    "a key that is no value": (np.ones((128, 128)), {"name": {"x": "a"}}, ValidationError, "grey value"),
    "a file that is not there": ("lost.png", {"name": "a"}, ValidationError, r"lost\.png cannot be read"),
    "a file that is no image": (b"no image", {"name": "a", "frame_index": 0}, DecodeError, "mask"),
    "no mask at all": (None, {"name": "a"}, ValidationError, "not a NoneType"),
}


@pytest.mark.parametrize("case", MASKS)
def test_a_bad_mask_is_named_with_its_volume_and_nothing_is_stored(api: Api, volume: str, case: str) -> None:
    mask, arguments, error, message = MASKS[case]
    with pytest.raises(error, match=message):
        api.annotations.upload_segmentations(volume, mask, **arguments)
    assert api.annotations.get_list(volume) == []


def test_an_unknown_resource_is_named_by_every_call_that_takes_one(api: Api, tmp_path: Path) -> None:
    lost = "11111111-1111-1111-1111-111111111111"
    calls: list[Callable[[], Any]] = [
        lambda: api.resources.get_by_id(lost),
        lambda: api.resources.download_resource_file(lost),
        lambda: api.resources.set_tags(lost, ["a"]),
        lambda: api.resources.add_tags([lost], ["a"]),
        lambda: api.resources.publish(lost),
        lambda: api.resources.delete(lost),
        lambda: api.resources.restore(lost),
        lambda: api.annotations.get_list(lost),
        lambda: api.annotations.add_label_annotation(lost, "a"),
        lambda: api.annotations.upload_segmentations(lost, np.ones((2, 2)), "a"),
        lambda: api.annotations.get_by_id(lost),
        lambda: api.annotations.approve(lost),
        lambda: api.annotations.delete(lost),
        lambda: api.annotations.download_file(lost),
        lambda: api.annotationsets.get_by_id(lost),
        lambda: api.projects.create("x", resources_ids=[lost]),
    ]
    for call in calls:
        with pytest.raises(ItemNotFoundError, match=lost):
            call()
    assert api.projects.get_all() == []
