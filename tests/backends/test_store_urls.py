"""Which store a URL names, and which names are refused."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from datamint_like.backends import open_backend, open_blobs, store_url
from datamint_like.backends._urls import has_store, without_user_info
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


def test_one_store_has_one_url_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    url = (tmp_path / "a b").as_uri()
    ways = ["a b", "./a b/", "~/a b", "c/../a b", str(tmp_path / "a b"), f" {url} ", f"{url}/"]
    ways += [url.replace("file://", "file://localhost"), url.replace("file", "FILE", 1)]
    assert {store_url(way) for way in ways} == {url}
    assert store_url(url) == url
    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_name_is_not_unicode_keeps_its_name() -> None:
    folder = Path(os.fsdecode(b"/data/\xff"))
    assert store_url(str(folder)) == store_url(folder.as_uri()) == folder.as_uri()


def test_one_server_has_one_address_however_it_is_written() -> None:
    ways = [
        "https://lab.example/api",
        " HTTPS://Lab.Example/api/ ",
        "https://lab.example:443/api",
        "https://lab.example/api//",
    ]
    assert {store_url(way) for way in ways} == {"https://lab.example/api"}
    assert store_url("http://LAB:8100/") == "http://lab:8100"
    assert store_url("http://[::1]:80") == "http://[::1]"
    assert store_url("https://bücher.example") == "https://xn--bcher-kva.example"
    assert open_blobs("HTTP://lab:80/").url == "http://lab"  # type: ignore[attr-defined]
    assert has_store("http://lab")


NO_SERVERS = [
    "http://",
    "https:///path",
    "http://lab:port",
    "http://lab:99999",
    "http://la b",
    "http://lab?a=b",
    "http://lab#f",
]
NO_SERVERS += ["http://[::1", "https://lab\\@evil", "http://lab\n.example"]


@pytest.mark.parametrize("open_", [open_backend, open_blobs, store_url])
@pytest.mark.parametrize("url", NO_SERVERS)
def test_what_is_no_address_of_a_server_is_refused(open_, url: str) -> None:
    with pytest.raises(ValidationError, match=r"https://lab\.example:8000|api_key="):
        open_(url)


NO_STORES = ["", " ", "/", "s3://bucket/store", "file://", "file:///", "file://other-host/store", "file:///a?b"]
NO_STORES += ["file://[::1", "a\0b", "file:///a%00b", "~nobody-of-this-name/store", "\ud800", None, 5]


@pytest.mark.parametrize("open_", [open_backend, open_blobs, store_url])
@pytest.mark.parametrize("url", NO_STORES)
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
    with pytest.raises(ValidationError, match=r"file is a file; a store is a folder"):
        open_backend(str(file))
    with pytest.raises(ValidationError, match="inside lies inside a file"):
        open_backend(str(file / "inside"))


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


SECRETS = ["postgresql://u:SECRET@h/db", "postgresql://u:SEC@RET/SECRET?SECRET#SECRET@h/db", "file://u:SECRET@h/db"]
SECRETS += ["file:///store?key=SECRET", "postgresql://u:SECRET[@h/db", " S3://u:SECRET@h:port/b "]


@pytest.mark.parametrize("url", SECRETS)
def test_a_secret_in_a_url_is_in_no_error(url: str) -> None:
    with pytest.raises(ValidationError, match="names no store") as caught:
        open_backend(url)
    assert "SEC" not in "".join(traceback.format_exception(caught.value))


def test_what_a_message_says_of_a_store_holds_no_secret() -> None:
    assert without_user_info("https://ana:word@host:8443/store?key=k#k") == "https://host:8443/store"
    assert without_user_info("file:///home/ana@lab/store") == "file:///home/ana@lab/store"
    assert without_user_info("/home/ana@lab/store") == "/home/ana@lab/store"


def test_whether_there_is_a_store_is_told_without_making_one(tmp_path: Path) -> None:
    url = (tmp_path / "a" / "store").as_uri()
    assert not has_store(url)
    assert list(tmp_path.iterdir()) == []
    open_backend(url)
    assert has_store(url)
    assert has_store(str(tmp_path / "a" / "store"))
