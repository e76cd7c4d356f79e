"""Which store a URL names, and which names are refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from datamint_like.backends import open_backend, open_blobs
from datamint_like.exceptions import StorageError, ValidationError


@pytest.mark.parametrize("name", ["store", "a folder with spaces", "größe", "50%25"])
def test_a_path_and_its_url_are_the_same_store(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    by_path, by_url = open_backend(str(folder)), open_backend(folder.as_uri())
    assert by_path.url == by_url.url == folder.as_uri()
    assert by_path.current_user() == by_url.current_user()
    assert (folder / "store.sqlite").is_file()


def test_a_relative_path_is_taken_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_backend("here").url == (tmp_path / "here").as_uri()


@pytest.mark.parametrize("open_", [open_backend, open_blobs])
@pytest.mark.parametrize("url", ["http://lab.example", "https://lab.example/api"])
def test_a_server_is_not_supported_yet_and_the_error_says_what_is(open_, url: str) -> None:
    with pytest.raises(NotImplementedError, match=r"not supported yet.*file://"):
        open_(url)


@pytest.mark.parametrize("open_", [open_backend, open_blobs])
@pytest.mark.parametrize("url", ["", " ", "s3://bucket/store", "file://", "file:///", "file://other-host/store"])
def test_a_url_of_no_store_is_refused(open_, url: str) -> None:
    with pytest.raises(ValidationError, match="names no store"):
        open_(url)


def test_a_folder_with_other_files_is_not_turned_into_a_store(tmp_path: Path) -> None:
    (tmp_path / "IM0001.dcm").write_bytes(b"somebody's image")
    with pytest.raises(ValidationError, match="other files"):
        open_backend(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["IM0001.dcm"]


def test_a_file_is_no_store(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    for place in (file, file / "inside"):
        with pytest.raises((ValidationError, StorageError)):
            open_backend(str(place))


def test_a_new_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir(mode=0o755)
    for name in ("empty", "new"):
        open_backend(str(tmp_path / name))
        for folder in (tmp_path / name, tmp_path / name / "blobs", tmp_path / name / "incoming"):
            assert folder.stat().st_mode & 0o777 == 0o700


def test_a_place_where_nothing_can_be_written_is_a_storage_error() -> None:
    with pytest.raises(StorageError, match="cannot be made"):
        open_backend("/proc/store")


def test_opening_blobs_needs_no_database(tmp_path: Path) -> None:
    code = (
        "import sys; from datamint_like.backends import open_blobs; "
        f"open_blobs({str(tmp_path)!r}); "
        "heavy = {'sqlalchemy', 'torch', 'pydicom', 'cv2', 'nibabel'} & set(sys.modules); "
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
