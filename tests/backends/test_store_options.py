"""Where a store keeps rows and bytes: what may be named, what is refused, what is shown."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path

import pytest

from datamint_like.backends import open_backend
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.options import StoreOptions, open_store
from datamint_like.exceptions import StorageError, ValidationError
from datamint_like.testing.samples import XRAY, upload


def test_a_folder_alone_is_the_embedded_store(tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    by_options, by_url = open_store(StoreOptions(url=url)), open_backend(url)
    resource = upload(by_options)
    assert by_options.url == by_url.url == url
    assert by_url.get_resource(resource.id) == resource
    assert {path.name for path in (tmp_path / "store").iterdir()} >= {"store.sqlite", "blobs", "incoming"}
    assert not (tmp_path / "store" / "store.id").exists()
    for each in (by_options, by_url):
        each.close()


def test_bytes_may_lie_in_another_folder(tmp_path: Path) -> None:
    options = StoreOptions(url=str(tmp_path / "rows"), blobs=(tmp_path / "bytes").as_uri())
    store = open_store(options)
    resource = upload(store)
    assert [path.name for path in (tmp_path / "bytes" / "blobs").rglob("*") if path.is_file()] == [resource.sha256]
    other = pickle.loads(pickle.dumps(store))
    with other.open_resource_file(resource.id) as file:
        assert file.read() == XRAY.read_bytes()
    assert other.verify() == []
    for each in (store, other):
        each.close()


def test_one_folder_of_bytes_belongs_to_one_store(tmp_path: Path) -> None:
    blobs = (tmp_path / "bytes").as_uri()
    store = open_store(StoreOptions(url=str(tmp_path / "a"), blobs=blobs))
    store.close()
    open_store(StoreOptions(url=str(tmp_path / "a"), blobs=blobs)).close()
    with pytest.raises(StorageError, match="belong to another store"):
        open_store(StoreOptions(url=str(tmp_path / "b"), blobs=blobs))
    with pytest.raises(ValidationError, match="other files"):
        LocalBackend(blobs)


def test_the_folder_of_a_whole_store_is_no_place_for_the_bytes_of_another(tmp_path: Path) -> None:
    open_backend(str(tmp_path / "whole")).close()
    with pytest.raises(ValidationError, match="rows of its own"):
        open_store(StoreOptions(url=str(tmp_path / "rows"), blobs=(tmp_path / "whole").as_uri()))


def test_rows_and_bytes_both_need_a_place() -> None:
    for given in ({}, {"database": "postgresql://h/d"}, {"blobs": "s3://bucket/prefix"}):
        with pytest.raises(ValidationError, match="needs a folder"):
            StoreOptions(**given)


@pytest.mark.parametrize("blobs", ["s3://KEY:WORD@bucket/p", "s3://bucket/p?secret=WORD", "bucket"])
def test_keys_are_not_taken_from_the_url_of_bytes(blobs: str) -> None:
    with pytest.raises(ValidationError, match="environment") as caught:
        StoreOptions(url="/rows", blobs=blobs)
    assert "WORD" not in "".join(traceback.format_exception(caught.value))


def test_what_is_shown_and_pickled_holds_no_password() -> None:
    database = "postgresql://ana:SECRET@db.lab:5433/images?schema=one"
    options = StoreOptions(database=database, blobs="s3://bucket/p", cache_dir=Path("/cache"))
    assert options.name == "postgresql://db.lab:5433/images?schema=one"
    pickled = pickle.dumps(options)
    assert b"SECRET" not in pickled + repr(options).encode()
    other = pickle.loads(pickled)
    assert other.database == "postgresql://ana@db.lab:5433/images?schema=one"
    assert (other.blobs, other.cache_dir) == (options.blobs, options.cache_dir)
