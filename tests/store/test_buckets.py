"""Bytes in an S3 bucket: there before their row, never served when they are others, and no secret told."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from datamint_like._files import sha256_of
from datamint_like.backends.base import NewResource, ResourceQuery
from datamint_like.backends.local import buckets
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.buckets import BucketStore
from datamint_like.backends.local.files import Intake
from datamint_like.backends.local.options import StoreOptions, open_store
from datamint_like.exceptions import StorageError, ValidationError
from datamint_like.imaging.types import HeaderFacts
from datamint_like.testing.samples import CT_FILES, OTHER_XRAY, XRAY, project_of, upload, xray_mask
from tests.servers.full_disk import full_bucket_before
from tests.servers.s3 import S3Server


@pytest.fixture
def options(bucket_url: str, tmp_path: Path) -> StoreOptions:
    return StoreOptions(url=(tmp_path / "rows").as_uri(), blobs=bucket_url, cache_dir=tmp_path / "cache")


@pytest.fixture
def s3_store(options: StoreOptions) -> Iterator[LocalBackend]:
    backend = open_store(options)
    yield backend
    backend.close()


def place_of(server: S3Server, options: StoreOptions, sha256: str | None) -> str:
    """The address of the object of a digest."""
    assert sha256 is not None
    prefix = str(options.blobs).rpartition("/")[2]
    return server.at(f"{prefix}/blobs/{sha256[:2]}/{sha256}")


def objects(server: S3Server, options: StoreOptions) -> list[str]:
    """Digests of what lies in the bucket, as an ordinary client sees it."""
    prefix = str(options.blobs).rpartition("/")[2]
    listed = server.ask("GET", server.at(""), params={"list-type": "2", "prefix": f"{prefix}/blobs/"}).text
    return sorted(key.rpartition("/")[2] for key in re.findall(r"<Key>([^<]+)</Key>", listed))


def brought(options: StoreOptions) -> list[Path]:
    """The files on this machine that came from the bucket."""
    return sorted(path for path in Path(str(options.cache_dir)).rglob("*") if path.is_file())


def test_what_is_stored_lies_in_the_bucket_under_its_digest(
    s3_store: LocalBackend, options: StoreOptions, s3_server: S3Server
) -> None:
    resource = upload(s3_store, *CT_FILES)
    other = upload(s3_store)
    (mask,) = s3_store.create_annotations(other.id, [xray_mask()])
    expected = sorted([*(sha256_of(path) for path in CT_FILES), str(other.sha256), str(mask.sha256)])
    assert objects(s3_server, options) == expected
    assert s3_server.ask("GET", place_of(s3_server, options, other.sha256)).content == XRAY.read_bytes()
    assert brought(options) == [], "nothing stays on this machine"
    with s3_store.open_resource_file(other.id) as file:
        assert file.read() == XRAY.read_bytes()
    parts = s3_store.list_parts([resource.id])[resource.id]
    paths = [s3_store.blobs().part_path(part, resource.filename) for part in parts]
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in CT_FILES]
    assert s3_store.verify() == []


def test_a_large_file_goes_up_and_comes_down_in_pieces(
    s3_store: LocalBackend, options: StoreOptions, s3_server: S3Server, tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(os.urandom(20_000_001))
    facts = HeaderFacts("raster", "image", "image/png", 1, (1, 4, 4), "uint8")
    resource = s3_store.create_resource(NewResource((large,), large.name, facts=facts))
    etag = s3_server.ask("HEAD", place_of(s3_server, options, resource.sha256)).headers["ETag"]
    assert re.fullmatch(r'"[0-9a-f]{32}-\d+"', etag), "the mark of an upload in pieces"
    with s3_store.open_resource_file(resource.id) as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == resource.sha256 == sha256_of(large)


def test_a_file_is_brought_once_and_again_when_it_was_damaged_here(
    s3_store: LocalBackend, options: StoreOptions, s3_server: S3Server
) -> None:
    resource = upload(s3_store)
    (mask,) = s3_store.create_annotations(resource.id, [xray_mask()])
    (part,) = s3_store.list_parts([resource.id])[resource.id]
    for _ in range(2):
        path = s3_store.blobs().part_path(part, resource.filename)
        payload = s3_store.blobs().annotation_bytes(mask)
        s3_server.deny(everything=True)  # from now on nothing can come
    s3_server.deny(everything=False)
    assert len(brought(options)) == 2
    for file in brought(options):
        file.write_bytes(b"damaged")
    assert s3_store.blobs().part_path(part, resource.filename) == path
    assert path.read_bytes() == XRAY.read_bytes()
    assert s3_store.blobs().annotation_bytes(mask) == payload


def test_other_bytes_in_the_bucket_are_never_served(
    s3_store: LocalBackend, options: StoreOptions, s3_server: S3Server
) -> None:
    resource = upload(s3_store)
    (mask,) = s3_store.create_annotations(resource.id, [xray_mask()])
    for digest in objects(s3_server, options):
        place = place_of(s3_server, options, digest)
        length = int(s3_server.ask("HEAD", place).headers["Content-Length"])
        s3_server.ask("PUT", place, content=bytes(length))
    with pytest.raises(StorageError, match=rf"'{XRAY.name}' of resource .*damaged.*backup"):
        s3_store.open_resource_file(resource.id)
    with pytest.raises(StorageError, match=rf"annotation {mask.id} is damaged"):
        s3_store.blobs().annotation_bytes(mask)
    assert brought(options) == []
    assert [sentence.endswith("has other bytes than were stored.") for sentence in s3_store.verify()] == [True, True]
    upload(s3_store)  # the same bytes once more
    with s3_store.open_resource_file(resource.id) as file:
        assert file.read() == XRAY.read_bytes()


def test_a_lost_object_is_an_error_that_names_the_resource(
    s3_store: LocalBackend, options: StoreOptions, s3_server: S3Server
) -> None:
    resource = upload(s3_store)
    s3_server.ask("DELETE", place_of(s3_server, options, resource.sha256))
    with pytest.raises(StorageError, match=rf"'{XRAY.name}' of resource .* is not in the bucket"):
        s3_store.open_resource_file(resource.id)
    (sentence,) = s3_store.verify()
    assert resource.id in sentence


def test_an_object_that_went_between_sending_and_naming_is_sent_again(
    s3_store: LocalBackend, options: StoreOptions, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when another upload of the same bytes fails meanwhile and takes them back."""
    publish = Intake.publish

    def after_a_loss(intake: Intake) -> None:
        for digest in intake.published:
            s3_server.ask("DELETE", place_of(s3_server, options, digest))
        publish(intake)

    monkeypatch.setattr(Intake, "publish", after_a_loss)
    resource = upload(s3_store)
    assert objects(s3_server, options) == [resource.sha256]


