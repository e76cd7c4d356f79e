"""What `upload_resources` returns: an entry for each file given, so that files and ids pair."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pydicom
import pytest

from datamint_like import Api
from datamint_like.exceptions import DatamintWarning, ValidationError


def names(api: Api, ids: list[str | None]) -> list[str | None]:
    return [each and api.resources.get_by_id(each).filename for each in ids]


def test_files_and_ids_pair_whatever_becomes_of_each_file(api: Api, demo_images: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    cut = tmp_path / "cut.png"
    cut.write_bytes((demo_images / "xray" / "cr_16bit.png").read_bytes()[:5000])
    series = sorted((demo_images / "ct_ge").glob("*.dcm"))
    files = [
        *series[5:],
        tmp_path / "notes.txt",
        demo_images / "xray" / "cr_16bit.png",
        *series[:5],
        cut,
        demo_images / "xray" / "nih_00000001_000.png",
    ]
    with pytest.warns(DatamintWarning, match="2 files were left out"):
        ids = api.resources.upload_resources(files, on_error="skip")
    expected = {"notes.txt": None, "cut.png": None, **{file.name: "series_2_28files.dcm" for file in series}}
    assert names(api, ids) == [expected.get(file.name, file.name) for file in files]
    assert ids.files == tuple(files)
    assert ids.resource_ids == tuple(dict.fromkeys(each for each in ids if each))
    assert {item.path.name for item in ids.skipped} == {"notes.txt", "cut.png"}


def test_a_folder_and_a_pattern_stand_for_the_files_they_hold(api: Api, demo_images: Path, tmp_path: Path) -> None:
    shutil.copytree(demo_images / "ct_ge", tmp_path / "study" / "a")
    shutil.copy(demo_images / "xray" / "cr_16bit.png", tmp_path / "study")
    pattern = str(demo_images / "xray" / "nih_*_000.png")
    ids = api.resources.upload_resources([tmp_path / "study", pattern])
    assert names(api, ids) == [
        *["series_2_28files.dcm"] * 28,
        "cr_16bit.png",
        "nih_00000001_000.png",
        "nih_00027426_000.png",
    ]
    assert [path.name for path in ids.files[28:]] == [
        "cr_16bit.png",
        "nih_00000001_000.png",
        "nih_00027426_000.png",
    ]
    assert len(ids.resource_ids) == 4


def test_a_file_given_twice_is_stored_once_and_has_two_entries(api: Api, demo_images: Path) -> None:
    picture = demo_images / "xray" / "cr_16bit.png"
    ids = api.resources.upload_resources([picture, demo_images / "xray" / "nih_00000001_000.png", str(picture)])
    assert ids[0] == ids[2] != ids[1]
    assert ids.resource_ids == (ids[0], ids[1])
    assert len(api.resources.get_list()) == 2


def test_masks_and_metadata_of_a_file_given_twice_are_not_lost(api: Api, demo_images: Path) -> None:
    picture, mask = (demo_images / "xray" / name for name in ("nih_00000001_000.png", "nih_00000001_000_mask.png"))
    ids = api.resources.upload_resources(
        [picture, picture], segmentation_files=[None, {"files": [mask], "names": ["lung"]}]
    )
    assert [each.identifier for each in api.annotations.get_list(ids[0])] == ["lung"]
    with pytest.raises(ValidationError, match="different metadata"):
        api.resources.upload_resources([picture, picture], metadata=[{"age": 1}, {"age": 2}])


def test_open_files_and_data_sets_have_entries_and_names(api: Api, demo_images: Path) -> None:
    slices = sorted((demo_images / "ct_ge").glob("*.dcm"))
    picture = io.BytesIO((demo_images / "xray" / "cr_16bit.png").read_bytes())
    ids = api.resources.upload_resources([*(pydicom.dcmread(path) for path in slices), picture])
    assert names(api, ids) == [*["series_2_28files.dcm"] * 28, "upload"]
    assert all(path.parent == Path() for path in ids.files)


def test_a_file_without_a_resource_is_not_taken_for_one(api: Api, demo_images: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.warns(DatamintWarning):
        ids = api.resources.upload_resources(
            [tmp_path / "notes.txt", demo_images / "xray" / "cr_16bit.png"], on_error="skip"
        )
    with pytest.raises(ValidationError, match="NoneType"):
        api.resources.publish(ids)  # type: ignore[arg-type]
    api.resources.publish(ids.resource_ids)
