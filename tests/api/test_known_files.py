"""Import into a project that holds some of the files already: they are told by their bytes, each read once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datamint_like import Api
from datamint_like.api import _known_files, importing
from datamint_like.api.importing import ImportOptions, import_files
from datamint_like.entities import Project, Resource
from datamint_like.exceptions import ValidationError


def test_of_many_files_of_one_size_each_is_hashed_once(
    api: Api, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[tuple[Path, ...]] = []
    digests = _known_files.digests_of
    monkeypatch.setattr(_known_files, "digests_of", lambda paths: hashed.append(paths) or digests(paths))
    known = _known_files.KnownFiles(api.backend, project.id)
    paths = [tmp_path / f"{n:03}" for n in range(200)]
    for n, path in enumerate(paths):
        path.write_bytes(b"%03d" % (n // 2))
    assert [known.look_up((path,)).earlier for path in paths] == [
        () if n % 2 == 0 else (paths[n - 1],) for n in range(200)
    ]
    assert sorted(hashed) == [(path,) for path in paths]


def test_one_file_of_its_size_is_not_hashed_at_all(
    api: Api, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(_known_files, "digests_of")
    (tmp_path / "a").write_bytes(b"a")
    assert _known_files.KnownFiles(api.backend, project.id).look_up((tmp_path / "a",)) == _known_files.Known()


def vanishing(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Let the file go once the headers are read."""
    plan = importing.plan

    def then_gone(*args: Any) -> Any:
        found = plan(*args)
        path.unlink()
        return found

    monkeypatch.setattr(importing, "plan", then_gone)


@pytest.fixture
def two_pictures(tmp_path: Path, demo_images: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    shutil.copy(demo_images / "xray" / "cr_16bit.png", folder / "a.png")
    shutil.copy(demo_images / "xray" / "nih_00000001_000.png", folder / "b.png")
    return folder


def test_a_file_that_vanishes_is_named_and_the_others_come_in(
    api: Api, two_pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vanishing(monkeypatch, two_pictures / "a.png")
    report = import_files(api, [two_pictures], "chest", ImportOptions())
    assert [resource.filename for resource, _ in report.imported] == ["b.png"]
    assert [item.path.name for item in report.skipped] == ["a.png"]
    assert "a.png" in report.skipped[0].reason


def test_a_file_that_vanishes_stops_an_import_that_may_leave_nothing_out(
    api: Api, two_pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vanishing(monkeypatch, two_pictures / "b.png")
    with pytest.raises(ValidationError, match=r"b\.png.*1 of 2 resources had been stored"):
        import_files(api, [two_pictures], "chest", ImportOptions(on_error="raise"))


WAYS: dict[str, Callable[[Api, Path], object]] = {
    "import": lambda api, path: import_files(api, [path], "chest", ImportOptions()),
    "upload": lambda api, path: api.resources.upload_resources(path, publish_to="chest"),
    "upload of one": lambda api, path: api.resources.upload_resource(path, publish_to="chest"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_resource_is_in_its_project_from_the_moment_it_exists(
    api: Api, project: Project, demo_images: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    store, seen = api.backend._storing, []  # type: ignore[attr-defined]
    create = store.resource

    def watched(new: Any, **how: Any) -> tuple[Resource, bool]:
        made, is_new = create(new, **how)
        seen.append((made.status, [each.id for each in api.projects.get_project_resources(project)] == [made.id]))
        return made, is_new

    monkeypatch.setattr(store, "resource", watched)
    WAYS[way](api, demo_images / "xray" / "cr_16bit.png")
    assert seen == [("published", True)]
