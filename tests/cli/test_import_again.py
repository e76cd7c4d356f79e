"""A second import of files that changed meanwhile: what it adds, tags and warns of."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from datamint_like import Api
from datamint_like.api.importing import ImportOptions, import_files
from datamint_like.entities import Resource
from tests.cli.conftest import Run

FILES = 32


@pytest.fixture
def series(demo_images: Path) -> list[Path]:
    return sorted((demo_images / "ct_philips").glob("*.dcm"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "study"
    made.mkdir()
    return made


def resources(name: str = "c") -> list[Resource]:
    with Api() as api:
        return api.projects.get_project_resources(name)


def copy(files: list[Path], folder: Path) -> None:
    for file in files:
        shutil.copy(file, folder)


# -- series that grow and shrink


def test_a_series_that_grew_takes_the_place_of_the_old_resource_and_says_so(
    run: Run, series: list[Path], folder: Path
) -> None:
    copy(series[:20], folder)
    assert "Warning" not in run("import", folder, "--project", "c", "--tag", "a").out
    (old,) = resources()
    copy(series, folder)
    grown = run("import", folder, "--project", "c", "--tag", "b")
    assert grown.code == 0
    (new,) = resources()
    assert (new.filename, set(new.tags)) == (f"series_203_{FILES}files.dcm", {"a", "b"})
    assert f"Replaced: series_203_20files.dcm ({old.id}) was taken out of the project: {new.filename}" in grown.out
    assert "'c' now holds 1 resource." in grown.out
    assert "Warning" not in grown.out
    with Api() as api:
        assert api.resources.get_by_id(old.id).filename == old.filename
        api.projects.add_resources(old.id, "c")
    assert {each.id for each in resources()} == {old.id, new.id}


def test_a_resource_that_was_superseded_is_told_as_json(run: Run, series: list[Path], folder: Path) -> None:
    copy(series[:20], folder)
    run("import", folder, "--project", "c")
    (old,) = resources()
    copy(series, folder)
    grown = run("import", folder, "--project", "c", "--json").json
    (new,) = resources()
    assert grown["superseded"] == [
        {
            "id": old.id,
            "filename": "series_203_20files.dcm",
            "files": 20,
            "by": {"id": new.id, "filename": new.filename},
        }
    ]
    assert (grown["overlapping"], grown["warnings"]) == ([], [])
    again = run("import", folder, "--project", "c", "--json").json
    assert (again["imported"], again["superseded"], again["overlapping"]) == ([], [], [])


def test_a_mended_file_makes_the_series_whole_and_leaves_nothing_of_it_twice(series: list[Path], folder: Path) -> None:
    copy(series[:4], folder)
    mended = folder / series[2].name
    mended.write_bytes(mended.read_bytes()[:-100])
    with Api() as api:
        first = import_files(api, [folder], "c", ImportOptions())
        assert [files for _, files in first.imported] == [3]
        copy(series[2:3], folder)
        second = import_files(api, [folder], "c", ImportOptions())
        assert [files for _, files in second.imported] == [4]
        assert [each.held.id for each in second.superseded] == [first.imported[0][0].id]
        assert second.project.resource_count == 1


def test_an_import_that_was_stopped_before_the_old_resource_left_is_finished_by_the_next(
    series: list[Path], folder: Path
) -> None:
    copy(series[:20], folder)
    with Api() as api:
        old, _ = import_files(api, [folder], "c", ImportOptions()).imported[0]
        copy(series, folder)
        new = api.resources.upload_resources([folder], publish_to="c").resource_ids[0]
        assert {each.id for each in resources()} == {old.id, new}
        report = import_files(api, [folder], "c", ImportOptions())
        assert [(each.held.id, each.resource.id) for each in report.superseded] == [(old.id, new)]
        assert (report.imported, report.overlapping, report.project.resource_count) == ((), (), 1)


def test_a_superseded_resource_that_was_brought_back_stays(series: list[Path], folder: Path) -> None:
    copy(series[:20], folder)
    with Api() as api:
        old, _ = import_files(api, [folder], "c", ImportOptions()).imported[0]
        copy(series, folder)
        import_files(api, [folder], "c", ImportOptions())
        api.projects.add_resources(old.id, "c")
        assert import_files(api, [folder], "c", ImportOptions()).superseded == ()
        assert len(resources()) == 2


def test_two_resources_of_the_same_files_both_stay(series: list[Path], folder: Path) -> None:
    copy(series[:5], folder)
    with Api() as api:
        import_files(api, [folder], "c", ImportOptions())
        api.resources.upload_resources([folder], publish_to="c")
        assert import_files(api, [folder], "c", ImportOptions()).superseded == ()
        assert len(resources()) == 2


def annotate(api: Api, resource: Resource) -> None:
    api.annotations.add_image_category_annotation(resource, "contrast", "arterial")


def assign(api: Api, resource: Resource) -> None:
    api.projects.assign_splits("c", resource, "train")


def set_status(api: Api, resource: Resource) -> None:
    api.projects.set_work_status("c", resource, "annotated")


@pytest.mark.parametrize(
    ("hang", "kept_for"), [(annotate, "1 annotation"), (assign, "split"), (set_status, "status of work")]
)
def test_an_old_resource_on_which_something_hangs_stays_with_a_warning_that_names_both(
    run: Run, series: list[Path], folder: Path, hang: Callable[[Api, Resource], None], kept_for: str
) -> None:
    copy(series[:20], folder)
    run("import", folder, "--project", "c")
    (old,) = resources()
    with Api() as api:
        hang(api, old)
    copy(series, folder)
    grown = run("import", folder, "--project", "c", "--json")
    assert grown.code == 0
    (new,) = [each for each in resources() if each.id != old.id]
    assert grown.json["superseded"] == []
    assert grown.json["overlapping"] == [
        {
            "id": new.id,
            "filename": f"series_203_{FILES}files.dcm",
            "files": FILES,
            "shared": 20,
            "held_by": {"id": old.id, "filename": "series_203_20files.dcm"},
            "kept_for": kept_for,
        }
    ]
    (sentence,) = grown.json["warnings"]
    assert f"series_203_20files.dcm ({old.id}) of the project already holds 20 of the {FILES} files" in sentence
    assert f"The old one was kept for its {kept_for}, which no import moves." in sentence
    assert f'api.resources.delete("{old.id}")' in sentence
    assert "import into a new project" in sentence
    again = run("import", folder, "--project", "c", "--json")
    assert (again.json["imported"], again.json["overlapping"]) == ([], [])


def test_a_series_that_shrank_is_told_in_the_text_too(run: Run, series: list[Path], folder: Path) -> None:
    copy(series, folder)
    run("import", folder, "--project", "c")
    for file in sorted(folder.iterdir())[:5]:
        file.unlink()
    (old,) = resources()
    done = run("import", folder, "--project", "c")
    assert f"Warning: series_203_{FILES - 5}files.dcm (" in done.out
    assert f"({old.id}) of the project already holds {FILES - 5} of the {FILES - 5} files of this series" in done.out
    assert len(resources()) == 2


def test_a_series_that_grew_twice_leaves_what_is_annotated_and_takes_the_place_of_the_rest(
    series: list[Path], folder: Path
) -> None:
    shared, gone = [], []
    with Api() as api:
        for count in (10, 20, FILES):
            copy(series[:count], folder)
            report = import_files(api, [folder], "c", ImportOptions(on_error="raise"))
            shared.append([each.shared for each in report.overlapping])
            gone.append([each.files for each in report.superseded])
            if count == 10:
                annotate(api, report.imported[0][0])
    assert (shared, gone) == ([[], [10], [10]], [[], [], [20]])


def test_a_series_that_grew_in_one_project_stays_as_it_is_in_another(series: list[Path], folder: Path) -> None:
    copy(series[:20], folder)
    with Api() as api:
        old, _ = import_files(api, [folder], "c", ImportOptions()).imported[0]
        api.projects.create("other", resources_ids=[old.id])
        copy(series, folder)
        assert import_files(api, [folder], "c", ImportOptions()).superseded
        assert [each.id for each in api.projects.get_project_resources("other")] == [old.id]


def test_nothing_is_said_once_the_old_resource_is_deleted_or_in_another_project(
    series: list[Path], folder: Path
) -> None:
    copy(series[:20], folder)
    with Api() as api:
        first = import_files(api, [folder], "c", ImportOptions())
        copy(series, folder)
        assert import_files(api, [folder], "other", ImportOptions()).overlapping == ()
        api.resources.delete(first.imported[0][0])
        assert import_files(api, [folder], "c", ImportOptions()).overlapping == ()


def test_two_resources_of_one_series_that_share_no_file_are_no_matter(series: list[Path], folder: Path) -> None:
    copy(series[:10], folder)
    with Api() as api:
        import_files(api, [folder], "c", ImportOptions())
        for file in folder.iterdir():
            file.unlink()
        copy(series[10:], folder)
        assert import_files(api, [folder], "c", ImportOptions()).overlapping == ()


# -- tags


def test_tags_reach_what_is_already_there_and_those_that_got_some_are_counted(
    run: Run, series: list[Path], folder: Path, demo_images: Path
) -> None:
    copy(series, folder)
    copy([demo_images / "xray" / "cr_16bit.png"], folder)
    run("import", folder, "--project", "c", "--tag", "a")
    copy([demo_images / "xray" / "nih_00000001_000.png"], folder)
    done = run("import", folder, "--project", "c", "--tag", "b", "--tag", "a")
    assert "Already there, not added again: 2 resources.\nTagged 2 resources of those." in done.out
    assert {each.filename: each.tags for each in resources()} == {
        "cr_16bit.png": ("a", "b"),
        f"series_203_{FILES}files.dcm": ("a", "b"),
        "nih_00000001_000.png": ("b", "a"),
    }
    again = run("import", folder, "--project", "c", "--tag", "a", "--json")
    assert again.json["tagged"] == []
    assert "Tagged" not in run("import", folder, "--project", "c").out


# -- arguments


@pytest.mark.parametrize("tag", ["", " ", "\udcff"])
def test_a_tag_that_is_none_is_the_reason_and_leaves_no_project(run: Run, demo_images: Path, tag: str) -> None:
    done = run("import", demo_images / "xray" / "cr_16bit.png", "--project", "n", "--tag", "a", "--tag", tag)
    assert done.code == 1
    assert "tag" in done.err
    assert "cr_16bit" not in done.err
    assert run("ls", "--json").json["projects"] == []


# -- slices that were lost


@pytest.mark.parametrize("kept", [0.1, 0.6, 0.98])
def test_a_series_that_lost_a_slice_is_named_with_the_file(
    run: Run, series: list[Path], folder: Path, kept: float
) -> None:
    copy(series, folder)
    cut = folder / series[12].name
    cut.write_bytes(cut.read_bytes()[: int(cut.stat().st_size * kept)])
    (folder / "notes.txt").write_text("no image")
    (folder / "empty.dcm").write_bytes(b"")
    done = run("import", folder, "--project", "c")
    (resource,) = resources()
    name = f"series_203_{FILES - 1}files.dcm"
    assert f"Warning: {name} ({resource.id}) may lack slices: 1 file of its series was left out" in done.out
    assert f"as unreadable: {cut.name}: " in done.out
    told = run("import", folder, "--project", "c", "--json").json
    assert told["imported"] == []
    assert told["incomplete"] == [{"id": resource.id, "filename": name, "left_out": [cut.name]}]


def test_an_unreadable_file_of_another_series_is_no_loss(
    run: Run, series: list[Path], folder: Path, demo_images: Path
) -> None:
    copy(series, folder)
    other = (demo_images / "ct_ge" / "IM0003.dcm").read_bytes()
    (folder / "other.dcm").write_bytes(other[: len(other) // 2])
    done = run("import", folder, "--project", "c", "--json")
    assert done.code == 3
    assert (done.json["incomplete"], done.json["warnings"]) == ([], [])
