"""Errors about stored files name the resource and the file as it was called, not the digest it is stored under."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from datamint_like.backends.about import about
from datamint_like.backends.base import NewResource
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.exceptions import DecodeError, GeometryError, StorageError
from datamint_like.imaging import assemble
from datamint_like.testing.samples import CT_FILES, upload


def blank(file: Path) -> None:
    """Make zeros of all but the first 128 bytes."""
    file.write_bytes(file.read_bytes()[:128] + bytes(file.stat().st_size - 128))


@pytest.mark.parametrize("damaged", [0, 2])
def test_a_damaged_slice_of_a_series_is_named_as_it_came(store: LocalBackend, tmp_path: Path, damaged: int) -> None:
    (series,) = assemble(CT_FILES[:4]).groups
    copies = [Path(shutil.copy(path, tmp_path)) for path in series.paths]
    blank(copies[damaged])  # after its header was read, before it is stored
    resource = store.create_resource(NewResource(tuple(copies), "thorax", facts=series.facts))
    part = store.list_parts([resource.id])[resource.id][damaged]
    with pytest.raises((DecodeError, GeometryError)) as caught:
        store.open_resource_file(resource.id)
    message = str(caught.value)
    assert message.startswith(f"Resource {resource.id} (thorax): {part.filename}: ")
    assert part.sha256 not in message


@pytest.mark.parametrize("damaged", [0, 2])
def test_a_slice_that_was_damaged_in_the_store_is_named_as_it_came(store: LocalBackend, damaged: int) -> None:
    resource = upload(store, *CT_FILES[:4], name="thorax")
    part = store.list_parts([resource.id])[resource.id][damaged]
    blank(store.blobs().blob_path(part.sha256))
    with pytest.raises(StorageError, match=rf"'{part.filename}' of resource 'thorax' changed") as caught:
        store.open_resource_file(resource.id)
    assert part.sha256 not in str(caught.value)


@pytest.mark.parametrize("kind", [DecodeError, GeometryError])
def test_an_error_about_files_names_their_resource(
    store: LocalBackend, kind: type[DecodeError] | type[GeometryError]
) -> None:
    resource = upload(store)
    with pytest.raises(kind, match=rf"^Resource {resource.id} \(.*\): IM1\.dcm: short$"), about(resource):
        raise kind("IM1.dcm: short")
