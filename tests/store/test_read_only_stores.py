"""A store that may be read and not written can be listed and trained from, and says so when it should be changed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datamint_like.backends.base import NewResource, ResourceQuery
from datamint_like.backends.local.backend import LocalBackend
from datamint_like.exceptions import StorageError
from datamint_like.testing.contents import whole
from datamint_like.testing.samples import CT_FILES, XRAY, label, project_of, upload

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """The folder of a closed store with a project of two resources, which nobody may write any more."""
    outer = Path(tempfile.mkdtemp())  # not pytest's: another user must get there
    outer.chmod(0o755)
    store = LocalBackend((outer / "store").as_uri())
    picture, series = upload(store), upload(store, *CT_FILES[:4])
    store.create_annotations(picture.id, [label()])
    project_of(store, picture, series, name="shared")
    store.close()
    protect(outer / "store")
    yield outer / "store"
    for path in [outer / "store", *(outer / "store").rglob("*")]:
        path.chmod(0o700)
    shutil.rmtree(outer)


def protect(folder: Path) -> None:
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder.chmod(0o555)


def as_reader(check: Callable[[], None]) -> None:
    """Run `check` in a child that is bound by permissions, which root is not."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setuid(NOBODY)
            check()
            status = 0
        except BaseException:  # noqa: BLE001 -- the child must end here, whatever it is
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_read_only_store_can_be_listed_and_its_files_read(folder: Path) -> None:
    def check() -> None:
        store = LocalBackend(folder.as_uri())
        (project,) = store.list_projects()
        content = whole(store.read_project(project.id))
        assert [len(content.parts[each.id]) for each in content.resources] == [1, 4]
        for resource in content.resources:
            for part in content.parts[resource.id]:
                assert store.blobs().part_path(part, resource.filename).stat().st_size == part.size
        assert store.now() > content.resources[-1].created_at
        assert store.verify() == []
        assert sorted(path.name for path in folder.iterdir()) == before

    before = sorted(path.name for path in folder.iterdir())
    as_reader(check)


def test_writing_to_a_read_only_store_is_an_error_that_says_so(folder: Path) -> None:
    def check() -> None:
        store = LocalBackend(folder.as_uri())
        (picture, *_) = store.list_resources(ResourceQuery())
        for change in (
            lambda: store.create_resource(NewResource((XRAY,), XRAY.name)),
            lambda: store.create_annotations(picture.id, [label()]),
            lambda: store.add_tags([picture.id], ["x"]),
            lambda: store.archive_project(store.list_projects()[0].id),
        ):
            with pytest.raises(StorageError, match="read-only"):
                change()
        assert len(store.list_resources(ResourceQuery())) == 2

    as_reader(check)


def test_a_read_only_store_whose_writer_was_killed_says_what_to_do(folder: Path) -> None:
    def check() -> None:
        with pytest.raises(StorageError, match="last writer has closed it"):
            LocalBackend(folder.as_uri())

    copy = folder.parent / "copy.sqlite"
    shutil.copy(folder / "store.sqlite", copy)
    copy.chmod(0o600)
    writer = sqlite3.connect(copy)
    writer.execute("update projects set description = 'written last'")
    writer.commit()
    folder.chmod(0o755)
    log = Path(shutil.copy(f"{copy}-wal", folder / "store.sqlite-wal"))
    assert log.stat().st_size
    protect(folder)
    writer.close()
    as_reader(check)


def test_a_read_only_store_shows_what_others_wrote_meanwhile(folder: Path) -> None:
    def check() -> None:
        store = LocalBackend(folder.as_uri())
        (project,) = store.list_projects()
        before = store.project_revision(project.id)
        os.write(told, b"x")
        os.read(asked, 1)
        assert store.project_revision(project.id) != before
        assert store.list_projects()[0].description == "changed"

    asked, tell = os.pipe()
    answered, told = os.pipe()
    if os.geteuid() != 0:
        pytest.skip("only root can write what it may not")
    child = os.fork()
    if child == 0:
        os.read(answered, 1)
        file = sqlite3.connect(folder / "store.sqlite")
        file.execute("update projects set description = 'changed', revision = revision + 100")
        file.commit()
        file.close()
        os.write(tell, b"x")
        os._exit(0)
    as_reader(check)
    os.waitpid(child, 0)
