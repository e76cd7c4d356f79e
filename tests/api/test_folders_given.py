"""Folders as users have them: links to folders, links that lead back, paths that are empty."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from datamint_like import Api
from datamint_like.api._files_given import expand, on_disk
from datamint_like.exceptions import ValidationError


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