# Uploads a picture and dies when its object is in place and its row is not.
CHILD = """
import os, pickle, sys
from datamint_like.backends.local.files import Intake
from datamint_like.backends.local.options import open_store
from datamint_like.testing.samples import OTHER_XRAY, upload
publish = Intake.publish
Intake.publish = lambda intake: (publish(intake), os._exit(9))
upload(open_store(pickle.loads(bytes.fromhex(sys.argv[1]))), OTHER_XRAY)
"""


def test_what_a_killed_upload_left_is_reported_and_swept_after_a_day(
    s3_store: LocalBackend, options: StoreOptions, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = upload(s3_store)
    done = subprocess.run([sys.executable, "-c", CHILD, pickle.dumps(options).hex()], check=False)
    assert done.returncode == 9
    assert objects(s3_server, options) == sorted([str(kept.sha256), sha256_of(OTHER_XRAY)])
    assert [each.id for each in s3_store.list_resources(ResourceQuery(deleted="include"))] == [kept.id]
    assert (s3_store.verify(), s3_store.sweep()) == ([], 0), "it may be an upload that is under way"
    monkeypatch.setattr(buckets, "DAY_S", -60)
    (sentence,) = s3_store.verify()
    assert f"1 stored file(s) of {OTHER_XRAY.stat().st_size} bytes" in sentence
    assert s3_store.sweep() == 1
    assert objects(s3_server, options) == [kept.sha256]


@pytest.mark.parametrize("paths", [(XRAY,), CT_FILES], ids=["one file", "a series"])
def test_a_bucket_that_refuses_the_keys_is_a_storage_error_that_holds_none(
    s3_store: LocalBackend, options: StoreOptions, s3_server: S3Server, paths: tuple[Path, ...]
) -> None:
    s3_server.deny(everything=True)
    try:
        with pytest.raises(StorageError, match=r"was refused \(\w+\).*AWS_ACCESS_KEY_ID") as caught:
            upload(s3_store, *paths)
    finally:
        s3_server.deny(everything=False)
    whole = "".join(traceback.format_exception(caught.value))
    for name, secret in s3_server.environment.items():
        assert "KEY" not in name or secret not in whole
    assert s3_store.list_resources(ResourceQuery(deleted="include")) == []
    assert objects(s3_server, options) == []
    assert brought(options) == []
    assert upload(s3_store, *paths).sha256 is not None


def test_a_full_bucket_is_a_storage_error_that_says_how_much_room_was_needed(
    options: StoreOptions, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with full_bucket_before(s3_server.url) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        store = open_store(options)
        with pytest.raises(StorageError, match=rf"No room for {XRAY.stat().st_size} bytes in bucket s3://") as caught:
            upload(store)
    cause = caught.value.__cause__
    assert isinstance(cause, OSError)
    assert cause.errno == errno.ENOSPC
    assert store.list_resources(ResourceQuery(deleted="include")) == []
    assert objects(s3_server, options) == []
    store.close()


def test_a_bucket_that_is_not_there_is_a_storage_error(s3_server: S3Server, tmp_path: Path) -> None:
    options = StoreOptions(url=(tmp_path / "rows").as_uri(), blobs="s3://nowhere/p", cache_dir=tmp_path / "cache")
    with pytest.raises(StorageError, match=r"no bucket s3://nowhere/p\. Make the bucket"):
        open_store(options)


def test_files_are_not_linked_to_a_store_in_a_bucket(s3_store: LocalBackend) -> None:
    with pytest.raises(ValidationError, match=rf"'{XRAY.name}' cannot be linked.*Copy it"):
        s3_store.create_resource(NewResource((XRAY,), XRAY.name, link=True))
    assert s3_store.list_resources(ResourceQuery(deleted="include")) == []


def test_an_import_again_sends_nothing(s3_store: LocalBackend, s3_server: S3Server) -> None:
    project = project_of(s3_store)
    new = NewResource(CT_FILES, "series", project_id=project.id)
    first, made = s3_store.create_resource_once(new)
    assert made
    s3_server.deny(everything=True)
    try:
        assert s3_store.create_resource_once(new) == (first, False)
    finally:
        s3_server.deny(everything=False)


def test_two_stores_cannot_share_a_place(s3_store: LocalBackend, options: StoreOptions, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="belong to another store"):
        open_store(StoreOptions(url=(tmp_path / "others").as_uri(), blobs=options.blobs, cache_dir=tmp_path / "c"))


def test_a_pickle_holds_no_key(s3_store: LocalBackend, s3_server: S3Server) -> None:
    upload(s3_store)
    for each in (s3_store, s3_store.blobs()):
        text = pickle.dumps(each) + repr(each).encode()
        assert b"of-a-test" not in text
        assert len(text) < 1000
    blobs = pickle.loads(pickle.dumps(s3_store.blobs()))
    assert len(blobs.digests()) == 1


def read_from_a_fork(store: LocalBackend, resource_id: str, results: Path) -> None:
    """Note what reading says."""
    try:
        store.open_resource_file(resource_id).close()
    except StorageError as error:
        results.write_text(str(error))


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_a_process_forked_from_one_that_uses_a_bucket_is_told_so(s3_store: LocalBackend, tmp_path: Path) -> None:
    resource = upload(s3_store)
    child = multiprocessing.get_context("fork").Process(
        target=read_from_a_fork, args=(s3_store, resource.id, tmp_path / "said")
    )
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert "forked" in (tmp_path / "said").read_text()


def test_any_other_url_of_fsspec_will_do(tmp_path: Path) -> None:
    options = StoreOptions(url=str(tmp_path / "rows"), blobs="memory://a/bucket", cache_dir=tmp_path / "cache")
    store = open_store(options)
    resource = upload(store, *CT_FILES)
    parts = store.list_parts([resource.id])[resource.id]
    paths = [store.blobs().part_path(part, resource.filename) for part in parts]
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in CT_FILES]
    assert store.verify() == []
    store.close()


def test_a_url_that_nothing_reads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="names no place for bytes"):
        BucketStore("nothing://a/b", tmp_path)
