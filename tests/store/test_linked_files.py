"""Files registered in place: read where they lie, and noticed when they changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from datamint_like.backends.base import NewResource, ResourceQuery
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.entities import Part, Resource
from datamint_like.exceptions import StorageError, ValidationError
from datamint_like.testing.samples import CT_FILES, OTHER_XRAY, XRAY


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A user's own file."""
    return Path(shutil.copy(XRAY, tmp_path / "original.png"))


@pytest.fixture
def linked(store: LocalBackend, original: Path) -> Resource:
    """A resource that is that file."""
    return store.create_resource(NewResource((original,), original.name, link=True))


def part_of(store: LocalBackend, resource: Resource) -> Part:
    (part,) = store.list_parts([resource.id])[resource.id]
    return part


def test_a_linked_file_is_read_where_it_lies_and_not_copied(
    store: LocalBackend, original: Path, linked: Resource, tmp_path: Path
) -> None:
    part = part_of(store, linked)
    assert store.blobs().part_path(part, linked.filename) == original
    assert (part.linked_path, part.mtime_ns) == (str(original), original.stat().st_mtime_ns)
    assert [path for path in (tmp_path / "store" / "blobs").rglob("*") if path.is_file()] == []
    with store.open_resource_file(linked.id) as file:
        assert file.read() == XRAY.read_bytes()


def test_a_relative_path_is_linked_by_its_absolute_one(
    store: LocalBackend, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(original.parent)
    resource = store.create_resource(NewResource((Path(original.name),), original.name, link=True))
    assert part_of(store, resource).linked_path == str(original)


def test_a_linked_file_that_is_gone_is_an_error_that_names_it(
    store: LocalBackend, original: Path, linked: Resource
) -> None:
    original.unlink()
    with pytest.raises(StorageError, match=r"'original\.png'.*linked.*No such file.*Put the original file back"):
        store.open_resource_file(linked.id)
    assert len(store.verify()) == 1


@pytest.mark.parametrize("longer", [True, False])
def test_a_linked_file_that_changed_is_an_error_that_names_it(
    store: LocalBackend, original: Path, linked: Resource, longer: bool
) -> None:
    data = OTHER_XRAY.read_bytes()
    original.write_bytes(XRAY.read_bytes() + b"\0" if longer else (data * 2)[: XRAY.stat().st_size])
    os.utime(original, ns=(1, 1))
    with pytest.raises(StorageError, match=r"'original\.png'.*changed") as caught:
        store.blobs().part_path(part_of(store, linked), linked.filename)
    assert str(original.parent) not in str(caught.value)


def test_a_linked_file_whose_time_alone_changed_is_still_the_same(
    store: LocalBackend, original: Path, linked: Resource
) -> None:
    os.utime(original, ns=(1, 1))
    assert store.blobs().part_path(part_of(store, linked), linked.filename) == original


def test_a_linked_series_keeps_its_files_in_order(store: LocalBackend, tmp_path: Path) -> None:
    files = tuple(Path(shutil.copy(path, tmp_path / path.name)) for path in reversed(CT_FILES))
    resource = store.create_resource(NewResource(files, "ct", link=True))
    parts = store.list_parts([resource.id])[resource.id]
    assert {part.linked_path for part in parts} == {str(file) for file in files}
    assert resource.metadata["frame_count"] == len(parts) == len(CT_FILES)


def test_a_path_that_is_not_unicode_can_be_copied_but_not_linked(store: LocalBackend, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xf6ntgen.png"))
    shutil.copy(XRAY, odd)
    with pytest.raises(ValidationError, match="copy the file instead"):
        store.create_resource(NewResource((odd,), odd.name, link=True))
    assert store.list_resources(ResourceQuery()) == []
    assert store.create_resource(NewResource((odd,), odd.name)).filename == "r?ntgen.png"
