"""Folders as users have them: links to folders, links that lead back, paths that are empty."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from datamint_like import Api
from datamint_like.api._files_given import expand, on_disk
from datamint_like.api._uploads import OnError
from datamint_like.api.importing import ImportOptions, import_files
from datamint_like.exceptions import DecodeError, ValidationError


@pytest.fixture
def picture(demo_images: Path) -> Path:
    return demo_images / "xray" / "cr_16bit.png"


def test_links_to_folders_are_followed(api: Api, tmp_path: Path, picture: Path) -> None:
    (tmp_path / "disk" / "deep").mkdir(parents=True)
    shutil.copy(picture, tmp_path / "disk" / "deep")
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "more").symlink_to(tmp_path / "disk")
    assert len(api.resources.upload_resources(tmp_path / "scans")) == 1


def test_a_folder_is_read_once_however_often_links_lead_to_it(tmp_path: Path, picture: Path) -> None:
    inner = tmp_path / "scans" / "z"
    inner.mkdir(parents=True)
    shutil.copy(picture, inner / "a.png")
    (tmp_path / "scans" / "a link").symlink_to(inner)
    (inner / "back").symlink_to(tmp_path / "scans")
    (inner / "itself").symlink_to(inner / "itself")
    assert expand(tmp_path / "scans") == [inner / "a.png"]
    for given in ([tmp_path / "scans" / "**"], [tmp_path / "scans", inner, tmp_path / "scans" / "a link"]):
        with on_disk(list(given)) as found:
            assert [each.source for each in found] == list(range(len(given)))
            assert len({each.path for each in found}) == 1


def test_hidden_files_and_folders_are_left_out_also_behind_links(tmp_path: Path, picture: Path) -> None:
    (tmp_path / "scans" / ".trash").mkdir(parents=True)
    for name in (".trash/a.png", ".b.png", "c.png"):
        shutil.copy(picture, tmp_path / "scans" / name)
    (tmp_path / "scans" / ".link").symlink_to(tmp_path / "scans" / ".trash")
    assert expand(tmp_path / "scans") == [tmp_path / "scans" / "c.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_is_closed_is_told(tmp_path: Path, picture: Path) -> None:
    (tmp_path / "scans" / "closed").mkdir(parents=True)
    shutil.copy(picture, tmp_path / "scans")
    (tmp_path / "scans" / "closed").chmod(0)
    with pytest.raises(ValidationError, match="closed cannot be read: Permission denied"):
        expand(tmp_path / "scans")


@pytest.mark.parametrize("given", ["", "  "])
def test_an_empty_path_is_not_the_current_folder(
    api: Api, xray: str, tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    shutil.copy(picture, tmp_path)
    monkeypatch.chdir(tmp_path)
    for call in (
        lambda: api.resources.upload_resources(given),
        lambda: api.resources.upload_resources([given, picture]),
        lambda: api.resources.upload_resource(given, link=True),
        lambda: api.annotations.upload_segmentations(xray, given, "a"),
    ):
        with pytest.raises(ValidationError, match="is empty"):
            call()
    assert [each.id for each in api.resources.get_list()] == [xray]


def missing(folder: Path) -> Path:
    return folder / "lost.dcm"


def in_no_folder(folder: Path) -> Path:
    return folder / "nowhere" / "lost.dcm"


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.dcm")
    return folder / "pipe.dcm"


def too_long(folder: Path) -> Path:
    return folder / ("a" * 300)


def inside_a_file(folder: Path) -> Path:
    (folder / "notes.txt").write_text("no folder")
    return folder / "notes.txt" / "lost.dcm"


GIVEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a file that is missing": (missing, r"^There is no file or folder lost\.dcm\. Check"),
    "a file in a folder that is missing": (in_no_folder, r"folder lost\.dcm, and no folder nowhere that could hold it"),
    "a pipe": (pipe, r"^pipe\.dcm is neither a file nor a folder"),
    "a name that is too long": (too_long, r"^a{200} cannot be read: File name too long"),
    "a path that goes through a file": (inside_a_file, r"lost\.dcm"),
}


@pytest.mark.parametrize("case", GIVEN)
def test_one_file_is_told_by_its_base_name_without_the_folders_above(api: Api, tmp_path: Path, case: str) -> None:
    make, message = GIVEN[case]
    given = make(tmp_path)
    for call in (
        lambda: import_files(api, [given], "c", ImportOptions()),
        lambda: api.resources.upload_resources([given]),
        lambda: api.resources.upload_resource(given, link=True),
    ):
        with pytest.raises(ValidationError, match=message) as told:
            call()
        assert tmp_path.name not in str(told.value)
        assert str(tmp_path.parent) not in str(told.value)


@pytest.mark.parametrize("on_error", ["skip", "raise"])
@pytest.mark.parametrize("link", [True, False])
def test_files_that_are_left_out_are_told_without_the_folders_above(
    api: Api, tmp_path: Path, picture: Path, link: bool, on_error: OnError
) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    shutil.copy(picture, folder)
    shutil.copy(picture, folder / "copy.png")
    (folder / "cut.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"x" * 99)
    (folder / "cut.nii.gz").write_bytes(b"\x1f\x8b\x08" + b"\0" * 40)
    (folder / "lone.img").write_bytes(bytes(999))
    (folder / "notes.txt").write_text("no image")
    try:
        report = import_files(api, [folder], "c", ImportOptions(link=link, on_error=on_error))
    except DecodeError as error:
        told = str(error)
    else:
        told = " ".join([*(each.reason for each in report.skipped), *report.warnings])
        assert len(report.skipped) == 5
    assert "cut.dcm" in told
    assert tmp_path.name not in told


def test_a_metadata_file_that_is_missing_is_told_by_its_base_name(api: Api, tmp_path: Path, picture: Path) -> None:
    with pytest.raises(ValidationError, match=r"^lost\.json cannot be read as a JSON object: No such file") as told:
        api.resources.upload_resources([picture], metadata=[tmp_path / "lost.json"])
    assert tmp_path.name not in str(told.value)
