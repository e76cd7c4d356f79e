"""Bad files and bad arguments: each is a named error that says which file and what to do, and stores nothing."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import datamint_like
from datamint_like import Api
from datamint_like.entities import Project
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
XRAY = Path(datamint_like.__file__).parent / "demo" / "images" / "xray" / "cr_16bit.png"
MASK = np.ones((512, 512))


def closed() -> io.BytesIO:
    stream = io.BytesIO(b"")
    stream.close()
    return stream


def classes(**more: Any) -> dict[str, Any]:
    return {"definitions": [{"identifier": "liver", **more}]}


FILES: dict[str, tuple[Make, type[DatamintException], str]] = {
    "a truncated DICOM": (truncated, DecodeError, r"short\.dcm"),
    "a truncated PNG": (cut_png, DecodeError, r"short\.png"),
    "a text file": (text, DecodeError, r"notes\.txt: .*DICOM, NIfTI, PNG, .* can be read"),
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
    "tags as one text": ({"tags": "ct"}, r'tags is a list, such as \["ct", "train"\], not .ct.'),
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


def loop() -> list[Any]:
    itself: list[Any] = []
    itself.append(itself)
    return itself


CALLS: dict[str, tuple[Callable[[Api, str, str], Any], str]] = {
    # files
    "a path that is too long": (lambda api, xray, p: api.resources.upload_resources("a" * 5000), "File name too long"),
    "a home of nobody": (lambda api, xray, p: api.resources.upload_resources("~nosuchuser/x"), "~nosuchuser/x cannot"),
    "a mask in a home of nobody": (
        lambda api, xray, p: api.annotations.upload_segmentations(xray, "~nosuchuser/x.png", "a"),
        r"The mask x\.png cannot be read",
    ),
    "a closed file": (
        lambda api, xray, p: api.resources.upload_resources(closed()),
        "An open file cannot be read: I/O operation on closed file",
    ),
    "metadata that are numbers": (
        lambda api, xray, p: api.resources.upload_resources(XRAY, metadata=[5]),
        "Each metadata is a dict, JSON text or the path of a JSON file, not 5",
    ),
    "metadata that is a number": (
        lambda api, xray, p: api.resources.upload_resources(XRAY, metadata=5),
        "metadata is a list, .* not 5",
    ),
    "masks that are a number": (
        lambda api, xray, p: api.resources.upload_resources(XRAY, segmentation_files=5),
        "segmentation_files needs one entry for each of the 1",
    ),
    "masks of numbers": (
        lambda api, xray, p: api.resources.upload_resources(XRAY, segmentation_files=[5]),
        "A mask is a file, its bytes or a numpy array, not a int",
    ),
    "tags that are a number": (lambda api, xray, p: api.resources.get_list(tags=5), "tags is a list, .* not 5"),
    "an empty tag": (lambda api, xray, p: api.resources.upload_resources("lost", tags=["a", " "]), "are not empty"),
    "a download to a number": (
        lambda api, xray, p: api.resources.download_resource_file(xray, 5),
        "save_path is the path",
    ),
    "a download to no path": (
        lambda api, xray, p: api.resources.download_resource_file(xray, "\0"),
        "cannot be written",
    ),
    # worklists
    "definitions that are numbers": (
        lambda api, xray, p: api.annotationsets.update_segmentation_group("w", [5]),
        "A segmentation class is a dict of fields, .* not 5",
    ),
    "definitions that are a number": (
        lambda api, xray, p: api.annotationsets.create("w", segmentation_data={"definitions": 5}),
        "definitions is a list, .* not 5",
    ),
    "an index that is a text": (
        lambda api, xray, p: api.annotationsets.create("w", segmentation_data=classes(index="x")),
        "index of segmentation class 'liver' is a whole number from 1 to 65535 .*, not 'x'",
    ),
    "an index of 0": (lambda api, xray, p: api.annotationsets.create("w", segmentation_data=classes(index=0)), "not 0"),
    "a colour that is a text": (
        lambda api, xray, p: api.annotationsets.create("w", segmentation_data=classes(color="red")),
        "This is not a SegmentationClass: .*color",
    ),
    "classes that are a list": (
        lambda api, xray, p: api.annotationsets.create("w", segmentation_data=[5]),
        r"segmentation_data is a dict of fields, .* not \[5\]",
    ),
    "labels that are one text": (
        lambda api, xray, p: api.annotationsets.create("w", frame_labels="normal"),
        "frame_labels is a list, .* not 'normal'",
    ),
    "annotators that are a number": (
        lambda api, xray, p: api.annotationsets.create("w", annotators=5),
        "annotators is a list, .* not 5",
    ),
    "specs that are a number": (
        lambda api, xray, p: api.annotationsets.create("w", annotations=5),
        "annotations is a list, .* not 5",
    ),
    "changes of a worklist that are a number": (
        lambda api, xray, p: api.annotationsets.patch("w", 5),
        "entity_data is a dict of fields, .* not 5",
    ),
    # annotations
    "a range that is a number": (
        lambda api, xray, p: api.annotations.add_label_annotation(xray, "a", frame_range=5),
        r"frame_range is \(start, end\) .* not 5",
    ),
    "a range without an end": (
        lambda api, xray, p: api.annotations.add_label_annotation(xray, "a", frame_range=(0, 10**12)),
        r"frame_range \(0, 1000000000000\) goes beyond the last frame of nih_.* is at most 1",
    ),
    "a range without an end in a dict": (
        lambda api, xray, p: api.annotations.create(
            xray, {"type": "label", "identifier": "a", "frame_range": [0, 10**12]}
        ),
        "goes beyond the last frame of nih_",
    ),
    "a polygon that is open": (
        lambda api, xray, p: api.annotations.add_polygon_annotation([(1, 2), (3, 4), (5, 1)], xray, "a", closed=False),
        "A polygon is closed. Use add_polyline_annotation",
    ),
    "a description that is a number": (lambda api, xray, p: api.projects.create("x", 5), "is a text, not 5"),
    "annotations that are a number": (lambda api, xray, p: api.annotations.create(xray, 5), "annotation_dto is a list"),
    "no annotation": (lambda api, xray, p: api.annotations.create(xray, None), "not a NoneType"),
    "a value that JSON cannot hold": (
        lambda api, xray, p: api.annotations.add_point_annotation((1, 2), xray, "a", value={"a": {1}}),
        "value is kept as JSON, which cannot hold this: Object of type set",
    ),
    "a value that is not finite": (
        lambda api, xray, p: api.annotations.add_point_annotation((1, 2), xray, "a", value={"a": float("nan")}),
        "value is kept as JSON, which cannot hold this: Out of range float",
    ),
    "a value without an end": (
        lambda api, xray, p: api.annotations.add_point_annotation((1, 2), xray, "a", value={"a": loop()}),
        "value is kept as JSON, which cannot hold this",
    ),
    "points that are a number": (
        lambda api, xray, p: api.annotations.add_polyline_annotation(5, xray, "a"),
        "points is a list, .* not 5",
    ),
    "a point that is a number": (
        lambda api, xray, p: api.annotations.add_point_annotation(np.int64(3), xray, "a"),
        "A point is a sequence of numbers, not a int64",
    ),
    "a point of arrays": (
        lambda api, xray, p: api.annotations.add_point_annotation([np.ones(2), 1], xray, "a"),
        "A coordinate must be a finite number",
    ),
    "a number that is an array": (
        lambda api, xray, p: api.annotations.create_numeric_annotation(xray, "a", np.ones(2)),
        "A numeric annotation needs a number",
    ),
    # masks
    "a frame that is a text": (
        lambda api, xray, p: api.annotations.upload_segmentations(xray, MASK, "a", frame_index="a"),
        "frame_index is a whole number, or one for each frame of The mask array .* not 'a'",
    ),
    "a frame that is a fraction": (
        lambda api, xray, p: api.annotations.upload_segmentations(xray, MASK, "a", frame_index=0.5),
        "frame_index is a whole number, .* not 0.5",
    ),
    "frames that are fractions": (
        lambda api, xray, p: api.annotations.upload_segmentations(xray, MASK, "a", frame_index=[0.5]),
        "frame_index is a whole number, .* not 0.5",
    ),
    "a colour with a text in it": (
        lambda api, xray, p: api.annotations.upload_segmentations(xray, MASK, {("a", 1, 2): "a"}),
        r"a grey value \(1\) or a colour \(255, 0, 0\), not \('a', 1, 2\)",
    ),
    "a colour without an end": (
        lambda api, xray, p: api.annotations.upload_segmentations(xray, MASK, {(float("inf"), 1, 2): "a"}),
        "grey value",
    ),
    # users and projects
    "roles that are a number": (lambda api, xray, p: api.users.create("a@b", roles=5), "roles is a list, .* not 5"),
    "roles that are one text": (lambda api, xray, p: api.users.create("a@b", roles="x"), "roles is a list, .* not 'x'"),
    "roles that are numbers": (lambda api, xray, p: api.users.create("a@b", roles=[5]), r"texts .* not \[5\]"),
    "new roles that are a number": (
        lambda api, xray, p: api.users.update_user(api.users.get_current(), roles=5),
        "roles is a list, .* not 5",
    ),
    "an address that is a number": (lambda api, xray, p: api.users.create(5), "A user is named by an e-mail address"),
    "changes of a project that are a number": (
        lambda api, xray, p: api.projects.patch(p, 5),
        "entity_data is a dict of fields, .* not 5",
    ),
    "an id that is a number": (lambda api, xray, p: api.projects.get_by_id(5), r"not a int \(5\)"),
    "a project without a name": (lambda api, xray, p: api.projects.restore(" "), "an empty text"),
}


@pytest.mark.parametrize("case", CALLS)
def test_a_value_of_another_kind_is_refused_by_name_and_nothing_is_stored(
    api: Api, xray: str, project: Project, case: str
) -> None:
    call, message = CALLS[case]
    before = api.projects.get_all(), api.users.get_all(), api.backend.list_worklists(project.id)
    with pytest.raises(ValidationError, match=message):
        call(api, xray, project.id)
    assert [each.id for each in api.resources.get_list(deleted="include")] == [xray]
    assert api.annotations.get_all() == []
    assert (api.projects.get_all(), api.users.get_all(), api.backend.list_worklists(project.id)) == before


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
