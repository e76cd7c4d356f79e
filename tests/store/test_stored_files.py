"""Content-addressed files: stored once, checked, healed, and swept after dead writers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datamint_like import _files
from datamint_like.backends.base import NewResource, ResourceQuery
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.backends.local.files import Intake
from datamint_like.backends.local.uploads import digest_of
from datamint_like.entities import Part
from datamint_like.exceptions import StorageError, ValidationError
from datamint_like.testing.samples import CT_FILES, XRAY, label, upload, xray_mask


def blobs(store_folder: Path) -> list[Path]:
    return sorted(path for path in (store_folder / "blobs").rglob("*") if path.is_file())


def test_equal_bytes_are_stored_once_under_their_digest(store: LocalBackend, tmp_path: Path) -> None:
    first, _ = upload(store), upload(store)
    (blob,) = blobs(tmp_path / "store")
    assert blob.name == first.sha256 == _files.sha256_of(XRAY)
    assert blob.parent.name == blob.name[:2]
    assert list((tmp_path / "store" / "incoming").iterdir()) == []


def test_a_series_has_a_digest_of_its_own_that_depends_on_the_order(store: LocalBackend) -> None:
    resource = upload(store, *CT_FILES)
    parts = store.list_parts([resource.id])[resource.id]
    assert resource.sha256 == digest_of(parts) != digest_of(parts[::-1])
    assert resource.sha256 not in {part.sha256 for part in parts}


def test_a_lost_file_is_an_error_that_names_the_resource(store: LocalBackend, tmp_path: Path) -> None:
    resource = upload(store)
    blobs(tmp_path / "store")[0].unlink()
    with pytest.raises(StorageError, match=rf"'{XRAY.name}'.*cannot be read"):
        store.open_resource_file(resource.id)
    assert len(store.verify()) == 1
    assert resource.id in store.verify()[0]


def test_a_damaged_mask_is_never_served(store: LocalBackend, tmp_path: Path) -> None:
    resource = upload(store)
    (mask,) = store.create_annotations(resource.id, [xray_mask()])
    assert mask.sha256 is not None
    store.blobs().blob_path(mask.sha256).write_bytes(b"damaged")
    with pytest.raises(StorageError, match=rf"{mask.id} is damaged"):
        store.blobs().annotation_bytes(mask)
    assert store.verify() == [f"The file of annotation {mask.id} has other bytes than were stored."]


def test_uploading_again_heals_a_damaged_file(store: LocalBackend, tmp_path: Path) -> None:
    first = upload(store)
    blobs(tmp_path / "store")[0].write_bytes(b"damaged")
    with pytest.raises(StorageError, match="changed"):
        store.open_resource_file(first.id)
    upload(store)
    with store.open_resource_file(first.id) as file:
        assert file.read() == XRAY.read_bytes()


def test_an_annotation_without_a_file_says_so(store: LocalBackend) -> None:
    (annotation,) = store.create_annotations(upload(store).id, [label()])
    with pytest.raises(ValidationError, match="has no file"):
        store.blobs().annotation_bytes(annotation)


def test_only_old_files_of_dead_writers_are_swept(store: LocalBackend, tmp_path: Path) -> None:
    incoming = tmp_path / "store" / "incoming"
    code = (
        "import os, sys; from pathlib import Path; from datamint_like import _files\n"
        "for _ in range(2): print(_files.stage([b'x'], Path(sys.argv[1])).path.name)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(incoming)], capture_output=True, text=True, check=True)
    dead_old, dead_young = done.stdout.split()
    living_old = _files.stage([b"x"], incoming).path.name
    elsewhere_old = f"00000000.1.abc{_files.PARTIAL_SUFFIX}"
    (incoming / elsewhere_old).write_bytes(b"x")
    two_days_ago = time.time() - 2 * 24 * 3600
    for name in (dead_old, living_old, elsewhere_old):
        os.utime(incoming / name, (two_days_ago, two_days_ago))
    LocalBackend(store.url)
    assert {path.name for path in incoming.iterdir()} == {dead_young, living_old, elsewhere_old}


def test_an_upload_whose_row_is_refused_leaves_no_file(
    store: LocalBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StorageError("the row is refused")

    with monkeypatch.context() as patch:
        patch.setattr("datamint_like.backends.local.resources.insert", refuse)
        with pytest.raises(StorageError, match="the row is refused"):
            upload(store)
    assert blobs(tmp_path / "store") == []
    assert list((tmp_path / "store" / "incoming").iterdir()) == []


def test_an_upload_that_fails_at_the_last_moment_takes_only_its_own_files_with_it(
    store: LocalBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = upload(store)
    publish = Intake.publish

    def publish_then_fail(intake: Intake) -> None:
        publish(intake)
        raise StorageError("the commit failed")

    with monkeypatch.context() as patch:
        patch.setattr(Intake, "publish", publish_then_fail)
        for paths in ((XRAY,), CT_FILES):
            with pytest.raises(StorageError, match="the commit failed"):
                upload(store, *paths)
    assert [path.name for path in blobs(tmp_path / "store")] == [kept.sha256]
    assert [each.id for each in store.list_resources(ResourceQuery(deleted="include"))] == [kept.id]
    assert store.verify() == []


def test_a_folder_is_no_file(store: LocalBackend, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="directory"):
        store.create_resource(NewResource((tmp_path,), "folder"))


def test_a_part_that_is_one_file_has_the_files_digest() -> None:
    part = Part(index=0, filename="a", size=1, sha256="ab" * 32)
    assert digest_of([part]) == part.sha256
